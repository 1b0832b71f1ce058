package io.elder.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanTask;
import io.elder.schemas.avro.Task;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
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
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.postgresql.ds.PGSimpleDataSource;

class JobConfigTest {
    private static EmbeddedPostgres server;
    private static DataSource database;

    @TempDir
    Path secrets;

    private final Map<String, String> environment = new HashMap<>();

    @BeforeAll
    static void start() throws IOException, SQLException {
        server = EmbeddedPostgres.start();
        database = server.getPostgresDatabase();
        execute(
                "CREATE TABLE discovery_jobs (id int, config_json json, credential_type text, credential_mapping json)");
        execute("CREATE SCHEMA pipeline");
        execute("CREATE FUNCTION pipeline.job_secret(int) RETURNS json LANGUAGE sql AS"
                + " $$ SELECT '{\"pw\": \"from-the-vault\", \"user\": \"cn=bind\"}'::json WHERE $1 = 1 $$");
    }

    @AfterAll
    static void stop() throws IOException {
        server.close();
    }

    @BeforeEach
    void environment() throws SQLException {
        execute("TRUNCATE discovery_jobs");
        environment.putAll(Map.of(
                "LDAP_SERVER", "corp.example",
                "LDAP_BIND_DN", "cn=site",
                "LDAP_BIND_PASSWORD", "site-password",
                "LDAP_BASE_DN", "dc=corp"));
    }

    @Test
    void theJobsConfigurationLiesOverTheEnvironment() throws SQLException {
        job(
                "{\"base_dn\": \"dc=sub\", \"_organization_id\": 3, \"tls\": {\"min\": \"1.3\"}, \"attrs\": [\"a\", \"b\"]}");
        Settings settings = configured().settings();
        assertThat(settings.text("LDAP_BASE_DN")).isEqualTo("dc=sub");
        assertThat(settings.text("LDAP_TLS_MIN")).isEqualTo("1.3");
        assertThat(settings.list("LDAP_ATTRS", "")).containsExactly("a", "b");
        assertThat(settings.find("LDAP__ORGANIZATION_ID")).isEmpty();
        assertThat(settings.text("LDAP_BIND_PASSWORD")).isEqualTo("site-password");
    }

    @Test
    void aJobThatNamesOneMeansThatOneAndNotTheEnvironmentsList() throws SQLException {
        environment.put("LDAP_REGIONS", "a,b");
        job("{\"region\": \"c\"}");
        assertThat(configured().settings().find("LDAP_REGIONS")).isEmpty();
        assertThat(configured().settings().text("LDAP_REGION")).isEqualTo("c");
    }

    @Test
    void aJobThatNamesItsOwnServerDoesNotGetTheSitesPassword() throws SQLException {
        job("{\"server\": \"evil.example\"}");
        Settings settings = configured().settings();
        assertThat(settings.text("LDAP_SERVER")).isEqualTo("evil.example");
        assertThat(settings.find("LDAP_BIND_PASSWORD")).isEmpty();
        assertThat(settings.find("LDAP_BIND_DN")).isEmpty();
        assertThat(settings.text("LDAP_BASE_DN")).isEqualTo("dc=corp");
    }

    @Test
    void aSecretReferenceIsTheFilesContentAndIsRedacted() throws SQLException, IOException {
        Files.writeString(secrets.resolve("ldap-bind"), "file-password\n");
        job("{\"bind_password\": \"secret://ldap-bind\"}");
        Jobs.Configured configured = configured();
        assertThat(configured.settings().secret("LDAP_BIND_PASSWORD").value()).isEqualTo("file-password");
        assertThat(configured.redactor().redact("bind failed with file-password"))
                .isEqualTo("bind failed with ***");
    }

    @Test
    void aSecretReferenceCannotLeaveItsDirectory() throws SQLException {
        job("{\"bind_password\": \"secret://../../etc/passwd\"}");
        assertThatThrownBy(this::configured)
                .isInstanceOf(BadConfigurationException.class)
                .hasMessageContaining("expected: the name of a file in " + secrets);
    }

    @Test
    void aMountedSecretOfSeveralFieldsIsLaidOverTheConfiguration() throws SQLException, IOException {
        Path secret = Files.createDirectories(secrets.resolve("ldap-creds"));
        Files.writeString(secret.resolve("LDAP_BIND_DN"), "cn=mounted\n");
        Files.writeString(secret.resolve("bind-password"), "mounted-password");
        Files.createDirectories(secret.resolve("..data"));
        for (String reference : List.of("secret://ldap-creds", "secret://ldap-creds/bind-password")) {
            String field = reference.contains("/bind") ? "bind_password" : "credentials";
            job("{\"bind_dn\": \"cn=config\", \"" + field + "\": \"" + reference + "\"}");
            Jobs.Configured configured = configured();
            assertThat(configured.settings().secret("LDAP_BIND_PASSWORD").value())
                    .isEqualTo("mounted-password");
            assertThat(configured.settings().text("LDAP_BIND_DN"))
                    .isEqualTo(field.equals("credentials") ? "cn=mounted" : "cn=config");
            assertThat(configured.redactor().redact("no mounted-password here")).isEqualTo("no *** here");
        }
        job("{\"bind_password\": \"secret://ldap-creds\"}");
        assertThatThrownBy(this::configured).hasMessageContaining("expected: secret://ldap-creds/<field>");
    }

