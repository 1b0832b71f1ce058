package io.elder.fetch;

/** The log could not take a record. No provider is to blame: the task is done again. */
public final class PublishException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public PublishException(String message, Throwable cause) {
        super(message, cause);
    }
}
