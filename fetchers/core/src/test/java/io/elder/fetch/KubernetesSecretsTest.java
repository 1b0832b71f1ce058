package io.elder.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KubernetesSecretsTest {
    @TempDir
    Path account;

    private HttpServer server;
    private KubernetesSecrets secrets;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            boolean isLoggedIn = "Bearer token-of-the-pod"
                    .equals(exchange.getRequestHeaders().getFirst("Authorization"));
            String path = exchange.getRequestURI().getPath();
            String value = Base64.getEncoder().encodeToString("s3cret\n".getBytes(StandardCharsets.UTF_8));
            String body = "{\"kind\": \"Secret\", \"data\": {\"AWS_SECRET_ACCESS_KEY\": \"" + value + "\"}}";
            int status = 200;
            if (!isLoggedIn || path.endsWith("/forbidden")) {
                status = isLoggedIn ? 403 : 401;
                body = "{\"kind\": \"Status\", \"message\": \"secrets is forbidden\"}";
            } else if (!path.equals("/api/v1/namespaces/elder/secrets/aws-discovery-creds")) {
                status = 404;
                body = "{\"kind\": \"Status\", \"message\": \"not found\"}";
            }
            byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(status, bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
        server.start();
        Files.writeString(account.resolve("token"), "token-of-the-pod\n");
        Files.writeString(account.resolve("namespace"), "elder");
        secrets = new KubernetesSecrets(
                URI.create("http://127.0.0.1:" + server.getAddress().getPort()), account);
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    @Test
    void aSecretOfThePodsNamespaceIsItsFieldsDecoded() {
        assertThat(secrets.find("aws-discovery-creds")).contains(Map.of("AWS_SECRET_ACCESS_KEY", "s3cret"));
    }

    @Test
    void aSecretThatIsNotThereIsEmpty() {
        assertThat(secrets.find("other")).isEmpty();
    }

    @Test
    void whatTheServiceAccountMayNotReadSaysWhichRightIsMissing() {
        assertThatThrownBy(() -> secrets.find("forbidden"))
                .isInstanceOf(BadConfigurationException.class)
                .hasMessageContaining("403: secrets is forbidden")
                .hasMessageContaining("the right to get secret forbidden in namespace elder");
    }

    @Test
    void aTokenThatWasReplacedServesAtOnce() throws IOException {
        Files.writeString(account.resolve("token"), "expired");
        assertThatThrownBy(() -> secrets.find("aws-discovery-creds")).hasMessageContaining("401");
        Files.writeString(account.resolve("token"), "token-of-the-pod");
        assertThat(secrets.find("aws-discovery-creds")).isPresent();
    }

    @Test
    void outsideOfAClusterThereIsNone() {
        org.junit.jupiter.api.Assumptions.assumeFalse(Files.exists(ThisPod.SERVICE_ACCOUNT), "inside a pod");
        assertThat(KubernetesSecrets.ofThisPod(Settings.of(Map.of()))).isEqualTo(Optional.empty());
    }
}
