package io.elder.estate;

import java.util.Map;

/** One of the company's systems, listening on loopback and answering as its vendor's does, from the company's present state. */
public interface SimulatedSystem extends AutoCloseable {
    /** The settings that make Elder's connector read this system, all but {@code ..._SYNC_INTERVAL}. */
    Map<String, String> settings();

    @Override
    void close();
}
