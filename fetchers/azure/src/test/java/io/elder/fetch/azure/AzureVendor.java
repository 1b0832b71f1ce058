package io.elder.fetch.azure;

import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.ScriptedServer;
import java.util.Map;

/** Azure's Resource Manager as the tests know it: subscriptions, each with the same few resources of every kind. */
public final class AzureVendor {
    public static final String SUBSCRIPTION = "11111111-2222-3333-4444-555555555555";

    /** Resources of a subscription. */
    public static final Map<String, Integer> EXPECTED = Map.ofEntries(
            Map.entry("azure_subscription", 1),
            Map.entry("azure_resource_group", 10),
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

    private final ScriptedServer server;
    private final String subscription;

    private AzureVendor(ScriptedServer server, String subscription) {
        this.server = server;
        this.subscription = subscription;
    }

    static void script(ScriptedServer server) {
        server.on("GET /subscriptions?api-version=2022-12-01", "subscriptions.json");
        script(server, SUBSCRIPTION);
    }

    /** Gives tokens out; Microsoft's library asks nowhere but by HTTPS. */
    public static void scriptAuthority(ScriptedServer server, String tenant) {
        server.on(
                "POST /" + tenant + "/oauth2/v2.0/token",
                Answer.of(200, "{\"token_type\": \"Bearer\", \"expires_in\": 3599, \"access_token\": \"canary-token\"}")
                        .header("Content-Type", "application/json"));
    }

    /** @param server whose fixtures are those beside this class */
    public static void script(ScriptedServer server, String subscription) {
        new AzureVendor(server, subscription).script();
    }

    private void script() {
        String of = "GET /subscriptions/" + subscription;
        page("azure_subscription", of + "?api-version=2022-12-01", "subscription");
        page("azure_resource_group", of + "/resourcegroups?api-version=2024-07-01", "resource-groups");
        String machines = path("Microsoft.Compute/virtualMachines", "2024-07-01");
        server.on(machines + "&statusOnly=true", answer("vm-statuses"));
        page("azure_vm", machines + "&statusOnly&$skiptoken", "vms-1");
        page("azure_vm", machines + "&statusOnly&$skiptoken=b2", "vms-2");
        list("azure_vm_scale_set", "Microsoft.Compute/virtualMachineScaleSets", "2024-07-01", "vm-scale-sets");
        String disks = path("Microsoft.Compute/disks", "2024-03-02");
        page("azure_disk", disks + "&$skiptoken", "disks-1");
        page("azure_disk", disks + "&$skiptoken=b2", "disks-2");
        list("azure_vnet", "Microsoft.Network/virtualNetworks", "2024-01-01", "vnets");
        // Never asked for: subnets come with their network.
        list("azure_subnet", "Microsoft.Network/virtualNetworks", "2024-01-01", "vnets");
        list("azure_network_interface", "Microsoft.Network/networkInterfaces", "2024-01-01", "network-interfaces");
        list("azure_public_ip", "Microsoft.Network/publicIPAddresses", "2024-01-01", "public-ips");
        list(
                "azure_network_security_group",
                "Microsoft.Network/networkSecurityGroups",
                "2024-01-01",
                "network-security-groups");
        list("azure_load_balancer", "Microsoft.Network/loadBalancers", "2024-01-01", "load-balancers");
        list("azure_storage_account", "Microsoft.Storage/storageAccounts", "2023-05-01", "storage-accounts");
        list("azure_aks_cluster", "Microsoft.ContainerService/managedClusters", "2024-05-01", "aks-clusters");
        page(
                "azure_aks_agent_pool",
                of + "/resourcegroups/rg1/providers/Microsoft.ContainerService/managedClusters/clustername1"
                        + "/agentPools?api-version=2024-05-01",
                "agent-pools");
        list("azure_sql_server", "Microsoft.Sql/servers", "2021-11-01", "sql-servers");
        String servers = of + "/resourceGroups/sqlcrudtest-7398/providers/Microsoft.Sql/servers/";
        page("azure_sql_database", servers + "sqlcrudtest-4645/databases?api-version=2021-11-01", "sql-databases");
        page("azure_sql_database", servers + "sqlcrudtest-6661/databases?api-version=2021-11-01", "no-sql-databases");
        list("azure_web_app", "Microsoft.Web/sites", "2024-04-01", "web-apps");
    }

    private String path(String type, String version) {
        return "GET /subscriptions/" + subscription + "/providers/" + type + "?api-version=" + version;
    }

    private void list(String kind, String type, String version, String fixture) {
        page(kind, path(type, version), fixture);
    }

    private void page(String kind, String request, String fixture) {
        server.page(kind, request, answer(fixture));
    }

    private Answer answer(String fixture) {
        return Answer.of(200, server.text(fixture + ".json").replace(SUBSCRIPTION, subscription))
                .header("Content-Type", "application/json; charset=utf-8");
    }
}
