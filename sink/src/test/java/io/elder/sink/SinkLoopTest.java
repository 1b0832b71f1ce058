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
import io.elder.schemas.serde.DeadLetter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
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
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The sink between a real broker and a real PostgreSQL, as the role that it has in production. */
final class SinkLoopTest {
    private static final Instant T0 = Instant.parse("2026-01-01T00:00:00Z");
    private static final Duration SOON = Duration.ofSeconds(40);
    private static final String SCOPE = "ldap/dir/-/ldap_user";
    private static final String OU = "ldap/dir/ldap_ou/sales";
    private static final String VPC = "aws/1/vpc/v";

    @TempDir
    static Path directory;

    private static EmbeddedBroker broker;
    private static EmbeddedDatabase server;
    private static int sites;

    @BeforeAll
    static void startServers() {
        broker = EmbeddedBroker.start(directory.resolve("kafka"), 0);
        server = EmbeddedDatabase.start(directory.resolve("pg"), 0, EmbeddedDatabase.Durability.FAST);
    }

    @AfterAll
    static void stopServers() {
        server.close();
        broker.close();
    }

    @ParameterizedTest
    @EnumSource(ElderShape.class)
    void aRunIsClosedWhenItsScopeIsVisible(ElderShape shape) throws Exception {
        try (Site site = new Site(server, shape);
                SinkLoop loop = site.sink()) {
            site.send(started(1, "a1", 0));
            site.users(0, 3, 1);
            site.awaitValue("running", "SELECT status FROM discovery_jobs WHERE id = 1");
            site.mark("1.a1", 0, 1);
            site.send(finished(1, "a1", 0, 3));
            site.awaitValue("completed", "SELECT status FROM discovery_history");
            assertThat(site.value("SELECT concat_ws(' ', h." + shape.historyCounts() + "_discovered, h."
                            + shape.historyCounts() + "_created, j.status, j.next_run_at, j.last_run_at, j.last_error)"
                            + " FROM discovery_history h JOIN discovery_jobs j ON j.id = h."
                            + shape.historyJobColumn()))
                    .isEqualTo("3 3 completed 2026-01-01 01:00:00+00 2026-01-01 00:00:00+00");
            await().atMost(SOON).until(() -> loop.health().ok());
        }
    }

    @Test
    void aLoopThatIsLeftWithoutPartitionsStandsByAndIsWell() throws Exception {
        List<SinkLoop> loops = new ArrayList<>();
        try (Site site = new Site(server, ElderShape.A)) {
            for (int i = 0; i <= Site.PARTITIONS; i++) {
                loops.add(site.sink());
            }
            await().atMost(SOON)
                    .until(() -> loops.stream().allMatch(loop -> loop.health().ok()));
            site.users(0, 20, 1);
            site.awaitUsers(20);
        } finally {
            loops.forEach(SinkLoop::close);
        }
    }

    @Test
    @Tag("long")
    void aDatabaseThatIsAwayIsWaitedFor() throws Exception {
        Path own = directory.resolve("away");
        EmbeddedDatabase away = EmbeddedDatabase.start(own, 0, EmbeddedDatabase.Durability.FAST);
        int port = away.port();
        try (Site site = new Site(away, ElderShape.A);
                SinkLoop loop = site.sink()) {
            site.users(0, 20, 1);
            site.awaitUsers(20);
            away.close();
            site.users(20, 40, 1);
            await().atMost(SOON).until(() -> !loop.health().ok());
            Thread.sleep(10_000);
            assertThat(loop.health().reasons()).singleElement().asString().contains("database");
            away = EmbeddedDatabase.start(own, port, EmbeddedDatabase.Durability.FAST);
            site.server = away;
            site.awaitUsers(40);
            await().atMost(SOON).until(() -> loop.health().ok());
            assertThat(site.deadLetters()).isEmpty();
        } finally {
            away.close();
        }
    }

