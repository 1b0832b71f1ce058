package io.elder.runtime;

/** A value that must not be seen: it prints as asterisks wherever it ends up by mistake. */
public record Secret(String value) {
    @Override
    public String toString() {
        return "***";
    }
}
