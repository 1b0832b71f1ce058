package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.unboundid.ldap.listener.InMemoryDirectoryServer;
import com.unboundid.ldap.listener.InMemoryDirectoryServerConfig;
import com.unboundid.ldap.listener.InMemoryListenerConfig;
import com.unboundid.ldap.sdk.Attribute;
import com.unboundid.ldap.sdk.Entry;
import com.unboundid.ldap.sdk.LDAPException;
import com.unboundid.ldap.sdk.Modification;
import com.unboundid.ldap.sdk.ModificationType;
import com.zaxxer.hikari.HikariDataSource;
import io.elder.console.Rebuild;
import io.elder.console.Terminal;
import io.elder.runtime.Database;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The raw topics alone give the inventory again. */
class RebuildTest {
    private static final String BASE = "dc=corp,dc=test";
    private static final int PEOPLE = 80;
    private static final int SHRINKING = 3;

    /** Rows as they are, ids included; when they were last written is not part of what they say. */
    private static final List<String> ROWS = List.of(
            "select (to_jsonb(t) - 'updated_at')::text from organizations t order by source_key",
            "select (to_jsonb(t) - 'updated_at')::text from identities t order by source_key",
            "select (to_jsonb(t) - 'updated_at')::text from identity_groups t order by source_key",
            "select (to_jsonb(t) - 'updated_at')::text from identity_group_memberships t order by source_key",
            "select (to_jsonb(t) - 'updated_at')::text from entities t order by source_key",
            "select (to_jsonb(t) - 'updated_at')::text from dependencies t order by source_key");

    /** The same without ids: what rows refer to is named by its key. */
    private static final List<String> CONTENT = List.of(
            "select concat_ws('|', t.source_key, t.content_hash, t.deleted_at is not null, t.name, t.type, p.source_key)"
                    + " from organizations t left join organizations p on p.id = t.parent_id order by 1",
            "select concat_ws('|', t.source_key, t.content_hash, t.deleted_at is not null, t.username, t.email, t.full_name,"
                    + " t.is_active, t.run_id, o.source_key)"
                    + " from identities t left join organizations o on o.id = t.organization_id order by 1",
            "select concat_ws('|', t.source_key, t.content_hash, t.deleted_at is not null, t.name, t.ldap_dn)"
                    + " from identity_groups t order by 1",
            "select concat_ws('|', t.source_key, t.deleted_at is not null, i.source_key, g.source_key)"
                    + " from identity_group_memberships t left join identities i on i.id = t.identity_id"
                    + " left join identity_groups g on g.id = t.group_id order by 1",
            "select concat_ws('|', t.source_key, t.content_hash, t.deleted_at is not null, t.name, o.source_key)"
                    + " from entities t left join organizations o on o.id = t.organization_id order by 1",
            "select concat_ws('|', t.source_key, t.deleted_at is not null, s.source_key, g.source_key)"
                    + " from dependencies t left join identity_groups s on s.id = t.source_id"
                    + " left join identity_groups g on g.id = t.target_id order by 1");

    @TempDir
    Path folder;

    private InMemoryDirectoryServer directory;
    private final Metrics metrics = new Metrics();
    private Pipeline pipeline;

    @BeforeEach
    void start() throws Exception {
        InMemoryDirectoryServerConfig config = new InMemoryDirectoryServerConfig(BASE);
        config.setListenerConfigs(
                InMemoryListenerConfig.createLDAPConfig("test", InetAddress.getLoopbackAddress(), 0, null));
        config.addAdditionalBindCredentials("cn=reader," + BASE, "secret");
        config.setSchema(null);
        directory = new InMemoryDirectoryServer(config);
        directory.add(new Entry(BASE, new Attribute("objectClass", "top", "domain"), new Attribute("dc", "corp")));
        directory.add(new Entry(
                "ou=people," + BASE,
                new Attribute("objectClass", "top", "organizationalUnit"),
                new Attribute("ou", "people")));
        List<String> members = new ArrayList<>();
        for (int i = 0; i < PEOPLE; i++) {
            String dn = "uid=p" + i + ",ou=people," + BASE;
            directory.add(new Entry(
                    dn,
                    new Attribute("objectClass", "top", "person", "inetOrgPerson"),
                    new Attribute("uid", "p" + i),
                    new Attribute("cn", "Person " + i),
                    new Attribute("sn", "P" + i),
                    new Attribute("mail", "p" + i + "@corp.test")));
            members.add(dn);
        }
        group("engineers", members);
        group("everybody", List.of("cn=engineers," + BASE));
        directory.startListening();
        startPipeline();
    }

