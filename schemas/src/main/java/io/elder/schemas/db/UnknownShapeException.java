package io.elder.schemas.db;

/** The database is not one that Elder made, as far as we know; the message names what was found and what was expected. */
public final class UnknownShapeException extends RuntimeException {
    private static final long serialVersionUID = 1;

    UnknownShapeException(String message) {
        super(message);
    }
}
