package io.elder.console;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.zaxxer.hikari.HikariDataSource;
import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.runtime.Secret;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The API as its callers meet it: over HTTP, on a real database of each shape. */
class ConsoleApiTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final String TOKEN = "a-token-of-more-than-16";
    private static final String CONFIG = """
            {"server": "ldap.corp.test", "bind_password": "canary-1", "tls": {"client_key": "canary-2"},
             "servers": [{"host": "one", "token": "canary-3"}, {"host": "two", "token": "canary-4"}]}""";

    @TempDir
    static Path folder;

    private static EmbeddedDatabase server;
    private static final Map<String, HikariDataSource> DATABASES = new HashMap<>();
    private static final Map<String, HikariDataSource> AS_CONSOLE = new HashMap<>();
    private static final Map<String, ConsoleApi> CONSOLES = new HashMap<>();

    @BeforeAll
    static void start() throws Exception {
        server = EmbeddedDatabase.start(folder.resolve("postgres"), 0, EmbeddedDatabase.Durability.FAST);
        for (String shape : new String[] {"A", "B", "C"}) {
            DATABASES.put(shape, TestDatabase.open(server, shape));
            AS_CONSOLE.put(shape, TestDatabase.asConsole(server, shape));
            CONSOLES.put(shape, console(shape, Optional.empty()));
        }
    }

    @AfterAll
    static void stop() {
        CONSOLES.values().forEach(ConsoleApi::close);
        AS_CONSOLE.values().forEach(HikariDataSource::close);
        DATABASES.values().forEach(HikariDataSource::close);
        server.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"A", "B", "C"})
    void aJobLivesFromItsCreationToItsDeletion(String shape) throws Exception {
        Api api = new Api(shape);
        Answer created = api.post(
                "/discovery/jobs",
                "{\"name\": \"directory\", \"provider\": \"ldap\", \"schedule_interval\": 0, \"config\": " + CONFIG
                        + "}");
        assertThat(created.status()).as(created.text()).isEqualTo(201);
        int id = created.json().path("id").asInt();
        assertThat(created.json().path("schedule_interval").asInt(-1)).isZero();
        assertThat(created.json().path("enabled").asBoolean()).isTrue();
        assertThat(created.text()).doesNotContain("canary").contains(Redaction.MARK, "ldap.corp.test");

        JsonNode listed = api.call("GET", "/discovery/jobs?provider=ldap&enabled=true", null)
                .json();
        assertThat(listed.path("count").asInt()).isEqualTo(1);
        assertThat(listed.at("/jobs/0/name").asText()).isEqualTo("directory");
        assertThat(listed.toString()).doesNotContain("canary");
        assertThat(api.call("GET", "/discovery/jobs?provider=aws", null)
                        .json()
                        .path("count")
                        .asInt())
                .isZero();

        JsonNode shown = api.call("GET", "/discovery/jobs/" + id, null).json();
        JsonNode config = JSON.readTree(shown.path("config").toString().replace("ldap.corp.test", "ldap2.corp.test"));
        Answer changed = api.call(
                "PUT",
                "/discovery/jobs/" + id,
                JSON.createObjectNode()
                        .put("schedule_interval", 60)
                        .set("config", config)
                        .toString());
        assertThat(changed.status()).as(changed.text()).isEqualTo(200);
        assertThat(changed.json().path("schedule_interval").asInt()).isEqualTo(60);
        String column = shape.equals("C") ? "config" : "config_json";
        JsonNode stored =
                JSON.readTree(text(shape, "select " + column + "::text from discovery_jobs where id = " + id));
        assertThat(stored).isEqualTo(JSON.readTree(CONFIG.replace("ldap.corp.test", "ldap2.corp.test")));

        Answer queued = api.post("/discovery/jobs/" + id + "/queue", "");
        assertThat(queued.status()).isEqualTo(202);
        assertThat(queued.json().path("success").asBoolean()).isTrue();
        assertThat(Instant.parse(queued.json().path("queued_at").asText())).isAfter(Instant.EPOCH);
        assertThat(text(
                        shape,
                        "select (next_run_at <= now() and status = 'pending')::text from discovery_jobs where id = "
                                + id))
                .isEqualTo("true");
        assertThat(api.post("/discovery/jobs/" + id + "/run", "").status()).isEqualTo(202);
        assertThat(api.post("/discovery/jobs/" + id + "/test", "").status()).isEqualTo(501);

        String job = shape.equals("C") ? "discovery_job_id" : "job_id";
        String counts = shape.equals("C") ? "resources" : "entities";
        for (int run = 1; run <= 2; run++) {
            TestDatabase.run(
                    server,
                    "shape_" + shape.toLowerCase(java.util.Locale.ROOT),
                    "insert into discovery_history (" + job + ", started_at, status, "
                            + String.join(", ", counts + "_discovered", counts + "_created", counts + "_updated")
                            + ") values (" + id + ", now() + interval '" + run + " s', 'completed', 1, 2, 3)");
        }
        JsonNode history =
                api.call("GET", "/discovery/jobs/" + id + "/history", null).json();
        assertThat(history.path("count").asInt()).isEqualTo(2);
        assertThat(history.at("/history/0/entities_created").asInt()).isEqualTo(2);
        assertThat(history.at("/history/0/id").asInt())
                .isEqualTo(history.at("/results/1/id").asInt())
                .isGreaterThan(history.at("/history/1/id").asInt());
        assertThat(api.call("GET", "/discovery/history?limit=1", null)
                        .json()
                        .path("count")
                        .asInt())
                .isEqualTo(1);

        api.call("PUT", "/discovery/jobs/" + id, "{\"enabled\": false}");
        assertThat(api.post("/discovery/jobs/" + id + "/queue", "").status()).isEqualTo(409);
        assertThat(api.call("DELETE", "/discovery/jobs/" + id, null).status()).isEqualTo(200);
        assertThat(api.call("GET", "/discovery/jobs/" + id, null).status()).isEqualTo(404);
        assertThat(text(shape, "select count(*) from discovery_history")).isEqualTo("0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"A", "B", "C"})
    void theInventoryOfEveryShapeIsListed(String shape) throws Exception {
        Api api = new Api(shape);
        for (String path : new String[] {
            "/entities?type=user&organization_id=1",
            "/entities?sub_type=ldap_user",
            "/organizations",
            "/identities",
            "/identity-groups?include_deleted=true"
        }) {
            Answer answer = api.call("GET", path, null);
            assertThat(answer.status()).as(path + " " + answer.text()).isEqualTo(200);
            assertThat(answer.json().path("items").isArray()).isTrue();
            assertThat(answer.json().path("total").isNumber()).isTrue();
        }
        assertThat(api.call("GET", "/inventory/summary", null).json().path("tables"))
                .isNotEmpty();
        assertThat(api.call("GET", "/identity-groups/999/members", null).status())
                .isEqualTo(404);
    }

    @ParameterizedTest
    @ValueSource(strings = {"A", "B", "C"})
    void anUnknownOrganizationIsNamed(String shape) throws Exception {
        Answer answer = new Api(shape)
                .post(
                        "/discovery/jobs",
                        "{\"name\": \"x\", \"provider\": \"ldap\", \"organization_id\": 4711, \"config\": {}}");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.error()).startsWith("organization_id: 4711 (expected:");
    }

    @Test
    void whatIsWrongIsToldWithWhatWasExpected() throws Exception {
        Api api = new Api("A");
        Answer answer = api.post(
                "/discovery/jobs",
                "{\"provider\": \"oracle\", \"schedule_interval\": -1, \"enabled\": \"yes\", \"config\": \"canary\"}");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.error())
                .contains(
                        "name: missing",
                        "provider: oracle (expected: one of",
                        "schedule_interval: -1 (expected: a whole number",
                        "enabled: \"yes\" (expected: true or false)",
                        "config: a JSON string (expected: a JSON object)")
                .doesNotContain("canary");
        assertThat(api.post(
                                "/discovery/jobs",
                                "{\"name\": \"x\", \"provider\": \"ldap\", \"config\": {\"bind_password\": \""
                                        + Redaction.MARK + "\"}}")
                        .error())
                .contains("config.bind_password: " + Redaction.MARK);
        assertThat(api.call("GET", "/discovery/jobs/seven", null).error())
                .isEqualTo("id: seven (expected: a whole number)");
        assertThat(api.call("GET", "/discovery/history?limit=0", null).error()).contains("limit: 0 (expected:");
        assertThat(api.call("GET", "/discovery/jobs?enabled=perhaps", null).error())
                .contains("enabled: perhaps");
        assertThat(api.call("PATCH", "/discovery/jobs", null).status()).isIn(404, 405, 415);
    }

    @Test
    void aMalformedBodyIsRefusedAndNotQuoted() throws Exception {
        Answer answer = new Api("A").post("/discovery/jobs", "{\"name\": canary}");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.error()).contains("malformed JSON at line 1").doesNotContain("canary");
        assertThat(new Api("A").post("/discovery/jobs", "[]").error()).contains("body: a JSON array");
        assertThat(new Api("A").post("/discovery/jobs", "").status()).isEqualTo(400);
    }

    @Test
    void aBodyAboveOneMebibyteIsRefused() throws Exception {
        String large = "{\"name\": \"" + "x".repeat(1 << 20) + "\"}";
        assertThat(new Api("A").post("/discovery/jobs", large).status()).isEqualTo(413);
    }

    @Test
    void onlyAllowedCallersAreServed() throws Exception {
        int port = CONSOLES.get("A").port();
        assertThat(raw(port, "GET /api/v1/discovery/jobs HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 403")
                .contains("Host: evil.test");
        assertThat(raw(
                        port,
                        "GET /api/v1/discovery/jobs HTTP/1.1\r\nHost: localhost:" + port
                                + "\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 200");
        assertThat(new Api("A")
                        .call("POST", "/discovery/jobs", "{}", "Origin", "http://evil.test")
                        .status())
                .isEqualTo(403);
        assertThat(new Api("A")
                        .call("POST", "/discovery/jobs", "name=x", "Content-Type", "text/plain")
                        .status())
                .isEqualTo(415);
    }

    @Test
    void whereATokenIsSetItMustBeShown() throws Exception {
        try (ConsoleApi console = console("A", Optional.of(new Secret(TOKEN)))) {
            Api api = new Api(console.port());
            Answer refused = api.call("GET", "/discovery/jobs", null);
            assertThat(refused.status()).isEqualTo(401);
            assertThat(refused.text()).doesNotContain(TOKEN);
            assertThat(api.call("GET", "/discovery/jobs", null, "Authorization", "Bearer wrong")
                            .status())
                    .isEqualTo(401);
            assertThat(api.call("GET", "/discovery/jobs", null, "Authorization", "Bearer " + TOKEN)
                            .status())
                    .isEqualTo(200);
            HttpRequest probe = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + console.port() + "/healthz"))
                    .build();
            assertThat(HTTP.send(probe, BodyHandlers.ofString()).statusCode()).isEqualTo(200);
        }
    }

    private static ConsoleApi console(String shape, Optional<Secret> token) {
        ConsoleApi console = new ConsoleApi(
                new ConsoleSettings("127.0.0.1", 0, true, token), AS_CONSOLE.get(shape), Optional.empty());
        console.start();
        return console;
    }

    private static String text(String shape, String sql) throws SQLException {
        try (Connection connection = DATABASES.get(shape).getConnection();
                PreparedStatement statement = connection.prepareStatement(sql);
                ResultSet row = statement.executeQuery()) {
            assertThat(row.next()).as(sql).isTrue();
            return row.getString(1);
        }
    }

    /** HttpClient sets the Host header itself. */
    private static String raw(int port, String request) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private record Answer(int status, String text) {
        JsonNode json() throws IOException {
            return JSON.readTree(text);
        }

        String error() throws IOException {
            return json().path("error").asText();
        }
    }

    private record Api(int port) {
        Api(String shape) {
            this(CONSOLES.get(shape).port());
        }

        Answer post(String path, String body) throws IOException, InterruptedException {
            return call("POST", path, body);
        }

        Answer call(String method, String path, String body, String... headers)
                throws IOException, InterruptedException {
            HttpRequest.Builder request = HttpRequest.newBuilder(
                            URI.create("http://127.0.0.1:" + port + "/api/v1" + path))
                    .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
            if (body != null) {
                request.setHeader("Content-Type", "application/json");
            }
            for (int i = 0; i < headers.length; i += 2) {
                request.setHeader(headers[i], headers[i + 1]);
            }
            HttpResponse<String> response = HTTP.send(request.build(), BodyHandlers.ofString());
            return new Answer(response.statusCode(), response.body());
        }
    }
}
