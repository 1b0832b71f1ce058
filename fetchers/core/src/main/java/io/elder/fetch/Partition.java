package io.elder.fetch;

import io.elder.schemas.ScopeKey;

/**
 * A part of a system that is read on its own.
 *
 * @param account whose resources: an account id, a project, a directory's host name
 * @param region where in the account; {@link ScopeKey#NO_REGION} if there is no such thing
 */
public record Partition(String account, String region) {
    /** The region of what an account has only once, beside its regions, such as users or DNS zones. */
    public static final String GLOBAL = "global";

    public static Partition of(String account) {
        return new Partition(account, ScopeKey.NO_REGION);
    }

    public static Partition global(String account) {
        return new Partition(account, GLOBAL);
    }

    public boolean isGlobal() {
        return region.equals(GLOBAL);
    }
}
