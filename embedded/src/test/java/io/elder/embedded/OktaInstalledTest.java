package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** An Okta org through the whole pipeline: its size and its changes, to the last membership. */
@Tag("installed")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class OktaInstalledTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Every membership that is in the tables: those of groups that Elder may manage, and those that it may only see. */
    private static final String MEMBERSHIPS = """
            select coalesce(string_agg(pair, ',' order by pair collate "C"), '') from (
              select g.provider_group_id || '/' || i.auth_provider_id as pair
              from identity_group_memberships m
              join identities i on i.id = m.identity_id and i.deleted_at is null
              join identity_groups g on g.id = m.group_id and g.deleted_at is null
              where m.source_key like 'okta/%' and m.deleted_at is null
                and m.provider_member_id = i.auth_provider_id
              union all
              select e.external_id || '/' || i.auth_provider_id
              from dependencies d
              join identities i on i.id = d.source_id and i.deleted_at is null
              join entities e on e.id = d.target_id and e.deleted_at is null
              where d.source_key like 'okta/%' and d.deleted_at is null and d.dependency_type = 'member_of'
                and d.source_type = 'identity' and d.target_type = 'entity') pairs""";

    @TempDir
    static Path folder;

    /** {@code group/user} by their ids. */
    private static final TreeSet<String> MEMBERS = new TreeSet<>();

    private static HttpClient http;
    private static DirectoryJob job;

    @BeforeAll
    static void start() throws Exception {
        assumeTrue(System.getenv("ELDER_TEST_OKTA_URL") != null, "no Okta: run .ci/emulate.sh start DIR");
        http = HttpClient.newHttpClient();
        JSON.readTree(Path.of(System.getenv("ELDER_TEST_OKTA_ORG")).toFile())
                .at("/okta/group_memberships")
                .forEach(each -> MEMBERS.add(each.path("group_okta_id").asText() + "/"
                        + each.path("user_okta_id").asText()));
        // What the server brings beside its seed.
        MEMBERS.add("00g_everyone/"
                + JSON.readTree(call("GET", "/groups/00g_everyone/users", ""))
                        .at("/0/id")
                        .asText());
        job = DirectoryJob.start(
                folder.resolve("elder"),
                Map.of("SYNC_MAX_RETRIES", "1", "OKTA_RATE_LIMIT", "1000"),
                "okta",
                "{\"domain\": \"%s\", \"api_token\": \"00-canary-token\"}"
                        .formatted(System.getenv("ELDER_TEST_OKTA_URL")));
    }

    @AfterAll
    static void stop() {
        if (job != null) {
            job.close();
        }
        if (http != null) {
            http.close();
        }
    }

    @Test
    @Order(1)
    void theTablesHoldExactlyWhatTheOrgDoes() throws SQLException {
        job.sync("okta, first sync");
        assertThat(job.lastError()).isEqualTo("completed: ");
        assertThat(MEMBERS).hasSize(60_000);
        assertMembers();
        assertThat(job.live("identities")).isEqualTo(5_000);
        assertThat(job.live("entities")).isEqualTo(5_400);
        assertThat(job.live("organizations")).isEqualTo(1);
        // The others are Okta's own: seen, and marked.
        assertThat(job.live("identity_groups")).isEqualTo(389);
        assertThat(
                        job.number(
                                "select count(*) from entities where sub_type = 'okta_group'"
                                        + " and (coalesce(to_jsonb(entities) -> 'attributes', to_jsonb(entities) -> 'metadata') ->> 'read_only')::boolean"))
                .isEqualTo(11);
        assertThat(job.number("select count(*) from identities where source_key like 'okta/%' and not is_active"))
                .isEqualTo(63 + 62 + 62);
        assertThat(job.number("select count(*) from pipeline.pending_links")).isZero();
        assertThat(job.deleted()).isZero();
    }

    @Test
    @Order(2)
    void aSecondSyncChangesNoRow() throws SQLException {
        String before = job.versions();
        job.sync("okta, second sync");
        assertThat(job.versions()).isEqualTo(before);
        assertThat(job.lastRun("concat_ws(',', created, updated, deleted)")).isEqualTo("0,0,0");
    }

    @Test
    @Order(3)
    void whatChangesInTheOrgIsRightAfterTheNextSync() throws Exception {
        // Every 150th membership ends, and every 100th pair that was none begins.
        List<String> before = List.copyOf(MEMBERS);
        for (int i = 0; i < before.size(); i += 150) {
            String[] pair = before.get(i).split("/");
            call("DELETE", "/groups/" + pair[0] + "/users/" + pair[1], "");
            MEMBERS.remove(before.get(i));
        }
        for (int i = 0; i < 500; i++) {
            String group = "00g%017d".formatted(2 + i % 390);
            String user = "00u%017d".formatted(2 + i * 9);
            call("PUT", "/groups/" + group + "/users/" + user, "");
            MEMBERS.add(group + "/" + user);
        }
        // One leaves for good, one is deactivated, one is renamed, one comes and joins.
        String left = "00u%017d".formatted(77);
        call("DELETE", "/users/" + left, "");
        call("DELETE", "/users/" + left, "");
        MEMBERS.removeIf(pair -> pair.endsWith("/" + left));
        String deactivated = "00u%017d".formatted(78);
        call("POST", "/users/" + deactivated + "/lifecycle/deactivate", "");
        String renamed = "00u%017d".formatted(79);
        call(
                "POST",
                "/users/" + renamed,
                "{\"profile\": {\"login\": \"renamed@example.com\", \"firstName\": \"Neo\"}}");
        String came = JSON.readTree(call(
                        "POST",
                        "/users",
                        "{\"profile\": {\"login\": \"came@example.com\", \"email\": \"came@example.com\"}}"))
                .path("id")
                .asText();
        String founded = JSON.readTree(call("POST", "/groups", "{\"profile\": {\"name\": \"founded\"}}"))
                .path("id")
                .asText();
        call("PUT", "/groups/" + founded + "/users/" + came, "");
        MEMBERS.add(founded + "/" + came);
        String dissolved = "00g%017d".formatted(120);
        call("DELETE", "/groups/" + dissolved, "");
        MEMBERS.removeIf(pair -> pair.startsWith(dissolved + "/"));

        long id = job.number("select id from identities where auth_provider_id = '" + renamed + "'");
        job.sync("okta, sync of a thousand changes");
        assertThat(job.lastError()).isEqualTo("completed: ");
        assertMembers();
        assertThat(job.live("identities")).isEqualTo(5_000);
        assertThat(job.live("identity_groups")).isEqualTo(389);
        assertThat(job.text("select username || ' ' || full_name from identities where id = " + id))
                .startsWith("okta:renamed@example.com ");
        assertThat(job.text("select is_active::text from identities where auth_provider_id = '" + deactivated + "'"))
                .isEqualTo("false");
        assertThat(job.number("select count(*) from identities where auth_provider_id = '" + left
                        + "' and deleted_at is not null"))
                .isEqualTo(1);
        assertThat(job.number("select count(*) from identity_groups where provider_group_id = '" + dissolved
                        + "' and deleted_at is not null"))
                .isEqualTo(1);
        assertThat(job.number("select count(*) from pipeline.pending_links")).isZero();
    }

    private static void assertMembers() throws SQLException {
        TreeSet<String> found = new TreeSet<>(List.of(job.text(MEMBERSHIPS).split(",")));
        TreeSet<String> missing = new TreeSet<>(MEMBERS);
        missing.removeAll(found);
        TreeSet<String> extra = new TreeSet<>(found);
        extra.removeAll(MEMBERS);
        assertThat(missing).as("memberships that are missing").isEmpty();
        assertThat(extra).as("memberships that nobody has").isEmpty();
    }

    private static String call(String method, String path, String body) throws IOException, InterruptedException {
        HttpResponse<String> answer = http.send(
                HttpRequest.newBuilder(URI.create(System.getenv("ELDER_TEST_OKTA_URL") + "/api/v1" + path))
                        // Another token than the job's: this server counts calls by token.
                        .header("Authorization", "SSWS of-the-test")
                        .header("Content-Type", "application/json")
                        .method(
                                method,
                                body.isEmpty()
                                        ? HttpRequest.BodyPublishers.noBody()
                                        : HttpRequest.BodyPublishers.ofString(body))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
        assertThat(answer.statusCode())
                .as(method + " " + path + ": " + answer.body())
                .isBetween(200, 299);
        return answer.body();
    }
}
