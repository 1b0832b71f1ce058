package io.elder.fetch.gcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.auth.oauth2.GoogleCredentials;
import com.google.auth.oauth2.ServiceAccountCredentials;
import io.elder.fetch.BadConfigurationException;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Credentials that come in a job's configuration can't lead anywhere but to Google. */
class GcpCredentialsTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://169.254.169.254/computeMetadata/v1/",
                "https://evil.example/token",
                "http://oauth2.googleapis.com/token",
                "https://googleapis.com.evil.example/token",
                "https://evil.example\\.googleapis.com/token",
                "https://oauth2.googleapis.com@evil.example/token",
                "https://[::1]/token",
                "https://notgoogleapis.com/token",
                "https://evil.example#.googleapis.com",
                "https://evil.example?.googleapis.com",
                "file:///etc/passwd"
            })
    void aTokenEndpointElsewhereIsRefused(String url) {
        assertThatThrownBy(() -> load(
                        Map.of("GCP_CREDENTIALS_JSON", GcpVendor.keyFile(url).toString())))
                .isInstanceOf(BadConfigurationException.class)
                .hasMessageContaining("token_uri")
                .hasMessageContaining("ENDPOINT_ALLOWLIST");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {"type": "external_account", "token_url": "https://evil.example/", "credential_source": {"url": "https://sts.googleapis.com"}} | token_url
            {"type": "external_account", "token_url": "https://sts.googleapis.com/v1/token", "credential_source": {"url": "http://10.0.0.1/"}} | url
            {"type": "external_account", "service_account_impersonation_url": "https://evil.example/x"} | service_account_impersonation_url
            {"type": "external_account", "credential_source": {"file": "/var/run/secrets/kubernetes.io/serviceaccount/token"}} | file
            {"type": "external_account", "credential_source": {"executable": {"command": "/bin/sh"}}} | executable
            {"type": "external_account", "credential_source": {"regional_cred_verification_url": "https://sts.{region}.amazonaws.com"}} | regional_cred_verification_url
            {"type": "impersonated_service_account", "source_credentials": {"type": "authorized_user", "token_uri": "https://evil.example/"}} | token_uri
            {"type": "service_account", "universe_domain": "evil.example"} | universe_domain
            {"type": "gdch_service_account"} | type gdch_service_account
            """)
    void credentialsThatLeadElsewhereAreRefused(String json, String told) {
        assertThatThrownBy(() -> load(Map.of("GCP_CREDENTIALS_JSON", json)))
                .isInstanceOf(BadConfigurationException.class)
                .hasMessageContaining("credentials_json: " + told);
    }

    @Test
    void aHostOnTheAllowlistIsAccepted() throws IOException {
        GoogleCredentials credentials = load(Map.of(
                "GCP_CREDENTIALS_JSON",
                GcpVendor.keyFile("http://127.0.0.1:1/token").toString(),
                "ENDPOINT_ALLOWLIST",
                "127.0.0.1"));
        assertThat(credentials).isInstanceOf(ServiceAccountCredentials.class);
    }

    @Test
    void theFieldsOfOneOfEldersSecretsAreAKey() throws IOException {
        ObjectNode key = GcpVendor.keyFile("https://oauth2.googleapis.com/token");
        Map<String, String> fields = new HashMap<>();
        key.properties()
                .forEach(field -> fields.put(
                        "GCP_" + field.getKey().toUpperCase(Locale.ROOT),
                        field.getValue().asText()));
        GcpSettings settings = GcpSettings.from(Settings.of(fields));
        assertThat(settings.projects()).containsExactly(GcpVendor.PROJECT);
        assertThat(((ServiceAccountCredentials) GcpCredentials.load(settings)).getClientEmail())
                .isEqualTo(GcpVendor.EMAIL);
    }

    @Test
    void aFileIsReadAndNamesTheProject(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("key.json");
        Files.writeString(
                file, GcpVendor.keyFile("https://oauth2.googleapis.com/token").toString());
        GcpSettings settings = settings(Map.of("GCP_CREDENTIALS_PATH", file.toString()));
        assertThat(GcpCredentials.load(settings)).isInstanceOf(ServiceAccountCredentials.class);
        assertThat(GcpCredentials.project(settings)).contains(GcpVendor.PROJECT);
    }

    @Test
    void aBrokenKeyIsNotQuoted() {
        ObjectNode key =
                GcpVendor.keyFile("https://oauth2.googleapis.com/token").put("private_key", "canary-4711");
        for (String text :
                List.of(key.toString(), "canary-4711", "{\"type\": \"service_account\", \"x\": \"canary-4711", "[]")) {
            assertThatThrownBy(() -> load(Map.of("GCP_CREDENTIALS_JSON", text)))
                    .isInstanceOf(BadConfigurationException.class)
                    .hasMessageContaining("expected")
                    .hasNoCause()
                    .message()
                    .doesNotContain("canary-4711");
        }
    }

    @Test
    void aFieldThatIsThereTwiceIsReadAsItWasChecked() throws IOException {
        String good = GcpVendor.keyFile("https://oauth2.googleapis.com/token").toString();
        String twice = "{\"token_uri\": \"https://evil.example/token\", " + good.substring(1);
        ServiceAccountCredentials credentials = (ServiceAccountCredentials) load(Map.of("GCP_CREDENTIALS_JSON", twice));
        assertThat(credentials.getTokenServerUri()).hasToString("https://oauth2.googleapis.com/token");
        assertThat(JSON.readTree(good).has("token_uri")).isTrue();
    }

    @Test
    void wrongSettingsAreReportedTogether() {
        Settings settings = Settings.of(Map.of(
                "GCP_PROJECT_IDS", "my-project-123,123456789012",
                "GCP_FOLDER_ID", "my-folder",
                "GCP_SERVICES", "compute,lambda",
                "GCP_PAGE_SIZE", "0"));
        GcpSettings.from(settings);
        assertThatThrownBy(settings::check)
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("123456789012 (expected: the id of a project")
                .hasMessageContaining("GCP_FOLDER_ID: my-folder (expected: a number")
                .hasMessageContaining("GCP_SERVICES: lambda (expected: some of [compute, storage,")
                .hasMessageContaining("GCP_PAGE_SIZE: 0 (expected: 1 to 1000)");
    }

    private static GoogleCredentials load(Map<String, String> values) throws IOException {
        return GcpCredentials.load(settings(values));
    }

    private static GcpSettings settings(Map<String, String> values) {
        return GcpSettings.from(Settings.of(values));
    }
}
