package io.elder.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanTask;
import io.elder.schemas.avro.Task;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What jobs may change, as each provider declares it. */
class JobFieldsTest {
    private static EmbeddedPostgres server;
    private static DataSource database;

    @TempDir
    Path secrets;

    private final Map<String, String> environment = new HashMap<>();

    @BeforeAll
    static void start() throws IOException, SQLException {
        server = EmbeddedPostgres.start();
        database = server.getPostgresDatabase();
        try (Connection connection = database.getConnection();
                PreparedStatement create = connection.prepareStatement(
                        "CREATE TABLE discovery_jobs (id int PRIMARY KEY, config_json json, credential_type text)")) {
            create.execute();
        }
    }

    @AfterAll
    static void stop() throws IOException {
        server.close();
    }

    @Test
    void aJobWithAnApplicationOfItsOwnHasNothingOfTheSites() throws SQLException, IOException {
        Path file = Files.writeString(
                secrets.resolve("site.json"), "{\"clientId\": \"site-app\", \"clientSecret\": \"site-secret\"}");
        environment.putAll(Map.of(
                "AZURE_TENANT_ID", "site-tenant",
                "AZURE_CLIENT_ID", "site-app",
                "AZURE_CLIENT_CERTIFICATE_PATH", "/site.pem",
                "AZURE_CREDENTIALS_FILE", file.toString(),
                "AZURE_TIMEOUT", "5"));
        job("{\"tenant_id\": \"t\", \"client_id\": \"c\", \"client_secret\": \"s\"}");
        Map<String, String> values = configured("azure").settings().values();
        assertThat(values.keySet())
                .filteredOn(name -> name.startsWith("AZURE_"))
                .containsExactlyInAnyOrder(
                        "AZURE_TENANT_ID",
                        "AZURE_CLIENT_ID",
                        "AZURE_CLIENT_SECRET",
                        "AZURE_CREDENTIALS_FILE",
                        "AZURE_TIMEOUT");
        assertThat(values).containsEntry("AZURE_TENANT_ID", "t").containsEntry("AZURE_CLIENT_SECRET", "s");

        job("{\"tenant_id\": \"site-tenant\", \"subscription_ids\": [\"one\"]}");
        assertThat(configured("azure").settings().values())
                .as("the site's own tenant is no other one")
                .containsEntry("AZURE_CLIENTSECRET", "site-secret")
                .containsEntry("AZURE_CLIENT_CERTIFICATE_PATH", "/site.pem");

        job("{\"authority_host\": \"https://evil.example\"}");
        assertThatThrownBy(() -> configured("azure")).hasMessageContaining("expected: a host on ENDPOINT_ALLOWLIST");
    }

    @Test
    void aJobWithItsOwnKubeconfigGetsNothingOfTheSites() throws SQLException {
        environment.putAll(Map.of("KUBERNETES_KUBECONFIG", "the site's", "KUBERNETES_CONTEXT", "main"));
        job("{\"in_cluster\": true, \"page_size\": 7}");
        Settings settings = configured("kubernetes").settings();
        assertThat(settings.find("KUBERNETES_KUBECONFIG")).isEmpty();
        assertThat(settings.find("KUBERNETES_CONTEXT")).isEmpty();
        assertThat(settings.text("KUBERNETES_IN_CLUSTER")).isEqualTo("true");
        job("{\"context\": \"other\"}");
        assertThat(configured("kubernetes").settings().text("KUBERNETES_KUBECONFIG"))
                .isEqualTo("the site's");
    }

    @Test
    void aJobMayUseThePodsServiceAccountButNotSayWhereItsTokenGoes() throws SQLException {
        job("{\"kubeconfig_path\": \"/var/run/secrets/kubernetes.io/serviceaccount\"}");
        assertThat(configured("kubernetes").settings().text("KUBERNETES_KUBECONFIG_PATH"))
                .isEqualTo("/var/run/secrets/kubernetes.io/serviceaccount");
        job("{\"in_cluster\": true, \"service_host\": \"evil.example\"}");
        assertThatThrownBy(() -> configured("kubernetes"))
                .hasMessage("job 1: service_host (expected: a kubeconfig that names the server)");
    }