    @Test
    void aReadOnlyDatabaseIsWaitedFor() throws Exception {
        try (Site site = new Site(server, ElderShape.A);
                SinkLoop loop = site.sink()) {
            site.users(0, 5, 1);
            site.awaitUsers(5);
            site.execute("ALTER DATABASE " + site.database + " SET default_transaction_read_only = on");
            site.disconnectWorker();
            site.users(5, 10, 1);
            await().atMost(SOON).until(() -> loop.health().reasons().toString().contains("read-only"));
            try (Connection owner = server.connect("postgres");
                    Statement statement = owner.createStatement()) {
                statement.execute("ALTER DATABASE " + site.database + " RESET default_transaction_read_only");
            }
            site.disconnectWorker();
            site.awaitUsers(10);
            await().atMost(SOON).until(() -> loop.health().ok());
            assertThat(site.deadLetters()).isEmpty();
        }
    }

    @Test
    void onlyTheRowThatIsRefusedIsADeadLetter() throws Exception {
        try (Site site = new Site(server, ElderShape.A)) {
            site.execute("ALTER TABLE identities ADD CONSTRAINT ours CHECK (email NOT LIKE 'user7@%')");
            // One batch, so that the bad row has neighbours.
            site.users(0, 50, 1);
            try (SinkLoop loop = site.sink()) {
                site.awaitUsers(49);
                List<ConsumerRecord<byte[], byte[]>> dead = site.deadLetters();
                assertThat(dead).hasSize(1);
                assertThat(new String(dead.getFirst().key(), StandardCharsets.UTF_8))
                        .isEqualTo("ldap/dir/ldap_user/7");
                assertThat(header(dead.getFirst(), "elder.error.message")).contains("ours");
                await().atMost(SOON).until(() -> loop.health().ok());
                site.execute("ALTER TABLE identities DROP CONSTRAINT ours");
                site.users(7, 8, 2);
                site.awaitUsers(50);
                assertThat(site.deadLetters()).hasSize(1);
            }
        }
    }

    @Test
    void restartsAndOffsetsSetBackChangeNothing() throws Exception {
        try (Site site = new Site(server, ElderShape.A)) {
            try (SinkLoop loop = site.sink()) {
                site.send(started(1, "a1", 0));
                site.users(0, 100, 1);
                site.awaitUsers(100);
                assertThat(loop.status()).containsEntry("databaseShape", "A");
            }
            site.users(100, 200, 1);
            site.mark("1.a1", 0, 1);
            site.send(finished(1, "a1", 0, 200));
            String content = "SELECT string_agg(concat_ws(' ', id, source_key, username, email, run_id, observed_at,"
                    + " content_hash), chr(10) ORDER BY id) FROM identities WHERE source_key IS NOT NULL";
            String book =
                    "SELECT string_agg(to_jsonb(r)::text, chr(10)) || (SELECT string_agg(to_jsonb(p)::text, chr(10))"
                            + " FROM pipeline.scope_progress p) || (SELECT string_agg(to_jsonb(h)::text, chr(10))"
                            + " FROM discovery_history h) FROM pipeline.runs r";
            try (SinkLoop loop = site.sink()) {
                site.awaitValue("completed 200", "SELECT status || ' ' || entities_created FROM discovery_history");
                await().atMost(SOON).until(() -> loop.health().ok());
            }
            String before = site.value(content);
            String bookBefore = site.value(book);
            String ends = site.value(
                    "SELECT string_agg(next_offset::text, ' ' ORDER BY topic, partition)" + " FROM pipeline.offsets");
            site.execute("UPDATE pipeline.offsets SET next_offset = 0");
            try (SinkLoop loop = site.sink()) {
                site.awaitValue(
                        ends,
                        "SELECT string_agg(next_offset::text, ' ' ORDER BY topic, partition) FROM pipeline.offsets");
                await().atMost(SOON).until(() -> loop.health().ok());
            }
            assertThat(site.value(content)).isEqualTo(before);
            assertThat(site.value(book)).isEqualTo(bookBefore);
        }
    }

