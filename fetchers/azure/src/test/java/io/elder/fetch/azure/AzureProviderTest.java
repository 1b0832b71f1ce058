package io.elder.fetch.azure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.fetch.Provider;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.HttpProviderContract;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.ScopeFailed;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The contract against a mock of ours; how Azure orders pages and chooses its errors is our reading of its documentation. */
class AzureProviderTest extends HttpProviderContract<AzureClient> {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SUBSCRIPTION = AzureVendor.SUBSCRIPTION;
    private static final String OF = "/subscriptions/" + SUBSCRIPTION;
    private static final String SECRET = "client-secret-4711";

    @Override
    protected Provider<AzureClient> provider() {
        return new AzureProvider(
                settings -> () -> "token-of-" + settings.clientId().orElse("nobody") + "-"
                        + settings.clientSecret().orElseThrow().value());
    }

    @Override
    protected Map<String, String> settings(String url) {
        return Map.of(
                "AZURE_ENDPOINT_URL", url,
                "AZURE_SUBSCRIPTION_IDS", SUBSCRIPTION,
                "AZURE_TENANT_ID", "tenant",
                "AZURE_CLIENT_ID", "elder",
                "AZURE_CLIENT_SECRET", SECRET);
    }

    @Override
    protected Set<String> secrets() {
        return Set.of(SECRET, "canary-");
    }

    @Override
    protected void script(ScriptedServer vendor) {
        AzureVendor.script(vendor);
    }

    @Override
    protected Map<String, Integer> expected() {
        return AzureVendor.EXPECTED;
    }

    @Override
    protected List<Answer> throttles() {
        String body = """
                {"error": {"code": "SubscriptionRequestsThrottled", "message": "Number of requests for subscription exceeded the limit."}}""";
        return List.of(
                error(429, "SubscriptionRequestsThrottled")
                        .header("Retry-After", "7")
                        .header("x-ms-ratelimit-remaining-subscription-reads", "0"),
                Answer.of(429, body),
                error(503, "ServerBusy").header("Retry-After", "2"));
    }

    @Override
    protected Answer unauthorized() {
        return error(401, "InvalidAuthenticationToken");
    }

    @Override
    protected Answer forbidden() {
        return error(403, "AuthorizationFailed");
    }

    @Override
    protected Answer notFound() {
        return error(404, "SubscriptionNotFound");
    }

    @Override
    protected Optional<Answer> expired() {
        return Optional.of(error(401, "ExpiredAuthenticationToken"));
    }

    private static Answer error(int status, String code) {
        return Answer.of(status, "{\"error\": {\"code\": \"" + code + "\", \"message\": \"" + code + " happened\"}}")
                .header("Content-Type", "application/json; charset=utf-8");
    }

    @Test
    void requestsAreThoseOfTheVendorsSwaggerFiles() throws Exception {
        everything(settings());
        Set<String> used = new TreeSet<>();
        for (Asked asked : vendor().asked()) {
            for (JsonNode operation : JSON.readTree(vendor().text("paths.json"))) {
                String path = operation.path("path").asText().replaceAll("\\{[^}]*}", "[^/]+");
                if (!asked.path().matches(path)) {
                    continue;
                }
                used.add(operation.path("operation").asText());
                assertThat(asked.method()).isEqualTo(operation.path("method").asText());
                Set<String> known = new TreeSet<>(Set.of("$skiptoken"));
                for (JsonNode parameter : operation.path("query")) {
                    String name = parameter.path("name").asText();
                    known.add(name);
                    if (parameter.path("required").booleanValue()) {
                        assertThat(asked.parameters()).as("%s", asked).containsKey(name);
                    }
                }
                assertThat(known).as("%s", asked).containsAll(asked.parameters().keySet());
                assertThat(asked.parameters())
                        .as("%s", asked)
                        .containsEntry("api-version", operation.path("version").asText());
            }
            assertThat(asked.header("Authorization")).isEqualTo("Bearer token-of-elder-" + SECRET);
        }
        assertThat(used)
                .containsExactlyInAnyOrder(
                        "Disks_List",
                        "ManagedClusters_List",
                        "NetworkInterfaces_ListAll",
                        "ResourceGroups_List",
                        "Servers_List",
                        "StorageAccounts_List",
                        "Subscriptions_List",
                        "VirtualMachines_ListAll",
                        "VirtualNetworks_ListAll");
    }

    @Test
    void aMachineHasThePowerStateOfTheSecondListWhateverTheCaseOfItsId() throws Exception {
        List<String> powers = new ArrayList<>();
        for (JsonNode machine : payloads(everything(settings()), "azure_vm")) {
            powers.add(machine.at("/properties/instanceView/statuses/1/code").asText("none"));
        }
        assertThat(powers).containsExactlyInAnyOrder("PowerState/running", "PowerState/deallocated", "none");
    }

    @Test
    void namesOfSettingsStayWithoutTheirValuesAndPlacesOfKeysStay() throws Exception {
        RecordingPublisher published = everything(settings());
        JsonNode shop = payloads(published, "azure_web_app").getFirst();
        assertThat(shop.at("/properties/siteConfig/appSettings").toString()).isEqualTo("[{\"name\":\"DB_PASSWORD\"}]");
        assertThat(shop.at("/properties/siteConfig/connectionStrings").toString())
                .isEqualTo("[{\"name\":\"db\",\"type\":\"SQLAzure\"}]");
        assertThat(payloads(published, "azure_disk").getFirst().toString()).contains("secretUrl");
        assertThat(payloads(published, "azure_vm").getFirst().toString())
                .contains("\"storageUri\":\"https://acc.blob.core.windows.net/x\"", "disablePasswordAuthentication");
    }

