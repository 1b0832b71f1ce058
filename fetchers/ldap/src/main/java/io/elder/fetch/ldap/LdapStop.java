package io.elder.fetch.ldap;

import io.elder.fetch.StopReason;

/** A failure that asking the directory again would not mend. */
final class LdapStop extends Exception {
    private static final long serialVersionUID = 1L;

    private final StopReason reason;

    LdapStop(StopReason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    LdapStop(StopReason reason, String message) {
        this(reason, message, null);
    }

    StopReason reason() {
        return reason;
    }
}
