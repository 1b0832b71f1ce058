package io.elder.sink;

/** A record that this database can't hold: it goes to the dead letters with this message. */
final class RefusedValue extends Exception {
    private static final long serialVersionUID = 1L;

    RefusedValue(String message) {
        super(message);
    }
}
