package io.elder.normalizer;

import java.time.Duration;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ProcessorContext;

/**
 * When a task commits. What was just appended is to be visible soon, so the task asks for a commit at every interval of the
 * settings. What waited, in a rebuild or behind a large run, is late whatever is done: it is committed in bulk, as each
 * commit holds its thread up for as long as the broker takes to end a transaction and to begin the next.
 */
final class Commits {
    /** How late a record may be that is still made visible at once, and how long a task then goes without a commit. */
    static final Duration BULK = Duration.ofSeconds(1);

    private Commits() {}

    /** What Streams is told: it commits by itself when nobody has asked for so long. */
    static Duration longest(Duration interval) {
        return interval.compareTo(BULK) > 0 ? interval : BULK;
    }

    /** Once for each task, by one of its processors. */
    static void schedule(ProcessorContext<?, ?> context, Duration interval) {
        context.schedule(interval, PunctuationType.WALL_CLOCK_TIME, now -> {
            if (now - context.currentStreamTimeMs() <= BULK.toMillis()) {
                context.commit();
            }
        });
    }
}
