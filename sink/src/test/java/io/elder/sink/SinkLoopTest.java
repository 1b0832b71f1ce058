package io.elder.sink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.elder.embedded.servers.EmbeddedBroker;
import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.runtime.Settings;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.RunFinished;
import io.elder.schemas.avro.RunStarted;
import io.elder.schemas.avro.ScopeMark;
import io.elder.schemas.db.Migrations;
import io.elder.schemas.serde.AvroSerializer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SinkLoopTest {
    @TempDir
    Path directory;

    @Test
    void aRunIsClosedWhenItsScopeIsVisible() throws Exception {
        try (EmbeddedBroker broker = EmbeddedBroker.start(directory.resolve("kafka"), 0);
                EmbeddedDatabase server =
                        EmbeddedDatabase.start(directory.resolve("pg"), 0, EmbeddedDatabase.Durability.FAST)) {
            Migrations.migrate(server.jdbcUrl("postgres", "postgres"), "postgres", "");
            try (Connection connection = server.connect("postgres");
                    Statement statement = connection.createStatement()) {
                statement.execute("INSERT INTO discovery_jobs (name, provider, config_json, schedule_interval, enabled)"
                        + " VALUES ('dir', 'ldap', '{}', 3600, true)");
            }
            Topics topics = new Topics("elder.");
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
                admin.createTopics(List.of(
                                new NewTopic(topics.inventory().name(), 2, (short) 1),
                                new NewTopic(topics.runs().name(), 2, (short) 1),
                                new NewTopic(topics.deadletter().name(), 2, (short) 1)))
                        .all()
                        .get();
            }
            Settings settings = Settings.of(Map.of(
                    "KAFKA_BOOTSTRAP_SERVERS",
                    broker.bootstrapServers(),
                    "DATABASE_URL",
                    "postgresql://postgres@127.0.0.1:" + server.port() + "/postgres",
                    "SCHEMA_REGISTRY_URL",
                    "inprocess://sink-loop"));
            SinkSettings sink = SinkSettings.from(settings);
            settings.check();
            AvroSerializer<SpecificRecord> serializer = new AvroSerializer<>();
            serializer.configure(sink.kafka().common(), false);
            Instant at = Instant.parse("2026-01-01T00:00:00Z");
            try (SinkLoop loop = new SinkLoop(sink, new SimpleMeterRegistry());
                    KafkaProducer<String, SpecificRecord> producer =
                            new KafkaProducer<>(sink.kafka().producer("test"), new StringSerializer(), serializer)) {
                loop.start();
                String run = "1.abc";
                send(
                        producer,
                        new ProducerRecord<>(
                                topics.runs().name(),
                                0,
                                run,
                                new RunEvent(run, "ldap", at, new RunStarted(1, "first", at.plusSeconds(600)))));
                Row row = new Row("organizations", false, 1L, Map.of("name", "LDAP: dir"), Map.of(), "{}", List.of());
                send(
                        producer,
                        new ProducerRecord<>(
                                topics.inventory().name(), 0, "o", new InventoryRecord("o", "s", run, at, row)));
                for (int partition = 0; partition < 2; partition++) {
                    send(
                            producer,
                            new ProducerRecord<>(
                                    topics.inventory().name(),
                                    partition,
                                    "m",
                                    new InventoryRecord(
                                            "m", "s", run, at, new ScopeMark(0, 1, "sealed", null, 1L, 0L, 0L))));
                }
                send(
                        producer,
                        new ProducerRecord<>(
                                topics.runs().name(),
                                0,
                                run,
                                new RunEvent(
                                        run,
                                        "ldap",
                                        at.plusSeconds(9),
                                        new RunFinished(
                                                "completed",
                                                null,
                                                1,
                                                at,
                                                at.plusSeconds(3600),
                                                List.of("s"),
                                                List.of(),
                                                1L))));
                producer.flush();
                await().atMost(Duration.ofSeconds(30)).untilAsserted(() -> {
                    try (Connection connection = server.connect("postgres");
                            Statement statement = connection.createStatement();
                            ResultSet history =
                                    statement.executeQuery("SELECT h.status || ' ' || entities_discovered || ' '"
                                            + " || entities_created || ' ' || j.status || ' ' || j.next_run_at"
                                            + " FROM discovery_history h JOIN discovery_jobs j ON j.id = h.job_id")) {
                        assertThat(history.next()).isTrue();
                        assertThat(history.getString(1)).startsWith("completed 1 1 completed 2026-01-01 01:00:00");
                    }
                });
                await().atMost(Duration.ofSeconds(10)).until(() -> loop.health().ok());
            }
        }
    }

    private static void send(
            KafkaProducer<String, SpecificRecord> producer, ProducerRecord<String, SpecificRecord> record)
            throws Exception {
        producer.send(record).get();
    }
}
