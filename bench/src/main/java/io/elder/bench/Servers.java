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
    static final String DATABASE = "elder";

    private static final String OWNER = "postgres";
    private static final String WORKER = "elder_worker";
    static final String PASSWORD = "worker-password";

    private final EmbeddedBroker broker;
    private final EmbeddedDatabase database;

    private Servers(EmbeddedBroker broker, EmbeddedDatabase database) {
        this.broker = broker;
        this.database = database;
    }

    /** Empty servers below this folder: no table and no topic yet. */
    static Servers empty(Path folder, EmbeddedDatabase.Durability durability) throws SQLException {
        return empty(folder, durability, Map.of());
    }

    private static Servers empty(Path folder, EmbeddedDatabase.Durability durability, Map<String, String> overrides)
            throws SQLException {
        EmbeddedDatabase database = EmbeddedDatabase.start(folder.resolve("postgres"), 0, durability, overrides);
        try {
            database.createDatabase(DATABASE);
            return new Servers(EmbeddedBroker.start(folder.resolve("kafka"), 0), database);
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
        Servers servers = empty(folder, durability, overrides);
        try {
            Migrations.migrate(servers.database.jdbcUrl(OWNER, DATABASE), OWNER, "");
            try (Connection connection = servers.connect()) {
                Migrations.setWorkerPassword(connection, PASSWORD);
            }
            TopicCreation.createMissing(servers.kafka());
            return servers;
        } catch (SQLException | RuntimeException e) {
            servers.close();
            throw e;
        }
    }

    /** What every role is told. */
    Map<String, String> environment() {
        Map<String, String> environment = new LinkedHashMap<>();
        environment.put("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrapServers());
        // Its ids are fingerprints of the schemas, so processes of one build agree on them.
        environment.put("SCHEMA_REGISTRY_URL", "inprocess://bench");
        environment.put("TOPIC_PARTITIONS", "2");
        environment.put("TOPIC_REPLICATION_FACTOR", "1");
        environment.put("DATABASE_URL", database.url(WORKER, PASSWORD, DATABASE));
        environment.put("CDC_DATABASE_URL", database.url(OWNER, DATABASE));
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
