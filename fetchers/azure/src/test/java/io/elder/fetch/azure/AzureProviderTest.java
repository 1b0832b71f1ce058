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
    private static final String SUBSCRIPTION = "11111111-2222-3333-4444-555555555555";
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
        vendor.on("GET /subscriptions?api-version=2022-12-01", "subscriptions.json");
        vendor.page("azure_subscription", "GET " + OF + "?api-version=2022-12-01", "subscription.json");
        vendor.page(
                "azure_resource_group", "GET " + OF + "/resourcegroups?api-version=2024-07-01", "resource-groups.json");
        String machines = "GET " + OF + "/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01";
        vendor.on(machines + "&statusOnly=true", "vm-statuses.json");
        vendor.page("azure_vm", machines + "&statusOnly&$skiptoken", "vms-1.json");
        vendor.page("azure_vm", machines + "&statusOnly&$skiptoken=b2", "vms-2.json");
        list(vendor, "azure_vm_scale_set", "Microsoft.Compute/virtualMachineScaleSets", "2024-07-01", "vm-scale-sets");
        String disks = "GET " + OF + "/providers/Microsoft.Compute/disks?api-version=2024-03-02";
        vendor.page("azure_disk", disks + "&$skiptoken", "disks-1.json");
        vendor.page("azure_disk", disks + "&$skiptoken=b2", "disks-2.json");
        list(vendor, "azure_vnet", "Microsoft.Network/virtualNetworks", "2024-01-01", "vnets");
        // Never asked for: subnets come with their network.
        list(vendor, "azure_subnet", "Microsoft.Network/virtualNetworks", "2024-01-01", "vnets");
        list(
                vendor,
                "azure_network_interface",
                "Microsoft.Network/networkInterfaces",
                "2024-01-01",
                "network-interfaces");
        list(vendor, "azure_public_ip", "Microsoft.Network/publicIPAddresses", "2024-01-01", "public-ips");
        list(
                vendor,
                "azure_network_security_group",
                "Microsoft.Network/networkSecurityGroups",
                "2024-01-01",
                "network-security-groups");
        list(vendor, "azure_load_balancer", "Microsoft.Network/loadBalancers", "2024-01-01", "load-balancers");
        list(vendor, "azure_storage_account", "Microsoft.Storage/storageAccounts", "2023-05-01", "storage-accounts");
        list(vendor, "azure_aks_cluster", "Microsoft.ContainerService/managedClusters", "2024-05-01", "aks-clusters");
        vendor.page(
                "azure_aks_agent_pool",
                "GET " + OF + "/resourcegroups/rg1/providers/Microsoft.ContainerService/managedClusters/clustername1"
                        + "/agentPools?api-version=2024-05-01",
                "agent-pools.json");
        list(vendor, "azure_sql_server", "Microsoft.Sql/servers", "2021-11-01", "sql-servers");
        String servers = "GET " + OF + "/resourceGroups/sqlcrudtest-7398/providers/Microsoft.Sql/servers/";
        vendor.page(
                "azure_sql_database",
                servers + "sqlcrudtest-4645/databases?api-version=2021-11-01",
                "sql-databases.json");
        vendor.page(
                "azure_sql_database",
                servers + "sqlcrudtest-6661/databases?api-version=2021-11-01",
                "no-sql-databases.json");
        list(vendor, "azure_web_app", "Microsoft.Web/sites", "2024-04-01", "web-apps");
    }

    private static void list(ScriptedServer vendor, String kind, String type, String version, String fixture) {
        vendor.page(kind, "GET " + OF + "/providers/" + type + "?api-version=" + version, fixture + ".json");
    }

    @Override
    protected Map<String, Integer> expected() {
        return Map.ofEntries(
                Map.entry("azure_subscription", 1),
                Map.entry("azure_resource_group", 2),
                Map.entry("azure_vm", 3),
                Map.entry("azure_vm_scale_set", 1),
                Map.entry("azure_disk", 3),
                Map.entry("azure_vnet", 2),
                Map.entry("azure_subnet", 1),
                Map.entry("azure_network_interface", 2),
                Map.entry("azure_public_ip", 2),
                Map.entry("azure_network_security_group", 1),
                Map.entry("azure_load_balancer", 1),
                Map.entry("azure_storage_account", 6),
                Map.entry("azure_aks_cluster", 1),
                Map.entry("azure_aks_agent_pool", 1),
                Map.entry("azure_sql_server", 2),
                Map.entry("azure_sql_database", 2),
                Map.entry("azure_web_app", 3));
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
            script(azure);
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
            script(azure);
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
