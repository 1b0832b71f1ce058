package io.elder.writeback;

import java.time.Instant;

/** Why a provider did not do what it was asked. The message names the call and the provider's words, without secrets. */
final class CallFailure extends Exception {
    private static final long serialVersionUID = 1L;

    /** What to do about it. */
    enum Kind {
        /** No such group or user: a result. */
        GONE,
        /** Asking again would change nothing. */
        REFUSED,
        /** The credentials are wrong, revoked or too weak: a person has to see to it. */
        UNAUTHORIZED,
        /** Too many calls: not before the given time. */
        THROTTLED,
        /** Its trouble; it may pass. */
        BROKEN
    }

    private final Kind kind;
    private final transient Instant notBefore;

    CallFailure(Kind kind, String message) {
        this(kind, message, null);
    }

    /** @param notBefore when a throttled call may be made again; null if the provider did not say */
    CallFailure(Kind kind, String message, Instant notBefore) {
        super(message);
        this.kind = kind;
        this.notBefore = notBefore;
    }

    Kind kind() {
        return kind;
    }

    Instant notBefore() {
        return notBefore;
    }
}
