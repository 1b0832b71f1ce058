package io.elder.fetch;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.DoubleSupplier;

/**
 * How often and when something is tried again: pauses are random between nothing and a bound that doubles ("full
 * jitter"), so that many fetchers that failed together do not come back together.
 *
 * @param most how often something is tried again before it is given up
 * @param random numbers from 0 to 1
 * @see <a href="https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/">Exponential backoff and jitter</a>
 */
public record Retries(int most, Clock clock, Pause pause, DoubleSupplier random) {
    private static final Duration FIRST_BOUND = Duration.ofSeconds(1);
    private static final Duration LAST_BOUND = Duration.ofMinutes(1);

    /** Waits; tests do not. */
    @FunctionalInterface
    public interface Pause {
        void take(Duration duration) throws InterruptedException;
    }

    public static Retries of(int most, Clock clock) {
        return new Retries(
                most, clock, Thread::sleep, () -> ThreadLocalRandom.current().nextDouble());
    }

    /** When to try again after this many failures in a row. */
    Instant next(int failures) {
        long bound = Math.min(LAST_BOUND.toMillis(), FIRST_BOUND.toMillis() << Math.min(failures - 1, 20));
        return clock.instant().plusMillis((long) (bound * random.getAsDouble()));
    }

    void waitUntil(Instant instant) throws InterruptedException {
        Duration left = Duration.between(clock.instant(), instant);
        if (left.isPositive()) {
            pause.take(left);
        }
    }
}
