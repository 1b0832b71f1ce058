package io.elder.fetch.googleworkspace;

import static io.elder.fetch.googleworkspace.GoogleWorkspaceVendor.error;
import static io.elder.fetch.googleworkspace.GoogleWorkspaceVendor.json;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.fetch.BadConfigurationException;
import io.elder.fetch.Verdict;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.ScopeFailed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is said of refusals, and where a key may lead. */
class GoogleWorkspaceRightsTest {
    private final GoogleWorkspaceProvider provider = new GoogleWorkspaceProvider();
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
            400 | {'error': 'invalid_grant', 'error_description': 'Invalid JWT Signature.'} | bad_credentials | Invalid JWT Signature
            400 | {'error': 'invalid_grant', 'error_description': 'Invalid email or User ID'} | bad_credentials | GOOGLE_WORKSPACE_ADMIN_EMAIL admin@example.com is nobody
            401 | {'error': 'unauthorized_client', 'error_description': 'Client is unauthorized'} | forbidden | does not give client 100000000000000000009 the scope https://www.googleapis.com/auth/admin.directory.user.readonly
            """)
    void aTokenThatIsRefusedSaysWhatToDo(int status, String body, String reason, String said) {
        vendor.on("POST /token", json(status, body));
        assertStops(() -> provider.connect(settings()), reason, said);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            forbidden               | Not Authorized to access this resource/api    | admin@example.com lacks the administrator's privilege Organizational Units > Read
            insufficientPermissions | Request had insufficient authentication scopes | the token lacks the scope https://www.googleapis.com/auth/admin.directory.orgunit.readonly
            accessNotConfigured     | Admin SDK API has not been used in project 1   | the Admin SDK API is not enabled
            """)
    void aRightThatIsMissingIsNamed(String reason, String message, String said) {
        vendor.on("GET /admin/directory/v1/customer/my_customer/orgunits?type=all", error(403, reason, message));
        GoogleWorkspaceVendor.script(vendor);
        assertStops(
                () -> {
                    try (GoogleWorkspaceClient client = provider.connect(settings())) {
                        provider.identity(client);
                    }
                },
                "forbidden",
                said);
    }

    /** Else a list of users that is not found would look as if every group were gone, and all members with them. */
    @Test
    void membersAreNotSealedWhenItCanNotBeToldWhoseTheyAre() throws Exception {
        vendor.on(
                "GET /admin/directory/v1/users?customer=my_customer&fields=kind,nextPageToken,users/id",
                error(404, "notFound", "Domain not found."));
        vendor.on("POST /token", "vendor/token.json");
        vendor.on("GET /admin/directory/v1/users/admin@example.com", "vendor/admin.json");
        vendor.page("google_workspace_group", "GET /admin/directory/v1/groups", "vendor/groups-2.json");
        try (TestRun<GoogleWorkspaceClient> run =
                new TestRun<>(provider, settings(), GoogleWorkspaceVendor.secrets())) {
            for (PlannedTask task : run.plan()) {
                if (task.getKind().equals("google_workspace_group")) {
                    run.fetch(task);
                }
            }
            assertThat(run.published().seals())
                    .extracting(seal -> seal.scope().kind())
                    .containsExactly("google_workspace_group");
            assertThat(run.published().events(ScopeFailed.class))
                    .singleElement()
                    .satisfies(failed -> assertThat(failed.getReason()).isEqualTo("incomplete"));
        }
    }

    @Test
    void aPageTokenThatWasForgottenIsReadFromTheStart() throws Exception {
        GoogleWorkspaceVendor.script(vendor);
        try (GoogleWorkspaceClient client = provider.connect(settings())) {
            vendor.on(
                    "GET /admin/directory/v1/users?customer=my_customer&pageToken=old",
                    error(400, "invalid", "Invalid Input: page token"));
            assertThatThrownBy(() -> client.page(Area.USERS, "/users?customer=my_customer", "users", 500, "old"))
                    .satisfies(e -> assertThat(Verdict.on(e, provider)).isInstanceOf(Verdict.StartOver.class));
        }
    }

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
                "file:///etc/passwd"
            })
    void aKeyThatIsAValueLeadsNowhereButToGoogle(String url) {
        assertThatThrownBy(() -> ServiceAccountKey.load(settings(Map.of(
                        "GOOGLE_WORKSPACE_CREDENTIALS_JSON",
                        GoogleWorkspaceVendor.keyFile(url).toString()))))
                .isInstanceOf(BadConfigurationException.class)
                .hasMessageContaining("token_uri")
                .hasMessageContaining("ENDPOINT_ALLOWLIST");
    }

    @Test
    void aBrokenKeyIsNotQuoted() {
        String broken = GoogleWorkspaceVendor.keyFile("https://oauth2.googleapis.com/token")
                .put("private_key", "canary-4711")
                .toString();
        for (String text :
                List.of(broken, "canary-4711", "{\"type\": \"canary", "{\"private_key\": \"canary-4711\"}")) {
            assertThatThrownBy(
                            () -> ServiceAccountKey.load(settings(Map.of("GOOGLE_WORKSPACE_CREDENTIALS_JSON", text))))
                    .isInstanceOf(BadConfigurationException.class)
                    .hasMessageContaining("expected")
                    .hasNoCause()
                    .message()
                    .doesNotContain("canary-4711");
        }
    }

    @Test
    void aFileIsReadAndSoAreTheFieldsOfOneOfEldersSecrets(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("key.json");
        Files.writeString(
                file,
                GoogleWorkspaceVendor.keyFile("https://oauth2.googleapis.com/token")
                        .toString());
        assertThat(ServiceAccountKey.load(settings(Map.of("GOOGLE_WORKSPACE_CREDENTIALS_PATH", file.toString())))
                        .getClientEmail())
                .isEqualTo(GoogleWorkspaceVendor.EMAIL);
        Map<String, String> fields = new HashMap<>();
        GoogleWorkspaceVendor.keyFile("https://oauth2.googleapis.com/token")
                .properties()
                .forEach(field -> fields.put(
                        "GOOGLE_WORKSPACE_" + field.getKey().toUpperCase(Locale.ROOT),
                        field.getValue().asText()));
        assertThat(ServiceAccountKey.load(settings(fields)).getClientEmail()).isEqualTo(GoogleWorkspaceVendor.EMAIL);
    }

    @Test
    void wrongSettingsAreReportedTogether() {
        Settings wrong = Settings.of(Map.of(
                "GOOGLE_WORKSPACE_ADMIN_EMAIL", "admin",
                "GOOGLE_WORKSPACE_CUSTOMER_ID", "../x",
                "GOOGLE_WORKSPACE_PAGE_SIZE", "501",
                "GOOGLE_WORKSPACE_ENDPOINT_URL", "localhost"));
        assertThatThrownBy(() -> provider.connect(wrong))
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("GOOGLE_WORKSPACE_CREDENTIALS_PATH: not set")
                .hasMessageContaining("GOOGLE_WORKSPACE_ADMIN_EMAIL: admin (expected")
                .hasMessageContaining("GOOGLE_WORKSPACE_CUSTOMER_ID: ../x")
                .hasMessageContaining("GOOGLE_WORKSPACE_PAGE_SIZE: 501 (expected: 1 to 500)")
                .hasMessageContaining("GOOGLE_WORKSPACE_ENDPOINT_URL: localhost");
    }

    private Settings settings() {
        return Settings.of(GoogleWorkspaceVendor.settings(vendor.url()));
    }

    private static GoogleWorkspaceSettings settings(Map<String, String> values) {
        Map<String, String> all = new HashMap<>(values);
        all.put("GOOGLE_WORKSPACE_ADMIN_EMAIL", GoogleWorkspaceVendor.ADMIN);
        return GoogleWorkspaceSettings.from(Settings.of(all));
    }

    private interface Attempt {
        void make() throws Exception;
    }

    private void assertStops(Attempt attempt, String reason, String said) {
        assertThatThrownBy(attempt::make)
                .satisfies(e -> assertThat(Verdict.on(e, provider)).isInstanceOfSatisfying(Verdict.Stop.class, stop -> {
                    assertThat(stop.reason().label()).as(stop.message()).isEqualTo(reason);
                    assertThat(stop.message()).contains(said);
                }));
    }
}
