package io.elder.normalizer;

import java.time.Duration;
import org.apache.kafka.streams.processor.Cancellable;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/**
 * When a processor asks for a commit. What was just appended is to be visible soon: a commit is asked for an interval of the
 * settings later. What waited, in a rebuild or behind a large run, is late whatever is done, and is committed in bulk, as
 * each commit holds its thread up for as long as the broker takes to end a transaction and to begin the next.
 */
final class Commits {
    /** How late a record may be that is still made visible at once, and how long Streams then goes without a commit. */
    static final Duration BULK = Duration.ofSeconds(1);

    private final ProcessorContext<?, ?> context;
    private final Duration interval;
    private Cancellable asked;

    Commits(ProcessorContext<?, ?> context, Duration interval) {
        this.context = context;
        this.interval = interval;
    }

    /** What Streams is told: it commits by itself when nobody has asked for so long. */
    static Duration longest(Duration interval) {
        return interval.compareTo(BULK) > 0 ? interval : BULK;
    }

    /** To be told of every record. Nothing is scheduled while there are none: a timer alone makes Streams commit. */
    void processed(Record<?, ?> record) {
        if (asked == null && context.currentSystemTimeMs() - record.timestamp() <= BULK.toMillis()) {
            asked = context.schedule(interval, PunctuationType.WALL_CLOCK_TIME, now -> {
                asked.cancel();
                asked = null;
                context.commit();
            });
        }
    }
}
