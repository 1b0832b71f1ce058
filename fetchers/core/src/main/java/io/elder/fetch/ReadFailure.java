package io.elder.fetch;

import java.io.IOException;

/** A failure of which is known, where it is met, what to do about it: {@link Provider#classify} is not asked. */
public final class ReadFailure extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient Verdict verdict;

    private ReadFailure(Verdict verdict, String message, Throwable cause) {
        super(message, cause);
        this.verdict = verdict;
    }

    /** Trying again does not help. */
    public static ReadFailure stop(StopReason reason, String message) {
        return stop(reason, message, null);
    }

    public static ReadFailure stop(StopReason reason, String message, Throwable cause) {
        return new ReadFailure(new Verdict.Stop(reason, message), message, cause);
    }

    /** What was read is of no use, a new reading on a new connection may be. */
    public static ReadFailure startOver(String message) {
        return startOver(message, null);
    }

    public static ReadFailure startOver(String message, Throwable cause) {
        return new ReadFailure(new Verdict.StartOver(), message, cause);
    }

    /** @param cause null if there is none that says more */
    public static ReadFailure of(Verdict verdict, String message, Throwable cause) {
        return new ReadFailure(verdict, message, cause);
    }

    Verdict verdict() {
        return verdict;
    }
}
