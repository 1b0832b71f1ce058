package io.elder.fetch;

import java.time.Instant;

/** What a provider says about a failure of its own API. */
public sealed interface Verdict {
    /** Try again, but not before the instant that the vendor named. */
    record RetryAt(Instant at) implements Verdict {}

    /** Try again after a random pause that grows. */
    record RetryWithBackoff() implements Verdict {}

    /** The object does not exist: a parent that went away meanwhile is skipped; for a root row it is a {@link Stop}. */
    record Gone() implements Verdict {}

    /** Trying again does not help. */
    record Stop(StopReason reason, String message) implements Verdict {}
}
