package io.elder.normalizer;

import io.elder.schemas.serde.DeadLetter;
import java.time.Instant;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Sends what can't be processed to a dead-letter sink, as it was. */
record Letters(ProcessorContext<Object, Object> context, String sink, Tally tally) {
    void send(Record<byte[], byte[]> refused, RuntimeException why, String message) {
        RecordMetadata from = context.recordMetadata().orElse(null);
        Headers headers = DeadLetter.headers(
                "normalizer",
                from == null ? "" : from.topic(),
                from == null ? -1 : from.partition(),
                from == null ? -1 : from.offset(),
                why.getClass().getName(),
                message,
                Instant.ofEpochMilli(refused.timestamp()));
        tally.deadLetter(why.getClass().getSimpleName());
        context.forward(new Record<>(refused.key(), refused.value(), refused.timestamp(), headers), sink);
    }
}