    @Test
    void twoSinksShareTheWorkAndWriteEachRowOnce() throws Exception {
        try (Site site = new Site(server, ElderShape.A)) {
            try (SinkLoop remaining = site.sink()) {
                site.users(0, 200, 1);
                try (SinkLoop joining = site.sink()) {
                    site.users(200, 400, 1);
                    site.awaitUsers(400);
                    await().atMost(SOON).until(() -> joining.health().ok());
                    site.users(400, 500, 1);
                    site.awaitUsers(500);
                    // Each has a partition of the inventory by now.
                    await().atMost(SOON).until(() -> {
                        site.users(500, 520, 1);
                        return (long) joining.status().get("rowsWritten") > 0;
                    });
                }
                site.users(520, 600, 1);
                site.awaitUsers(600);
                await().atMost(SOON).until(() -> remaining.health().ok());
            }
            assertThat(site.value("SELECT created || ' ' || updated FROM pipeline.runs WHERE run_id = '1.a1'"))
                    .isEqualTo("600 0");
            assertThat(site.deadLetters()).isEmpty();
        }
    }

    @Test
    void aSinkWhoseOffsetsWereMovedCommitsNothingFromItsStaleView() throws Exception {
        try (Site site = new Site(server, ElderShape.A);
                SinkLoop loop = site.sink()) {
            site.users(0, 10, 1);
            site.awaitUsers(10);
            // As another sink would that took the partitions over while this one was stopped: it has done these
            // already.
            long ahead = 5;
            site.execute("UPDATE pipeline.offsets SET next_offset = next_offset + " + ahead + " WHERE topic = '"
                    + site.topics.inventory().name() + "' AND partition = 0");
            for (int user = 10; user < 20; user++) {
                site.user(0, user, 1);
            }
            site.flush();
            // Written anyway, the first five would be rows of the zombie.
            site.awaitUsers(15);
            assertThat(site.value("SELECT count(*) FROM identities WHERE source_key ~ 'ldap_user/1[0-4]$'"))
                    .isEqualTo("0");
            await().atMost(SOON).until(() -> loop.health().ok());
        }
    }

    @Test
    void refusedEventsDoNotBlockTheirPartition() throws Exception {
        try (Site site = new Site(server, ElderShape.A);
                SinkLoop loop = site.sink()) {
            // PostgreSQL has no NUL in text.
            site.send(new RunEvent("1.bad", "l\u0000dap", T0, new RunStarted(1, "first", T0.plusSeconds(600))));
            // No such job: a run without a history.
            site.send(started(999, "a1", 0));
            site.send(finished(999, "a1", 0, 0));
            // A site's own constraint refuses a result.
            site.execute("ALTER TABLE discovery_history ADD CONSTRAINT ours CHECK (entities_discovered < 10)");
            site.send(started(1, "a2", 1));
            site.mark("1.a2", 1, 1);
            site.mark("999.a1", 0, 1);
            site.send(finished(1, "a2", 1, 10));
            site.awaitValue("failed", "SELECT status FROM pipeline.runs WHERE run_id = '1.a2'");
            site.awaitValue("failed", "SELECT status FROM discovery_jobs");
            site.awaitValue(
                    "completed", "SELECT status FROM pipeline.runs WHERE run_id = '999.a1' AND visible_at IS NOT NULL");
            site.send(started(1, "a3", 2));
            site.mark("1.a3", 2, 1);
            site.send(finished(1, "a3", 2, 9));
            site.awaitValue("completed", "SELECT status FROM discovery_jobs");
            assertThat(site.deadLetters())
                    .extracting(dead -> header(dead, "elder.source.topic"))
                    .contains(site.topics.runs().name());
            assertThat(site.deadLetters()).hasSize(2);
            await().atMost(SOON).until(() -> loop.health().ok());
        }
    }

