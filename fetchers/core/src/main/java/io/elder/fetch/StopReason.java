package io.elder.fetch;

import java.util.Locale;

/** Why a scope was not read whole. */
public enum StopReason {
    BAD_CREDENTIALS,
    ACCOUNT_DISABLED,
    ACCOUNT_LOCKED,
    PASSWORD_EXPIRED,
    FORBIDDEN,
    NOT_FOUND,
    SIZE_LIMIT,
    INCOMPLETE,
    UNREACHABLE,
    TLS,
    TIMEOUT,
    BAD_CONFIGURATION,
    REPEATED_CURSOR,
    BAD_RESPONSE,
    UNKNOWN;

    /** As in events, metrics and history: {@code bad_credentials}. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
