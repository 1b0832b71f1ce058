package io.elder.runtime;

import java.time.Duration;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Notices when the machine's clock is set back. Kafka's clients and Streams take it for granted that time goes forward:
 * until the clock is as late as it was, nothing is due, no heartbeat, no commit, no punctuation.
 */
final class ClockSteps implements AutoCloseable {
    /** What a synchronised clock may be set back by, and what a process may stand still for. */
    static final Duration TOLERATED = Duration.ofSeconds(5);

    private static final Logger LOG = LoggerFactory.getLogger(ClockSteps.class);
    private static final long LOOK_MILLIS = 1000;

    private final LongSupplier clock;
    private final Runnable whenSetBack;
    private final Thread thread;
    private long latest;

    /** @param whenSetBack run once, in a thread of its own */
    ClockSteps(Runnable whenSetBack) {
        this(System::currentTimeMillis, whenSetBack);
    }

    /** @param clock milliseconds since the epoch */
    ClockSteps(LongSupplier clock, Runnable whenSetBack) {
        this.clock = clock;
        this.whenSetBack = whenSetBack;
        this.latest = clock.getAsLong();
        this.thread = new Thread(this::watch, "clock");
        this.thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    private void watch() {
        try {
            Optional<Duration> behind = look();
            while (behind.isEmpty()) {
                Thread.sleep(LOOK_MILLIS);
                behind = look();
            }
            LOG.warn("the clock was set back by {}: starting anew", behind.get());
            whenSetBack.run();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** By how much the clock is behind the latest time that it has shown; empty if that is tolerated. */
    Optional<Duration> look() {
        long now = clock.getAsLong();
        latest = Math.max(latest, now);
        return Optional.of(Duration.ofMillis(latest - now)).filter(behind -> behind.compareTo(TOLERATED) > 0);
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