    @Test
    void aRunWhoseEndComesInPartsIsClosedWhenTheScopesOfAllPartsAreVisible() throws Exception {
        try (Site site = new Site(server, ElderShape.A);
                SinkLoop loop = site.sink()) {
            Instant at = T0;
            site.send(started(1, "a1", 0));
            for (int part = 0; part < 3; part++) {
                site.send(new RunEvent(
                        "1.a1",
                        "ldap",
                        at.plusSeconds(9),
                        new RunFinished(
                                "partial",
                                "1 of 3 scopes failed",
                                1,
                                at,
                                at.plusSeconds(3600),
                                part == 2 ? List.of() : List.of(part == 0 ? SCOPE : SCOPE + "_too"),
                                part == 2 ? List.of(SCOPE + "_not") : List.of(),
                                7L,
                                part,
                                part == 2)));
            }
            site.mark("1.a1", 0, 1);
            site.awaitValue(
                    SCOPE + "," + SCOPE + "_too " + SCOPE + "_not",
                    "SELECT array_to_string(sealed, ',') || ' ' || array_to_string(failed, ',') FROM pipeline.runs"
                            + " WHERE finished_at IS NOT NULL");
            assertThat(site.value("SELECT count(*) FROM pipeline.runs WHERE visible_at IS NULL"))
                    .isEqualTo("1");
            site.send(started(1, "a2", 1));
            site.mark("1.a2", 1, 1);
            site.send(finished(1, "a2", 1, 3));
            site.awaitValue(
                    "failed completed", "SELECT string_agg(status, ' ' ORDER BY started_at) FROM pipeline.runs");
            assertThat(loop.health().ok()).isTrue();
        }
    }

    @Test
    void runsWhoseMarksOrEndNeverComeAreSuperseded() throws Exception {
        try (Site site = new Site(server, ElderShape.A);
                SinkLoop loop = site.sink()) {
            site.send(started(1, "a1", 0));
            site.send(started(1, "a2", 1));
            site.mark("1.a2", 1, 2);
            site.send(finished(1, "a2", 1, 0));
            site.send(started(1, "a3", 2));
            site.mark("1.a3", 2, 1);
            site.send(finished(1, "a3", 2, 0));
            site.awaitValue(
                    "failed failed completed",
                    "SELECT string_agg(status, ' ' ORDER BY started_at) FROM discovery_history");
            assertThat(site.value("SELECT string_agg(error_message, '|' ORDER BY started_at) FROM discovery_history"))
                    .isEqualTo("superseded by run 1.a3: its end was never heard of"
                            + "|superseded by run 1.a3: never wholly visible: " + SCOPE);
            assertThat(site.value("SELECT status FROM discovery_jobs")).isEqualTo("completed");
            await().atMost(SOON).until(() -> loop.health().ok());
        }
    }

    @Test
    void whatEarlierRunsSealedIsForgottenAndRunsOfHalfAYearAgo() throws Exception {
        int today = (int) Duration.between(T0, Instant.now()).toHours() - 3;
        try (Site site = new Site(server, ElderShape.A);
                SinkLoop loop = site.sink()) {
            runs(site, "a1", 0);
            runs(site, "a2", today);
            runs(site, "a3", today + 1);
            assertThat(site.value("SELECT string_agg(run_id, ' ' ORDER BY started_at) FROM pipeline.runs"))
                    .isEqualTo("1.a2 1.a3");
            assertThat(site.value("SELECT string_agg(run_id, ' ') FROM pipeline.scope_progress"))
                    .isEqualTo("1.a3");
            // A plan that is released says so in the name of its run, long after that is closed, or forgotten.
            site.mark("1.a2", today, 1);
            site.mark("1.a1", 0, 1);
            runs(site, "a4", today + 2);
            assertThat(site.value("SELECT string_agg(run_id, ' ') FROM pipeline.scope_progress"))
                    .isEqualTo("1.a4");
            assertThat(site.value("SELECT count(*) FROM discovery_history WHERE status = 'completed'"))
                    .isEqualTo("4");
            assertThat(loop.health().ok()).isTrue();
        }
    }

