package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.estate.Directory;
import io.elder.estate.SimulatedOkta;
import io.elder.estate.Site;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.runtime.WholeTopics;
import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.HeldSummary;
import io.elder.schemas.serde.AvroDeserializer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** A row of Elder's at one end, Okta's groups at the other; all roles between them, and a sync every few seconds. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class WritebackEndToEndTest {
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final int GROUPS = 8;
    private static final int MEMBERS = 4;

    @TempDir
    static Path folder;

    private static Directory directory;
    private static SimulatedOkta okta;
    private static Metrics metrics;
    private static Pipeline pipeline;

    @BeforeAll
    static void start() {
        directory = new Directory();
        directory.put(new Directory.User("00unew", "new@example.com"));
        for (int g = 0; g < GROUPS; g++) {
            directory.put(new Directory.Group("00g" + g, "group " + g));
            for (int u = 0; u < MEMBERS; u++) {
                String user = "00u" + g + "x" + u;
                directory.put(new Directory.User(user, user + "@example.com"));
                directory.join("00g" + g, user);
            }
        }
        okta = new SimulatedOkta(directory);
        open();
    }

    private static void open(String... more) {
        Map<String, String> settings = new HashMap<>(okta.settings());
        settings.putAll(Map.of(
                "CONSOLE_PORT", "0",
                "OKTA_SYNC_INTERVAL", "5s",
                "OKTA_RATE_LIMIT", "200",
                "OKTA_WRITE_BACK_ENABLED", "true",
                "ELDER_WEB_URL", "https://elder.example.com/",
                "WRITEBACK_CONFLICT_DELAY", "5s",
                "WRITEBACK_CONFIRMED", "okta"));
        for (int i = 0; i < more.length; i += 2) {
            settings.put(more[i], more[i + 1]);
        }
        metrics = new Metrics();
        pipeline = new Pipeline(folder, Settings.of(settings), metrics);
        pipeline.start();
        await().atMost(Duration.ofMinutes(3)).until(() -> pipeline.health().ok());
    }

    @AfterAll
    static void stop() {
        if (pipeline != null) {
            pipeline.close();
            metrics.close();
        }
        okta.close();
    }

    @Test
    @Order(1)
    void aRowBecomesAMemberAndIsMarkedSo() throws SQLException {
        await().atMost(PATIENCE)
                .until(() -> number("select count(*) from identity_group_memberships where source_key is not null")
                        == GROUPS * MEMBERS);
        execute("update identity_groups set sync_enabled = true where provider = 'okta'");
        add("00unew", "00g1");
        await().atMost(PATIENCE).until(() -> directory.membersOf("00g1").containsKey("00unew"));
        await().atMost(PATIENCE)
                .until(() -> number("select count(*) from identity_group_memberships where provider_synced"
                                + " and provider_synced_at is not null and provider_member_id = '00unew'")
                        == 1);
        assertThat(writes()).containsExactly("PUT /api/v1/groups/00g1/users/00unew");
    }

    @Test
    @Order(2)
    void itsEchoEndsInTheTables() {
        await().atMost(PATIENCE)
                .until(() -> number("select count(*) from identity_group_memberships m"
                                + " join identities i on i.id = m.identity_id"
                                + " where i.auth_provider_id = '00unew' and m.source_key is not null")
                        == 1);
        assertThat(writes()).hasSize(1);
    }

    @Test
    @Order(3)
    void anAnswerThatGetsLostDoesNoHarm() throws SQLException {
        okta.door().loseAnswers(1);
        execute("delete from identity_group_memberships where identity_id ="
                + " (select id from identities where auth_provider_id = '00unew')");
        await().atMost(PATIENCE).until(() -> !directory.membersOf("00g1").containsKey("00unew"));
        await().atMost(PATIENCE).until(() -> writes().size() == 3);
        assertThat(writes().subList(1, 3)).containsOnly("DELETE /api/v1/groups/00g1/users/00unew");
    }

    @Test
    @Order(4)
    void anEmptiedTableIsHeldAsOnePlanWithoutACall() throws SQLException {
        int before = writes().size();
        execute("create table backup as select * from identity_group_memberships");
        execute("delete from identity_group_memberships");
        await().atMost(PATIENCE).until(() -> !held().isEmpty());
        assertThat(held()).hasSize(1);
        assertThat(held().getFirst().getDeletions()).isEqualTo(GROUPS * MEMBERS);
        assertThat(writes()).hasSize(before);
    }

    @Test
    @Order(5)
    void whatIsHeldSurvivesARestartAndChangesGoOn() throws SQLException {
        // As a release of Elder has it; what may be written there is seen to by the next migration.
        execute(
                "create table audit_logs (id serial primary key, created_at timestamptz not null, action_name varchar(100)"
                        + " not null, resource_type varchar(100), resource_id integer, details json, success boolean not null)");
        reopen();
        assertThat(held()).hasSize(1);
        add("00unew", "00g2");
        await().atMost(PATIENCE).until(() -> directory.membersOf("00g2").containsKey("00unew"));
        assertThat(writes().getLast()).isEqualTo("PUT /api/v1/groups/00g2/users/00unew");
    }

    @Test
    @Order(6)
    void itIsInTheAuditLogWhereThereIsOne() throws SQLException {
        await().atMost(PATIENCE)
                .until(() -> number("select count(*) from audit_logs a join identity_group_memberships m"
                                + " on m.id = a.resource_id where a.action_name = 'writeback.add' and a.success"
                                + " and a.resource_type = 'identity_group_membership'"
                                + " and a.details ->> 'member' = '00unew' and a.details ->> 'group' = '00g2'"
                                + " and a.details ->> 'outcome' = 'applied' and m.provider_synced")
                        == 1);
    }

    @Test
    @Order(7)
    void aPersonsPageIsToldToOktaOnce() throws SQLException {
        execute("update identities set village_id = 'V7' where auth_provider_id = '00unew'");
        await().atMost(PATIENCE).until(() -> okta.door().writes().stream()
                .anyMatch(call -> shown(call).equals("POST /api/v1/users/00unew")));
        execute("update identities set full_name = 'Somebody Else' where auth_provider_id = '00unew'");
        execute("update identities set village_id = 'V8' where auth_provider_id = '00unew'");
        await().atMost(PATIENCE).until(() -> profiles().size() == 2);
        assertThat(profiles())
                .containsExactly(
                        "{\"profile\":{\"profileUrl\":\"https://elder.example.com/profile/V7\"}}",
                        "{\"profile\":{\"profileUrl\":\"https://elder.example.com/profile/V8\"}}");
    }

    private static List<String> profiles() {
        return okta.door().writes().stream()
                .filter(call -> call.method().equals("POST"))
                .map(Site.Call::body)
                .toList();
    }

    @Test
    @Order(8)
    void anOldBackupThatReplacesTheTableIsHeldWithoutACall() throws SQLException {
        int before = writes().size();
        int plans = held().size();
        // What was added since the backup goes, as the only change that would be one for the provider.
        execute("begin; delete from identity_group_memberships; insert into identity_group_memberships"
                + " select * from backup; commit");
        await().atMost(PATIENCE).until(() -> held().size() > plans);
        awaitSyncs(1);
        assertThat(writes()).hasSize(before);
        assertThat(directory.membersOf("00g2")).containsKey("00unew");
    }

    @Test
    @Order(9)
    void aTruncatedTableIsHeldWithoutACall() throws SQLException {
        int before = writes().size();
        int plans = held().size();
        execute("truncate identity_group_memberships");
        await().atMost(PATIENCE).until(() -> held().size() > plans);
        awaitSyncs(1);
        assertThat(held().stream().anyMatch(plan -> plan.getReason().contains("truncated")))
                .isTrue();
        assertThat(writes()).hasSize(before);
    }

    @Test
    @Order(10)
    void whatIsChangedInAGroupThatIsNotSyncedIsNoChange() throws SQLException {
        int before = writes().size();
        int plans = held().size();
        execute("update identity_groups set sync_enabled = false where provider_group_id = '00g4'");
        add("00unew", "00g4");
        add("00unew", "00g5");
        await().atMost(PATIENCE).until(() -> directory.membersOf("00g5").containsKey("00unew"));
        awaitSyncs(1);
        assertThat(writes()).hasSize(before + 1);
        assertThat(held()).hasSize(plans);
    }

    @Test
    @Order(11)
    void aDisabledConnectorsChangesAreHeldWithoutACall() throws SQLException {
        int before = writes().size();
        int plans = held().size();
        reopen(
                "OKTA_ENABLED",
                "false",
                "LDAP_WRITE_BACK_ENABLED",
                "true",
                "LDAP_SERVER",
                "ldap://127.0.0.1:9",
                "LDAP_BASE_DN",
                "dc=example,dc=com",
                "LDAP_BIND_DN",
                "cn=nobody",
                "LDAP_BIND_PASSWORD",
                "none");
        add("00unew", "00g6");
        await().atMost(PATIENCE).until(() -> held().size() > plans);
        assertThat(held().stream()
                        .anyMatch(plan -> plan.getReason().contains("the connector is disabled (OKTA_ENABLED)")))
                .isTrue();
        assertThat(writes()).hasSize(before);
    }

    @Test
    @Order(12)
    void theConsolesApiShowsPlansAndTakesDecisions() throws Exception {
        reopen();
        assertThat(api(200, "GET", "/writeback/status").at("/items/2/state").asText())
                .isEqualTo("open");
        int before = writes().size();
        JsonNode waiting = api(200, "GET", "/held").path("items");
        String disabled = null;
        for (JsonNode plan : waiting) {
            if (plan.path("reason").asText().contains("the connector is disabled")) {
                disabled = plan.path("plan_id").asText();
            }
        }
        assertThat(api(200, "GET", "/held/" + disabled).path("resources").toString())
                .contains("00unew");
        assertThat(api(200, "POST", "/held/" + disabled + "/release?dry_run=true")
                        .path("deletions")
                        .asInt())
                .isZero();
        assertThat(writes()).as("a dry run").hasSize(before);
        assertThat(api(404, "POST", "/held/no-such-plan/release").path("error").asText())
                .contains("no-such-plan");
        assertThat(api(400, "POST", "/held/" + disabled + "/approve")
                        .path("error")
                        .asText())
                .contains("approve (expected: release or reject)");
        api(202, "POST", "/held/" + disabled + "/release");
        await().atMost(PATIENCE).until(() -> directory.membersOf("00g6").containsKey("00unew"));
        String decided = disabled;
        await().atMost(PATIENCE).until(() -> status("POST", "/held/" + decided + "/reject") == 409);

        JsonNode made =
                api(200, "GET", "/writeback/plans?limit=1").path("items").get(0);
        String plan = made.path("plan_id").asText();
        assertThat(api(200, "GET", "/writeback/plans/" + plan)
                        .at("/list/0/member")
                        .asText())
                .isEqualTo("00unew");
        assertThat(made.path("by").asText()).isEqualTo("console");
        assertThat(api(200, "POST", "/writeback/plans/" + plan + "/undo?dry_run=true")
                        .path("dry_run")
                        .asBoolean())
                .isTrue();
        assertThat(directory.membersOf("00g6")).containsKey("00unew");
        api(202, "POST", "/writeback/plans/" + plan + "/undo");
        await().atMost(PATIENCE).until(() -> !directory.membersOf("00g6").containsKey("00unew"));

        assertThat(api(400, "POST", "/writeback/providers/github/disable")
                        .path("error")
                        .asText())
                .contains("github (expected: authentik, ldap, okta)");
        api(202, "POST", "/writeback/providers/okta/disable");
        await().atMost(PATIENCE).until(() -> api(200, "GET", "/writeback/status")
                .at("/items/2/state")
                .asText()
                .equals("closed: okta: dry run until ./elder writeback enable okta"));
        int calls = writes().size();
        int plans = held().size();
        add("00unew", "00g7");
        await().atMost(PATIENCE).until(() -> held().size() > plans);
        assertThat(writes()).hasSize(calls);
        api(202, "POST", "/writeback/providers/okta/enable");
    }

    private static JsonNode api(int expected, String method, String path) throws Exception {
        HttpResponse<String> answer = call(method, path);
        assertThat(answer.statusCode())
                .as("%s %s: %s", method, path, answer.body())
                .isEqualTo(expected);
        return new ObjectMapper().readTree(answer.body());
    }

    private static int status(String method, String path) throws Exception {
        return call(method, path).statusCode();
    }

    private static HttpResponse<String> call(String method, String path) throws Exception {
        Object base = ((Map<?, ?>) pipeline.status().get("console")).get("console");
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(
                    HttpRequest.newBuilder(URI.create(base + path))
                            .method(method, HttpRequest.BodyPublishers.noBody())
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
        }
    }

    private static void reopen(String... more) {
        pipeline.close();
        metrics.close();
        open(more);
    }

    private static void add(String user, String group) throws SQLException {
        execute("insert into identity_group_memberships (identity_id, group_id) select i.id, g.id"
                + " from identities i, identity_groups g"
                + " where i.auth_provider_id = '" + user + "' and g.provider_group_id = '" + group + "'");
    }

    /** Waits until so many more syncs have begun and are over. */
    private static void awaitSyncs(int more) throws SQLException {
        String runs = "select count(*) from pipeline.runs where visible_at is not null";
        long before = number(runs);
        await().atMost(PATIENCE).until(() -> number(runs) > before + more);
    }

    private static List<String> writes() {
        return okta.door().writes().stream()
                .filter(call -> !call.method().equals("POST"))
                .map(WritebackEndToEndTest::shown)
                .toList();
    }

    private static String shown(Site.Call call) {
        return call.method() + " " + call.path();
    }

    /** Plans of write-back that await a person. */
    private static List<HeldSummary> held() {
        KafkaClients kafka = new KafkaClients(pipeline.ownerSettings());
        AvroDeserializer<HeldPlan> values = new AvroDeserializer<>();
        values.configure(kafka.common(), false);
        Map<String, HeldPlan> latest = new HashMap<>();
        try (KafkaConsumer<String, HeldPlan> consumer =
                new KafkaConsumer<>(kafka.consumer("writeback-test"), new StringDeserializer(), values)) {
            WholeTopics.read(
                    consumer,
                    List.of(kafka.topics().held().name()),
                    record -> latest.put(record.key(), record.value()));
        }
        List<HeldSummary> held = new ArrayList<>();
        latest.values().forEach(plan -> {
            if (plan != null && plan.getKind().equals("writeback") && plan.getBody() instanceof HeldSummary summary) {
                held.add(summary);
            }
        });
        return held;
    }

    private static void execute(String sql) throws SQLException {
        try (Connection connection = pipeline.database().connect("elder");
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static long number(String sql) throws SQLException {
        try (Connection connection = pipeline.database().connect("elder");
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getLong(1);
        }
    }
}
