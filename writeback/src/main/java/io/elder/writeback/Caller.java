package io.elder.writeback;

import io.elder.schemas.avro.PlannedChange;
import io.elder.schemas.avro.WritebackPlan;
import io.elder.writeback.CallFailure.Kind;
import io.elder.writeback.WritebackTarget.Change;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.DoubleSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the calls of a change: in turn, and again where the provider throttles, fails or does not answer in time. What has
 * not worked after some tries is left to the planner, which tries later with what is wanted then.
 */
final class Caller {
    private static final Logger LOG = LoggerFactory.getLogger(Caller.class);
    private static final Duration FIRST_BOUND = Duration.ofMillis(500);
    private static final Duration LAST_BOUND = Duration.ofSeconds(30);
    private static final int MOST_THROTTLINGS = 30;
    private static final Duration STALE = Duration.ofDays(1);

    /** What came of a change. */
    record Result(String outcome, String message) {}

    /** Waits; tests do not. */
    @FunctionalInterface
    interface Pause {
        void take(Duration duration) throws InterruptedException;
    }

    private final Targets targets;
    private final int maxRetries;
    private final Clock clock;
    private final Pause pause;
    private final DoubleSupplier random;
    private final Tally tally;
    private final Map<String, String> troubles = new ConcurrentHashMap<>();

    Caller(Targets targets, int maxRetries, Clock clock, Pause pause, DoubleSupplier random, Tally tally) {
        this.targets = targets;
        this.maxRetries = maxRetries;
        this.clock = clock;
        this.pause = pause;
        this.random = random;
        this.tally = tally;
    }

    /** By provider, why nothing is written there at the moment. */
    Map<String, String> troubles() {
        return new TreeMap<>(troubles);
    }

    Result make(WritebackPlan plan, PlannedChange change) throws InterruptedException {
        String provider = plan.getProvider();
        if (plan.getAt().isBefore(clock.instant().minus(STALE))) {
            return new Result(Outcome.STALE, "a plan of " + plan.getAt());
        }
        WritebackTarget target = targets.find(provider);
        if (target == null) {
            return new Result(
                    Outcome.FAILED, provider + " is closed here (expected: the same settings in all processes)");
        }
        Result result = attempts(
                provider,
                target,
                new Change(change.getOperation(), plan.getGroupId(), change.getMemberId(), change.getValue()));
        tally.call(provider, change.getOperation(), result.outcome());
        if (result.outcome().equals(Outcome.APPLIED)) {
            tally.took(provider, Duration.between(change.getChangedAt(), clock.instant()));
        }
        return result;
    }

    private Result attempts(String provider, WritebackTarget target, Change change) throws InterruptedException {
        int failures = 0;
        int throttlings = 0;
        while (true) {
            Turnstile turnstile = targets.turnstile(provider);
            waitUntil(turnstile.turn());
            try {
                target.make(change);
                troubles.remove(provider);
                return new Result(Outcome.APPLIED, null);
            } catch (CallFailure e) {
                if (e.kind() == Kind.GONE || e.kind() == Kind.REFUSED) {
                    troubles.remove(provider);
                    return new Result(e.kind() == Kind.GONE ? Outcome.GONE : Outcome.REFUSED, e.getMessage());
                }
                if (e.kind() == Kind.UNAUTHORIZED) {
                    trouble(provider, e.getMessage() + " (expected: credentials that may change group members)");
                    return new Result(Outcome.FAILED, e.getMessage());
                }
                if (e.kind() == Kind.THROTTLED) {
                    tally.again(provider, "throttled");
                    Instant until = e.notBefore() != null ? e.notBefore() : backoff(throttlings + 1);
                    turnstile.notBefore(until);
                    if (++throttlings > MOST_THROTTLINGS) {
                        trouble(provider, "throttled " + throttlings + " times in a row");
                        return new Result(Outcome.FAILED, e.getMessage());
                    }
                    // Spread over a moment, so that all who waited do not come back at once.
                    waitUntil(until.plusMillis((long) (random.getAsDouble() * FIRST_BOUND.toMillis())));
                    continue;
                }
                tally.again(provider, "broken");
                if (++failures > maxRetries) {
                    trouble(provider, e.getMessage());
                    return new Result(Outcome.FAILED, e.getMessage());
                }
            } catch (IOException e) {
                // Perhaps it was done all the same; doing it again does no harm.
                tally.again(provider, "no_answer");
                if (++failures > maxRetries) {
                    String message = "no answer: " + e.getClass().getSimpleName();
                    trouble(provider, message);
                    return new Result(Outcome.FAILED, message);
                }
            } catch (RuntimeException e) {
                return defect(provider, e);
            }
            waitUntil(backoff(failures));
        }
    }

    /** A defect, or a setting that no check found. What it says may hold a credential; where it is does not. */
    private Result defect(String provider, RuntimeException e) {
        String where = e.getStackTrace().length == 0 ? "" : " at " + e.getStackTrace()[0];
        String message = "defect: " + e.getClass().getSimpleName() + where;
        trouble(provider, message);
        return new Result(Outcome.FAILED, message);
    }

    private void trouble(String provider, String message) {
        if (!message.equals(troubles.put(provider, message))) {
            LOG.warn("{}: {}", provider, message);
        }
    }

    private Instant backoff(int failures) {
        long bound = Math.min(LAST_BOUND.toMillis(), FIRST_BOUND.toMillis() << Math.min(failures - 1, 20));
        return clock.instant().plusMillis((long) (bound * random.getAsDouble()));
    }

    private void waitUntil(Instant instant) throws InterruptedException {
        Duration left = Duration.between(clock.instant(), instant);
        if (left.isPositive()) {
            pause.take(left);
        }
    }
}