    private static void runs(Site site, String suffix, int hour) throws Exception {
        site.send(started(1, suffix, hour));
        site.mark("1." + suffix, hour, 1);
        site.send(finished(1, suffix, hour, 0));
        site.awaitValue("t", "SELECT visible_at IS NOT NULL FROM pipeline.runs WHERE run_id = '1." + suffix + "'");
    }

    @Test
    void aMissingOrganizationFailsTheRunAndItsRowsAreWrittenOnceTheSettingIsRight() throws Exception {
        try (Site site = new Site(server, ElderShape.A)) {
            String error = "organisation Sales does not exist (expected: CREATE_MISSING_ORGANIZATIONS=true, or"
                    + " DEFAULT_ORGANIZATION_ID); rows that wait for such: 2";
            try (SinkLoop loop = site.sink(Map.of("CREATE_MISSING_ORGANIZATIONS", "false"))) {
                site.send(started(1, "a1", 0));
                site.row(OU, "organizations", Map.of("name", "Sales"), Map.of());
                site.row(
                        VPC,
                        "networking_resources",
                        Map.of("name", "vpc", "network_type", "vpc"),
                        Map.of("organization", OU));
                site.mark("1.a1", 0, 1);
                site.send(finished(1, "a1", 0, 2));
                site.awaitValue(error, "SELECT last_error FROM discovery_jobs WHERE status = 'failed'");
                assertThat(site.value("SELECT error_message FROM discovery_history WHERE status = 'failed'"))
                        .isEqualTo(error);
                // Nothing is sent again for what has not changed, and it is still not there.
                site.send(started(1, "a2", 1));
                site.mark("1.a2", 1, 1);
                site.send(finished(1, "a2", 1, 2));
                site.awaitValue("2", "SELECT count(*) FROM discovery_history WHERE status = 'failed'");
                await().atMost(SOON).until(() -> loop.health().ok());
            }
            try (SinkLoop loop = site.sink()) {
                site.awaitValue(
                        "Sales",
                        "SELECT o.name FROM networking_resources n JOIN organizations o ON o.id = n.organization_id");
                site.send(started(1, "a3", 2));
                site.mark("1.a3", 2, 1);
                site.send(finished(1, "a3", 2, 2));
                site.awaitValue("completed", "SELECT status FROM discovery_jobs WHERE last_error IS NULL");
                await().atMost(SOON).until(() -> loop.health().ok());
            }
            assertThat(site.deadLetters()).isEmpty();
        }
    }

    @Test
    void aTakenPlainNameIsADeadLetterThatIsWrittenWhenItIsSentAgain() throws Exception {
        try (Site site = new Site(server, ElderShape.A);
                SinkLoop loop = site.sink(Map.of("IDENTITY_NAMING", "plain"))) {
            site.user(0, 1, 1);
            site.flush();
            site.awaitValue("user1", "SELECT username FROM identities WHERE source_key IS NOT NULL");
            site.execute("UPDATE identities SET username = 'user2' WHERE username = 'user1'");
            site.user(0, 2, 1);
            site.user(0, 3, 1);
            site.flush();
            site.awaitUsers(2);
            List<ConsumerRecord<byte[], byte[]>> dead = site.deadLetters();
            assertThat(dead).hasSize(1);
            assertThat(header(dead.getFirst(), "elder.error.message"))
                    .startsWith("identities.username: user2 is taken (expected: ");
            site.execute("UPDATE identities SET username = 'user1' WHERE username = 'user2'");
            site.sendAgain(dead.getFirst());
            site.awaitUsers(3);
            assertThat(site.value("SELECT string_agg(username, ' ' ORDER BY username) FROM identities"
                            + " WHERE source_key IS NOT NULL"))
                    .isEqualTo("user1 user2 user3");
            await().atMost(SOON).until(() -> loop.health().ok());
        }
    }

