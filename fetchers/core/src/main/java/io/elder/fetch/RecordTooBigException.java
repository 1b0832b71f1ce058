package io.elder.fetch;

/** Kafka refuses a record for its size: trying again does not help. */
public final class RecordTooBigException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public RecordTooBigException(String message, Throwable cause) {
        super(message, cause);
    }
}
