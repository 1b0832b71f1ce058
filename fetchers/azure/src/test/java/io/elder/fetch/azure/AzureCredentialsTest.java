package io.elder.fetch.azure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.azure.core.http.HttpClient;
import com.azure.core.http.jdk.httpclient.JdkHttpClientBuilder;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.testkit.LocalTls;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Microsoft's library against an authority of ours: it speaks nothing but HTTPS, so we do. */
class AzureCredentialsTest {
    private static final String SECRET = "client-secret-4711";

    private static final List<String> bodies = new CopyOnWriteArrayList<>();
    private static final List<String> paths = new CopyOnWriteArrayList<>();

    private static HttpsServer server;
    private static LocalTls tls;
    private static volatile int status;
    private static volatile String answer;

    @BeforeAll
    static void start(@TempDir Path folder) throws Exception {
        tls = LocalTls.create(folder);
        server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(tls.context()));
        server.createContext("/", AzureCredentialsTest::handle);
        server.start();
    }

    @AfterAll
    static void stop() {
        server.stop(0);
    }

    @BeforeEach
    void wellAndTrusting() {
        bodies.clear();
        paths.clear();
        status = 200;
        answer = "{\"token_type\": \"Bearer\", \"expires_in\": 3599, \"access_token\": \"the-token\"}";
    }

    @Test
    void aClientSecretIsSentToTheTenantsAuthorityOnceForManyRequests() throws Exception {
        AzureCredentials credentials = credentials(Map.of("AZURE_CLIENT_SECRET", SECRET));
        assertThat(credentials.token()).isEqualTo("the-token");
        assertThat(credentials.token()).isEqualTo("the-token");
        assertThat(paths).containsExactly("POST /the-tenant/oauth2/v2.0/token");
        assertThat(bodies.getFirst())
                .contains("client_secret=" + SECRET, "client_id=the-client", "grant_type=client_credentials")
                .contains("https%3A%2F%2Fmanagement.azure.com%2F.default");
    }

    @Test
    void aTokenThatEndsSoonIsAskedForAgain() throws Exception {
        answer = "{\"token_type\": \"Bearer\", \"expires_in\": 60, \"access_token\": \"short\"}";
        AzureCredentials credentials = credentials(Map.of("AZURE_CLIENT_SECRET", SECRET));
        credentials.token();
        credentials.token();
        assertThat(paths).hasSize(2);
    }

    @Test
    void aClientCertificateSignsForItself() throws Exception {
        AzureCredentials credentials = credentials(Map.of(
                "AZURE_CLIENT_CERTIFICATE_PATH",
                tls.store().toString(),
                "AZURE_CLIENT_CERTIFICATE_PASSWORD",
                tls.password()));
        assertThat(credentials.token()).isEqualTo("the-token");
        assertThat(bodies.getFirst()).contains("client_assertion=").doesNotContain("client_secret");
    }

    @Test
    void anExpiredSecretIsSaidInTheAuthoritysWords() {
        refuse(
                401,
                "invalid_client",
                "AADSTS7000222: The provided client secret keys for app 'the-client' are expired.\\r\\nTrace ID: x");
        assertStops(StopReason.PASSWORD_EXPIRED, "AADSTS7000222: The provided client secret keys for app");
    }

    @Test
    void aWrongSecretIsBadCredentials() {
        refuse(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.");
        assertStops(StopReason.BAD_CREDENTIALS, "AADSTS7000215");
    }

    @Test
    void anAuthorityThatIsUnwellIsAskedAgainByWhoeverWantedTheToken() {
        refuse(503, "temporarily_unavailable", "try later");
        AzureCredentials credentials = credentials(Map.of("AZURE_CLIENT_SECRET", SECRET));
        assertThatThrownBy(credentials::token).isInstanceOfSatisfying(ReadFailure.class, failure -> assertThat(
                        Verdict.on(failure, new AzureProvider()))
                .isInstanceOf(Verdict.RetryWithBackoff.class));
    }

    @Test
    void anAuthorityThatIsNotThereIsAPassingTrouble() {
        Settings settings = Settings.of(Map.of(
                "AZURE_TENANT_ID", "the-tenant",
                "AZURE_CLIENT_ID", "the-client",
                "AZURE_CLIENT_SECRET", SECRET,
                "AZURE_AUTHORITY_HOST", "https://localhost:1"));
        AzureCredentials credentials = new AzureCredentials(AzureSettings.from(settings), http());
        assertThatThrownBy(credentials::token).isInstanceOfSatisfying(ReadFailure.class, failure -> assertThat(
                        Verdict.on(failure, new AzureProvider()))
                .isInstanceOf(Verdict.RetryWithBackoff.class));
    }

    @Test
    void anAuthorityThatIsNotTrustedIsGivenNothing() {
        AzureCredentials credentials = new AzureCredentials(
                settings(Map.of("AZURE_CLIENT_SECRET", SECRET)), new JdkHttpClientBuilder().build());
        assertThatThrownBy(credentials::token).isInstanceOfSatisfying(ReadFailure.class, failure -> assertThat(
                        Verdict.on(failure, new AzureProvider()))
                .isInstanceOfSatisfying(
                        Verdict.Stop.class, stop -> assertThat(stop.reason()).isEqualTo(StopReason.TLS)));
        assertThat(bodies).isEmpty();
    }

    @Test
    void theManagedIdentityOfAMachineIsAskedForByTheNameOfTheApplication() throws Exception {
        // https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
        answer = "{\"access_token\": \"the-identitys\", \"expires_in\": \"3599\", \"expires_on\": \""
                + (System.currentTimeMillis() / 1000 + 3599)
                + "\", \"resource\": \"https://management.azure.com\", \"token_type\": \"Bearer\"}";
        List<String> asked = new CopyOnWriteArrayList<>();
        HttpClient here = http();
        HttpClient toUs = request -> {
            asked.add(request.getUrl().getHost());
            request.setUrl("https://localhost:" + server.getAddress().getPort()
                    + request.getUrl().getFile());
            return here.send(request);
        };
        AzureCredentials credentials = new AzureCredentials(
                AzureSettings.from(
                        Settings.of(Map.of("AZURE_USE_MANAGED_IDENTITY", "true", "AZURE_CLIENT_ID", "the-client"))),
                toUs);
        assertThat(credentials.token()).isEqualTo("the-identitys");
        assertThat(asked).containsOnly("169.254.169.254");
        assertThat(paths.getLast())
                .startsWith("GET /metadata/identity/oauth2/token?")
                .contains("resource=https", "client_id=the-client");
    }

    @Test
    void theDefaultChainTakesAFederatedTokenAndNothingOfTheProcessesEnvironment(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("token"), "kubernetes-says-who-we-are");
        AzureCredentials credentials = credentials(Map.of("AZURE_FEDERATED_TOKEN_FILE", file.toString()));
        assertThat(credentials.token()).isEqualTo("the-token");
        assertThat(paths).containsExactly("POST /the-tenant/oauth2/v2.0/token");
        assertThat(bodies.getFirst()).contains("client_assertion=kubernetes-says-who-we-are", "client_id=the-client");
    }

    @Test
    void aCertificateThatIsNoneIsAWrongConfiguration(@TempDir Path folder) throws Exception {
        Path none = Files.writeString(folder.resolve("client.pem"), "not a certificate");
        for (Map<String, String> wrong : List.of(
                Map.of("AZURE_CLIENT_CERTIFICATE_PATH", none.toString()),
                Map.of(
                        "AZURE_CLIENT_CERTIFICATE_PATH",
                        tls.store().toString(),
                        "AZURE_CLIENT_CERTIFICATE_PASSWORD",
                        "another-password"))) {
            AzureCredentials credentials = credentials(wrong);
            assertThatThrownBy(credentials::token).isInstanceOfSatisfying(ReadFailure.class, failure -> assertThat(
                            Verdict.on(failure, new AzureProvider()))
                    .isInstanceOfSatisfying(Verdict.Stop.class, stop -> assertThat(stop.reason())
                            .as(stop.message())
                            .isEqualTo(StopReason.BAD_CONFIGURATION)));
        }
        assertThat(paths).isEmpty();
    }

    private static void assertStops(StopReason reason, String message) {
        AzureCredentials credentials = credentials(Map.of("AZURE_CLIENT_SECRET", SECRET));
        assertThatThrownBy(credentials::token).isInstanceOfSatisfying(ReadFailure.class, failure -> assertThat(
                        Verdict.on(failure, new AzureProvider()))
                .isInstanceOfSatisfying(Verdict.Stop.class, stop -> {
                    assertThat(stop.reason()).isEqualTo(reason);
                    assertThat(stop.message())
                            .startsWith(message)
                            .doesNotContain(SECRET)
                            .doesNotContain("Trace");
                }));
    }

    private static void refuse(int with, String error, String description) {
        status = with;
        answer = "{\"error\": \"" + error + "\", \"error_description\": \"" + description + "\"}";
    }

    private static AzureCredentials credentials(Map<String, String> values) {
        return new AzureCredentials(settings(values), http());
    }

    private static AzureSettings settings(Map<String, String> values) {
        Map<String, String> all = new HashMap<>(values);
        all.put("AZURE_TENANT_ID", "the-tenant");
        all.put("AZURE_CLIENT_ID", "the-client");
        all.put(
                "AZURE_AUTHORITY_HOST",
                "https://localhost:" + server.getAddress().getPort());
        return AzureSettings.from(Settings.of(all));
    }

    private static HttpClient http() {
        return new JdkHttpClientBuilder(java.net.http.HttpClient.newBuilder().sslContext(tls.context())).build();
    }

    private static void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            paths.add(exchange.getRequestMethod() + " " + exchange.getRequestURI());
            bodies.add(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            byte[] body = answer.getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(status, body.length);
            exchange.getResponseBody().write(body);
        }
    }
}
