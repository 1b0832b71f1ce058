package io.elder.fetch.authentik;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.estate.Company;
import io.elder.estate.Directory;
import io.elder.estate.SimulatedAuthentik;
import io.elder.estate.Site;
import io.elder.fetch.http.JsonApi;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.ScopeFailed;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is asked and what is answered, held against the vendor's own schema of both; and servers of some size. */
class AuthentikAnswersTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    private ScriptedServer vendor;
    private JsonNode schemas;

    @BeforeEach
    void start() throws Exception {
        vendor = ScriptedServer.start(getClass());
        AuthentikVendor.script(vendor);
        schemas = JSON.readTree(vendor.text("vendor/schemas.json"));
    }

    @AfterEach
    void stop() {
        vendor.close();
    }

    @Test
    void everyRequestIsOneOfTheSchema() throws Exception {
        read(AuthentikVendor.settings(vendor.url()));
        JsonNode operations = JSON.readTree(vendor.text("vendor/operations.json"));
        Set<String> met = new TreeSet<>();
        for (Asked request : vendor.asked()) {
            assertThat(request.header("Authorization")).isEqualTo("Bearer " + AuthentikVendor.TOKEN);
            for (Map.Entry<String, JsonNode> operation : operations.properties()) {
                if (request.method().equals(operation.getValue().path("method").asText())
                        && request.path()
                                .equals(operation.getValue().path("path").asText())) {
                    met.add(operation.getKey());
                    request.parameters().forEach((name, value) -> assertThat(value)
                            .as("%s of %s", name, operation.getKey())
                            .matches(
                                    switch (operation
                                            .getValue()
                                            .path("parameters")
                                            .path(name)
                                            .asText()) {
                                        case "integer" -> "[1-9]\\d*";
                                        case "boolean" -> "true|false";
                                        case "string" -> "pk";
                                        default -> "(?!)";
                                    }));
                }
            }
        }
        assertThat(met).containsExactly("admin_version_retrieve", "core_groups_list", "core_users_list");
    }

    @Test
    void theFixturesHaveTheFieldsOfTheSchema() throws Exception {
        for (String file : List.of("users-1", "users-2", "probe", "groups-1", "groups-2")) {
            JsonNode page = JSON.readTree(vendor.text("vendor/" + file + ".json"));
            check(file, page, file.startsWith("groups") ? "PaginatedGroupList" : "PaginatedUserList");
        }
        check("me", JSON.readTree(vendor.text("vendor/me.json")), "SessionUser");
        check("version", JSON.readTree(vendor.text("vendor/version.json")), "Version");
    }

    @Test
    void theSimulatedServerAnswersWithTheFieldsOfTheSchema() throws Exception {
        try (SimulatedAuthentik authentik = new SimulatedAuthentik(new Company());
                JsonApi api = api(authentik)) {
            check("users", api.get("/core/users/?page_size=20"), "PaginatedUserList");
            check("groups", api.get("/core/groups/?page_size=20"), "PaginatedGroupList");
            check("groups", api.get("/core/groups/?page_size=20&include_users=false"), "PaginatedGroupList");
            check("me", api.get("/core/users/me/"), "SessionUser");
            check(
                    "group",
                    api.get("/core/groups/" + authentik.directory().groups().firstKey() + "/"),
                    "Group");
        }
    }

    private static JsonApi api(SimulatedAuthentik authentik) {
        URI base = URI.create(authentik.url() + "/api/v3");
        return new JsonApi(
                base,
                JsonApi.client(base).build(),
                () -> Map.of("Authorization", "Bearer " + SimulatedAuthentik.TOKEN),
                Duration.ofSeconds(10));
    }

    private void check(String what, JsonNode object, String schema) {
        JsonNode known = schemas.path(schema);
        assertThat(known.isObject()).as(schema).isTrue();
        known.path("required").forEach(name -> assertThat(object.has(name.asText()))
                .as("%s: %s of %s", what, name, schema)
                .isTrue());
        for (Map.Entry<String, JsonNode> field : object.properties()) {
            String type = known.path("properties").path(field.getKey()).asText("none");
            String where = what + "." + field.getKey();
            JsonNode value = field.getValue();
            boolean fits = (type.endsWith("?") && value.isNull())
                    || switch (type.replace("?", "")) {
                        case "string" -> value.isTextual();
                        case "integer", "number" -> value.isNumber();
                        case "boolean" -> value.isBoolean();
                        case "array" -> value.isArray();
                        case "object" -> value.isObject();
                        default -> false;
                    };
            assertThat(fits)
                    .as("%s is %s, and the schema says %s", where, value, type)
                    .isTrue();
            String inner =
                    switch (schema + "." + field.getKey()) {
                        case "PaginatedUserList.results" -> "User";
                        case "PaginatedGroupList.results" -> "Group";
                        case "Group.users_obj" -> "PartialUser";
                        default -> "";
                    };
            if (!inner.isEmpty()) {
                value.forEach(each -> check(where, each, inner));
            }
            switch (field.getKey()) {
                case "pagination" -> check(where, value, "Pagination");
                case "user" -> check(where, value, "UserSelf");
                default -> {}
            }
        }
    }

    @Test
    void everyRecordHasRowsAndNoSecretAttribute() throws Exception {
        RecordingPublisher published = read(AuthentikVendor.settings(vendor.url()));
        assertThat(published.records()).isNotEmpty().allSatisfy(record -> {
            assertThat(Mappings.map(record.key().toString(), record.payload())).isNotEmpty();
            assertThat(record.payload()).doesNotContain("canary-4711").doesNotContain("base64");
        });
        assertThat(published.records())
                .anySatisfy(record -> assertThat(record.payload()).contains("\"vpn_password\":\"***\""));
    }

    @Test
    void aCompanyIsReadWholeWithItsTeamsInTeams() throws Exception {
        Company company = new Company();
        try (SimulatedAuthentik authentik = new SimulatedAuthentik(company)) {
            RecordingPublisher published = read(authentik.settings());
            Company.State now = company.now();
            assertThat(counts(published))
                    .isEqualTo(Map.of(
                            "authentik_server",
                            1,
                            "authentik_user",
                            now.people().size() + 1,
                            "authentik_group",
                            now.teams().size(),
                            "authentik_group_member",
                            now.teams().stream()
                                    .mapToInt(team -> team.members().size())
                                    .sum()));
            long nested = published.sealedRecords().stream()
                    .filter(record -> record.key().kind().equals("authentik_group"))
                    .flatMap(record -> Mappings.map(record.key().toString(), record.payload()).stream())
                    .filter(row -> row.row().getTable().equals("dependencies"))
                    .count();
            assertThat(nested)
                    .isEqualTo(now.teams().stream()
                            .mapToInt(team -> team.teams().size())
                            .sum());
        }
    }

    @Test
    void aUserInTwoThousandGroupsIsInAllOfThem() throws Exception {
        Directory directory = new Directory().put(new Directory.User("7", "busy"));
        for (int i = 0; i < 2000; i++) {
            String group = new UUID(7, i).toString();
            directory.put(new Directory.Group(group, "group " + i % 9));
            directory.join(group, "7");
        }
        try (SimulatedAuthentik authentik = new SimulatedAuthentik(directory)) {
            assertThat(counts(read(authentik.settings()))).containsEntry("authentik_group_member", 2000);
        }
    }

    /** Somebody on the first page goes when the second is asked for: the first of the second is now on the first. */
    @Test
    void aListThatMovedWhileItWasReadIsReadAgain() throws Exception {
        RecordingPublisher published = readWhile(directory -> directory.removeUser("20"));
        assertThat(users(published)).hasSize(250).doesNotContain("20").contains("101", "199");
    }

    /** The same, and as many as before. */
    @Test
    void aListThatMovedAndHasAsManyAsBeforeIsReadAgain() throws Exception {
        RecordingPublisher published = readWhile(directory -> {
            directory.removeUser("20");
            directory.put(new Directory.User("999", "user999"));
        });
        assertThat(users(published)).hasSize(251).doesNotContain("20").contains("101", "199", "999");
    }

    /** As many as before, but the last of the first page is now the first of the second. */
    @Test
    void aListInWhichSomebodyCameTwiceIsReadAgain() throws Exception {
        RecordingPublisher published = readWhile(directory -> {
            directory.put(new Directory.User("0", "user0"));
            directory.removeUser("250");
        });
        assertThat(users(published)).hasSize(251).doesNotContain("250").contains("0");
    }

    /** 250 users and an outpost; when the second page of them is asked for for the first time, something happens. */
    private static RecordingPublisher readWhile(Consumer<Directory> happening) throws InterruptedException {
        Directory directory = new Directory();
        for (int i = 1; i <= 250; i++) {
            directory.put(new Directory.User(String.valueOf(i + 1), "user" + i));
        }
        try (SimulatedAuthentik authentik = new SimulatedAuthentik(directory)) {
            authentik.door().refuse(503, 1, call -> {
                boolean isSecond = call.path().endsWith("/users/")
                        && call.parameter("page").orElse("").equals("2");
                if (isSecond) {
                    happening.accept(directory);
                }
                return isSecond;
            });
            RecordingPublisher published = read(authentik.settings());
            assertThat(published.events(ScopeFailed.class)).isEmpty();
            return published;
        }
    }

    private static Set<String> users(RecordingPublisher published) {
        return published.sealedRecords().stream()
                .filter(record -> record.key().kind().equals("authentik_user"))
                .map(record -> record.key().id())
                .collect(Collectors.toSet());
    }

    @Test
    void aServerWithoutASingleUserIsOneThatHidesThem() throws Exception {
        answerUsers("{\"pagination\": {\"count\": 0, \"next\": 0}, \"results\": []}");
        assertUsersFail("forbidden", "authentik_core.view_user");
    }

    @Test
    void aListThatEndsBeforeItsCountIsNotWhole() throws Exception {
        answerUsers(vendor.text("vendor/users-1.json").replace("\"next\": 2", "\"next\": 0"));
        assertUsersFail("incomplete", "2 of 3");
    }

    private void answerUsers(String body) {
        vendor.on(
                request -> request.path().equals("/api/v3/core/users/")
                        && request.parameters().containsKey("page"),
                Answer.of(200, body).header("Content-Type", "application/json"));
    }

    private void assertUsersFail(String reason, String words) throws InterruptedException {
        RecordingPublisher published = read(AuthentikVendor.settings(vendor.url()));
        assertThat(published.events(ScopeFailed.class)).singleElement().satisfies(failed -> {
            assertThat(failed.getScope()).endsWith("/authentik_user");
            assertThat(failed.getReason()).as(failed.getMessage()).isEqualTo(reason);
            assertThat(failed.getMessage()).contains(words);
        });
        assertThat(published.seals())
                .extracting(seal -> seal.scope().kind())
                .contains("authentik_group", "authentik_group_member")
                .doesNotContain("authentik_user");
    }

    @Test
    void aRefusalNamesThePermissionThatIsMissing() throws Exception {
        try (SimulatedAuthentik authentik = new SimulatedAuthentik(new Company())) {
            authentik.door().refuse(403, 1, call -> call.path().endsWith("/core/groups/"));
            assertThat(read(authentik.settings()).events(ScopeFailed.class))
                    .anySatisfy(failed -> assertThat(failed.getMessage())
                            .contains("You do not have permission", "authentik_core.view_group"));
        }
    }

    @Test
    void aServerWhoseCertificateNobodyTrustsIsReadOnlyWhereThatIsAskedFor(@TempDir Path folder) throws Exception {
        try (Site site = Site.startTls(certificateOfAnotherHost(folder))) {
            ObjectNode page = JSON.createObjectNode();
            page.putObject("pagination").put("next", 0).put("count", 0);
            page.putArray("results");
            site.get("/api/v3/core/users/", call -> Site.Reply.json(page));
            site.get("/api/v3/core/groups/", call -> Site.Reply.json(page));
            Map<String, String> settings = Map.of("AUTHENTIK_DOMAIN", site.url(), "AUTHENTIK_API_TOKEN", "t0k3n-4711");
            assertThat(read(settings).events(PlanFailed.class))
                    .singleElement()
                    .satisfies(failed -> assertThat(failed.getReason()).isEqualTo("tls"));
            Map<String, String> trusting = new TreeMap<>(settings);
            trusting.put("AUTHENTIK_VERIFY_SSL", "false");
            assertThat(counts(read(trusting))).isEqualTo(Map.of("authentik_server", 1));
        }
    }

    private static SSLContext certificateOfAnotherHost(Path folder) throws Exception {
        Path store = folder.resolve("server.p12");
        Process keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-keystore",
                        store.toString(),
                        "-storepass",
                        "changeit",
                        "-alias",
                        "server",
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=other.example.com")
                .redirectErrorStream(true)
                .start();
        String said = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(keytool.waitFor()).as(said).isZero();
        KeyStore keys = KeyStore.getInstance(store.toFile(), "changeit".toCharArray());
        KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(keys, "changeit".toCharArray());
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(factory.getKeyManagers(), null, null);
        return tls;
    }

    private static RecordingPublisher read(Map<String, String> settings) throws InterruptedException {
        Map<String, String> all = new TreeMap<>(settings);
        all.put("AUTHENTIK_RATE_LIMIT", "100000");
        try (TestRun<AuthentikClient> run =
                new TestRun<>(new AuthentikProvider(), Settings.of(all), AuthentikVendor.secrets())) {
            return run.everything();
        }
    }

    private static Map<String, Integer> counts(RecordingPublisher published) {
        Map<String, Integer> counts = new TreeMap<>();
        published.sealedRecords().stream()
                .map(RecordingPublisher.Written::key)
                .distinct()
                .forEach(key -> counts.merge(key.kind(), 1, Integer::sum));
        return counts;
    }
}
