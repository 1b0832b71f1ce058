package io.elder.fetch.iboss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.fetch.Verdict;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.ScopeFailed;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An API whose form nobody knows: what does not look like a whole list is taken for none. */
class IbossFormsTest {
    private final IbossProvider provider = new IbossProvider();
    private ScriptedServer vendor;

    @BeforeEach
    void start() throws IOException {
        vendor = ScriptedServer.start(getClass());
    }

    @AfterEach
    void stop() {
        vendor.close();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {'users': [], 'total': 1}                         | incomplete
            {'users': [], 'totalCount': 2}                    | incomplete
            {'users': [], 'hasMore': true}                    | incomplete
            {'users': [], 'has_more': true}                   | incomplete
            {'users': [], 'pagination': {'has_more': true}}   | incomplete
            {'users': [], 'next': 2}                          | incomplete
            {'users': [], 'links': {'next': {'href': '/2'}}}  | incomplete
            {'users': [], 'pagination': {'next': 2}}          | incomplete
            {'users': [], 'nextPageToken': 'x'}               | incomplete
            {'users': [], 'pagination': {'total': 3}}         | incomplete
            {'users': [], 'next': 'https://evil.example/2'}   | bad_response
            {'people': []}                                    | bad_response
            {'users': {'1': {}}}                              | bad_response
            {'users': ['alice']}                              | bad_response
            {'users': [{'username': 'without an id'}]}        | bad_response
            """)
    void whatDoesNotLookLikeAWholeListSealsNothing(String body, String reason) throws Exception {
        vendor.on("GET /api/v1/users", json(body));
        vendor.on("GET /api/v1/health", json("{}"));
        RecordingPublisher published = fetch(settings(Map.of()));
        assertThat(published.seals()).isEmpty();
        assertThat(published.events(ScopeFailed.class))
                .filteredOn(failed -> failed.getScope().endsWith("/iboss_user"))
                .singleElement()
                .satisfies(failed ->
                        assertThat(failed.getReason()).as(failed.getMessage()).isEqualTo(reason));
    }

    @Test
    void aNextThatIsNullIsTheEnd() throws Exception {
        vendor.on("GET /api/v1/users", json("{'users': [], 'next': null, 'links': {'next': ''}}"));
        vendor.on("GET /api/v1/health", json("{}"));
        assertThat(fetch(settings(Map.of())).seals()).isNotEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {'usage': [{'userId': 'u1'}]}                          | iboss_application_usage
            {'usage': [{'userId': null, 'applicationId': 'a1'}]}   | iboss_application_usage
            {'users': [{'id': 'u1', 'groups': [{}]}]}              | iboss_group_member
            """)
    void whatLinksNothingHasNoId(String body, String kind) throws Exception {
        vendor.on("GET /api/v1/health", json("{}"));
        vendor.on("GET /api/v1/groups", json("{'groups': []}"));
        vendor.on("GET /api/v1/users", json(body));
        vendor.on("GET /api/v1/reports/application-usage", json(body));
        RecordingPublisher published =
                fetch(settings(Map.of()), kind.equals("iboss_group_member") ? "iboss_user" : kind);
        assertThat(published.seals()).noneMatch(seal -> seal.scope().kind().equals(kind));
        assertThat(published.events(ScopeFailed.class)).singleElement().satisfies(failed -> {
            assertThat(failed.getReason()).isEqualTo("bad_response");
            assertThat(failed.getMessage()).contains(kind + ": an object without an id");
        });
    }

    @Test
    void groupsThatCanNotBeReadAreNotTakenForUsersWhoAreGone() throws Exception {
        vendor.on("GET /api/v1/health", json("{}"));
        vendor.on("GET /api/v1/users", json("{'users': [{'id': 'u1', 'username': 'alice', 'groups': ['g1']}]}"));
        vendor.on("GET /api/v1/groups", Answer.of(404, "{}").header("Content-Type", "application/json"));
        RecordingPublisher published = fetch(settings(Map.of()));
        assertThat(published.seals()).extracting(seal -> seal.scope().kind()).containsExactly("iboss_user");
        assertThat(published.events(ScopeFailed.class))
                .extracting(ScopeFailed::getReason)
                .containsExactly("incomplete");
    }

