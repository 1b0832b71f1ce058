package io.elder.schemas;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A topic: its full name, what its values are, and how Kafka keeps it. Keys are UTF-8 strings everywhere.
 *
 * @param <V> an Avro record; {@code byte[]} for a topic whose values are not ours to type
 * @param retention how long a topic that is not compacted keeps its records
 * @param settings further topic settings
 */
public record Topic<V>(
        String name, Class<V> type, Cleanup cleanup, Optional<Duration> retention, Map<String, String> settings) {

    /** Kafka's {@code cleanup.policy}. */
    public enum Cleanup {
        COMPACT,
        DELETE
    }

    static <V> Topic<V> compacted(String name, Class<V> type) {
        return new Topic<>(name, type, Cleanup.COMPACT, Optional.empty(), Map.of());
    }

    static <V> Topic<V> keptFor(Duration retention, String name, Class<V> type) {
        return new Topic<>(name, type, Cleanup.DELETE, Optional.of(retention), Map.of());
    }

    Topic<V> with(String setting, String value) {
        Map<String, String> more = new LinkedHashMap<>(settings);
        more.put(setting, value);
        return new Topic<>(name, type, cleanup, retention, Map.copyOf(more));
    }

    /** The topic's configuration as Kafka's admin client takes it. */
    public Map<String, String> configuration() {
        Map<String, String> configuration = new LinkedHashMap<>(settings);
        configuration.put("cleanup.policy", cleanup == Cleanup.COMPACT ? "compact" : "delete");
        retention.ifPresent(kept -> configuration.put("retention.ms", Long.toString(kept.toMillis())));
        return configuration;
    }
}