    @AfterEach
    void stop() {
        if (pipeline != null) {
            pipeline.close();
        }
        metrics.close();
        directory.shutDown(true);
    }

    @Test
    void theRawTopicsGiveTheSameRowsAgain() throws Exception {
        int job = Integer.parseInt(
                rows("insert into discovery_jobs (name, provider, config_json, schedule_interval, enabled) values"
                                + " ('directory', 'ldap', '{\"server\": \"localhost\", \"port\": "
                                + directory.getListenPort() + ", \"base_dn\": \"" + BASE
                                + "\", \"bind_dn\": \"cn=reader," + BASE
                                + "\", \"bind_password\": \"secret\"}', 0, true) returning id")
                        .getFirst());
        awaitRuns(1);
        directory.modify(
                "uid=p4,ou=people," + BASE, new Modification(ModificationType.REPLACE, "mail", "new@corp.test"));
        // Each run within the budget, all together not: a rebuild reads them faster than their deletions are carried
        // out.
        for (int run = 0; run < SHRINKING; run++) {
            for (int gone = 0; gone < 9; gone++) {
                directory.delete("uid=p" + (10 + run * 9 + gone) + ",ou=people," + BASE);
            }
            rows("update discovery_jobs set next_run_at = now() where id = " + job + " returning id");
            awaitRuns(2 + run);
        }
        // More than the budget is held, and goes as a person lets it: a rebuild must not ask again.
        for (int gone = 40; gone < 65; gone++) {
            directory.delete("uid=p" + gone + ",ou=people," + BASE);
        }
        rows("update discovery_jobs set next_run_at = now() where id = " + job + " returning id");
        awaitRuns(2 + SHRINKING);
        List<String> held = heldPlans();
        assertThat(held).isNotEmpty();
        for (String plan : held) {
            call("POST", "/held/" + plan + "/release");
        }
        await().atMost(Duration.ofSeconds(60))
                .until(() -> rows("select 1 from identities where is_active").size() == PEOPLE - 25 - SHRINKING * 9);
        await().atMost(Duration.ofSeconds(60))
                .until(() -> rows("select 1 from identity_group_memberships where deleted_at is null")
                                .size()
                        == PEOPLE - 25 - SHRINKING * 9);
        for (int gone = 65; gone < 74; gone++) {
            directory.delete("uid=p" + gone + ",ou=people," + BASE);
        }
        rows("update discovery_jobs set next_run_at = now() where id = " + job + " returning id");
        awaitRuns(3 + SHRINKING);
        List<String> before = all(ROWS);
        List<String> content = all(CONTENT);
        List<String> history = rows("select t::text from discovery_history t order by id");
        assertThat(content).anyMatch(row -> row.contains("new@corp.test")).anyMatch(row -> row.contains("|t|ldap:p13"));

        Settings running = pipeline.ownerSettings();
        assertThat(folder.resolve("site.env")).isReadable();
        try (HikariDataSource database = Database.from(running).pool("test", 2)) {
            Rebuild rebuild = new Rebuild(new KafkaClients(running), database, folder.resolve("state"));
            assertThatThrownBy(() -> rebuild.reset(false, said -> {}))
                    .hasMessageContaining("normalizer and sink still run (expected: stopped");
            aRowThatDoesNotReferYetIsWaitedFor(rebuild);
        }

        pipeline.close();
        assertThat(folder.resolve("site.env")).doesNotExist();
        Shown log = rebuild(false, false);
        assertThat(all(ROWS)).isEqualTo(before);
        assertThat(log.out()).contains("state of the normalizer deleted", "rebuilt");
        assertThat(log.err().lines())
                .allMatch(line -> line.matches("rebuild: \\d+% \\d+ of \\d+ raw records, \\d+ rows to write"))
                .last()
                .satisfies(
                        line -> assertThat(line).matches("rebuild: 100% (\\d+) of \\1 raw records, 0 rows to write"));
        pipeline.start();
        await().atMost(Duration.ofSeconds(60)).until(() -> pipeline.health().ok());

        pipeline.close();
        Shown bar = rebuild(true, true);
        assertThat(all(CONTENT)).isEqualTo(content);
        assertThat(bar.out()).containsPattern("inventory emptied: \\d+ rows deleted, 0 kept");
        assertThat(bar.err())
                .startsWith("\r\033[K[")
                .containsPattern("\r\\033\\[K\\[#{30}] 100% (\\d+) of \\1 raw records, 0 ");
        assertThat(rows("select t::text from discovery_history t order by id")).isEqualTo(history);
        assertThat(rows("select count(*) from pipeline.runs")).containsExactly(Integer.toString(3 + SHRINKING));

        pipeline.start();
        await().atMost(Duration.ofSeconds(60)).until(() -> pipeline.health().ok());
        directory.modify("uid=p5,ou=people," + BASE, new Modification(ModificationType.REPLACE, "mail", "p5@new.test"));
        rows("update discovery_jobs set next_run_at = now() where id = " + job + " returning id");
        awaitRuns(4 + SHRINKING);
        assertThat(heldPlans()).isEmpty();
        assertThat(rows("select count(*) from identities where email = 'p5@new.test'"))
                .containsExactly("1");
    }

