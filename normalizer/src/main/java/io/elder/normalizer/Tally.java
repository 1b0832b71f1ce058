package io.elder.normalizer;

import io.micrometer.core.instrument.MeterRegistry;
import java.util.Locale;

/** The normalizer's counters. A transaction that is repeated counts again: they are for rates, not for accounts. */
final class Tally {
    enum Skipped {
        FENCED,
        OLDER,
        UNCHANGED
    }

    private final MeterRegistry meters;

    Tally(MeterRegistry meters) {
        this.meters = meters;
    }

    void skipped(String provider, Skipped reason) {
        meters.counter(
                        "worker.records.skipped",
                        "provider",
                        provider,
                        "reason",
                        reason.name().toLowerCase(Locale.ROOT))
                .increment();
    }

    /** {@code outcome}: sealed, held or failed. */
    void scope(String provider, String outcome) {
        meters.counter("worker.scopes", "provider", provider, "outcome", outcome)
                .increment();
    }

    void deadLetter(String errorClass) {
        meters.counter("worker.dead.letters", "stage", "normalizer", "reason", errorClass)
                .increment();
    }
}