    @Test
    void aJobOfGoogleCloudThatBringsCredentialsOrProjectsIsNotMixedWithTheEnvironments() throws SQLException {
        environment.putAll(Map.of(
                "GCP_CREDENTIALS", "{\"type\": \"site\"}",
                "GCP_ACCESS_TOKEN", "site-token",
                "GCP_PRIVATE_KEY", "site-key",
                "GCP_PROJECT_IDS", "site-project",
                "GCP_PAGE_SIZE", "100"));
        job("{\"folder_id\": 17}");
        Settings settings = configured("gcp").settings();
        assertThat(settings.text("GCP_ACCESS_TOKEN")).isEqualTo("site-token");
        assertThat(settings.find("GCP_PROJECT_IDS")).isEmpty();
        assertThat(settings.text("GCP_PAGE_SIZE")).isEqualTo("100");

        job("{\"credentials_json\": {\"type\": \"service_account\", \"project_id\": \"my-project-123\","
                + " \"private_key\": \"job-key-4711\", \"client_email\": \"elder@my-project-123.example\"}}");
        Jobs.Configured configured = configured("gcp");
        for (String name : List.of("GCP_CREDENTIALS", "GCP_ACCESS_TOKEN", "GCP_PRIVATE_KEY")) {
            assertThat(configured.settings().find(name)).as(name).isEmpty();
        }
        assertThat(configured.settings().text("GCP_PROJECT_IDS")).isEqualTo("site-project");
        // Who tests a job must be told the account and the project; the key is nobody's business.
        assertThat(configured.redactor().redact("elder@my-project-123.example in my-project-123 with job-key-4711"))
                .isEqualTo("elder@my-project-123.example in my-project-123 with ***");
    }

    @Test
    void aJobOfGoogleWorkspaceThatBringsAKeyHasNothingOfTheSites() throws SQLException {
        environment.putAll(Map.of(
                "GOOGLE_WORKSPACE_CREDENTIALS_PATH", "/etc/elder/site.json",
                "GOOGLE_WORKSPACE_PRIVATE_KEY", "site-key",
                "GOOGLE_WORKSPACE_CLIENT_EMAIL", "site@my-project-123.example",
                "GOOGLE_WORKSPACE_ADMIN_EMAIL", "admin@example.com"));
        job("{\"credentials_json\": {\"type\": \"service_account\", \"private_key\": \"job-key-4711\"}}");
        Settings settings = configured("google_workspace").settings();
        for (String name : List.of("CREDENTIALS_PATH", "PRIVATE_KEY", "CLIENT_EMAIL")) {
            assertThat(settings.find("GOOGLE_WORKSPACE_" + name)).as(name).isEmpty();
        }
        assertThat(settings.text("GOOGLE_WORKSPACE_ADMIN_EMAIL")).isEqualTo("admin@example.com");
    }

    @Test
    void aJobThatSaysWhereIbossIsLoggedInToIsNotSentTheSitesPassword() throws SQLException {
        environment.putAll(Map.of(
                "IBOSS_AUTH", "gateway",
                "IBOSS_API_KEY", "site-key",
                "IBOSS_USERNAME", "site-user",
                "IBOSS_PASSWORD", "site-password"));
        for (String field : List.of("api_url", "accounts_url", "cloud_url", "tenant_id")) {
            job("{\"" + field + "\": \"https://evil.example\"}");
            Settings settings = configured("iboss").settings();
            for (String name : List.of("API_KEY", "USERNAME", "PASSWORD")) {
                assertThat(settings.find("IBOSS_" + name))
                        .as(field + " and " + name)
                        .isEmpty();
            }
            assertThat(settings.text("IBOSS_AUTH")).isEqualTo("gateway");
        }
    }

    @Test
    void aJobOfGoogleThatNamesAnotherClientHasNothingOfTheSites() throws SQLException {
        for (String provider : List.of("gcp", "google_workspace")) {
            String prefix = JobConfig.prefix(provider);
            environment.put(prefix + "PRIVATE_KEY", "site-key");
            job("{\"client_id\": \"another\"}");
            assertThat(configured(provider).settings().find(prefix + "PRIVATE_KEY"))
                    .as(provider)
                    .isEmpty();
        }
    }

    private Jobs.Configured configured(String provider) throws SQLException {
        return new JobConfig(
                        Settings.of(environment),
                        Optional.of(database),
                        new SecretStore(secrets, Optional.empty()),
                        List.of(),
                        Fetcher.installed(List.of()).stream()
                                .collect(Collectors.toMap(Provider::name, Provider::jobFields)))
                .configuration(new Task("1.x", 1, provider, Instant.EPOCH, Instant.EPOCH, new PlanTask()));
    }

    private static void job(String config) throws SQLException {
        try (Connection connection = database.getConnection();
                PreparedStatement insert = connection.prepareStatement("INSERT INTO discovery_jobs VALUES (1, ?::json)"
                        + " ON CONFLICT (id) DO UPDATE SET config_json = EXCLUDED.config_json")) {
            insert.setString(1, config);
            insert.executeUpdate();
        }
    }
}
