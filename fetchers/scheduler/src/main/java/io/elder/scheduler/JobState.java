package io.elder.scheduler;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/** What is known of a job: its row, what of it was acted upon already, how it went, and the run that is under way. */
final class JobState {
    private static final Duration FIRST_BACK_OFF = Duration.ofMinutes(1);
    private static final Duration LAST_BACK_OFF = Duration.ofHours(1);

    /** A fleet of schedulers that restarts together syncs once. */
    private static final Duration RECENT_START = Duration.ofSeconds(60);

    /** Our own values of {@code next_run_at} come back by change capture, late ones too. */
    private static final int REMEMBERED_PLANS = 8;

    /** Null once the row was deleted. */
    JobRow row;

    boolean isConnector;

    /** The value of {@code next_run_at} that the last run was started for. */
    Instant consumedNextRunAt;

    /** Whether the present status {@code pending} has led to a run. */
    boolean isPendingConsumed;

    /** Whether one more run follows the active one. */
    boolean isQueued;

    /** The latest values of {@code next_run_at} that we chose: they plan a run, they do not queue one. */
    List<Instant> ownNextRunAt = new ArrayList<>();

    Instant lastStartedAt;

    /** When the last start was noticed to be still to come, as a clock was ahead; null if it is not. */
    private Instant aheadSince;

    /** Failed runs in a row. */
    int failures;

    /** No scheduled run before this. */
    Instant notBefore;

    ActiveRun active;

    /** A run under way. Its scopes are kept beside it, one by one, because there may be many. */
    static final class ActiveRun {
        String runId;
        String provider;
        Instant startedAt;
        Instant deadline;
        TreeSet<Integer> parts = new TreeSet<>();
        int lastPart = -1;
        int scopes;
        int sealed;
        int failed;
        long discovered;

        boolean isResolved() {
            return lastPart >= 0 && parts.size() == lastPart + 1 && sealed + failed == scopes;
        }
    }

    /** Notes a new version of the row. */
    void changed(JobRow changed) {
        if (!changed.isPending()) {
            isPendingConsumed = false;
        }
        row = changed;
    }

    /** While a run is active: whether the row asks for one more after it. */
    void noteQueue(Instant now) {
        if (row != null && row.enabled() && isAsked(now)) {
            isQueued = true;
            consume(now);
        }
    }

    private boolean isAsked(Instant now) {
        boolean isQueuedByTime = row.nextRunAt() != null
                && !row.nextRunAt().isAfter(now)
                && !row.nextRunAt().equals(consumedNextRunAt)
                && !ownNextRunAt.contains(row.nextRunAt());
        return isQueuedByTime || (row.isPending() && !isPendingConsumed);
    }

    private void consume(Instant now) {
        if (row.nextRunAt() != null && !row.nextRunAt().isAfter(now)) {
            consumedNextRunAt = row.nextRunAt();
        }
        isPendingConsumed = row.isPending();
    }

    /**
     * Why a run is due now; empty if none is.
     *
     * @param processStart when this scheduler was started
     */
    Optional<String> due(Instant now, boolean syncOnStartup, Instant processStart) {
        if (active != null || row == null || !row.enabled()) {
            return Optional.empty();
        }
        if (isQueued || isAsked(now)) {
            return Optional.of("queued");
        }
        if (isConnector) {
            return dueConnector(now, syncOnStartup, processStart);
        }
        Instant last = later(row.lastRunAt(), lastStartedAt);
        if (last == null) {
            return row.nextRunAt() == null || !row.nextRunAt().isAfter(now) ? Optional.of("first") : Optional.empty();
        }
        return dueByInterval(now, last);
    }

    private Optional<String> dueConnector(Instant now, boolean syncOnStartup, Instant processStart) {
        boolean ranSinceStart = lastStartedAt != null && !lastStartedAt.isBefore(processStart.minus(RECENT_START));
        if (syncOnStartup && !ranSinceStart) {
            return Optional.of("startup");
        }
        return dueByInterval(now, lastStartedAt == null ? processStart : lastStartedAt);
    }

    private Optional<String> dueByInterval(Instant now, Instant last) {
        boolean isAhead = last.isAfter(now);
        if (!isAhead || aheadSince == null || aheadSince.isAfter(now)) {
            aheadSince = isAhead ? now : null;
        }
        // Else nothing would run until the clock is where it was.
        Instant from = isAhead ? aheadSince : last;
        // A pause that is longer than the longest was noted by a clock that was ahead, or is the schedule's own.
        boolean mayRun = notBefore == null || !notBefore.isAfter(now) || notBefore.isAfter(now.plus(LAST_BACK_OFF));
        boolean isDue =
                mayRun && row.next(from).filter(next -> !next.isAfter(now)).isPresent();
        return isDue ? Optional.of("schedule") : Optional.empty();
    }

    void started(ActiveRun run) {
        consume(run.startedAt);
        isQueued = false;
        lastStartedAt = run.startedAt;
        aheadSince = null;
        active = run;
    }

    /** Returns when the job runs next by its schedule, or null. */
    Instant finished(String status, Instant now) {
        boolean isFailed = status.equals("failed");
        failures = isFailed ? failures + 1 : 0;
        Instant startedAt = active.startedAt;
        active = null;
        notBefore = null;
        Optional<Instant> scheduled = row == null || !row.enabled() ? Optional.empty() : row.next(startedAt);
        if (scheduled.isEmpty()) {
            return null;
        }
        Instant next = scheduled.get();
        if (isFailed) {
            Duration backOff = FIRST_BACK_OFF.multipliedBy(1L << Math.min(failures - 1, 10));
            next = later(next, now.plus(backOff.compareTo(LAST_BACK_OFF) < 0 ? backOff : LAST_BACK_OFF));
            notBefore = next;
        }
        ownNextRunAt.add(next);
        if (ownNextRunAt.size() > REMEMBERED_PLANS) {
            ownNextRunAt.remove(0);
        }
        return next;
    }

    private static Instant later(Instant one, Instant other) {
        if (one == null || other == null) {
            return one == null ? other : one;
        }
        return one.isAfter(other) ? one : other;
    }
}
