package io.elder.fetch;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class PaceTest {
    private static final Instant START = Instant.EPOCH;

    @Test
    void aLimitThatIsKnownIsUsedToNineTenthsAndNeverMetByAThrottle() {
        Vendor vendor = new Vendor(20, 2);
        Pace pace = new Pace(20, START);
        vendor.serve(pace, START, Duration.ofMinutes(5));
        assertThat(vendor.throttled).isZero();
        assertThat(vendor.answered).isBetween(20L * 300 * 9 / 10, 20L * 300);
    }

    @Test
    void aLimitThatIsNotKnownIsFoundAndKeptMostOfTheTime() {
        Vendor vendor = new Vendor(20, 20);
        Pace pace = new Pace(80, START);
        vendor.serve(pace, START, Duration.ofMinutes(2));
        Vendor steady = new Vendor(20, 20);
        steady.serve(pace, START.plus(Duration.ofMinutes(2)), Duration.ofMinutes(10));
        assertThat(steady.answered).isGreaterThan(20L * 600 * 9 / 10);
        assertThat(steady.throttled).isLessThan(15);
    }

    @Test
    void requestsUnderWayTogetherLowerTheRateOnce() {
        Pace pace = new Pace(100, START);
        Instant later = START.plusMillis(500);
        for (int i = 0; i < 20; i++) {
            pace.throttled(START.plusMillis(i), later.plusMillis(i));
        }
        assertThat(pace.rate()).isBetween(47.0, 49.0);
        pace.throttled(later.plusMillis(100), later.plusMillis(200));
        assertThat(pace.rate()).isLessThan(30);
    }

    @Test
    void nothingIsSentBeforeTheTimeThatTheVendorNamed() {
        Pace pace = new Pace(100, START);
        pace.turn(START);
        pace.throttled(START, START);
        pace.notBefore(START.plusSeconds(30));
        assertThat(pace.turn(START.plusSeconds(1))).isEqualTo(START.plusSeconds(30));
        assertThat(pace.turn(START.plusSeconds(1))).isAfter(START.plusSeconds(30));
    }

    @Test
    void anIdlePaceSavesNoTurnsForABurst() {
        Pace pace = new Pace(10, START);
        Instant afterAnHour = START.plus(Duration.ofHours(1));
        Instant turn = START;
        for (int i = 0; i < 10; i++) {
            turn = pace.turn(afterAnHour);
        }
        assertThat(Duration.between(afterAnHour, turn)).isBetween(Duration.ofMillis(800), Duration.ofSeconds(1));
    }

    @Test
    void aNewLimitServesAtOnceAndALowerOneForgetsNothing() {
        Pace pace = new Pace(10, START);
        pace.limit(50);
        assertThat(pace.rate()).isBetween(45.0, 50.0);
        pace.throttled(START, START);
        pace.limit(40);
        assertThat(pace.rate()).isLessThan(25);
    }

    @Test
    void aStormOfThrottlingIsForgottenWithinMinutes() {
        Pace pace = new Pace(20, START);
        Instant now = START;
        for (; now.isBefore(START.plusSeconds(180)); now = now.plusSeconds(1)) {
            pace.throttled(now, now);
        }
        assertThat(pace.rate()).isBetween(0.3, 1.0);
        Instant stormEnds = now;
        while (pace.rate() < 18) {
            now = pace.turn(now).plusMillis(1);
        }
        assertThat(Duration.between(stormEnds, now)).isBetween(Duration.ofSeconds(30), Duration.ofMinutes(6));
    }

    /** A token bucket in front of a vendor's API, asked as fast as the pace allows. */
    private static final class Vendor {
        private final double rate;
        private final double capacity;
        private double tokens;
        private long answered;
        private long throttled;

        Vendor(double rate, double capacity) {
            this.rate = rate;
            this.capacity = capacity;
            this.tokens = capacity;
        }

        void serve(Pace pace, Instant from, Duration length) {
            Instant now = from;
            while (now.isBefore(from.plus(length))) {
                Instant turn = pace.turn(now);
                tokens = Math.min(
                        capacity, tokens + rate * Duration.between(now, turn).toNanos() / 1e9);
                now = turn;
                if (tokens >= 1) {
                    tokens--;
                    answered++;
                } else {
                    throttled++;
                    pace.throttled(now, now);
                }
            }
        }
    }
}
