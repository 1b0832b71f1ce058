package io.elder.normalizer.mapping;

/** A vendor's value that no mapping knows: never a null and never a guess. */
public final class UnmappedValue extends RejectedRecord {
    public UnmappedValue(String what, Object value, String expected) {
        super(what, value, expected);
    }
}
