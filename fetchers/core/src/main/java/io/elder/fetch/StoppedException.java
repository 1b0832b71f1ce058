package io.elder.fetch;

/** A scope or a plan was given up, for a reason. */
final class StoppedException extends Exception {
    private static final long serialVersionUID = 1L;

    private final StopReason reason;

    StoppedException(StopReason reason, String message) {
        super(message);
        this.reason = reason;
    }

    StoppedException(StopReason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    StopReason reason() {
        return reason;
    }
}
