package io.elder.cdc;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.embedded.servers.EmbeddedBroker;
import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A broker and a database with Elder's tables and, if asked for, the publication. */
final class Site implements AutoCloseable {
    static final ObjectMapper JSON = new ObjectMapper();

    final EmbeddedBroker broker;
    private final Path directory;
    EmbeddedDatabase database;

    Site(Path directory) throws SQLException, IOException {
        this.directory = directory;
        broker = EmbeddedBroker.start(directory.resolve("kafka"), 0);
        database = EmbeddedDatabase.start(directory.resolve("postgres"), 0, EmbeddedDatabase.Durability.FAST);
        database.createDatabase("elder");
        try (var schema = Site.class.getResourceAsStream("/elder.sql")) {
            execute(new String(schema.readAllBytes(), StandardCharsets.UTF_8));
        }
    }

    Site withPublication() throws SQLException {
        execute("CREATE PUBLICATION elder_worker FOR TABLE identities, identity_groups, identity_group_memberships,"
                + " discovery_jobs");
        return this;
    }

    /** Stops the database, does this, and starts it again where it was. */
    void restartDatabase(Runnable meanwhile) {
        int port = database.port();
        database.close();
        meanwhile.run();
        database = EmbeddedDatabase.start(directory.resolve("postgres"), port, EmbeddedDatabase.Durability.FAST);
    }

    Settings settings(Map<String, String> more) {
        Map<String, String> settings = new HashMap<>();
        settings.put("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrapServers());
        settings.put("DATABASE_URL", database.url("capture", "canary-password", "elder"));
        settings.put("TOPIC_PARTITIONS", "3");
        settings.put("CDC_SESSION_TIMEOUT", "2s");
        settings.put("CDC_TRANSACTION_TIMEOUT", "3s");
        settings.put("CDC_HEARTBEAT_INTERVAL", "500ms");
        settings.put("DISCOVERY_POLL_INTERVAL", "300ms");
        settings.putAll(more);
        return Settings.of(settings);
    }

    void execute(String sql) throws SQLException {
        try (Connection connection = database.connect("elder");
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    String text(String query) throws SQLException {
        try (Connection connection = database.connect("elder");
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(query)) {
            row.next();
            return row.getString(1);
        }
    }

    void job(String name) throws SQLException {
        execute(
                "INSERT INTO discovery_jobs (name, provider, config_json, schedule_interval, enabled, credential_mapping,"
                        + " last_run_at, created_at) VALUES ('" + name
                        + "', 'ldap', '{\"password\": \"canary-config\"}', 3600,"
                        + " true, '{\"x\": \"canary-mapping\"}', '2026-01-02 03:04:05.678901+02', now())");
    }

    /** Committed records of the topics whose names contain this. */
    List<ConsumerRecord<byte[], byte[]>> records(String topic) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()));
                var consumer = new KafkaConsumer<>(
                        Map.<String, Object>of(
                                "bootstrap.servers", broker.bootstrapServers(), "isolation.level", "read_committed"),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = admin.listTopics().names().get().stream()
                    .filter(name -> name.contains(topic))
                    .flatMap(name -> consumer.partitionsFor(name).stream())
                    .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
            Instant deadline = Instant.now().plus(Duration.ofSeconds(20));
            while (!ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue())
                    && Instant.now().isBefore(deadline)) {
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
            }
            return records;
        }
    }

    List<ConsumerRecord<byte[], byte[]>> jobs() throws Exception {
        return records("elder.cdc.discovery_jobs");
    }

    static String key(ConsumerRecord<byte[], byte[]> record) {
        return new String(record.key(), StandardCharsets.UTF_8);
    }

    static JsonNode json(ConsumerRecord<byte[], byte[]> record) throws IOException {
        return JSON.readTree(record.value());
    }

    @Override
    public void close() {
        database.close();
        broker.close();
    }
}
