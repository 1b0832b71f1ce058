package io.elder.fetch;

/** A system names the same page as the next for the second time: its list would never end, or has a hole. */
public final class RepeatedCursorException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    RepeatedCursorException(int pages) {
        super("the same cursor a second time after " + pages + " pages (expected: a new one, or the end)");
    }
}
