package io.elder.runtime;

import java.util.Map;

/** What a process runs: it starts, it stops, it knows whether it can do its work. */
public interface Component extends AutoCloseable {
    /** Starts the work and returns; a dependency that is away is waited for in the background and shown in {@link #health}. */
    void start();

    Health health();

    /** What {@code /status} shows: plain values, lists and maps, without secrets. */
    default Map<String, Object> status() {
        return Map.of();
    }

    /** Stops the work, leaving nothing half done that a restart would not finish. */
    @Override
    void close();
}
