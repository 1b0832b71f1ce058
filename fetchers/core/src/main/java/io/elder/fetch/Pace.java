package io.elder.fetch;

import java.time.Duration;
import java.time.Instant;

/**
 * When the next request to one account in one region may be made, for all tasks of a process. Requests are spaced evenly
 * just below the limit. Where the system throttles all the same, the rate is halved, returns within seconds to nearly what
 * was too much, and feels its way up from there.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9438">CUBIC, whose shape this is: hurry back, then linger</a>
 */
final class Pace {
    /** Clocks drift and networks bunch requests: at the very limit, some would be throttled. */
    private static final double HEADROOM = 0.96;

    /** Shares of the limit that a storm of throttling can't push the rate, and what is held to be safe, below. */
    private static final double LOWEST = 0.02;

    private static final double LEAST_SAFE = 0.1;

    /** How much of what was too much is held to be fine. */
    private static final double SAFE = 0.92;

    private static final Duration WAY_BACK = Duration.ofSeconds(5);

    /** Shares of the limit a second, once it is back where it was safe; the longer nothing is throttled, the more. */
    private static final double PROBING = 0.0005;

    private static final double PATIENCE_SECONDS = 60;

    /** What an idle moment leaves for the next: a slow answer costs no turn. */
    private static final Duration CREDIT = Duration.ofMillis(20);

    private double limit;
    private double rate;
    private double safe;
    private Instant next = Instant.MIN;
    private Instant raisedAt;
    private Instant loweredAt;

    Pace(double limit, Instant now) {
        this.limit = limit;
        this.rate = limit * HEADROOM;
        this.safe = rate;
        this.raisedAt = now;
        this.loweredAt = now;
    }

    /** The limit may have been set anew; what was learnt stays, unless the limit is lower. */
    synchronized void limit(double wanted) {
        if (wanted != limit) {
            boolean isHeldBack = rate < limit * HEADROOM;
            limit = wanted;
            safe = isHeldBack ? Math.min(safe, limit * HEADROOM) : limit * HEADROOM;
            rate = isHeldBack ? Math.min(rate, limit * HEADROOM) : limit * HEADROOM;
        }
    }

    /** Reserves the next turn, and says when it is. */
    synchronized Instant turn(Instant now) {
        raise(now);
        Duration spacing = Duration.ofNanos((long) (1e9 / rate));
        Instant earliest = now.minus(spacing.compareTo(CREDIT) < 0 ? CREDIT : spacing);
        Instant turn = next.isBefore(earliest) ? earliest : next;
        next = turn.plus(spacing);
        return turn.isBefore(now) ? now : turn;
    }

    /** @param sentAt when the request that was throttled was made: one throttling has many victims, and counts once */
    synchronized void throttled(Instant sentAt, Instant now) {
        if (sentAt.isBefore(loweredAt)) {
            return;
        }
        raise(now);
        safe = Math.max(limit * LEAST_SAFE, rate * SAFE);
        rate = Math.max(limit * LOWEST, rate / 2);
        loweredAt = now;
        raisedAt = now;
    }

    /** Nothing before this: the system said so. */
    synchronized void notBefore(Instant instant) {
        if (instant.isAfter(next)) {
            next = instant;
        }
    }

    synchronized double rate() {
        return rate;
    }

    private void raise(Instant now) {
        double seconds = Math.max(0, Duration.between(raisedAt, now).toMillis() / 1000.0);
        raisedAt = now;
        if (rate >= limit * HEADROOM) {
            return;
        }
        double room = safe - rate;
        if (room > 0) {
            double step = safe / 2 / WAY_BACK.toSeconds() * seconds;
            rate += Math.min(room, step);
            seconds = step > room ? seconds * (1 - room / step) : 0;
        }
        double calm = Duration.between(loweredAt, now).toMillis() / 1000.0 / PATIENCE_SECONDS;
        rate = Math.min(limit * HEADROOM, rate + limit * PROBING * (1 + calm * calm) * seconds);
    }
}
