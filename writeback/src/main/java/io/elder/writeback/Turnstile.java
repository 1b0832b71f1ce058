package io.elder.writeback;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;

/**
 * When the next call to one provider may be made: a token bucket that holds a minute's worth, since providers count by the
 * minute, and that nobody passes before a throttling is over.
 */
final class Turnstile {
    private static final double SECONDS_KEPT = 60;

    private final double perSecond;
    private final Clock clock;
    private double tokens;
    private Instant filledAt;
    private Instant notBefore = Instant.MIN;

    Turnstile(double perSecond, Clock clock) {
        this.perSecond = perSecond;
        this.clock = clock;
        this.tokens = perSecond * SECONDS_KEPT;
        this.filledAt = clock.instant();
    }

    /** Takes the next turn, and says when it is. */
    synchronized Instant turn() {
        Instant now = clock.instant();
        double gained = Math.max(0, Duration.between(filledAt, now).toNanos() / 1e9) * perSecond;
        tokens = Math.min(perSecond * SECONDS_KEPT, tokens + gained);
        filledAt = now;
        tokens -= 1;
        Instant turn = tokens >= 0 ? now : now.plusNanos((long) (-tokens / perSecond * 1e9));
        return turn.isBefore(notBefore) ? notBefore : turn;
    }

    /** Nothing before this: the provider said so, and what was saved up is gone. */
    synchronized void notBefore(Instant instant) {
        if (instant.isAfter(notBefore)) {
            notBefore = instant;
        }
        tokens = Math.min(tokens, 0);
    }
}
