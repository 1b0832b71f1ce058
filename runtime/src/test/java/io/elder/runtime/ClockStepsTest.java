package io.elder.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ClockStepsTest {
    private final AtomicLong millis = new AtomicLong(1_000_000);
    private final List<Duration> told = new ArrayList<>();
    private final ClockSteps steps = new ClockSteps(millis::get, () -> {});

    @Test
    void goingForwardIsNoStepBack() {
        look(1_000);
        look(3_600_000);
        assertThat(told).isEmpty();
    }

    @Test
    void aLittleIsTolerated() {
        look(-5_000);
        assertThat(told).isEmpty();
    }

    @Test
    void anHourIsTold() {
        look(60_000);
        look(-3_600_000);
        assertThat(told).containsExactly(Duration.ofHours(1));
    }

    @Test
    void littleStepsAddUp() {
        look(-3_000);
        look(-3_000);
        assertThat(told).containsExactly(Duration.ofSeconds(6));
    }

    private void look(long change) {
        millis.addAndGet(change);
        steps.look().ifPresent(told::add);
    }
}
