package io.elder.fetch.azure;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.JobFields;
import io.elder.fetch.Out;
import io.elder.fetch.Page;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.Requests;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.http.HttpFailure;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import javax.net.ssl.SSLException;

/** Microsoft Azure, by the REST API of its Resource Manager: a row is a kind, a type and a version of its API. */
public final class AzureProvider implements Provider<AzureClient> {
    private static final String SUBSCRIPTIONS = "2022-12-01";
    private static final String GROUPS = "2024-07-01";
    private static final String COMPUTE = "2024-07-01";
    private static final String DISKS = "2024-03-02";
    private static final String NETWORK = "2024-01-01";
    private static final String STORAGE = "2023-05-01";
    private static final String AKS = "2024-05-01";
    private static final String SQL = "2021-11-01";
    private static final String WEB = "2024-04-01";

    /**
     * States in which resources can be read and are kept running.
     *
     * @see <a href="https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states">states</a>
     */
    private static final Set<String> LIVE = Set.of("Enabled", "Warned", "PastDue");

    private final Function<AzureSettings, TokenSource> tokens;

    public AzureProvider() {
        this(AzureCredentials::new);
    }

    AzureProvider(Function<AzureSettings, TokenSource> tokens) {
        this.tokens = tokens;
    }

    @Override
    public String name() {
        return "azure";
    }

    @Override
    public String title() {
        return "Azure";
    }

    @Override
    public void readSettings(Settings settings) {
        AzureSettings.from(settings);
    }

    @Override
    public JobFields jobFields() {
        return JobFields.USUAL
                .whoIsAsked("CLOUD", "AUTHORITY_HOST")
                .whoAsks(
                        "TENANT_ID",
                        "TENANTID",
                        "TENANT",
                        "CLIENT_ID",
                        "CLIENTID",
                        "APPID",
                        "CLIENT_SECRET",
                        "CLIENTSECRET",
                        "CLIENT_CERTIFICATE_PATH",
                        "CLIENT_CERTIFICATE_PASSWORD",
                        "FEDERATED_TOKEN_FILE",
                        "USE_MANAGED_IDENTITY");
    }

    @Override
    public AzureClient connect(Settings settings) throws Exception {
        AzureSettings azure = AzureSettings.from(settings);
        settings.check();
        AzureClient client = new AzureClient(azure, tokens.apply(azure));
        try {
            client.page("/subscriptions", SUBSCRIPTIONS, "", null);
        } catch (Exception e) {
            client.close();
            throw e;
        }
        return client;
    }

    @Override
    public boolean isShareable() {
        return true;
    }

    /** A list of the Resource Manager is of a subscription, so a subscription is a partition, and regions are not. */
    @Override
    public List<Partition> partitions(AzureClient azure, Requests requests) throws Exception {
        List<String> ids = new ArrayList<>(azure.settings().subscriptions());
        if (ids.isEmpty()) {
            requests.pages(nextLink -> azure.page("/subscriptions", SUBSCRIPTIONS, "", nextLink), subscription -> {
                if (LIVE.contains(subscription.path("state").asText())) {
                    ids.add(lower(subscription.path("subscriptionId").asText()));
                }
            });
        }
        if (ids.isEmpty()) {
            throw ReadFailure.stop(
                    StopReason.FORBIDDEN,
                    "no subscription that is enabled can be read (expected: the role Reader on one or more)");
        }
        return ids.stream().distinct().map(Partition::global).toList();
    }