    /** By the arrival of the target, and by the look that is taken while nothing arrives. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aReferenceThatASiteRefusesIsOneDeadLetterAndBlocksNothing(boolean targetArrives) throws Exception {
        try (Site site = new Site(server, ElderShape.A);
                SinkLoop loop = site.sink()) {
            site.execute(
                    targetArrives
                            ? "ALTER TABLE networking_resources ADD CONSTRAINT ours CHECK (name <> 'bad' OR parent_id IS NULL)"
                            : "CREATE FUNCTION ours() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                                    + " IF NEW.name = 'bad' AND NEW.parent_id IS NOT NULL THEN RAISE EXCEPTION 'ours'; END IF;"
                                    + " RETURN NULL; END $$; CREATE CONSTRAINT TRIGGER ours AFTER INSERT OR UPDATE ON"
                                    + " networking_resources DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ours()");
            site.row(OU, "organizations", Map.of("name", "Sales"), Map.of());
            for (String name : List.of("good", "bad", "fine")) {
                site.row(
                        VPC + name,
                        "networking_resources",
                        Map.of("name", name, "network_type", "vpc"),
                        Map.of("organization", OU, "parent", VPC));
            }
            site.awaitValue("3", "SELECT count(*) FROM networking_resources");
            if (targetArrives) {
                site.row(
                        VPC,
                        "networking_resources",
                        Map.of("name", "vpc", "network_type", "vpc"),
                        Map.of("organization", OU));
            } else {
                // As another sink would whose transaction this one could not see.
                site.execute("INSERT INTO networking_resources (name, network_type, organization_id, source_key)"
                        + " SELECT 'vpc', 'vpc', id, '" + VPC + "' FROM organizations WHERE source_key = '" + OU + "'");
            }
            String linked =
                    "SELECT string_agg(name, ' ' ORDER BY name) FROM networking_resources WHERE parent_id IS NOT NULL";
            site.awaitValue("fine good", linked);
            site.users(0, 1, 1);
            site.awaitUsers(1);
            await().atMost(SOON).until(() -> loop.health().ok());
            assertThat(site.deadLetters()).singleElement().satisfies(dead -> {
                assertThat(new String(dead.key(), StandardCharsets.UTF_8)).isEqualTo(VPC + "bad");
                assertThat(header(dead, "elder.error.message")).contains("parent_id can't refer to " + VPC, "ours");
            });
            site.execute(
                    targetArrives
                            ? "ALTER TABLE networking_resources DROP CONSTRAINT ours"
                            : "DROP TRIGGER ours ON networking_resources");
            site.sendAgain(site.deadLetters().getFirst());
            site.awaitValue("bad fine good", linked);
            assertThat(site.deadLetters()).hasSize(1);
        }
    }

    private static RunEvent started(int job, String suffix, int hour) {
        Instant at = T0.plusSeconds(hour * 3600L);
        return new RunEvent(job + "." + suffix, "ldap", at, new RunStarted(job, "first", at.plusSeconds(600)));
    }

    private static RunEvent finished(int job, String suffix, int hour, long discovered) {
        Instant at = T0.plusSeconds(hour * 3600L);
        return new RunEvent(
                job + "." + suffix,
                "ldap",
                at.plusSeconds(9),
                new RunFinished(
                        "completed",
                        null,
                        job,
                        at,
                        at.plusSeconds(3600),
                        List.of(SCOPE),
                        List.of(),
                        discovered,
                        0,
                        true));
    }

    private static String header(ConsumerRecord<byte[], byte[]> record, String name) {
        return new String(record.headers().lastHeader(name).value(), StandardCharsets.UTF_8);
    }

    /** A database with a job and topics of its own. */
    private static final class Site implements AutoCloseable {
        private static final int PARTITIONS = 2;

        private final String database;
        private final Topics topics;
        private final Map<String, String> settings;
        private final KafkaProducer<String, SpecificRecord> producer;
        private final List<Future<RecordMetadata>> sent = new ArrayList<>();
        private EmbeddedDatabase server;

