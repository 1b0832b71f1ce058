package io.elder.writeback;

import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.Locale;

/** Write-back's counters. A transaction that is repeated counts again: they are for rates, not for accounts. */
final class Tally {
    private final MeterRegistry meters;

    Tally(MeterRegistry meters) {
        this.meters = meters;
    }

    void planned(String provider, int changes) {
        meters.counter("writeback.changes", "provider", provider, "fate", "planned")
                .increment(changes);
    }

    void held(String provider, int changes) {
        meters.counter("writeback.changes", "provider", provider, "fate", "held")
                .increment(changes);
    }

    void conflict(String provider, WritebackSettings.Conflict fate) {
        meters.counter(
                        "writeback.conflicts",
                        "provider",
                        provider,
                        "fate",
                        fate.name().toLowerCase(Locale.ROOT))
                .increment();
    }

    void call(String provider, String operation, String outcome) {
        meters.counter("writeback.calls", "provider", provider, "operation", operation, "outcome", outcome)
                .increment();
    }

    /** An answer that had to be asked for again: throttled, broken or not there in time. */
    void again(String provider, String reason) {
        meters.counter("writeback.calls.again", "provider", provider, "reason", reason)
                .increment();
    }

    /** From the commit in the database to the provider's answer. */
    void took(String provider, Duration duration) {
        meters.timer("writeback.latency", "provider", provider)
                .record(duration.isNegative() ? Duration.ZERO : duration);
    }

    void unreadable() {
        meters.counter("worker.dead.letters", "stage", "writeback", "reason", "SerializationException")
                .increment();
    }
}
