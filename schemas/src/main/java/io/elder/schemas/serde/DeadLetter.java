package io.elder.schemas.serde;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** A record that could not be processed, as it was, with headers that say where it came from and why it failed. */
public final class DeadLetter {
    public static final String STAGE = "elder.stage";
    public static final String SOURCE_TOPIC = "elder.source.topic";
    public static final String SOURCE_PARTITION = "elder.source.partition";
    public static final String SOURCE_OFFSET = "elder.source.offset";
    public static final String ERROR_CLASS = "elder.error.class";
    public static final String ERROR_MESSAGE = "elder.error.message";
    public static final String FIRST_FAILURE = "elder.first.failure";
    public static final String LAST_FAILURE = "elder.last.failure";
    /** On a record that was sent again: the letter that it comes from. */
    public static final String RETRIED = "elder.retried";

    private DeadLetter() {}

    /** The headers of a dead letter. The message must carry no secret: it is kept for months. */
    public static Headers headers(
            String stage,
            String sourceTopic,
            int partition,
            long offset,
            String errorClass,
            String message,
            Instant at) {
        Headers headers = new RecordHeaders();
        add(headers, STAGE, stage);
        add(headers, SOURCE_TOPIC, sourceTopic);
        add(headers, SOURCE_PARTITION, Integer.toString(partition));
        add(headers, SOURCE_OFFSET, Long.toString(offset));
        add(headers, ERROR_CLASS, errorClass);
        add(headers, ERROR_MESSAGE, message == null ? "" : message);
        add(headers, FIRST_FAILURE, at.toString());
        add(headers, LAST_FAILURE, at.toString());
        return headers;
    }

    /** The dead letter itself, for a plain producer. */
    public static ProducerRecord<byte[], byte[]> of(String deadletterTopic, byte[] key, byte[] value, Headers headers) {
        return new ProducerRecord<>(deadletterTopic, null, key, value, headers);
    }

    /** A header's text; empty where it is missing. */
    public static String text(Headers headers, String name) {
        Header header = headers.lastHeader(name);
        return header == null || header.value() == null ? "" : new String(header.value(), StandardCharsets.UTF_8);
    }

    private static void add(Headers headers, String name, String value) {
        headers.add(name, value.getBytes(StandardCharsets.UTF_8));
    }
}