    @Test
    void aUserInTwoThousandGroupsIsInEachOfThemOnceAndOfTwoWithOneNameInNeither() throws Exception {
        StringBuilder groups = new StringBuilder("{'id': 'x', 'name': 'twin'}, {'id': 'y', 'name': 'twin'}");
        StringBuilder names = new StringBuilder("'twin'");
        for (int i = 0; i < 2_000; i++) {
            groups.append(", {'id': 'g%d', 'name': 'group %d'}".formatted(i, i));
            names.append(i % 2 == 0 ? ", 'g%d'".formatted(i) : ", 'group %d'".formatted(i));
        }
        vendor.on("GET /api/v1/health", json("{}"));
        vendor.on("GET /api/v1/groups", json("{'groups': [" + groups + "]}"));
        vendor.on(
                "GET /api/v1/users", json("{'users': [{'id': 'u1', 'username': 'alice', 'groups': [" + names + "]}]}"));
        RecordingPublisher published = fetch(settings(Map.of()));
        Set<String> found = new HashSet<>();
        for (RecordingPublisher.Written record : published.sealedRecords()) {
            if (record.key().kind().equals("iboss_group_member")) {
                Mappings.map(record.key().toString(), record.payload())
                        .forEach(row -> found.add(row.row().getReferences().get("group")));
            }
        }
        assertThat(found).hasSize(2_000).noneMatch(group -> group.endsWith("/x") || group.endsWith("/y"));
        assertThat(vendor.asked())
                .filteredOn(request -> request.path().endsWith("/groups"))
                .hasSize(1);
    }

    @Test
    void pathsAreWhatTheSettingsSay() throws Exception {
        vendor.on("GET /ibcloud/web/alive", json("{}"));
        vendor.on("GET /ibcloud/web/people", json("{'users': []}"));
        RecordingPublisher published = fetch(
                settings(Map.of("IBOSS_BASE_PATH", "/ibcloud/web/", "IBOSS_PATHS", "health=/alive, users=/people")));
        assertThat(published.seals()).isNotEmpty();
        assertThat(vendor.unexpected()).isEmpty();
        assertThat(vendor.asked()).allSatisfy(request -> {
            assertThat(request.header("Authorization")).isEqualTo("Bearer canary-key-4711");
            assertThat(request.header("X-Tenant-ID")).isEqualTo("example");
        });
    }

    @Test
    void aCheckNamesWhatMayNotBeRead() {
        vendor.on("GET /api/v1/health", json("{}"));
        vendor.on("GET /api/v1/users", json("{'users': []}"));
        vendor.on(
                "GET /api/v1/groups",
                Answer.of(403, "{\"message\": \"no right\"}").header("Content-Type", "application/json"));
        assertThatThrownBy(() -> {
                    try (IbossClient client = provider.connect(settings(Map.of()))) {
                        provider.identity(client);
                    }
                })
                .satisfies(e -> assertThat(Verdict.on(e, provider))
                        .isInstanceOfSatisfying(Verdict.Stop.class, stop -> assertThat(
                                        stop.reason().label() + ": " + stop.message())
                                .isEqualTo("forbidden: GET /api/v1/groups: 403: no right")));
    }

    @Test
    void wrongSettingsAreReportedTogether() {
        assertThatThrownBy(() -> provider.connect(Settings.of(Map.of(
                        "IBOSS_API_URL", "iboss",
                        "IBOSS_BASE_PATH", "/a?b",
                        "IBOSS_PATHS", "users,planets=/x",
                        "IBOSS_AUTH", "bearer"))))
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("IBOSS_API_URL: iboss")
                .hasMessageContaining("IBOSS_API_KEY: not set")
                .hasMessageContaining("IBOSS_BASE_PATH: /a?b")
                .hasMessageContaining("IBOSS_PATHS: users (expected: list=/path")
                .hasMessageContaining("IBOSS_PATHS: planets=/x");
        assertThatThrownBy(() -> provider.connect(Settings.of(Map.of("IBOSS_AUTH", "gateway"))))
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("IBOSS_USERNAME: not set")
                .hasMessageContaining("IBOSS_PASSWORD: not set");
    }

    private RecordingPublisher fetch(Settings settings) throws InterruptedException {
        return fetch(settings, "iboss_user");
    }

    private RecordingPublisher fetch(Settings settings, String kind) throws InterruptedException {
        try (TestRun<IbossClient> run = new TestRun<>(provider, settings, List.of("canary-key-4711"))) {
            for (PlannedTask task : run.plan()) {
                if (task.getKind().equals(kind)) {
                    run.fetch(task);
                }
            }
            RecordingPublisher published = run.published();
            assertThat(published.events(ScopeFailed.class))
                    .extracting(ScopeFailed::getMessage)
                    .noneMatch(message -> message.contains("canary-key-4711"));
            return published;
        }
    }

    private Settings settings(Map<String, String> others) {
        Map<String, String> all = new HashMap<>(Map.of(
                "IBOSS_API_URL", vendor.url(), "IBOSS_API_KEY", "canary-key-4711", "IBOSS_TENANT_ID", "example"));
        all.putAll(others);
        return Settings.of(all);
    }

    private static Answer json(String body) {
        return Answer.of(200, body.replace('\'', '"')).header("Content-Type", "application/json");
    }
}
