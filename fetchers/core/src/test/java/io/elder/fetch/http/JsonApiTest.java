package io.elder.fetch.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class JsonApiTest {
    private final CopyOnWriteArrayList<String> asked = new CopyOnWriteArrayList<>();
    private HttpServer server;
    private JsonApi api;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.start();
        URI base = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/api/");
        api = new JsonApi(
                base,
                JsonApi.client(base).build(),
                () -> Map.of("Authorization", "Bearer t0k3n"),
                Duration.ofSeconds(5));
    }

    @AfterEach
    void stop() {
        api.close();
        server.stop(0);
    }

    @Test
    void aPathIsReadBelowTheBaseWithTheCredentials() throws Exception {
        answer("/api/users", 200, "application/json", "{\"users\":[{\"id\":1}]}");
        assertThat(api.get("/users?limit=2").at("/users/0/id").asInt()).isEqualTo(1);
        assertThat(asked).containsExactly("/api/users?limit=2 Bearer t0k3n");
    }

    @Test
    void zippedAnswersAreRead() throws Exception {
        server.createContext("/api/zipped", exchange -> {
            ByteArrayOutputStream zipped = new ByteArrayOutputStream();
            try (GZIPOutputStream out = new GZIPOutputStream(zipped)) {
                out.write("{\"a\":\"b\"}".getBytes(StandardCharsets.UTF_8));
            }
            exchange.getResponseHeaders().add("Content-Encoding", "gzip");
            send(exchange, 200, zipped.toByteArray());
        });
        assertThat(api.get("/zipped").path("a").asText()).isEqualTo("b");
    }

    @Test
    void linksWithinTheOriginAreFollowed() throws Exception {
        answer("/api/page2", 200, "application/json", "{\"page\":2}");
        String link = "http://127.0.0.1:" + server.getAddress().getPort() + "/api/page2?after=x%2Fy";
        assertThat(api.follow(link).body().path("page").asInt()).isEqualTo(2);
        assertThat(api.follow("/api/page2").body().path("page").asInt()).isEqualTo(2);
        assertThat(asked).first().asString().startsWith("/api/page2?after=x%2Fy");
    }

    @Test
    void linksAndRedirectsToOtherOriginsDoNotGetTheCredentials() {
        for (String link :
                new String[] {"http://127.0.0.2/next", "http://127.0.0.1:1/next", "https://127.0.0.1/next"}) {
            assertThatThrownBy(() -> api.follow(link))
                    .isInstanceOf(HttpFailure.class)
                    .hasMessageContaining("(expected: http://127.0.0.1:");
        }
        server.createContext("/api/moved", exchange -> {
            exchange.getResponseHeaders().add("Location", "/api/elsewhere");
            send(exchange, 302, new byte[0]);
        });
        assertThatThrownBy(() -> api.get("/moved")).hasMessage("GET /api/moved: 302");
        assertThat(asked).isEmpty();
    }

    @Test
    void failuresSayWhatTheVendorSaidAndNoCredential() {
        answer("/api/denied", 403, "application/json; charset=utf-8", "{\"error\":{\"message\":\"no\\n rights\"}}");
        HttpFailure failure = catchThrowableOfType(HttpFailure.class, () -> api.get("/denied?token=abc"));
        assertThat(failure).hasMessage("GET /api/denied: 403: no rights");
        assertThat(failure.verdict())
                .isEqualTo(new Verdict.Stop(StopReason.FORBIDDEN, "GET /api/denied: 403: no rights"));
        assertThat(failure.body().at("/error/message").asText()).isEqualTo("no\n rights");
    }

    @Test
    void whatIsNoJsonIsABadResponseAndNotAnEmptyPage() {
        answer("/api/html", 200, "text/html", "<html>log in</html>");
        answer("/api/cut", 200, "application/json", "{\"users\":[{\"id\":1},");
        answer("/api/list", 200, "application/json", "[1]");
        answer("/api/nothing", 200, "application/json", "");
        for (String path : new String[] {"/html", "/cut", "/list", "/nothing"}) {
            HttpFailure failure = catchThrowableOfType(HttpFailure.class, () -> api.get(path));
            assertThat(failure).hasMessageContaining("(expected: a JSON object)");
            assertThat(failure.verdict()).isInstanceOf(Verdict.Stop.class);
        }
    }

    @Test
    void aPartOfAnAnswerAndOneThatWasChangedOnTheWayAreBadResponses() {
        for (int status : new int[] {203, 206}) {
            answer("/api/" + status, status, "application/json", "{\"users\":[]}");
            HttpFailure failure = catchThrowableOfType(HttpFailure.class, () -> api.get("/" + status));
            String message = "GET /api/%1$d: %1$d (expected: 200, the vendor's whole answer)".formatted(status);
            assertThat(failure.verdict()).isEqualTo(new Verdict.Stop(StopReason.BAD_RESPONSE, message));
        }
    }

    @Test
    void aListIsReadWhereOneIsExpectedAndNothingElse() throws Exception {
        answer("/api/users", 200, "application/json", "[{\"id\":1},{\"id\":2}]");
        answer("/api/object", 200, "application/json", "{\"users\":[]}");
        assertThat(api.fetchList("/users?limit=2").body()).hasSize(2);
        assertThat(api.followList("/api/users?after=2").body()).hasSize(2);
        assertThat(asked).containsExactly("/api/users?limit=2 Bearer t0k3n", "/api/users?after=2 Bearer t0k3n");
        assertThatThrownBy(() -> api.fetchList("/object")).hasMessageContaining("(expected: a JSON list)");
        assertThatThrownBy(() -> api.followList("http://127.0.0.2/api/users"))
                .hasMessageContaining("(expected: http://127.0.0.1:");
    }

    @Test
    void theServersTimeIsHonoured() {
        server.createContext("/api/busy", exchange -> {
            exchange.getResponseHeaders().add("Retry-After", "7");
            send(exchange, 429, new byte[0]);
        });
        answer("/api/broken", 503, "text/plain", "down");
        HttpFailure busy = catchThrowableOfType(HttpFailure.class, () -> api.get("/busy"));
        assertThat(busy.verdict()).isEqualTo(new Verdict.RetryAfter(Duration.ofSeconds(7)));
        HttpFailure broken = catchThrowableOfType(HttpFailure.class, () -> api.get("/broken"));
        assertThat(broken.verdict()).isEqualTo(new Verdict.RetryWithBackoff());
    }

    @Test
    void notFoundIsTheVendorsWordOnlyInJson() {
        answer("/api/gone", 404, "application/json", "{\"error\":\"no such group\"}");
        answer("/api/html", 404, "text/html", "<html>404 Not Found</html>");
        answer("/api/text", 410, "text/plain", "default backend - 404");
        answer("/api/nothing", 404, "application/json", "");
        assertThat(catchThrowableOfType(HttpFailure.class, () -> api.get("/gone"))
                        .verdict())
                .isEqualTo(new Verdict.Gone());
        for (String path : new String[] {"/html", "/text", "/nothing"}) {
            assertThat(catchThrowableOfType(HttpFailure.class, () -> api.get(path))
                            .verdict())
                    .as(path)
                    .isEqualTo(new Verdict.RetryWithBackoff());
        }
    }

    private void answer(String path, int status, String type, String body) {
        server.createContext(path, exchange -> {
            asked.add(exchange.getRequestURI() + " "
                    + exchange.getRequestHeaders().getFirst("Authorization"));
            exchange.getResponseHeaders().add("Content-Type", type);
            send(exchange, status, body.getBytes(StandardCharsets.UTF_8));
        });
    }

    private static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
