package io.elder.normalizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.MockProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.junit.jupiter.api.Test;

class CommitsTest {
    private static final long NOW = 1_000_000_000_000L;
    private static final Duration INTERVAL = Duration.ofMillis(100);

    private final MockProcessorContext<Object, Object> context = new MockProcessorContext<>();
    private final Commits commits = new Commits(context, INTERVAL);

    @Test
    void whatWasJustAppendedIsCommittedAnIntervalLater() {
        process(NOW - 900);
        process(NOW - 10);
        assertThat(context.committed()).isFalse();
        assertThat(context.scheduledPunctuators()).hasSize(1);
        MockProcessorContext.CapturedPunctuator punctuator =
                context.scheduledPunctuators().getFirst();
        assertThat(punctuator.getInterval()).isEqualTo(INTERVAL);
        assertThat(punctuator.getType()).isEqualTo(PunctuationType.WALL_CLOCK_TIME);
        punctuator.getPunctuator().punctuate(NOW + 100);
        assertThat(context.committed()).isTrue();
        assertThat(punctuator.cancelled())
                .as("no timer goes on without records")
                .isTrue();
        process(NOW);
        assertThat(context.scheduledPunctuators()).as("asked for anew").hasSize(2);
    }

    @Test
    void aBrokerWhoseClockIsAheadIsNotLate() {
        process(NOW + 5000);
        assertThat(context.scheduledPunctuators()).hasSize(1);
    }

    @Test
    void whatIsLateIsLeftToStreams() {
        process(NOW - 1001);
        process(NOW - Duration.ofDays(3).toMillis());
        assertThat(context.scheduledPunctuators()).isEmpty();
    }

    @Test
    void streamsCommitsByItselfAtTheLongerInterval() {
        assertThat(Commits.longest(INTERVAL)).isEqualTo(Duration.ofSeconds(1));
        assertThat(Commits.longest(Duration.ofSeconds(5))).isEqualTo(Duration.ofSeconds(5));
    }

    private void process(long appended) {
        context.setCurrentSystemTimeMs(NOW);
        commits.processed(new Record<>("key", "value", appended));
    }
}
