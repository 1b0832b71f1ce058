package io.elder.fetch.azure;

import static org.assertj.core.api.Assertions.assertThat;

import com.azure.core.http.HttpPipeline;
import com.azure.core.http.HttpPipelineBuilder;
import com.azure.core.http.HttpRequest;
import com.azure.core.http.jdk.httpclient.JdkHttpClientBuilder;
import com.azure.core.http.policy.HttpPipelinePolicy;
import com.azure.core.util.Context;
import com.azure.core.util.ExpandableStringEnum;
import com.azure.core.util.UrlBuilder;
import com.azure.resourcemanager.appservice.fluent.WebSiteManagementClient;
import com.azure.resourcemanager.appservice.implementation.WebSiteManagementClientBuilder;
import com.azure.resourcemanager.compute.fluent.ComputeManagementClient;
import com.azure.resourcemanager.compute.fluent.models.VirtualMachineInner;
import com.azure.resourcemanager.compute.implementation.ComputeManagementClientBuilder;
import com.azure.resourcemanager.containerservice.fluent.ContainerServiceManagementClient;
import com.azure.resourcemanager.containerservice.implementation.ContainerServiceManagementClientBuilder;
import com.azure.resourcemanager.network.fluent.NetworkManagementClient;
import com.azure.resourcemanager.network.implementation.NetworkManagementClientBuilder;
import com.azure.resourcemanager.resources.implementation.ResourceManagementClientBuilder;
import com.azure.resourcemanager.resources.implementation.SubscriptionClientBuilder;
import com.azure.resourcemanager.sql.fluent.SqlManagementClient;
import com.azure.resourcemanager.sql.implementation.SqlManagementClientBuilder;
import com.azure.resourcemanager.storage.implementation.StorageManagementClientBuilder;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.normalizer.mapping.RejectedRecord;
import io.elder.runtime.Settings;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Microsoft's own clients against the server that we read, and what they see against what we publish; and the vendor's
 * example answers, through the provider and the mapping.
 */
class AzureAnswersTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Methods of the vendor's models that hand out nothing of an answer. */
    private static final Set<String> NO_PROPERTIES =
            Set.of("validate", "toString", "hashCode", "getClass", "notify", "notifyAll", "wait", "systemData");

    /** Fields that the vendor's classes call otherwise. */
    private static final Map<String, String> RENAMED = Map.of(
            "enableHttpsTrafficOnly", "supportsHttpsTrafficOnly",
            "networkRuleSet", "networkAcls",
            "typePropertiesType", "type");

    /** Secrets, which we do not publish, and the power states, which are of another list. */
    private static final Map<String, Set<String>> WITHHELD = Map.of(
            "azure_aks_cluster",
            Set.of("/servicePrincipalProfile/secret is withheld", "/windowsProfile/adminPassword is withheld"),
            "azure_disk",
            Set.of("/creationData/sourceUri is https://acc.blob.core.windows.net/vhds/d.vhd?sp=r&sig=canary-disk-sas,"
                    + " not \"https://acc.blob.core.windows.net/vhds/d.vhd\""),
            "azure_sql_server",
            Set.of("/administratorLoginPassword is withheld"),
            "azure_vm",
            Set.of(
                    "/applicationProfile/galleryApplications/configurationReference is withheld",
                    "/diagnosticsProfile/bootDiagnostics/storageUri is https://acc.blob.core.windows.net/x?sv=2024-01-01"
                            + "&sig=canary-sas-signature, not \"https://acc.blob.core.windows.net/x\"",
                    "/instanceView is unseen",
                    "/osProfile/adminPassword is withheld",
                    "/osProfile/customData is withheld",
                    "/osProfile/windowsConfiguration/additionalUnattendContent is withheld",
                    "/resources/protectedSettings is withheld",
                    "/resources/settings is withheld",
                    "/userData is withheld"),
            "azure_vm_scale_set",
            Set.of(
                    "/virtualMachineProfile/extensionProfile/extensions/settings is withheld",
                    "/virtualMachineProfile/osProfile/adminPassword is withheld",
                    "/virtualMachineProfile/userData is withheld"),
            "azure_web_app",
            Set.of(
                    "/siteConfig/appSettings/value is withheld",
                    "/siteConfig/connectionStrings/connectionString is withheld",
                    "/siteConfig/machineKey is withheld",
                    "/tags/* is InstrumentationKey=canary-insights;IngestionEndpoint="
                            + "https://eastus-0.in.applicationinsights.azure.com/, not \"\"",
                    "/tags/* is canary-insights, not \"\"",
                    "/tags/* is https://acc.blob.core.windows.net/packages/orders.zip?sp=r&sig=canary-tag-sas,"
                            + " not \"https://acc.blob.core.windows.net/packages/orders.zip\""));

    private ScriptedServer vendor;
    private RecordingPublisher published;

    /** What the vendor's classes say that the record does not, or otherwise; by kind. */
    private final Map<String, Set<String>> differences = new TreeMap<>();

    private int compared;

    @BeforeEach
    void readEverything() throws Exception {
        vendor = ScriptedServer.start(getClass());
        AzureVendor.script(vendor);
        published = fetch(vendor);
    }

    @AfterEach
    void stop() {
        vendor.close();
    }

    @Test
    void theVendorsOwnClientsAskTheSamePathsAndSeeWhatWePublish() throws Exception {
        Map<String, List<?>> seen = seenByTheVendor();
        assertThat(seen.keySet()).isEqualTo(AzureVendor.EXPECTED.keySet());
        for (Map.Entry<String, List<?>> kind : seen.entrySet()) {
            Map<String, JsonNode> ours = payloads(kind.getKey());
            assertThat(kind.getValue()).as(kind.getKey()).hasSize(ours.size());
            for (Object object : kind.getValue()) {
                String id = String.valueOf(read(object, "id")).toLowerCase(Locale.ROOT);
                assertThat(ours).as(kind.getKey()).containsKey(id);
                compare(kind.getKey(), object, ours.get(id), "");
            }
        }
        assertThat(compared).isGreaterThan(800);
        assertThat(differences).isEqualTo(WITHHELD);
    }

    @Test
    void theVendorsOwnClientSeesTheSamePowerStatesInTheSecondList() throws Exception {
        Map<String, JsonNode> ours = payloads("azure_vm");
        List<VirtualMachineInner> machines =
                all(compute(asWeAsk()).getVirtualMachines().list("true", null, null, Context.NONE));
        for (VirtualMachineInner machine : machines) {
            JsonNode machineOfOurs = ours.get(machine.id().toLowerCase(Locale.ROOT));
            compare("azure_vm", machine.instanceView(), machineOfOurs.at("/properties/instanceView"), "");
        }
        assertThat(compared).isPositive();
        // Only the states are taken from there.
        assertThat(differences).isEqualTo(Map.of("azure_vm", Set.of("/computerName is withheld")));
    }

    private Map<String, List<?>> seenByTheVendor() {
        HttpPipeline pipeline = asWeAsk();
        String url = vendor.url();
        String subscription = AzureVendor.SUBSCRIPTION;
        ComputeManagementClient compute = compute(pipeline);
        NetworkManagementClient network = new NetworkManagementClientBuilder()
                .pipeline(pipeline)
                .endpoint(url)
                .subscriptionId(subscription)
                .buildClient();
        ContainerServiceManagementClient containers = new ContainerServiceManagementClientBuilder()
                .pipeline(pipeline)
                .endpoint(url)
                .subscriptionId(subscription)
                .buildClient();
        SqlManagementClient sql = new SqlManagementClientBuilder()
                .pipeline(pipeline)
                .endpoint(url)
                .subscriptionId(subscription)
                .buildClient();
        WebSiteManagementClient web = new WebSiteManagementClientBuilder()
                .pipeline(pipeline)
                .endpoint(url)
                .subscriptionId(subscription)
                .buildClient();
        Map<String, List<?>> seen = new TreeMap<>();
        seen.put(
                "azure_subscription",
                List.of(new SubscriptionClientBuilder()
                        .pipeline(pipeline)
                        .endpoint(url)
                        .buildClient()
                        .getSubscriptions()
                        .get(subscription)));
        seen.put(
                "azure_resource_group",
                all(new ResourceManagementClientBuilder()
                        .pipeline(pipeline)
                        .endpoint(url)
                        .subscriptionId(subscription)
                        .buildClient()
                        .getResourceGroups()
                        .list()));
        seen.put("azure_vm", all(compute.getVirtualMachines().list()));
        seen.put("azure_vm_scale_set", all(compute.getVirtualMachineScaleSets().list()));
        seen.put("azure_disk", all(compute.getDisks().list()));
        seen.put("azure_vnet", all(network.getVirtualNetworks().list()));
        seen.put(
                "azure_subnet",
                network.getVirtualNetworks().list().stream()
                        .flatMap(vnet -> vnet.subnets() == null ? null : vnet.subnets().stream())
                        .toList());
        seen.put("azure_network_interface", all(network.getNetworkInterfaces().list()));
        seen.put("azure_public_ip", all(network.getPublicIpAddresses().list()));
        seen.put(
                "azure_network_security_group",
                all(network.getNetworkSecurityGroups().list()));
        seen.put("azure_load_balancer", all(network.getLoadBalancers().list()));
        seen.put(
                "azure_storage_account",
                all(new StorageManagementClientBuilder()
                        .pipeline(pipeline)
                        .endpoint(url)
                        .subscriptionId(subscription)
                        .buildClient()
                        .getStorageAccounts()
                        .list()));
        seen.put("azure_aks_cluster", all(containers.getManagedClusters().list()));
        seen.put("azure_aks_agent_pool", all(containers.getAgentPools().list("rg1", "clustername1")));
        seen.put("azure_sql_server", all(sql.getServers().list()));
        List<Object> databases = new ArrayList<>();
        for (String server : List.of("sqlcrudtest-4645", "sqlcrudtest-6661")) {
            databases.addAll(all(sql.getDatabases().listByServer("sqlcrudtest-7398", server)));
        }
        seen.put("azure_sql_database", databases);
        seen.put("azure_web_app", all(web.getWebApps().list()));
        return seen;
    }

    private ComputeManagementClient compute(HttpPipeline pipeline) {
        return new ComputeManagementClientBuilder()
                .pipeline(pipeline)
                .endpoint(vendor.url())
                .subscriptionId(AzureVendor.SUBSCRIPTION)
                .buildClient();
    }

    private static <T> List<T> all(Iterable<T> pages) {
        List<T> all = new ArrayList<>();
        pages.forEach(all::add);
        return all;
    }

    /**
     * The vendor's clients ask in the version of their release and in a letter case of their own; whether they ask the same
     * paths as we did, is looked at here.
     */
    private HttpPipeline asWeAsk() {
        Map<String, Asked> ours = new HashMap<>();
        vendor.asked().forEach(asked -> ours.put(asked.path().toLowerCase(Locale.ROOT), asked));
        HttpPipelinePolicy policy = (context, next) -> {
            HttpRequest request = context.getHttpRequest();
            UrlBuilder url = UrlBuilder.parse(request.getUrl());
            Asked same = ours.get(url.getPath().toLowerCase(Locale.ROOT));
            assertThat(same).as("the vendor asks %s, and we do not", url).isNotNull();
            url.setPath(same.path());
            url.setQueryParameter("api-version", same.parameters().get("api-version"));
            request.setUrl(url.toString());
            return next.process();
        };
        return new HttpPipelineBuilder()
                .httpClient(new JdkHttpClientBuilder().build())
                .policies(policy)
                .build();
    }

    /** Every property that a model of the vendor's hands out, with the field of the same name in the record. */
    private void compare(String kind, Object model, JsonNode ours, String path) throws Exception {
        for (Method property : model.getClass().getMethods()) {
            if (property.getParameterCount() > 0
                    || property.getReturnType() == void.class
                    || Modifier.isStatic(property.getModifiers())
                    || NO_PROPERTIES.contains(property.getName())
                    || property.getName().startsWith("innerModel")
                    || property.getName().startsWith("toJson")) {
                continue;
            }
            Object value = read(model, property.getName());
            JsonNode field = field(ours, property.getName());
            if (value != null || !field.isMissingNode()) {
                compareValue(kind, value, field, path + "/" + property.getName());
            }
        }
    }

    /** The vendor's classes lift what is in {@code properties} by one level, and write {@code Id} for {@code ID}. */
    private static JsonNode field(JsonNode object, String property) {
        if (RENAMED.containsKey(property) && object.path("properties").has(RENAMED.get(property))) {
            return object.path("properties").path(RENAMED.get(property));
        }
        for (JsonNode level : List.of(object, object.path("properties"))) {
            for (Map.Entry<String, JsonNode> field : level.properties()) {
                if (field.getKey().equalsIgnoreCase(property)) {
                    return field.getValue();
                }
            }
        }
        return MissingNode.getInstance();
    }

    private void compareValue(String kind, Object value, JsonNode ours, String path) throws Exception {
        if (value == null) {
            if (!ours.isNull() && !ours.isEmpty()) {
                differ(kind, path + " is unseen");
            }
        } else if (ours.isMissingNode() || ours.isNull()) {
            if (!(value instanceof List<?> list && list.isEmpty())
                    && !(value instanceof Map<?, ?> map && map.isEmpty())) {
                differ(kind, path + " is withheld");
            }
        } else if (value instanceof List<?> list) {
            if (list.size() != ours.size()) {
                differ(kind, path + " has " + list.size() + " items, not " + ours.size());
                return;
            }
            for (int i = 0; i < list.size(); i++) {
                compareValue(kind, list.get(i), ours.get(i), path);
            }
        } else if (value instanceof Map<?, ?> map) {
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                compareValue(kind, entry.getValue(), ours.path(String.valueOf(entry.getKey())), path + "/*");
            }
        } else if (isModel(value)) {
            compare(kind, value, ours, path);
        } else {
            compared++;
            if (!isSame(value, ours)) {
                differ(kind, path + " is " + value + ", not " + ours);
            }
        }
    }

    private static boolean isSame(Object value, JsonNode ours) {
        return switch (value) {
            case OffsetDateTime time -> time.toInstant().equals(instant(ours.asText()));
            case Number number -> number.doubleValue() == ours.doubleValue();
            default -> value.toString().equalsIgnoreCase(ours.asText());
        };
    }

    /** Some of Azure's services leave the zone out, and mean UTC. */
    private static Instant instant(String text) {
        return OffsetDateTime.parse(text.matches(".*(Z|[+-]\\d\\d:\\d\\d)") ? text : text + "Z")
                .toInstant();
    }

    private static boolean isModel(Object value) {
        return value.getClass().getName().startsWith("com.azure.")
                && !(value instanceof ExpandableStringEnum<?>)
                && !(value instanceof Enum<?>);
    }

    private void differ(String kind, String how) {
        differences.computeIfAbsent(kind, unused -> new TreeSet<>()).add(how);
    }

    private static Object read(Object model, String property) throws Exception {
        try {
            return model.getClass().getMethod(property).invoke(model);
        } catch (InvocationTargetException e) {
            throw new AssertionError(model.getClass().getSimpleName() + "." + property, e.getCause());
        }
    }

    private Map<String, JsonNode> payloads(String kind) throws Exception {
        Map<String, JsonNode> payloads = new HashMap<>();
        for (RecordingPublisher.Written record : published.sealedRecords()) {
            if (record.key().kind().equals(kind)) {
                JsonNode payload = JSON.readTree(record.payload());
                payloads.put(payload.path("id").asText().toLowerCase(Locale.ROOT), payload);
            }
        }
        return payloads;
    }

    @Test
    void everyObjectThatIsHandedOutHasAMapping() {
        assertThat(published.sealedRecords())
                .hasSize(AzureVendor.EXPECTED.values().stream()
                        .mapToInt(Integer::intValue)
                        .sum());
        assertThat(published.sealedRecords())
                .allSatisfy(record -> assertThat(Mappings.map(record.key().toString(), record.payload()))
                        .as(record.key().toString())
                        .isNotEmpty());
    }

    /** What became of the objects of an example, as it stands in the vendor's repository. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            Disk_ListBySubscription                  | azure_disk              | {mapped=3}
            ManagedClustersList                      | azure_aks_cluster       | {mapped=1}
            NetworkInterfaceListAll                  | azure_network_interface | {mapped=2}
            ServerList                               | azure_sql_server        | {mapped=2}
            ServerListWithExpandEqualsAdministrators | azure_sql_server        | {mapped=2}
            StorageAccountList                       | azure_storage_account   | {mapped=6}
            VirtualMachine_ListAll_MaximumSet_Gen    | azure_vm                | {mapped=2}
            VirtualMachine_ListAll_MinimumSet_Gen    | azure_vm                | {mapped=2}
            VirtualMachine_List_MaximumSet_Gen       | azure_vm                | {mapped=2}
            VirtualMachine_List_MinimumSet_Gen       | azure_vm                | {mapped=2}
            VirtualNetworkListAll                    | azure_vnet              | {mapped=2}
            """)
    void everyExampleOfTheVendorsMapsOrIsRejectedWithAReason(String example, String kind, String outcome)
            throws Exception {
        JsonNode body =
                JSON.readTree(vendor.text("examples/" + example + ".json")).at("/responses/200/body");
        // It names its next page on the vendor's own server.
        ((ObjectNode) body).remove("nextLink");
        Map<String, Integer> outcomes = new TreeMap<>();
        try (ScriptedServer azure = ScriptedServer.start(getClass())) {
            String path = vendor.asked().stream()
                    .filter(asked -> asked.path().toLowerCase(Locale.ROOT).endsWith(type(kind)))
                    .findFirst()
                    .orElseThrow()
                    .path();
            azure.on("GET /subscriptions", Answer.of(200, "{\"value\": []}"));
            azure.on("GET " + path, Answer.of(200, body.toString()));
            azure.on("GET " + path + "?statusOnly=true", Answer.of(200, "{\"value\": []}"));
            for (RecordingPublisher.Written record : fetch(azure).records()) {
                if (record.key().kind().equals(kind)) {
                    outcomes.merge(outcome(record), 1, Integer::sum);
                }
            }
        }
        assertThat(outcomes.toString()).isEqualTo(outcome);
    }

    private static String type(String kind) {
        return switch (kind) {
            case "azure_disk" -> "/disks";
            case "azure_aks_cluster" -> "/managedclusters";
            case "azure_network_interface" -> "/networkinterfaces";
            case "azure_sql_server" -> "/servers";
            case "azure_storage_account" -> "/storageaccounts";
            case "azure_vm" -> "/virtualmachines";
            default -> "/virtualnetworks";
        };
    }

    private static String outcome(RecordingPublisher.Written record) {
        try {
            return Mappings.map(record.key().toString(), record.payload()).isEmpty() ? "nothing" : "mapped";
        } catch (RejectedRecord e) {
            return e.getMessage();
        }
    }

    private static RecordingPublisher fetch(ScriptedServer server) throws InterruptedException {
        Map<String, String> settings =
                Map.of("AZURE_ENDPOINT_URL", server.url(), "AZURE_SUBSCRIPTION_IDS", AzureVendor.SUBSCRIPTION);
        try (TestRun<AzureClient> run =
                new TestRun<>(new AzureProvider(unused -> () -> "a-token"), Settings.of(settings), Set.of("canary-"))) {
            return run.everything();
        }
    }
}
