package io.elder.console;

/** What a caller sent can't be used: the message names the value and what was expected. */
final class BadInput extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BadInput(String message) {
        super(message);
    }
}