    @Test
    void allSubscriptionsAreThoseThatAreEnabled() throws Exception {
        Map<String, String> settings = new java.util.HashMap<>(settings().values());
        settings.put("AZURE_SUBSCRIPTION_IDS", "all");
        RecordingPublisher published = everything(Settings.of(settings));
        assertThat(published.seals()).extracting(seal -> seal.scope().account()).containsOnly(SUBSCRIPTION);
    }

    @Test
    void noSubscriptionAtAllIsNoEmptyAzure() throws Exception {
        Map<String, String> settings = new java.util.HashMap<>(settings().values());
        settings.remove("AZURE_SUBSCRIPTION_IDS");
        try (ScriptedServer empty = ScriptedServer.start(getClass())) {
            empty.on("GET /subscriptions", Answer.of(200, "{\"value\": []}"));
            settings.put("AZURE_ENDPOINT_URL", empty.url());
            assertThat(everything(Settings.of(settings)).events(PlanFailed.class))
                    .extracting(PlanFailed::getReason)
                    .containsExactly("forbidden");
        }
    }

    @Test
    void aProviderThatIsNotRegisteredHasNothingAndAnyOtherConflictIsAFailure() throws Exception {
        try (ScriptedServer azure = ScriptedServer.start(getClass())) {
            AzureVendor.script(azure);
            String sites = "GET " + OF + "/providers/Microsoft.Web/sites?api-version=2024-04-01&$skiptoken";
            azure.on(sites, error(409, "MissingSubscriptionRegistration"));
            String balancers =
                    "GET " + OF + "/providers/Microsoft.Network/loadBalancers?api-version=2024-01-01&$skiptoken";
            azure.on(balancers, error(409, "Conflict"));
            RecordingPublisher published = everything(Settings.of(settings(azure.url())));
            assertThat(published.seals())
                    .anyMatch(seal -> seal.scope().kind().equals("azure_web_app") && seal.count() == 0);
            assertThat(published.events(ScopeFailed.class)).hasSize(1).allSatisfy(failed -> {
                assertThat(failed.getScope()).endsWith("/azure_load_balancer");
                assertThat(failed.getReason()).isEqualTo("bad_response");
            });
        }
    }

    @Test
    void anIdThatLeadsAwayIsNotFollowed() throws Exception {
        try (ScriptedServer azure = ScriptedServer.start(getClass())) {
            AzureVendor.script(azure);
            azure.on(
                    "GET " + OF + "/providers/Microsoft.Sql/servers?api-version=2021-11-01&$skiptoken",
                    Answer.of(200, "{\"value\": [{\"id\": \"@evil.example/subscriptions/x\"}]}"));
            RecordingPublisher published = everything(Settings.of(settings(azure.url())));
            assertThat(published.events(ScopeFailed.class))
                    .extracting(ScopeFailed::getReason)
                    .containsOnly("bad_response");
        }
    }

    @Test
    void settingsThatAreWrongAreSaidTogether() {
        Settings settings = Settings.of(Map.of(
                "AZURE_SUBSCRIPTION_IDS", "mine",
                "AZURE_CLIENT_SECRET", SECRET,
                "AZURE_CLOUD", "germany",
                "AZURE_ENDPOINT_URL", "http://arm.example"));
        AzureSettings.from(settings);
        assertThatThrownBy(settings::check)
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("AZURE_SUBSCRIPTION_IDS: mine (expected: ids like")
                .hasMessageContaining("AZURE_TENANT_ID: not set (expected: a tenant")
                .hasMessageContaining("AZURE_CLIENT_ID: not set (expected: an application")
                .hasMessageContaining("AZURE_CLOUD: germany (expected: public, usgovernment, china)")
                .hasMessageContaining("AZURE_ENDPOINT_URL: http://arm.example (expected: an https URL)")
                .hasMessageNotContaining(SECRET);
    }

    @Test
    void theFilesOfAzuresCommandLineAreUnderstood() {
        AzureSettings plain = AzureSettings.from(Settings.of(
                Map.of("AZURE_APPID", "a", "AZURE_PASSWORD", "p", "AZURE_TENANT", "t", "AZURE_DISPLAYNAME", "elder")));
        AzureSettings forSdks = AzureSettings.from(Settings.of(Map.of(
                "AZURE_CLIENTID", "a",
                "AZURE_CLIENTSECRET", "p",
                "AZURE_TENANTID", "t",
                "AZURE_SUBSCRIPTIONID", SUBSCRIPTION.toUpperCase(java.util.Locale.ROOT))));
        for (AzureSettings settings : List.of(plain, forSdks)) {
            assertThat(settings.clientId()).contains("a");
            assertThat(settings.clientSecret().orElseThrow().value()).isEqualTo("p");
            assertThat(settings.tenantId()).contains("t");
            assertThat(settings.endpoint()).hasHost("management.azure.com");
        }
        assertThat(forSdks.subscriptions()).containsExactly(SUBSCRIPTION);
    }

    private RecordingPublisher everything(Settings settings) throws InterruptedException {
        try (TestRun<AzureClient> run = new TestRun<>(provider(), settings, secrets())) {
            return run.everything();
        }
    }

    private static List<JsonNode> payloads(RecordingPublisher published, String kind) throws Exception {
        List<JsonNode> payloads = new ArrayList<>();
        for (RecordingPublisher.Written record : published.sealedRecords()) {
            if (record.key().kind().equals(kind)) {
                payloads.add(JSON.readTree(record.payload()));
            }
        }
        return payloads;
    }
}
