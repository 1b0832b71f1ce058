package io.elder.fetch;

/** A request was made as often as is worth it. */
final class GivenUpException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final StopReason reason;

    GivenUpException(StopReason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    StopReason reason() {
        return reason;
    }
}