    /** As two transactions leave it that could not see each other: one wrote a person, the other the person's unit. */
    private void aRowThatDoesNotReferYetIsWaitedFor(Rebuild rebuild) throws SQLException {
        await().atMost(Duration.ofSeconds(30)).until(() -> rebuild.progress().done());
        try (Connection somebody = pipeline.database().connect("elder")) {
            somebody.setAutoCommit(false);
            try (PreparedStatement lock =
                    somebody.prepareStatement("select from identities where username = 'ldap:p7' for update")) {
                lock.execute();
            }
            rows("insert into pipeline.pending_links (table_name, source_key, reference, target_key)"
                    + " select 'identities', i.source_key, 'organization', o.source_key"
                    + " from identities i join organizations o on o.id = i.organization_id"
                    + " where i.username = 'ldap:p7' returning 1");
            assertThat(rebuild.progress())
                    .returns(1L, Rebuild.Progress::sinkRemaining)
                    .returns(false, Rebuild.Progress::done);
        }
        await().atMost(Duration.ofSeconds(30)).until(() -> rebuild.progress().done());
    }

    private record Shown(String out, String err) {}

    /** A new process would do the same: {@code ./elder up --rebuild}. */
    private Shown rebuild(boolean empty, boolean interactive) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        pipeline = newPipeline();
        boolean done = pipeline.rebuild(
                empty,
                new Terminal(
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8),
                        interactive),
                () -> true);
        assertThat(done).isTrue();
        assertThat(pipeline.health().ok()).as("ready before all of it runs").isFalse();
        assertThat(pipeline.status()).containsOnlyKeys("normalizer", "sink");
        return new Shown(out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }

    private Pipeline newPipeline() {
        return new Pipeline(folder, Settings.of(Map.of("CONSOLE_PORT", "0")), metrics);
    }

    private void startPipeline() {
        pipeline = newPipeline();
        pipeline.start();
        await().atMost(Duration.ofSeconds(90)).until(() -> pipeline.health().ok());
    }

    private List<String> heldPlans() throws IOException, InterruptedException {
        List<String> plans = new ArrayList<>();
        call("GET", "/held")
                .path("items")
                .forEach(plan -> plans.add(plan.path("plan_id").asText()));
        return plans;
    }

    private JsonNode call(String method, String path) throws IOException, InterruptedException {
        Object base = ((Map<?, ?>) pipeline.status().get("console")).get("console");
        try (HttpClient client = HttpClient.newHttpClient()) {
            HttpResponse<String> answer = client.send(
                    HttpRequest.newBuilder(URI.create(base + path))
                            .method(method, HttpRequest.BodyPublishers.noBody())
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            assertThat(answer.statusCode()).as(answer.body()).isBetween(200, 202);
            return new ObjectMapper().readTree(answer.body());
        }
    }

    private void group(String name, List<String> members) throws LDAPException {
        directory.add(new Entry(
                "cn=" + name + "," + BASE,
                new Attribute("objectClass", "top", "groupOfNames"),
                new Attribute("cn", name),
                new Attribute("member", members)));
    }

    private void awaitRuns(int runs) {
        await().atMost(Duration.ofSeconds(60))
                .pollInterval(Duration.ofMillis(100))
                .until(() -> rows("select count(*) from pipeline.runs where visible_at is not null")
                        .equals(List.of(Integer.toString(runs))));
    }

    private List<String> all(List<String> queries) throws SQLException {
        List<String> all = new ArrayList<>();
        for (String query : queries) {
            all.addAll(rows(query));
        }
        return all;
    }

    private List<String> rows(String sql) throws SQLException {
        try (Connection connection = pipeline.database().connect("elder");
                PreparedStatement statement = connection.prepareStatement(sql);
                ResultSet found = statement.executeQuery()) {
            List<String> rows = new ArrayList<>();
            while (found.next()) {
                rows.add(found.getString(1));
            }
            return rows;
        }
    }
}