        Site(EmbeddedDatabase server, ElderShape shape) throws Exception {
            int number = ++sites;
            this.server = server;
            this.database = "site" + number;
            this.topics = new Topics("site" + number + ".");
            server.createDatabase(database);
            for (ElderShape part : shape == ElderShape.B ? List.of(ElderShape.A, ElderShape.B) : List.of(shape)) {
                execute(Files.readString(Path.of(
                        "../schemas/src/test/resources/db/shape-" + part.name().toLowerCase(Locale.ROOT) + ".sql")));
            }
            Migrations.migrate(server.jdbcUrl("postgres", database), "postgres", "");
            try (Connection owner = server.connect(database)) {
                Migrations.setWorkerPassword(owner, "secret");
            }
            if (shape == ElderShape.C) {
                execute("INSERT INTO tenants (name, slug) VALUES ('System', 'system')");
                execute("INSERT INTO discovery_jobs (name, type, config) VALUES ('dir', 'ldap', '{}')");
            } else {
                execute("INSERT INTO tenants (name, slug, is_active, created_at, updated_at)"
                        + " SELECT 'System', 'system', true, now(), now() WHERE NOT EXISTS (SELECT FROM tenants)");
                execute(
                        "INSERT INTO discovery_jobs (name, provider, config_json, schedule_interval, enabled, created_at,"
                                + " updated_at) VALUES ('dir', 'ldap', '{}', 3600, true, now(), now())");
            }
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
                List<NewTopic> made = new ArrayList<>();
                for (String name :
                        List.of(topics.inventory().name(), topics.runs().name(), deadletter())) {
                    made.add(new NewTopic(name, PARTITIONS, (short) 1));
                }
                admin.createTopics(made).all().get();
            }
            this.settings = Map.of(
                    "KAFKA_BOOTSTRAP_SERVERS",
                    broker.bootstrapServers(),
                    "TOPIC_PREFIX",
                    "site" + number + ".",
                    "DATABASE_URL",
                    server.url("elder_worker", "secret", database),
                    "SINK_SETTLE_INTERVAL",
                    "1s",
                    "SCHEMA_REGISTRY_URL",
                    "inprocess://sink-loop");
            Settings read = Settings.of(settings);
            SinkSettings sink = SinkSettings.from(read);
            read.check();
            AvroSerializer<SpecificRecord> serializer = new AvroSerializer<>();
            serializer.configure(sink.kafka().common(), false);
            // Several requests in flight while a new topic has no leader yet may end out of order, and never recover.
            Map<String, Object> producing = sink.kafka().producer("test");
            producing.put("max.in.flight.requests.per.connection", 1);
            this.producer = new KafkaProducer<>(producing, new StringSerializer(), serializer);
        }

        SinkLoop sink() {
            return sink(Map.of());
        }

        SinkLoop sink(Map<String, String> more) {
            Map<String, String> all = new HashMap<>(settings);
            all.putAll(more);
            SinkLoop loop = new SinkLoop(SinkSettings.from(Settings.of(all)), new SimpleMeterRegistry());
            loop.start();
            return loop;
        }

        String deadletter() {
            return topics.deadletter().name();
        }

        void send(RunEvent event) throws Exception {
            producer.send(new ProducerRecord<>(topics.runs().name(), 0, event.getRunId(), event))
                    .get();
        }

        void users(int from, int to, int version) throws Exception {
            for (int user = from; user < to; user++) {
                user(user % PARTITIONS, user, version);
            }
            flush();
        }

        void flush() throws Exception {
            for (Future<RecordMetadata> one : sent) {
                one.get();
            }
            sent.clear();
        }

        void user(int partition, int user, int version) {
            String key = "ldap/dir/ldap_user/" + user;
            Map<String, Object> values = new HashMap<>(Map.of(
                    "username",
                    "ldap:user" + user,
                    "identity_type",
                    "employee",
                    "auth_provider",
                    "ldap",
                    "is_active",
                    true,
                    "email",
                    "user" + user + "@example.org",
                    "full_name",
                    "User " + user));
            Row row = new Row("identities", false, (long) user, values, Map.of(), null, List.of());
            InventoryRecord record =
                    new InventoryRecord(key, SCOPE, "1.a" + version, T0.plusSeconds((version - 1) * 3600L), row);
            sent.add(producer.send(new ProducerRecord<>(topics.inventory().name(), partition, key, record)));
        }

