package io.elder.fetch;

import java.time.Instant;

/** The run is over: its deadline has passed, or the process stops. Fetch functions let it through. */
public final class FencedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public FencedException(Instant deadline) {
        super("the run's deadline " + deadline + " has passed");
    }

    FencedException(String message) {
        super(message);
    }
}