    @Test
    void aCredentialFileLiesBelowTheSecretsAndItsInnerSecretsAreKnown() throws SQLException, IOException {
        Files.writeString(
                secrets.resolve("account.json"), "{\"client_email\": \"a@b\", \"private_key\": \"inner-key-4711\"}");
        for (String file :
                List.of("account.json", secrets.resolve("account.json").toString())) {
            job("{\"credentials_file\": \"" + file + "\"}");
            Jobs.Configured configured = configured();
            assertThat(configured.settings().text("LDAP_CREDENTIALS_FILE"))
                    .isEqualTo(secrets.resolve("account.json").toString());
            assertThat(configured.settings().text("LDAP_CLIENT_EMAIL")).isEqualTo("a@b");
            assertThat(configured.redactor().redact("inner-key-4711")).isEqualTo("***");
        }
        for (String file : List.of("/etc/passwd", "../x", secrets + "/../x", ".")) {
            job("{\"key_file\": \"" + file + "\"}");
            assertThatThrownBy(this::configured).hasMessageContaining("expected: a file below " + secrets);
        }
    }

    @Test
    void credentialsWithinTheConfigurationAndPrefixedFieldsAreFieldsToo() throws SQLException {
        job("{\"credentials\": {\"bind_password\": \"inline-password\"}, \"ldap_base_dn\": \"dc=prefixed\","
                + " \"regions\": [\"a\", \"b\"], \"filters\": [{\"name\": \"x\"}]}");
        Jobs.Configured configured = configured();
        assertThat(configured.settings().secret("LDAP_BIND_PASSWORD").value()).isEqualTo("inline-password");
        assertThat(configured.settings().text("LDAP_BASE_DN")).isEqualTo("dc=prefixed");
        assertThat(configured.settings().list("LDAP_REGIONS", "")).containsExactly("a", "b");
        assertThat(configured.settings().text("LDAP_FILTERS")).isEqualTo("[{\"name\":\"x\"}]");
        assertThat(configured.redactor().redact("inline-password")).isEqualTo("***");
    }

    @Test
    void aBuiltinSecretIsMappedOntoTheFields() throws SQLException {
        execute("INSERT INTO discovery_jobs VALUES (1, '{\"server\": \"other\"}', 'builtin_secret',"
                + " '{\"pw\": \"bind_password\", \"user\": \"bind_dn\"}')");
        Jobs.Configured configured = configured();
        assertThat(configured.settings().secret("LDAP_BIND_PASSWORD").value()).isEqualTo("from-the-vault");
        assertThat(configured.settings().text("LDAP_BIND_DN")).isEqualTo("cn=bind");
        assertThat(configured.redactor().redact("from-the-vault")).isEqualTo("***");
    }

    @Test
    void anEndpointOverrideMustBeAllowed() throws SQLException {
        job("{\"endpoint_url\": \"http://169.254.169.254/latest\"}");
        assertThatThrownBy(this::configured)
                .hasMessage("job 1: endpoint_url 169.254.169.254 (expected: a host on ENDPOINT_ALLOWLIST)");
        job("{\"endpoint_url\": \"https://allowed.example/x\"}");
        assertThat(configured().settings().text("LDAP_ENDPOINT_URL")).isEqualTo("https://allowed.example/x");
    }

    @Test
    void aDatabaseThatIsAwayIsSaidSoUntilItIsBack() throws SQLException {
        job("{}");
        PGSimpleDataSource source = new PGSimpleDataSource();
        source.setServerNames(new String[] {"127.0.0.1"});
        source.setPortNumbers(new int[] {1});
        JobConfig jobs = jobs(source, Optional.empty());
        assertThat(jobs.health().ok()).isTrue();
        assertThatThrownBy(() -> jobs.configuration(task())).isInstanceOf(SQLException.class);
        assertThat(jobs.health().reasons())
                .singleElement()
                .asString()
                .startsWith("database: how jobs are configured can't be read: Connection to 127.0.0.1:1 refused");
        source.setPortNumbers(new int[] {server.getPort()});
        source.setUser("postgres");
        jobs.configuration(task());
        assertThat(jobs.health().ok()).isTrue();
    }

