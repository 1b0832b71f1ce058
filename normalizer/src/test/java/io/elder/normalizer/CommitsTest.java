package io.elder.normalizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.MockProcessorContext;
import org.junit.jupiter.api.Test;

class CommitsTest {
    private static final Duration INTERVAL = Duration.ofMillis(100);
    private static final long APPENDED = 1_000_000;

    @Test
    void whatWasJustAppendedIsCommittedAtEveryInterval() {
        assertThat(commitsAt(APPENDED)).isTrue();
        assertThat(commitsAt(APPENDED + 150)).isTrue();
        assertThat(commitsAt(APPENDED - 5000))
                .as("a broker whose clock is ahead")
                .isTrue();
    }

    @Test
    void whatIsLateIsCommittedInBulk() {
        assertThat(commitsAt(APPENDED + 1001)).isFalse();
        assertThat(commitsAt(APPENDED + Duration.ofDays(3).toMillis())).isFalse();
    }

    @Test
    void streamsCommitsByItselfAtTheLongerInterval() {
        assertThat(Commits.longest(INTERVAL)).isEqualTo(Duration.ofSeconds(1));
        assertThat(Commits.longest(Duration.ofSeconds(5))).isEqualTo(Duration.ofSeconds(5));
    }

    private static boolean commitsAt(long now) {
        MockProcessorContext<Object, Object> context = new MockProcessorContext<>();
        context.setCurrentStreamTimeMs(APPENDED);
        Commits.schedule(context, INTERVAL);
        MockProcessorContext.CapturedPunctuator punctuator =
                context.scheduledPunctuators().getFirst();
        assertThat(punctuator.getInterval()).isEqualTo(INTERVAL);
        assertThat(punctuator.getType()).isEqualTo(PunctuationType.WALL_CLOCK_TIME);
        punctuator.getPunctuator().punctuate(now);
        return context.committed();
    }
}
