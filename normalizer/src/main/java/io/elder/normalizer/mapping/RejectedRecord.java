package io.elder.normalizer.mapping;

/** A raw record that no row can be made of: the field, what it holds, and what was expected. */
public class RejectedRecord extends RuntimeException {
    public RejectedRecord(String field, Object value, String expected) {
        super(field + ": " + value + " (expected: " + expected + ")");
    }
}
