package io.elder.fetch.lxd;

import io.elder.fetch.StopReason;
import java.io.IOException;

/** An answer that came, and that no other try would better. */
final class LxdFailure extends IOException {
    private static final long serialVersionUID = 1L;

    private final StopReason reason;

    LxdFailure(StopReason reason, String message) {
        super(message);
        this.reason = reason;
    }

    StopReason reason() {
        return reason;
    }
}
