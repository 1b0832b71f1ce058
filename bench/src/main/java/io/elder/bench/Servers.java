package io.elder.bench;

import io.elder.embedded.servers.EmbeddedBroker;
import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Settings;
import io.elder.runtime.TopicCreation;
import io.elder.schemas.db.Migrations;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.Map;

/** A broker and a database with tables and topics in this process, for roles that run in others. */
final class Servers implements AutoCloseable {
    /**
     * Settings of a database with room, as an operator would give it, that notes when commits were. A quarter of the memory
     * is what PostgreSQL's manual recommends.
     */
    static final Map<String, String> ROOMY = Map.of(
            "shared_buffers",
            Math.max(128, Machine.memoryMebibytes() / 4) + "MB",
            "max_wal_size",
            "8GB",
            "checkpoint_timeout",
            "30min",
            "wal_compression",
            "off",
            "track_commit_timestamp",
            "on");

    static final String DATABASE = "elder";

    static final String OWNER = "postgres";
    static final String WORKER = "elder_worker";
    static final String PASSWORD = "worker-password";

    private final EmbeddedBroker broker;
    private final EmbeddedDatabase database;

    private Servers(EmbeddedBroker broker, EmbeddedDatabase database) {
        this.broker = broker;
        this.database = database;
    }

    /** Empty servers below this folder: no table and no topic yet. */
    static Servers empty(Path folder, EmbeddedDatabase.Durability durability) throws SQLException {
        return empty(folder, durability, Map.of(), Map.of());
    }

    /** The same, with settings of PostgreSQL and of the broker laid over ours. */
    static Servers empty(
            Path folder,
            EmbeddedDatabase.Durability durability,
            Map<String, String> ofDatabase,
            Map<String, String> ofBroker)
            throws SQLException {
        EmbeddedDatabase database = EmbeddedDatabase.start(folder.resolve("postgres"), 0, durability, ofDatabase);
        try {
            database.createDatabase(DATABASE);
            return new Servers(EmbeddedBroker.start(folder.resolve("kafka"), 0, ofBroker), database);
        } catch (SQLException | RuntimeException e) {
            database.close();
            throw e;
        }
    }

    /** As an operator leaves them after {@code migrate} and {@code topics create}. */
    static Servers prepared(Path folder, EmbeddedDatabase.Durability durability) throws SQLException {
        return prepared(folder, durability, Map.of());
    }

    /** The same, with settings of PostgreSQL laid over ours. */
    static Servers prepared(Path folder, EmbeddedDatabase.Durability durability, Map<String, String> overrides)
            throws SQLException {
        Servers servers = empty(folder, durability, overrides, Map.of());
        try {
            migrate(servers.database);
            TopicCreation.createMissing(servers.kafka());
            return servers;
        } catch (SQLException | RuntimeException e) {
            servers.close();
            throw e;
        }
    }

    static void migrate(EmbeddedDatabase database) throws SQLException {
        Migrations.migrate(database.jdbcUrl(OWNER, DATABASE), OWNER, "");
        try (Connection connection = database.connect(DATABASE)) {
            Migrations.setWorkerPassword(connection, PASSWORD);
        }
    }

    /** What every role is told. */
    Map<String, String> environment() {
        return environment(
                broker.bootstrapServers(), database.url(WORKER, PASSWORD, DATABASE), database.url(OWNER, DATABASE));
    }

    static Map<String, String> environment(String bootstrapServers, String databaseUrl, String cdcDatabaseUrl) {
        Map<String, String> environment = new LinkedHashMap<>();
        environment.put("KAFKA_BOOTSTRAP_SERVERS", bootstrapServers);
        // Its ids are fingerprints of the schemas, so processes of one build agree on them.
        environment.put("SCHEMA_REGISTRY_URL", "inprocess://bench");
        environment.put("TOPIC_PARTITIONS", "2");
        environment.put("TOPIC_REPLICATION_FACTOR", "1");
        environment.put("DATABASE_URL", databaseUrl);
        environment.put("CDC_DATABASE_URL", cdcDatabaseUrl);
        environment.put("CDC_SESSION_TIMEOUT", "2s");
        environment.put("CDC_TRANSACTION_TIMEOUT", "3s");
        return environment;
    }

    KafkaClients kafka() {
        return new KafkaClients(Settings.of(environment()));
    }

    EmbeddedBroker broker() {
        return broker;
    }

    EmbeddedDatabase database() {
        return database;
    }

    Connection connect() throws SQLException {
        return database.connect(DATABASE);
    }

    @Override
    public void close() {
        broker.close();
        database.close();
    }
}