        void row(String key, String table, Map<String, Object> values, Map<String, String> references)
                throws Exception {
            Row row = new Row(table, false, (long) key.hashCode(), new HashMap<>(values), references, null, List.of());
            producer.send(new ProducerRecord<>(
                            topics.inventory().name(), 0, key, new InventoryRecord(key, SCOPE, "1.a1", T0, row)))
                    .get();
        }

        /** As {@code elder deadletter retry} does. */
        void sendAgain(ConsumerRecord<byte[], byte[]> dead) throws Exception {
            try (KafkaProducer<byte[], byte[]> bytes = new KafkaProducer<>(
                    Map.of("bootstrap.servers", broker.bootstrapServers()),
                    new ByteArraySerializer(),
                    new ByteArraySerializer())) {
                bytes.send(new ProducerRecord<>(
                                header(dead, DeadLetter.SOURCE_TOPIC),
                                Integer.valueOf(header(dead, DeadLetter.SOURCE_PARTITION)),
                                dead.key(),
                                dead.value()))
                        .get();
            }
        }

        /** The mark of one raw partition, in every inventory partition. */
        void mark(String run, int hour, int rawPartitions) throws Exception {
            for (int partition = 0; partition < PARTITIONS; partition++) {
                ScopeMark mark = new ScopeMark(0, rawPartitions, "sealed", null, 1L, 0L, 0L);
                producer.send(new ProducerRecord<>(
                                topics.inventory().name(),
                                partition,
                                "mark",
                                new InventoryRecord("mark", SCOPE, run, T0.plusSeconds(hour * 3600L), mark)))
                        .get();
            }
        }

        void execute(String sql) throws SQLException {
            try (Connection connection = server.connect(database);
                    Statement statement = connection.createStatement()) {
                statement.execute(sql);
            }
        }

        void disconnectWorker() throws SQLException {
            try (Connection connection = server.connect("postgres");
                    Statement statement = connection.createStatement()) {
                statement.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + database
                        + "' AND usename = 'elder_worker'");
            }
        }

        String value(String sql) throws SQLException {
            try (Connection connection = server.connect(database);
                    Statement statement = connection.createStatement();
                    ResultSet row = statement.executeQuery(sql)) {
                return row.next() ? row.getString(1) : null;
            }
        }

        void awaitValue(String expected, String sql) {
            await().atMost(SOON).pollInterval(Duration.ofMillis(200)).untilAsserted(() -> assertThat(value(sql))
                    .isEqualTo(expected));
        }

        void awaitUsers(int count) {
            awaitValue(Integer.toString(count), "SELECT count(*) FROM identities WHERE source_key IS NOT NULL");
        }

        List<ConsumerRecord<byte[], byte[]>> deadLetters() {
            try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                    Map.of("bootstrap.servers", broker.bootstrapServers()),
                    new ByteArrayDeserializer(),
                    new ByteArrayDeserializer())) {
                List<TopicPartition> partitions = new ArrayList<>();
                for (int partition = 0; partition < PARTITIONS; partition++) {
                    partitions.add(new TopicPartition(deadletter(), partition));
                }
                consumer.assign(partitions);
                consumer.seekToBeginning(partitions);
                List<ConsumerRecord<byte[], byte[]>> found = new ArrayList<>();
                Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
                while (partitions.stream().anyMatch(one -> consumer.position(one) < ends.get(one))) {
                    consumer.poll(Duration.ofMillis(100)).forEach(found::add);
                }
                return found;
            }
        }

        @Override
        public void close() {
            producer.close(Duration.ofSeconds(5));
        }
    }
}
