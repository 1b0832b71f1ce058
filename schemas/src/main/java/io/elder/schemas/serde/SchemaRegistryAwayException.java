package io.elder.schemas.serde;

import org.apache.kafka.common.KafkaException;

/**
 * The schema registry could not be asked. Nothing is wrong with the record: whoever has it keeps it and asks again. No
 * {@code SerializationException}, which says that a record can't be read.
 */
public final class SchemaRegistryAwayException extends KafkaException {
    private static final long serialVersionUID = 1L;

    public SchemaRegistryAwayException(String message, Throwable cause) {
        super(message, cause);
    }
}
