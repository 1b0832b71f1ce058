package io.elder.fetch;

/** What a job or the environment configures can't work; the message says what was expected, and no secret. */
public final class BadConfigurationException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public BadConfigurationException(String message) {
        super(message);
    }

    public BadConfigurationException(String message, Throwable cause) {
        super(message, cause);
    }
}
