package io.elder.normalizer;

import io.elder.runtime.Settings;
import java.time.Duration;

/**
 * The normalizer's settings.
 *
 * @param deleteBudgetMin a seal may always delete so many resources
 * @param deleteBudgetPercent and so many of a hundred live ones, if that is more
 * @param heldExpiry how long a held plan awaits a person
 * @param lastSeenRefresh how often a resource that did not change is repeated in the inventory
 * @param purgeAfter how long a deleted row is kept
 * @param commitInterval of what is just appended; see {@link Commits}
 */
public record NormalizerSettings(
        int deleteBudgetMin,
        int deleteBudgetPercent,
        Duration heldExpiry,
        Duration lastSeenRefresh,
        Duration purgeAfter,
        Duration commitInterval,
        int threads,
        String stateDirectory) {

    public static NormalizerSettings from(Settings settings) {
        return new NormalizerSettings(
                settings.whole("DELETE_BUDGET_MIN", 20, 0, Integer.MAX_VALUE),
                settings.whole("DELETE_BUDGET_PERCENT", 20, 0, 100),
                settings.duration("HELD_EXPIRY", Duration.ofDays(7)),
                settings.duration("LAST_SEEN_REFRESH", Duration.ofHours(24), Duration.ZERO),
                settings.duration("PURGE_AFTER", Duration.ofDays(30)),
                settings.duration("NORMALIZER_COMMIT_INTERVAL", Duration.ofMillis(100)),
                settings.whole("NORMALIZER_THREADS", 2, 1, 64),
                settings.text("STATE_DIR", ".elder/state"));
    }

    /** The most that a seal may delete without a person's word. */
    long budget(long live) {
        return Math.max(deleteBudgetMin, live * deleteBudgetPercent / 100);
    }
}
