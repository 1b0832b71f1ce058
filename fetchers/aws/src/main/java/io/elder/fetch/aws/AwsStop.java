package io.elder.fetch.aws;

import io.elder.fetch.StopReason;

/** What the client itself knows to be hopeless. */
final class AwsStop extends Exception {
    private static final long serialVersionUID = 1L;

    private final StopReason reason;

    AwsStop(StopReason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    StopReason reason() {
        return reason;
    }
}
