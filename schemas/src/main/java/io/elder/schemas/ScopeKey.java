package io.elder.schemas;

import java.util.List;

/**
 * The smallest set of resources that is read whole: {@code provider/account/region/kind}.
 *
 * @param provider the provider's name, e.g. {@code aws}
 * @param account whose resources: an account id, a project, a directory's host name
 * @param region where in the account: a region, a base DN; {@code -} where the provider has none
 * @param kind the resource kind, e.g. {@code ec2_instance}
 */
public record ScopeKey(String provider, String account, String region, String kind) {
    /** What stands for "no region" in a scope. */
    public static final String NO_REGION = "-";

    public ScopeKey {
        for (String segment : List.of(provider, account, region, kind)) {
            if (segment.isBlank()) {
                throw new IllegalArgumentException("scope " + provider + "/" + account + "/" + region + "/" + kind
                        + " has an empty segment (expected: provider/account/region/kind, \"-\" for no region)");
            }
        }
    }

    /** Reads what {@link #toString()} wrote. */
    public static ScopeKey parse(String scope) {
        List<String> segments = Segments.split(scope);
        if (segments.size() != 4) {
            throw new IllegalArgumentException("scope: " + scope + " (expected: provider/account/region/kind)");
        }
        return new ScopeKey(segments.get(0), segments.get(1), segments.get(2), segments.get(3));
    }

    /** The same account and region, another kind. */
    public ScopeKey withKind(String other) {
        return new ScopeKey(provider, account, region, other);
    }

    @Override
    public String toString() {
        return Segments.join(provider, account, region, kind);
    }
}
