package io.elder.normalizer;

import io.elder.schemas.serde.DeadLetter;
import java.time.Instant;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Sends what can't be processed to a dead-letter sink, as it was. */
record Letters(ProcessorContext<Object, Object> context, String sink, Tally tally) {
    /** What a record says; null where there is nothing to process: it has no value, or one that follows no schema and is sent. */
    <T> T read(Record<byte[], byte[]> in, Deserializer<T> values) {
        if (in.value() == null) {
            return null;
        }
        try {
            return values.deserialize("", in.value());
        } catch (SerializationException e) {
            send(in, e, e.getMessage());
            return null;
        }
    }

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