    @Test
    void aSecretThatIsNotMountedIsAskedOfTheCluster() throws SQLException, IOException {
        HttpServer api = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        api.createContext("/api/v1/namespaces/elder/secrets/bind", exchange -> {
            byte[] body =
                    "{\"data\": {\"bind_dn\": \"Y249Y2x1c3Rlcg==\", \"bind_password\": \"ZnJvbS10aGUtY2x1c3Rlcg==\"}}"
                            .getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        api.start();
        try {
            Path account = Files.createDirectory(secrets.resolve("account"));
            Files.writeString(account.resolve("token"), "t");
            Files.writeString(account.resolve("namespace"), "elder");
            KubernetesSecrets cluster = new KubernetesSecrets(
                    URI.create("http://127.0.0.1:" + api.getAddress().getPort()), account);
            JobConfig jobs = jobs(database, Optional.of(cluster));
            job("{\"credentials\": \"secret://bind\"}");
            Jobs.Configured whole = jobs.configuration(task());
            assertThat(whole.settings().text("LDAP_BIND_DN")).isEqualTo("cn=cluster");
            assertThat(whole.redactor().redact("no from-the-cluster")).isEqualTo("no ***");
            job("{\"bind_password\": \"secret://bind/bind_password\"}");
            assertThat(jobs.configuration(task()).settings().text("LDAP_BIND_PASSWORD"))
                    .isEqualTo("from-the-cluster");
        } finally {
            api.stop(0);
        }
    }

    @Test
    void whatTheClustersOfAJobReferToIsPutInItsPlaceAndRedacted() throws SQLException, IOException {
        Files.writeString(secrets.resolve("east"), "kubeconfig-of-the-east\n");
        job("{\"clusters\": [{\"name\": \"east\", \"kubeconfig\": \"secret://east\"},"
                + " {\"name\": \"west\", \"kubeconfig_path\": \"west.yaml\"},"
                + " {\"name\": \"south\", \"kubeconfig\": \"inline-of-the-south\"}]}");
        Jobs.Configured configured = configured("kubernetes");
        assertThat(configured.settings().text("KUBERNETES_CLUSTERS"))
                .contains("kubeconfig-of-the-east", secrets.resolve("west.yaml").toString());
        assertThat(configured.redactor().redact("kubeconfig-of-the-east inline-of-the-south"))
                .isEqualTo("*** ***");
        job("{\"clusters\": [{\"name\": \"x\", \"kubeconfig_path\": \"/etc/kubeconfig\"}]}");
        assertThatThrownBy(() -> configured("kubernetes"))
                .hasMessageContaining("kubeconfig_path /etc/kubeconfig (expected: a file below " + secrets);
    }

    @Test
    void theTokensInAKubeconfigAreRedactedAndThePathToOneIsNot() throws SQLException {
        environment.putAll(Map.of("KUBECONFIG_ALLOW_EXEC", "true", "KUBECONFIG", "/etc/kube/config"));
        job("{\"kubeconfig\": \"users:\\n- name: a\\n  user:\\n    token: token-in-yaml\\n\"}");
        assertThat(configured("kubernetes").redactor().redact("true /etc/kube/config token-in-yaml"))
                .isEqualTo("true /etc/kube/config ***");
        job(
                "{\"clusters\": [{\"name\": \"a\", \"kubeconfig\": {\"users\": [{\"user\": {\"token\": \"token-in-json\"}}]}}]}");
        assertThat(configured("kubernetes").redactor().redact("token-in-json")).isEqualTo("***");
    }

    @Test
    void aJobThatIsGoneIsSaidSo() {
        assertThatThrownBy(this::configured).hasMessage("job 1: no such row in discovery_jobs");
    }

    private Jobs.Configured configured() throws SQLException {
        return configured("ldap");
    }

    private Jobs.Configured configured(String provider) throws SQLException {
        return jobs(database, Optional.empty())
                .configuration(new Task("1.x", 1, provider, Instant.EPOCH, Instant.EPOCH, new PlanTask()));
    }

    private JobConfig jobs(DataSource source, Optional<KubernetesSecrets> cluster) {
        return new JobConfig(
                Settings.of(environment),
                Optional.of(source),
                new SecretStore(secrets, cluster),
                List.of("allowed.example"),
                Map.of());
    }

    private static Task task() {
        return new Task("1.x", 1, "ldap", Instant.EPOCH, Instant.EPOCH, new PlanTask());
    }

    private static void job(String config) throws SQLException {
        execute("TRUNCATE discovery_jobs");
        try (Connection connection = database.getConnection();
                PreparedStatement insert =
                        connection.prepareStatement("INSERT INTO discovery_jobs VALUES (1, ?::json, null, null)")) {
            insert.setString(1, config);
            insert.executeUpdate();
        }
    }

    private static void execute(String sql) throws SQLException {
        try (Connection connection = database.getConnection();
                PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.execute();
        }
    }
}
