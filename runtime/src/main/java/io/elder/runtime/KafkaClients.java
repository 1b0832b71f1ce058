package io.elder.runtime;

import io.elder.schemas.Topics;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;

/**
 * How this site's Kafka cluster is reached. Every {@code KAFKA_X_Y} of the environment becomes {@code x.y} of every client,
 * e.g. {@code KAFKA_SASL_JAAS_CONFIG} becomes {@code sasl.jaas.config}; {@code SCHEMA_REGISTRY_X_Y} becomes
 * {@code schema.registry.x.y}.
 */
public final class KafkaClients {
    /** Names that look like client settings and are not. */
    private static final Set<String> NOT_CLIENT_SETTINGS =
            Set.of("KAFKA_VALUE_SERIALIZER", "KAFKA_VALUE_DESERIALIZER", "KAFKA_HEAP_OPTS", "KAFKA_OPTS");

    private static final Set<String> OURS = Set.of(AvroSerializer.class.getName(), AvroDeserializer.class.getName());

    private final Map<String, Object> common = new TreeMap<>();
    private final Topics topics;
    private final int partitions;
    private final int replicationFactor;

    public KafkaClients(Settings settings) {
        common.put("bootstrap.servers", settings.text("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"));
        settings.values().forEach((name, value) -> {
            if (name.startsWith("KAFKA_") && !NOT_CLIENT_SETTINGS.contains(name) && !value.isBlank()) {
                common.put(dotted(name.substring("KAFKA_".length())), value);
            } else if (name.startsWith("SCHEMA_REGISTRY_SSL_")) {
                common.put(dotted(name), value);
            }
        });
        common.put("schema.registry.url", settings.text("SCHEMA_REGISTRY_URL", "inprocess://default"));
        settings.findSecret("SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO").ifPresent(user -> {
            common.put("basic.auth.credentials.source", "USER_INFO");
            common.put("basic.auth.user.info", user.value());
        });
        name(settings, "KAFKA_VALUE_SERIALIZER", Serializer.class)
                .ifPresent(type -> common.put(AvroSerializer.SITES_OWN, type));
        name(settings, "KAFKA_VALUE_DESERIALIZER", Deserializer.class)
                .ifPresent(type -> common.put(AvroDeserializer.SITES_OWN, type));
        common.put("auto.register.schemas", settings.yes("SCHEMA_REGISTRY_AUTO_REGISTER", true));
        this.topics = new Topics(
                settings.text("TOPIC_PREFIX", "elder."),
                settings.duration("RAW_RETENTION", Duration.ofDays(90), Duration.ofHours(1)));
        this.partitions = settings.whole("TOPIC_PARTITIONS", 6, 1, 1000);
        this.replicationFactor = settings.whole("TOPIC_REPLICATION_FACTOR", -1, -1, 10);
    }

    public Topics topics() {
        return topics;
    }

    /** How many partitions a topic of ours is created with. */
    public int partitions() {
        return partitions;
    }

    /** The replication factor of topics that are created; -1 leaves it to the broker. */
    public int replicationFactor() {
        return replicationFactor;
    }

    /** What a consumer group or an application of ours is called: the prefix and the stage. */
    public String group(String stage) {
        return topics.prefix().replace('.', '-') + stage;
    }

    /** Settings that every client shares: where the cluster is, how to log in, and where the schemas are. */
    public Map<String, Object> common() {
        return new LinkedHashMap<>(common);
    }

    /** An idempotent producer that acknowledges nothing that could be lost. Serializers are the caller's. */
    public Map<String, Object> producer(String clientId) {
        Map<String, Object> settings = common();
        settings.put("client.id", clientId);
        settings.put("acks", "all");
        settings.put("enable.idempotence", true);
        settings.putIfAbsent("compression.type", "lz4");
        settings.putIfAbsent("linger.ms", 0);
        return settings;
    }

    /** A consumer that sees committed records only and commits nothing by itself. Deserializers are the caller's. */
    public Map<String, Object> consumer(String stage) {
        Map<String, Object> settings = common();
        settings.put("group.id", group(stage));
        settings.put("client.id", group(stage));
        settings.put("isolation.level", "read_committed");
        settings.put("enable.auto.commit", false);
        settings.putIfAbsent("auto.offset.reset", "earliest");
        settings.putIfAbsent("session.timeout.ms", 6000);
        settings.putIfAbsent("heartbeat.interval.ms", 1000);
        return settings;
    }

    /** A Streams application with exactly-once processing that recovers within seconds of a crash. */
    public Map<String, Object> streams(String stage, String stateDirectory, Duration commitInterval) {
        Map<String, Object> settings = common();
        settings.put("application.id", group(stage));
        settings.put("state.dir", stateDirectory);
        settings.put("processing.guarantee", "exactly_once_v2");
        settings.put("commit.interval.ms", commitInterval.toMillis());
        settings.put("statestore.cache.max.bytes", 0);
        settings.put("replication.factor", replicationFactor);
        // Costs less than it saves already where broker and client share a machine.
        settings.putIfAbsent("compression.type", "lz4");
        settings.put("producer.linger.ms", 0);
        settings.put("producer.transaction.timeout.ms", 10000);
        settings.put("consumer.session.timeout.ms", 6000);
        settings.put("consumer.heartbeat.interval.ms", 1000);
        settings.put("consumer.auto.offset.reset", "earliest");
        return settings;
    }

    /** The class that a setting names, if it can stand for the type. */
    private static Optional<String> name(Settings settings, String setting, Class<?> type) {
        Optional<String> name = settings.find(setting).filter(found -> !OURS.contains(found));
        name.ifPresent(found -> {
            try {
                if (type.isAssignableFrom(Class.forName(found))) {
                    return;
                }
            } catch (ClassNotFoundException | LinkageError e) {
                // noted below, like a class of another kind
            }
            settings.problem(setting, found, "a class of the class path that is a " + type.getName());
        });
        return name;
    }

    private static String dotted(String name) {
        return name.toLowerCase(Locale.ROOT).replace('_', '.');
    }
}