    @Override
    public List<Resource<AzureClient>> resources() {
        Resource<AzureClient> vnets = list("azure_vnet", "Microsoft.Network/virtualNetworks", NETWORK);
        Resource<AzureClient> clusters = list("azure_aks_cluster", "Microsoft.ContainerService/managedClusters", AKS);
        Resource<AzureClient> servers = list("azure_sql_server", "Microsoft.Sql/servers", SQL);
        return List.of(
                Resource.root(
                        "azure_subscription",
                        object -> lower(object.path("subscriptionId").asText()),
                        (azure, where, out) -> out.accept(out.request(() -> azure.get(of(where), SUBSCRIPTIONS)))),
                Resource.root(
                        "azure_resource_group",
                        AzureProvider::id,
                        (azure, where, out) ->
                                out.pages(nextLink -> azure.page(of(where) + "/resourcegroups", GROUPS, "", nextLink))),
                Resource.root("azure_vm", AzureProvider::id, AzureProvider::fetchMachines),
                list("azure_vm_scale_set", "Microsoft.Compute/virtualMachineScaleSets", COMPUTE),
                list("azure_disk", "Microsoft.Compute/disks", DISKS),
                vnets,
                // They come whole with their network.
                Resource.child(vnets, "azure_subnet", AzureProvider::id, (azure, where, vnet, out) -> {
                    for (JsonNode subnet : vnet.at("/properties/subnets")) {
                        accept(within(vnet, (ObjectNode) subnet), out);
                    }
                }),
                list("azure_network_interface", "Microsoft.Network/networkInterfaces", NETWORK),
                list("azure_public_ip", "Microsoft.Network/publicIPAddresses", NETWORK),
                list("azure_network_security_group", "Microsoft.Network/networkSecurityGroups", NETWORK),
                list("azure_load_balancer", "Microsoft.Network/loadBalancers", NETWORK),
                list("azure_storage_account", "Microsoft.Storage/storageAccounts", STORAGE),
                clusters,
                child(clusters, "azure_aks_agent_pool", "/agentPools", AKS),
                servers,
                child(servers, "azure_sql_database", "/databases", SQL),
                list("azure_web_app", "Microsoft.Web/sites", WEB));
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case HttpFailure answer -> classify(answer);
            case SSLException e -> new Verdict.Stop(StopReason.TLS, String.valueOf(e.getMessage()));
            case IOException unused -> new Verdict.RetryWithBackoff();
            // What an answer holds where something else belongs.
            case IllegalArgumentException e -> new Verdict.Stop(StopReason.BAD_RESPONSE, e.getMessage());
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    private static Verdict classify(HttpFailure answer) {
        return switch (AzureClient.code(answer)) {
            // A token lives for about an hour, a reading may take longer.
            case "ExpiredAuthenticationToken" -> new Verdict.StartOver();
            case "SubscriptionNotFound", "ResourceGroupNotFound", "ResourceNotFound" -> new Verdict.Gone();
            default -> answer.verdict();
        };
    }

    /**
     * A principal may make 25 reads a second in a subscription for long.
     *
     * @see <a href="https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling">limits</a>
     */
    @Override
    public double requestsPerSecond() {
        return 20;
    }

    @Override
    public String identity(AzureClient azure) throws Exception {
        int count =
                azure.page("/subscriptions", SUBSCRIPTIONS, "", null).items().size();
        return azure.principal() + ", who may read " + count + (count == 1 ? " subscription" : " subscriptions");
    }

    private static Resource<AzureClient> list(String kind, String type, String version) {
        return Resource.root(
                kind,
                AzureProvider::id,
                (azure, where, out) -> out.pages(
                        nextLink -> azure.page(of(where) + "/providers/" + type, version, "", nextLink),
                        object -> accept(object, out)));
    }

    private static Resource<AzureClient> child(
            Resource<AzureClient> parent, String kind, String segment, String version) {
        return Resource.child(
                parent,
                kind,
                AzureProvider::id,
                (azure, where, above, out) -> out.pages(
                        nextLink -> azure.page(above.path("id").asText() + segment, version, "", nextLink),
                        object -> accept(within(above, object), out)));
    }

    /** What has no place of its own is where its parent is. */
    private static ObjectNode within(JsonNode parent, ObjectNode object) {
        if (!object.has("location") && parent.has("location")) {
            object.set("location", parent.get("location"));
        }
        return object;
    }

    /**
     * The list of machines has no power states; a second list, with {@code statusOnly}, has little else. {@code $expand}
     * has both, but only together with a filter for one scale set.
     *
     * @see <a href="https://learn.microsoft.com/rest/api/compute/virtual-machines/list-all">List All</a>
     */
    private static void fetchMachines(AzureClient azure, Partition where, Out out) throws Exception {
        String path = of(where) + "/providers/Microsoft.Compute/virtualMachines";
        Statuses statuses = new Statuses(out, nextLink -> azure.page(path, COMPUTE, "&statusOnly=true", nextLink));
        out.pages(nextLink -> azure.page(path, COMPUTE, "", nextLink), machine -> {
            JsonNode seen = statuses.of(id(machine));
            if (seen.isArray()) {
                machine.withObject("/properties/instanceView").set("statuses", seen);
            }
            accept(machine, out);
        });
    }

    /**
     * Of the machines of a subscription, read only as far as they are asked for: as a rule both lists have the same order, and
     * a subscription has more machines than memory has room for.
     */
    private static final class Statuses {
        private final Requests requests;
        private final Requests.PageRequest<ObjectNode> list;
        private final Map<String, JsonNode> ahead = new HashMap<>();
        private final Set<String> links = new HashSet<>();
        private String next;
        private boolean isRead;

        Statuses(Requests requests, Requests.PageRequest<ObjectNode> list) {
            this.requests = requests;
            this.list = list;
        }

        /** Missing for a machine that appeared meanwhile. */
        JsonNode of(String machine) throws Exception {
            while (!isRead && !ahead.containsKey(machine)) {
                Page<ObjectNode> page = requests.request(() -> list.send(next));
                for (ObjectNode each : page.items()) {
                    ahead.put(id(each), each.at("/properties/instanceView/statuses"));
                }
                next = page.next();
                isRead = next == null || next.isEmpty();
                if (!isRead && !links.add(next)) {
                    throw new IllegalArgumentException("a list of states names the same next page twice");
                }
            }
            JsonNode statuses = ahead.remove(machine);
            return statuses == null ? MissingNode.getInstance() : statuses;
        }
    }

    private static void accept(ObjectNode object, Out out) {
        Redaction.redact(object);
        out.accept(object);
    }

    private static String of(Partition where) {
        return "/subscriptions/" + where.account();
    }

    /** Ids come back in whatever case somebody once wrote them in: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules */
    private static String id(JsonNode object) {
        return lower(object.path("id").asText());
    }

    private static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
    }
}
