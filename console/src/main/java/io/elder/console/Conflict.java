package io.elder.console;

/** What was asked for does not fit the state that a thing is in. */
final class Conflict extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Conflict(String message) {
        super(message);
    }
}
