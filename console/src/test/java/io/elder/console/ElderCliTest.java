package io.elder.console;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.zaxxer.hikari.HikariDataSource;
import io.elder.embedded.servers.EmbeddedBroker;
import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Settings;
import io.elder.runtime.TopicCreation;
import io.elder.schemas.avro.HeldCommand;
import io.elder.schemas.avro.HeldItems;
import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.HeldSummary;
import io.elder.schemas.avro.PlannedChange;
import io.elder.schemas.avro.ScopeEvent;
import io.elder.schemas.avro.WritebackCommand;
import io.elder.schemas.avro.WritebackEvent;
import io.elder.schemas.avro.WritebackPlan;
import io.elder.schemas.avro.WritebackResult;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import io.elder.schemas.serde.DeadLetter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The commands as an operator types them, on a real broker and a real database. */
class ElderCliTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SCOPE = "ldap/host/dc=x/ldap_user";

    @TempDir
    static Path folder;

    private static EmbeddedDatabase database;
    private static EmbeddedBroker broker;
    private static Settings settings;
    private static KafkaClients kafka;

    @BeforeAll
    static void start() throws Exception {
        database = EmbeddedDatabase.start(folder.resolve("postgres"), 0, EmbeddedDatabase.Durability.FAST);
        try (HikariDataSource migrated = TestDatabase.open(database, "A")) {
            assertThat(migrated.isRunning()).isTrue();
        }
        database.createDatabase("empty");
        broker = EmbeddedBroker.start(folder.resolve("kafka"), 0);
        settings = Settings.of(Map.of(
                "KAFKA_BOOTSTRAP_SERVERS",
                broker.bootstrapServers(),
                "SCHEMA_REGISTRY_URL",
                "inprocess://cli",
                "TOPIC_PARTITIONS",
                "2",
                "TOPIC_REPLICATION_FACTOR",
                "1",
                "STATE_DIR",
                folder.resolve("state").toString(),
                "DATABASE_URL",
                database.url("postgres", "shape_a")));
        kafka = new KafkaClients(settings);
        TopicCreation.createMissing(kafka);
    }

    @AfterAll
    static void stop() {
        broker.close();
        database.close();
    }

    @Test
    void jobsAreCreatedListedQueuedAndDeleted() throws Exception {
        Run created = run(
                "jobs",
                "create",
                "--name=directory",
                "--provider=ldap",
                "--schedule-interval=0",
                "--config={\"server\": \"h\", \"bind_password\": \"canary\"}",
                "--json");
        assertThat(created.code()).as(created.err()).isZero();
        assertThat(created.out()).doesNotContain("canary");
        String id = created.json().path("id").asText();
        assertThat(created.json().path("schedule_interval").asInt(-1)).isZero();

        assertThat(run("jobs", "list").out()).contains("directory", "ldap");
        assertThat(run("jobs", "show", id).out()).contains("directory").doesNotContain("canary");
        assertThat(run("jobs", "queue", id).out()).contains("job " + id + " queued at");
        assertThat(run("jobs", "history", id, "--json").json()).isEmpty();
        Run test = run("jobs", "test", id);
        assertThat(test.code()).isEqualTo(1);
        assertThat(test.out()).contains("./elder check --providers=ldap");
        assertThat(run("jobs", "delete", id).code()).isZero();
        Run gone = run("jobs", "show", id);
        assertThat(gone.code()).isEqualTo(1);
        assertThat(gone.err()).contains("job " + id + ": not found");
    }

    @Test
    void wrongInputIsUsageAndExitsWithTwo() {
        assertThat(run("jobs", "create", "--name=x", "--provider=oracle", "--config={}"))
                .satisfies(run -> assertThat(run.code()).isEqualTo(2))
                .satisfies(run -> assertThat(run.err()).contains("provider: oracle (expected: one of"));
        assertThat(run("jobs", "create", "--name=x", "--provider=ldap", "--config={canary"))
                .satisfies(run -> assertThat(run.code()).isEqualTo(2))
                .satisfies(run -> assertThat(run.err()).contains("malformed").doesNotContain("canary"));
        assertThat(run("jobs", "frobnicate").code()).isEqualTo(2);
        assertThat(run().code()).isEqualTo(2);
        assertThat(run("inventory", "list", "--table=nowhere").code()).isEqualTo(2);
        assertThat(run("deadletter", "retry").code()).isEqualTo(2);
        assertThat(run("rebuild", "--empty").code()).isEqualTo(2);
        assertThat(run(Settings.of(Map.of()), "jobs", "list"))
                .satisfies(run -> assertThat(run.code()).isEqualTo(2))
                .satisfies(run -> assertThat(run.err()).contains("DATABASE_URL"));
    }

    @Test
    void theInventoryIsSummedUpAndListed() throws Exception {
        TestDatabase.run(
                database,
                "shape_a",
                "insert into organizations (name, type, source_key) values ('Corp', 'directory', 'ldap/h/d/1')");
        assertThat(run("inventory", "summary").out()).contains("organizations");
        assertThat(run("inventory", "summary", "--json").json().path("tables").isArray())
                .isTrue();
        JsonNode listed =
                run("inventory", "list", "--table=organizations", "--json").json();
        assertThat(listed.findValuesAsText("name")).contains("Corp");
        assertThat(run("inventory", "list", "--type=user", "--json").json()).isEmpty();
    }

    @Test
    void aDatabaseIsMigratedOnceAndAgain() {
        Settings empty = settings.with(Map.of("DATABASE_URL", database.url("postgres", "empty")));
        Run first = run(empty, "migrate");
        assertThat(first.code()).as(first.out() + first.err()).isZero();
        assertThat(run(empty, "migrate").code()).isZero();
        assertThat(run(empty, "jobs", "list").code()).isZero();
    }

    @Test
    void topicsAreCreatedOnceAndADryRunCreatesNone() {
        Settings other = settings.with(Map.of("TOPIC_PREFIX", "other."));
        assertThat(run(other, "topics", "create", "--dry-run").out()).contains("other.runs", "not asked");
        Run created = run(other, "topics", "create");
        assertThat(created.code()).as(created.err()).isZero();
        assertThat(created.out()).contains("other.runs", "new").doesNotContain("there already");
        assertThat(run(other, "topics", "create").out()).contains("there already");
        assertThat(run(other, "schemas", "register").code()).isZero();
    }

    @Test
    void whatARoleMayDoIsPrintedAndAClusterWithoutAclsSaysSo() {
        Run printed = run("topics", "acls", "--principal=User:CN={role}");
        assertThat(printed.code()).as(printed.err()).isZero();
        assertThat(printed.out().lines())
                .anyMatch(line -> line.matches("User:CN=fetcher-ldap +topic +\\S*raw\\.ldap +write"))
                .noneMatch(line -> line.matches("User:CN=sink +topic +\\S*inventory +.*write.*"));
        assertThat(run("topics", "acls", "--principal=elder").err())
                .contains("--principal: elder (expected: such as User:elder-{role})");
        Run refused = run("topics", "acls", "--create");
        assertThat(refused.code()).isEqualTo(1);
        assertThat(refused.err()).contains("No Authorizer is configured");
    }

    @Test
    void aHeldPlanIsShownAndReleased() throws Exception {
        Instant now = Instant.now();
        AvroSerializer<HeldPlan> values = new AvroSerializer<>();
        values.configure(kafka.common(), false);
        String topic = kafka.topics().held().name();
        try (KafkaProducer<String, HeldPlan> producer =
                new KafkaProducer<>(kafka.producer("test"), new StringSerializer(), values)) {
            producer.send(new ProducerRecord<>(
                            topic, SCOPE, plan(now, new HeldSummary("held", 100L, 30L, 20L, null, null))))
                    .get();
            producer.send(new ProducerRecord<>(
                            topic,
                            SCOPE + "#0#0",
                            plan(now, new HeldItems(0, 0, List.of("ldap/host/ldap_user/a", "ldap/host/ldap_user/b")))))
                    .get();
        }
        assertThat(run("held", "list").out()).contains("plan-1", SCOPE);
        assertThat(run("held", "show", "plan-1").out()).contains("ldap/host/ldap_user/a", "ldap/host/ldap_user/b");
        assertThat(run("held", "release", "plan-2").code()).isEqualTo(1);

        Run released = run("held", "release", SCOPE, "--by=carol");
        assertThat(released.code()).as(released.err()).isZero();
        assertThat(released.out()).contains("no normalizer has confirmed it yet");
        AvroDeserializer<ScopeEvent> events = new AvroDeserializer<>();
        events.configure(kafka.common(), false);
        List<ScopeEvent> sent = new ArrayList<>();
        new TopicReader(kafka).read(kafka.topics().scopes().name(), events, record -> sent.add(record.value()));
        assertThat(sent).hasSize(1);
        assertThat(sent.getFirst().getScope()).isEqualTo(SCOPE);
        assertThat(sent.getFirst().getBody())
                .isEqualTo(new HeldCommand("plan-1", "release", "carol", 0, "", Instant.EPOCH));

        assertThat(run("held", "retire", "of no form").code()).isEqualTo(2);
        Run retired = run("held", "retire", SCOPE, "--by=carol");
        assertThat(retired.code()).isEqualTo(1);
        assertThat(retired.err()).contains("no normalizer has made a plan for " + SCOPE);
        sent.clear();
        new TopicReader(kafka).read(kafka.topics().scopes().name(), events, record -> sent.add(record.value()));
        HeldCommand asked = (HeldCommand) sent.getLast().getBody();
        assertThat(asked.getAction() + " by " + asked.getBy()).isEqualTo("retire by carol");
        assertThat(asked.getPartitions()).isEqualTo(2);
    }

    @Test
    void writeBackIsShownUndoneAndSwitchedAndADryRunAsksForNothing() throws Exception {
        Instant now = Instant.now();
        AvroSerializer<WritebackPlan> plans = new AvroSerializer<>();
        plans.configure(kafka.common(), false);
        AvroSerializer<WritebackResult> results = new AvroSerializer<>();
        results.configure(kafka.common(), false);
        PlannedChange add = new PlannedChange("add", "00u1", List.of(7), null, now);
        PlannedChange remove = new PlannedChange("remove", "00u2", List.of(), null, now);
        try (KafkaProducer<String, WritebackPlan> planner =
                        new KafkaProducer<>(kafka.producer("test"), new StringSerializer(), plans);
                KafkaProducer<String, WritebackResult> applier =
                        new KafkaProducer<>(kafka.producer("test"), new StringSerializer(), results)) {
            planner.send(new ProducerRecord<>(
                            kafka.topics().writebackPlans().name(),
                            "okta/00g1",
                            new WritebackPlan("w-1", "okta", "00g1", "team", now, null, List.of(add, remove))))
                    .get();
            applier.send(new ProducerRecord<>(
                            kafka.topics().writebackResults().name(),
                            "okta/00g1/00u1",
                            new WritebackResult(
                                    "w-1", "okta", "00g1", "00u1", "add", "applied", null, now, List.of(7), null)))
                    .get();
        }
        assertThat(run("writeback", "status").out()).contains("okta", "not run yet");
        assertThat(run("writeback", "status", "--json").json().findValuesAsText("applied"))
                .containsExactly("0", "0", "1");
        assertThat(run("writeback", "plan").out()).contains("w-1", "team", "1 applied, 1 under way");
        assertThat(run("writeback", "plan", "w-1").out()).contains("00u1", "applied", "00u2", "under way");
        assertThat(run("writeback", "plan", "w-2").err()).contains("plan w-2: not found");
        assertThat(run("writeback", "enable", "oracle").err()).contains("provider: oracle (expected: authentik, ldap");

        assertThat(run("writeback", "undo", "w-1", "--dry-run").out()).contains("00u1", "applied");
        assertThat(run("writeback", "enable", "okta", "--dry-run").out()).contains("okta: not run yet; would be");
        assertThat(run("writeback", "disable", "okta", "--dry-run").out()).contains("would be disabled");
        assertThat(words()).isEmpty();

        assertThat(run("writeback", "enable", "okta", "--by=carol").code()).isZero();
        assertThat(run("writeback", "undo", "w-1", "--by=carol").code()).isZero();
        assertThat(run("writeback", "disable", "okta", "--by=carol").code()).isZero();
        assertThat(words())
                .containsExactly(
                        new WritebackCommand("enable", "okta", "carol"),
                        new WritebackCommand("undo", "w-1", "carol"),
                        new WritebackCommand("disable", "okta", "carol"));
    }

    private static List<Object> words() {
        AvroDeserializer<WritebackEvent> events = new AvroDeserializer<>();
        events.configure(kafka.common(), false);
        List<Object> words = new ArrayList<>();
        new TopicReader(kafka)
                .read(
                        kafka.topics().writebackEvents().name(),
                        events,
                        record -> words.add(record.value().getBody()));
        return words;
    }

    @Test
    void deadLettersAreSentBackOrDropped() throws Exception {
        String raw = kafka.topics().raw("ldap").name();
        String letters = kafka.topics().deadletter().name();
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(kafka.producer("test"), new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int i = 0; i < 2; i++) {
                producer.send(new ProducerRecord<>(
                                letters,
                                0,
                                new byte[] {'k'},
                                new byte[] {(byte) i},
                                DeadLetter.headers("normalizer", raw, 1, i, "X", "it is bad", Instant.now())))
                        .get();
            }
        }
        assertThat(run("deadletter", "list").out()).contains("0-0", "0-1", "it is bad");
        assertThat(run("deadletter", "show", "0-1").out()).contains("value_hex", "01", raw + "-1@1");
        assertThat(run("deadletter", "show", "7-7").code()).isEqualTo(1);
        assertThat(run("deadletter", "drop", "0-0").code()).isZero();
        assertThat(run("deadletter", "retry", "0-0").code()).isEqualTo(1);
        Run retried = run("deadletter", "retry", "--all");
        assertThat(retried.code()).as(retried.err()).isZero();
        assertThat(retried.out()).contains("0-1: retried").doesNotContain("0-0");
        assertThat(run("deadletter", "list", "--json").json()).isEmpty();
        assertThat(run("deadletter", "list", "--all").out()).contains("dropped", "retried");

        List<ConsumerRecord<byte[], byte[]>> back = new ArrayList<>();
        new TopicReader(kafka).read(raw, new ByteArrayDeserializer(), back::add);
        assertThat(back).hasSize(1);
        assertThat(back.getFirst().partition()).isEqualTo(1);
        assertThat(back.getFirst().value()).containsExactly(1);
        assertThat(DeadLetter.text(back.getFirst().headers(), DeadLetter.RETRIED))
                .isEqualTo("0-1");
        assertThat(DeadLetter.text(back.getFirst().headers(), DeadLetter.STAGE)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "jobs",
                "jobs create",
                "jobs list",
                "jobs show",
                "jobs queue",
                "jobs history",
                "jobs test",
                "jobs delete",
                "inventory",
                "inventory summary",
                "inventory list",
                "migrate",
                "topics",
                "topics create",
                "schemas",
                "schemas register",
                "schemas check",
                "held",
                "held list",
                "held show",
                "held release",
                "held reject",
                "held retire",
                "writeback",
                "writeback status",
                "writeback plan",
                "writeback undo",
                "writeback enable",
                "writeback disable",
                "deadletter",
                "deadletter list",
                "deadletter show",
                "deadletter retry",
                "deadletter drop",
                "rebuild"
            })
    void everyCommandHasHelp(String command) {
        List<String> words = new ArrayList<>(List.of(command.split(" ")));
        words.add("--help");
        Run help = run(Settings.of(Map.of()), words.toArray(String[]::new));
        assertThat(help.code()).isZero();
        assertThat(help.out()).contains("Usage: elder " + command, "--data=FOLDER");
    }

    @Test
    void thePipelineThatRunsOnTheDataFolderIsUsedWhereNothingElseIsNamed() throws IOException {
        Path data = Files.createDirectory(folder.resolve("up"));
        Path running = data.resolve("site.env");
        String up = "DATABASE_URL=" + database.url("postgres", "shape_a") + "\nKAFKA_BOOTSTRAP_SERVERS="
                + broker.bootstrapServers() + "\nELDER_UP_PID=";
        Files.writeString(running, up + ProcessHandle.current().pid() + "\n");
        Settings byName = Settings.of(Map.of("ELDER_DATA", data.toString()));

        for (Run found : List.of(
                run(byName, "jobs", "list"),
                run(Settings.of(Map.of()), "--data=" + data, "jobs", "list"),
                run(Settings.of(Map.of()), "jobs", "list", "--data", data.toString()))) {
            assertThat(found.code()).as(found.err()).isZero();
            assertThat(found.err()).contains("using the running pipeline of " + running);
        }
        Run refused = run(byName, "rebuild");
        assertThat(refused.code()).isEqualTo(1);
        assertThat(refused.err()).contains("stop it if it runs, then ./elder up --data=" + data + " --rebuild;");
        Run elsewhere = run(byName.with(Map.of("DATABASE_URL", "nonsense")), "jobs", "list");
        assertThat(elsewhere.err()).doesNotContain("using").contains("DATABASE_URL: not a PostgreSQL URL");

        Files.writeString(running, up + Integer.MAX_VALUE + "\n");
        Run stale = run(byName, "jobs", "list");
        assertThat(stale.code()).isEqualTo(2);
        assertThat(stale.err()).doesNotContain("using").contains("DATABASE_URL: not set");
    }

    @Test
    void aMisspeltSettingIsReportedBeforeAnythingIsDone() {
        Run run = run(settings.with(Map.of("CONSOLE_PROT", "1")), "jobs", "list");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("CONSOLE_PROT: no such setting (did you mean CONSOLE_PORT?)");
    }

    @Test
    void progressIsABarForAPersonAndLinesForALog() {
        Rebuild.Progress half = new Rebuild.Progress(500, 1000, 7);
        assertThat(half.bar())
                .isEqualTo("[###############...............] 50% 500 of 1000 raw records, 7 rows to write");
        assertThat(new Rebuild.Progress(0, 0, 0).bar())
                .isEqualTo("[##############################] 100% 0 of 0 raw records, 0 rows to write");
        assertThat(half.done()).isFalse();
        assertThat(new Rebuild.Progress(3, 3, 1).done()).isFalse();
        assertThat(new Rebuild.Progress(3, 3, 0).done()).isTrue();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        new Terminal(System.out, new PrintStream(err, true, StandardCharsets.UTF_8), true).progress(half.bar());
        new Terminal(System.out, new PrintStream(err, true, StandardCharsets.UTF_8), false).progress("nobody looks");
        assertThat(err.toString(StandardCharsets.UTF_8)).isEqualTo("\r\033[K" + half.bar());
    }

    private static HeldPlan plan(Instant now, Object body) {
        return new HeldPlan("plan-1", SCOPE, "1.1", "ldap", "ldap_user", now, now.plus(Duration.ofDays(7)), body);
    }

    private record Run(int code, String out, String err) {
        JsonNode json() throws IOException {
            return JSON.readTree(out);
        }
    }

    private static Run run(String... args) {
        return run(settings, args);
    }

    private static Run run(Settings site, String... args) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Terminal terminal = new Terminal(
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                false);
        int code = ElderCli.run(site, terminal, args);
        return new Run(code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }
}
