package io.elder.schemas.serde;

import org.apache.kafka.common.errors.SerializationException;

/** The schema registry refused, or could not be reached and the answer was not cached. */
public final class SchemaRegistryException extends SerializationException {
    private static final long serialVersionUID = 1L;

    public SchemaRegistryException(String message) {
        super(message);
    }

    public SchemaRegistryException(String message, Throwable cause) {
        super(message, cause);
    }
}
