package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.DATA_STORES;
import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.NETWORKING_RESOURCES;
import static io.elder.schemas.ElderTable.NETWORK_ENTITY_MAPPINGS;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;
import static io.elder.schemas.ElderTable.SERVICES;
import static java.util.Map.entry;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.elder.schemas.ElderTable;
import io.elder.schemas.ResourceKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Function;

/** Microsoft Azure, as its Resource Manager lists it. */
public final class AzureMapping implements Mapping {
    private static final long GIB = 1L << 30;

    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.ofEntries(
            entry("azure_aks_agent_pool", AzureMapping::agentPool),
            entry("azure_aks_cluster", AzureMapping::cluster),
            entry("azure_disk", AzureMapping::disk),
            entry("azure_load_balancer", AzureMapping::loadBalancer),
            entry("azure_network_interface", AzureMapping::networkInterface),
            entry("azure_network_security_group", AzureMapping::securityGroup),
            entry("azure_public_ip", AzureMapping::publicIp),
            entry("azure_resource_group", AzureMapping::resourceGroup),
            entry("azure_sql_database", AzureMapping::sqlDatabase),
            entry("azure_sql_server", AzureMapping::sqlServer),
            entry("azure_storage_account", AzureMapping::storageAccount),
            entry("azure_subnet", AzureMapping::subnet),
            entry("azure_subscription", AzureMapping::subscription),
            entry("azure_vm", AzureMapping::machine),
            entry("azure_vm_scale_set", AzureMapping::scaleSet),
            entry("azure_vnet", AzureMapping::network),
            entry("azure_web_app", AzureMapping::webApp)));

    /** What an id may lead to, by the Resource Manager's type in lower case. */
    private static final Map<String, Target> TYPES = Map.ofEntries(
            entry("microsoft.compute/disks", new Target("azure_disk", DATA_STORES)),
            entry("microsoft.compute/virtualmachines", new Target("azure_vm", ENTITIES)),
            entry("microsoft.compute/virtualmachinescalesets", new Target("azure_vm_scale_set", ENTITIES)),
            entry("microsoft.containerservice/managedclusters", new Target("azure_aks_cluster", ENTITIES)),
            entry(
                    "microsoft.containerservice/managedclusters/agentpools",
                    new Target("azure_aks_agent_pool", ENTITIES)),
            entry("microsoft.network/loadbalancers", new Target("azure_load_balancer", NETWORKING_RESOURCES)),
            entry("microsoft.network/networkinterfaces", new Target("azure_network_interface", NETWORKING_RESOURCES)),
            entry(
                    "microsoft.network/networksecuritygroups",
                    new Target("azure_network_security_group", NETWORKING_RESOURCES)),
            entry("microsoft.network/publicipaddresses", new Target("azure_public_ip", NETWORKING_RESOURCES)),
            entry("microsoft.network/virtualnetworks", new Target("azure_vnet", NETWORKING_RESOURCES)),
            entry("microsoft.network/virtualnetworks/subnets", new Target("azure_subnet", NETWORKING_RESOURCES)),
            entry("microsoft.sql/servers", new Target("azure_sql_server", DATA_STORES)),
            entry("microsoft.sql/servers/databases", new Target("azure_sql_database", DATA_STORES)),
            entry("microsoft.storage/storageaccounts", new Target("azure_storage_account", DATA_STORES)),
            entry("microsoft.web/sites", new Target("azure_web_app", SERVICES)));

    private record Target(String kind, ElderTable table) {}

    /** A row that stands for something. */
    private record Place(ResourceKey key, ElderTable table) {}

    @Override
    public String provider() {
        return "azure";
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> subscription(Raw raw) {
        String state = raw.text("state");
        // https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states
        boolean isActive =
                switch (state) {
                    case "Enabled", "Warned", "PastDue" -> true;
                    case "Disabled", "Deleted" -> false;
                    default -> throw new UnmappedValue("state", state, "Enabled, Warned, PastDue, Disabled or Deleted");
                };
        ResourceKey root = new ResourceKey("azure", "*", "azure", "azure");
        Output.Builder row = Output.row(ORGANIZATIONS, raw.key().toString())
                .set(
                        "name",
                        Output.within(
                                255,
                                "Azure Subscription: "
                                        + raw.maybeText("displayName")
                                                .orElse(raw.key().account())))
                .set("type", "cloud_account")
                .set("cloud_provider", "azure")
                .set("cloud_account_id", raw.text("subscriptionId"))
                .set("is_active", isActive)
                .refer("parent", root)
                .attribute("provider", "azure")
                .attribute("subscription_id", raw.text("subscriptionId"))
                .attribute("display_name", raw.maybeText("displayName"))
                .attribute("tenant_id", raw.maybeText("tenantId"))
                .attribute("state", state)
                .attribute("offer", raw.in("subscriptionPolicies").maybeText("quotaId"));
        tags(raw, row);
        return List.of(
                Output.row(ORGANIZATIONS, root.toString())
                        .set("name", "Azure")
                        .set("type", "cloud")
                        .set("cloud_provider", "azure")
                        .set("is_active", true)
                        .attribute("provider", "azure")
                        .build(),
                row.build());
    }

    private static List<Output> resourceGroup(Raw raw) {
        Output.Builder row = Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, name(raw)))
                .set("type", "resource_group")
                .set("cloud_provider", "azure")
                .set("cloud_account_id", raw.key().account())
                .set("region", location(raw))
                .set("is_active", true)
                .refer("parent", subscription(raw.key().account()))
                .attribute("provider", "azure")
                .attribute("resource_id", raw.text("id"))
                .attribute("location", location(raw))
                .attribute("managed_by", raw.maybeText("managedBy"))
                .attribute("provisioning_state", raw.in("properties").maybeText("provisioningState"));
        tags(raw, row);
        return List.of(row.build());
    }

    private static List<Output> machine(Raw raw) {
        Raw properties = raw.in("properties");
        Raw storage = properties.in("storageProfile");
        Raw image = storage.in("imageReference");
        Optional<String> power = power(properties.in("instanceView"));
        return List.of(entity(raw, "azure_vm")
                .set("status", power)
                .attribute("vm_id", properties.maybeText("vmId"))
                .attribute("vm_size", properties.in("hardwareProfile").maybeText("vmSize"))
                .attribute("os_type", storage.in("osDisk").maybeText("osType"))
                .attribute("power_state", power)
                .attribute("computer_name", properties.in("osProfile").maybeText("computerName"))
                .attribute("image_publisher", image.maybeText("publisher"))
                .attribute("image_offer", image.maybeText("offer"))
                .attribute("image_sku", image.maybeText("sku"))
                .attribute("image_id", image.maybeText("id"))
                .attribute("license_type", properties.maybeText("licenseType"))
                .attribute("priority", properties.maybeText("priority"))
                .attribute("availability_set", properties.in("availabilitySet").maybeText("id"))
                .attribute(
                        "vm_scale_set", properties.in("virtualMachineScaleSet").maybeText("id"))
                .attribute("zones", some(raw.texts("zones")))
                .attribute("principal_id", raw.in("identity").maybeText("principalId"))
                .attribute("created", properties.maybeText("timeCreated"))
                .tags("azure", "vm", "compute")
                .build());
    }

    /** https://learn.microsoft.com/azure/virtual-machines/states-billing */
    private static Optional<String> power(Raw instanceView) {
        for (Raw status : instanceView.objects("statuses")) {
            String code = status.maybeText("code").orElse("");
            if (code.startsWith("PowerState/")) {
                String state = code.substring("PowerState/".length());
                return switch (state) {
                    case "starting", "running", "stopping", "stopped", "deallocating", "deallocated", "unknown" ->
                        Optional.of(state);
                    default ->
                        throw new UnmappedValue(
                                "properties.instanceView.statuses.code",
                                code,
                                "PowerState/ and starting, running, stopping, stopped, deallocating, deallocated or"
                                        + " unknown");
                };
            }
        }
        return Optional.empty();
    }

    private static List<Output> scaleSet(Raw raw) {
        Raw properties = raw.in("properties");
        Raw machine = properties.in("virtualMachineProfile");
        Raw storage = machine.in("storageProfile");
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, "azure_vm_scale_set")
                .set("status", state(properties))
                .attribute("unique_id", properties.maybeText("uniqueId"))
                .attribute("vm_size", raw.in("sku").maybeText("name"))
                .attribute("capacity", raw.in("sku").maybeWhole("capacity"))
                .attribute("orchestration_mode", properties.maybeText("orchestrationMode"))
                .attribute("upgrade_mode", properties.in("upgradePolicy").maybeText("mode"))
                .attribute("os_type", storage.in("osDisk").maybeText("osType"))
                .attribute("image_publisher", storage.in("imageReference").maybeText("publisher"))
                .attribute("image_offer", storage.in("imageReference").maybeText("offer"))
                .attribute("image_sku", storage.in("imageReference").maybeText("sku"))
                .attribute("zones", some(raw.texts("zones")))
                .attribute("created", properties.maybeText("timeCreated"))
                .tags("azure", "vm-scale-set", "compute")
                .build());
        TreeSet<String> subnets = new TreeSet<>();
        TreeSet<String> groups = new TreeSet<>();
        TreeSet<String> balancers = new TreeSet<>();
        for (Raw card : machine.in("networkProfile").objects("networkInterfaceConfigurations")) {
            Raw of = card.in("properties");
            id(of, "networkSecurityGroup").ifPresent(groups::add);
            for (Raw address : of.objects("ipConfigurations")) {
                id(address.in("properties"), "subnet").ifPresent(subnets::add);
                balancers.addAll(ids(address.in("properties").objects("loadBalancerBackendAddressPools")));
            }
        }
        Place self = new Place(raw.key(), ENTITIES);
        toEach(raw, rows, self, subnets, "attached");
        toEach(raw, rows, self, groups, "secured_by");
        toEach(raw, rows, self, balancers, "routed_through");
        return rows;
    }

    private static List<Output> disk(Raw raw) {
        Raw properties = raw.in("properties");
        Optional<Long> gib = properties.maybeWhole("diskSizeGB");
        List<Output> rows = new ArrayList<>();
        rows.add(dataStore(raw, "disk")
                .set("size_bytes", properties.maybeWhole("diskSizeBytes").or(() -> gib.map(size -> size * GIB)))
                .set(
                        "encryption_at_rest",
                        properties.in("encryption").maybeText("type").map(unused -> true))
                .attribute("disk_size_gb", gib)
                .attribute("disk_state", properties.maybeText("diskState"))
                .attribute("sku_name", raw.in("sku").maybeText("name"))
                .attribute("os_type", properties.maybeText("osType"))
                .attribute("encryption_type", properties.in("encryption").maybeText("type"))
                .attribute("create_option", properties.in("creationData").maybeText("createOption"))
                .attribute("iops", properties.maybeWhole("diskIOPSReadWrite"))
                .attribute("zones", some(raw.texts("zones")))
                .attribute("managed_by", raw.maybeText("managedBy"))
                .attribute("created", properties.maybeText("timeCreated"))
                .tags("azure", "disk", "storage")
                .build());
        TreeSet<String> holders = new TreeSet<>(raw.texts("managedByExtended"));
        raw.maybeText("managedBy").ifPresent(holders::add);
        toEach(raw, rows, new Place(raw.key(), DATA_STORES), holders, "attached_to");
        return rows;
    }

    private static List<Output> network(Raw raw) {
        Raw properties = raw.in("properties");
        List<Output> rows = new ArrayList<>();
        rows.add(networking(raw, "other")
                .attribute("address_space", properties.in("addressSpace").texts("addressPrefixes"))
                .attribute("subnets_count", properties.objects("subnets").size())
                .attribute("dns_servers", some(properties.in("dhcpOptions").texts("dnsServers")))
                .attribute("ddos_protection", properties.maybeYes("enableDdosProtection"))
                .tags("azure", "vnet", "network")
                .build());
        TreeSet<String> peers = new TreeSet<>();
        for (Raw peering : properties.objects("virtualNetworkPeerings")) {
            id(peering.in("properties"), "remoteVirtualNetwork").ifPresent(peers::add);
        }
        toEach(raw, rows, new Place(raw.key(), NETWORKING_RESOURCES), peers, "connected_to");
        return rows;
    }

    private static List<Output> subnet(Raw raw) {
        Raw properties = raw.in("properties");
        String id = raw.text("id");
        List<String> prefixes = properties.texts("addressPrefixes");
        List<Output> rows = new ArrayList<>();
        Output.Builder row = networking(raw, "subnet")
                .attribute(
                        "address_prefixes",
                        prefixes.isEmpty()
                                ? properties.maybeText("addressPrefix").stream().toList()
                                : prefixes)
                .attribute("network_security_group", id(properties, "networkSecurityGroup"))
                .attribute("route_table", id(properties, "routeTable"))
                .attribute("nat_gateway", id(properties, "natGateway"))
                .tags("azure", "subnet", "network");
        int end = id.toLowerCase(Locale.ROOT).lastIndexOf("/subnets/");
        place(end < 0 ? "" : id.substring(0, end)).ifPresent(network -> row.refer("parent", network.key()));
        rows.add(row.build());
        id(properties, "networkSecurityGroup")
                .ifPresent(group ->
                        toEach(raw, rows, new Place(raw.key(), NETWORKING_RESOURCES), List.of(group), "secured_by"));
        return rows;
    }

    /** A machine knows its interfaces and nothing more; an interface knows the rest, so the links of both are here. */
    private static List<Output> networkInterface(Raw raw) {
        Raw properties = raw.in("properties");
        List<String> privateIps = new ArrayList<>();
        TreeSet<String> subnets = new TreeSet<>();
        TreeSet<String> publicIps = new TreeSet<>();
        TreeSet<String> balancers = new TreeSet<>();
        Optional<String> home = Optional.empty();
        for (Raw configuration : properties.objects("ipConfigurations")) {
            Raw address = configuration.in("properties");
            address.maybeText("privateIPAddress").ifPresent(privateIps::add);
            Optional<String> subnet = id(address, "subnet");
            subnet.ifPresent(subnets::add);
            if (home.isEmpty() || address.maybeYes("primary").orElse(false)) {
                home = subnet.or(() -> Optional.empty());
            }
            id(address, "publicIPAddress").ifPresent(publicIps::add);
            balancers.addAll(ids(address.objects("loadBalancerBackendAddressPools")));
        }
        Optional<String> group = id(properties, "networkSecurityGroup");
        Optional<String> machine = id(properties, "virtualMachine");
        Output.Builder row = networking(raw, "other")
                .attribute("private_ip", privateIps.stream().findFirst())
                .attribute("private_ips", some(privateIps))
                .attribute("public_ips", some(List.copyOf(publicIps)))
                .attribute("mac_address", properties.maybeText("macAddress"))
                .attribute("subnet_id", home)
                .attribute("network_security_group", group)
                .attribute("virtual_machine", machine)
                .attribute("ip_forwarding", properties.maybeYes("enableIPForwarding"))
                .attribute("primary", properties.maybeYes("primary"))
                .tags("azure", "network-interface", "network");
        home.flatMap(AzureMapping::place).ifPresent(subnet -> row.refer("parent", subnet.key()));
        List<Output> rows = new ArrayList<>();
        rows.add(row.build());
        Place self = new Place(raw.key(), NETWORKING_RESOURCES);
        group.ifPresent(id -> toEach(raw, rows, self, List.of(id), "secured_by"));
        Optional<Place> holder = machine.flatMap(AzureMapping::place);
        if (holder.isPresent()) {
            toEach(raw, rows, self, List.of(machine.get()), "attached");
            toEach(raw, rows, holder.get(), subnets, "attached");
            toEach(raw, rows, holder.get(), publicIps, "attached");
            group.ifPresent(id -> toEach(raw, rows, holder.get(), List.of(id), "secured_by"));
            toEach(raw, rows, holder.get(), balancers, "routed_through");
        } else {
            toEach(raw, rows, self, balancers, "connected_to");
        }
        return rows;
    }

    private static List<Output> publicIp(Raw raw) {
        Raw properties = raw.in("properties");
        Optional<String> holder = id(properties, "ipConfiguration");
        List<Output> rows = new ArrayList<>();
        rows.add(networking(raw, "other")
                .attribute("ip_address", properties.maybeText("ipAddress"))
                .attribute("allocation_method", properties.maybeText("publicIPAllocationMethod"))
                .attribute("ip_version", properties.maybeText("publicIPAddressVersion"))
                .attribute("fqdn", properties.in("dnsSettings").maybeText("fqdn"))
                .attribute("sku_name", raw.in("sku").maybeText("name"))
                .attribute("attached_to", holder)
                .attribute("zones", some(raw.texts("zones")))
                .tags("azure", "public-ip", "network")
                .build());
        holder.ifPresent(
                id -> toEach(raw, rows, new Place(raw.key(), NETWORKING_RESOURCES), List.of(id), "attached_to"));
        return rows;
    }

    private static List<Output> securityGroup(Raw raw) {
        List<Map<String, Object>> rules = new ArrayList<>();
        for (Raw rule : raw.in("properties").objects("securityRules")) {
            Raw of = rule.in("properties");
            Map<String, Object> one = new TreeMap<>();
            one.put("name", rule.maybeText("name").orElse(""));
            of.maybeWhole("priority").ifPresent(priority -> one.put("priority", priority));
            for (String field : List.of("direction", "access", "protocol")) {
                of.maybeText(field).ifPresent(value -> one.put(field, value));
            }
            one.put("source", either(of, "sourceAddressPrefix"));
            one.put("destination", either(of, "destinationAddressPrefix"));
            one.put("ports", either(of, "destinationPortRange"));
            rules.add(one);
        }
        return List.of(networking(raw, "firewall")
                .attribute("rules_count", rules.size())
                .attribute("rules", some(rules))
                .tags("azure", "network-security-group", "network")
                .build());
    }

    /** A rule has one of something, or a list of it under the name's plural. */
    private static List<String> either(Raw rule, String field) {
        List<String> several = rule.texts(field.endsWith("x") ? field + "es" : field + "s");
        return several.isEmpty() ? rule.maybeText(field).stream().toList() : several;
    }

    private static List<Output> loadBalancer(Raw raw) {
        Raw properties = raw.in("properties");
        List<String> privateIps = new ArrayList<>();
        TreeSet<String> ends = new TreeSet<>();
        for (Raw front : properties.objects("frontendIPConfigurations")) {
            front.in("properties").maybeText("privateIPAddress").ifPresent(privateIps::add);
            id(front.in("properties"), "publicIPAddress").ifPresent(ends::add);
            id(front.in("properties"), "subnet").ifPresent(ends::add);
        }
        List<Long> ports = properties.objects("loadBalancingRules").stream()
                .flatMap(rule -> rule.in("properties").maybeWhole("frontendPort").stream())
                .distinct()
                .sorted()
                .toList();
        List<Output> rows = new ArrayList<>();
        rows.add(networking(raw, "load_balancer")
                .attribute("sku_name", raw.in("sku").maybeText("name"))
                .attribute("private_ips", some(privateIps))
                .attribute("ports", some(ports))
                .attribute(
                        "backend_pools",
                        some(properties.objects("backendAddressPools").stream()
                                .flatMap(pool -> pool.maybeText("name").stream())
                                .toList()))
                .tags("azure", "load-balancer", "network")
                .build());
        toEach(raw, rows, new Place(raw.key(), NETWORKING_RESOURCES), ends, "uses");
        return rows;
    }

    private static List<Output> storageAccount(Raw raw) {
        Raw properties = raw.in("properties");
        String kind = raw.text("kind");
        String type =
                switch (kind) {
                    case "Storage", "StorageV2", "BlobStorage", "BlockBlobStorage" ->
                        properties.maybeYes("isHnsEnabled").orElse(false) ? "data_lake" : "azure_blob";
                    case "FileStorage" -> "nas";
                    default ->
                        throw new UnmappedValue(
                                "kind", kind, "Storage, StorageV2, BlobStorage, BlockBlobStorage or FileStorage");
                };
        Raw endpoints = properties.in("primaryEndpoints");
        List<Output> rows = new ArrayList<>();
        rows.add(dataStore(raw, type)
                // Azure encrypts every account, and can't be told not to.
                .set("encryption_at_rest", true)
                .attribute("kind", kind)
                .attribute("sku_name", raw.in("sku").maybeText("name"))
                .attribute("access_tier", properties.maybeText("accessTier"))
                .attribute("https_only", properties.maybeYes("supportsHttpsTrafficOnly"))
                .attribute("minimum_tls_version", properties.maybeText("minimumTlsVersion"))
                .attribute("allow_blob_public_access", properties.maybeYes("allowBlobPublicAccess"))
                .attribute("public_network_access", properties.maybeText("publicNetworkAccess"))
                .attribute("key_source", properties.in("encryption").maybeText("keySource"))
                .attribute("blob_endpoint", endpoints.maybeText("blob"))
                .attribute("file_endpoint", endpoints.maybeText("file"))
                .attribute("created", properties.maybeText("creationTime"))
                .tags("azure", "storage-account", "storage")
                .build());
        toEach(
                raw,
                rows,
                new Place(raw.key(), DATA_STORES),
                new TreeSet<>(ids(properties.in("networkAcls").objects("virtualNetworkRules"))),
                "connected_to");
        return rows;
    }

    private static List<Output> cluster(Raw raw) {
        Raw properties = raw.in("properties");
        Optional<String> power = properties.in("powerState").maybeText("code");
        Optional<String> status = power.isPresent() ? power.map(AzureMapping::clusterPower) : state(properties);
        List<Raw> pools = properties.objects("agentPoolProfiles");
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, "kubernetes_cluster")
                .set("status", status)
                .attribute("kubernetes_version", properties.maybeText("kubernetesVersion"))
                .attribute("current_kubernetes_version", properties.maybeText("currentKubernetesVersion"))
                .attribute("fqdn", properties.maybeText("fqdn").or(() -> properties.maybeText("privateFQDN")))
                .attribute("node_resource_group", properties.maybeText("nodeResourceGroup"))
                .attribute("network_plugin", properties.in("networkProfile").maybeText("networkPlugin"))
                .attribute("pod_cidr", properties.in("networkProfile").maybeText("podCidr"))
                .attribute("service_cidr", properties.in("networkProfile").maybeText("serviceCidr"))
                .attribute("rbac", properties.maybeYes("enableRBAC"))
                .attribute("agent_pools_count", pools.size())
                .attribute("sku_tier", raw.in("sku").maybeText("tier"))
                .tags("azure", "aks", "kubernetes")
                .build());
        TreeSet<String> subnets = new TreeSet<>();
        pools.forEach(pool -> pool.maybeText("vnetSubnetID").ifPresent(subnets::add));
        toEach(raw, rows, new Place(raw.key(), ENTITIES), subnets, "attached");
        return rows;
    }

    private static String clusterPower(String code) {
        return switch (code) {
            case "Running" -> "running";
            case "Stopped" -> "stopped";
            default -> throw new UnmappedValue("properties.powerState.code", code, "Running or Stopped");
        };
    }

    private static List<Output> agentPool(Raw raw) {
        Raw properties = raw.in("properties");
        Optional<String> power = properties.in("powerState").maybeText("code");
        Output.Builder row = entity(raw, "kubernetes_node_pool")
                .set("status", power.isPresent() ? power.map(AzureMapping::clusterPower) : state(properties))
                .attribute("vm_size", properties.maybeText("vmSize"))
                .attribute("count", properties.maybeWhole("count"))
                .attribute("min_count", properties.maybeWhole("minCount"))
                .attribute("max_count", properties.maybeWhole("maxCount"))
                .attribute("os_type", properties.maybeText("osType"))
                .attribute("mode", properties.maybeText("mode"))
                .attribute("orchestrator_version", properties.maybeText("orchestratorVersion"))
                .tags("azure", "aks", "node-pool");
        String id = raw.text("id");
        int end = id.toLowerCase(Locale.ROOT).lastIndexOf("/agentpools/");
        place(end < 0 ? "" : id.substring(0, end)).ifPresent(cluster -> row.refer("parent", cluster.key()));
        List<Output> rows = new ArrayList<>();
        rows.add(row.build());
        properties
                .maybeText("vnetSubnetID")
                .ifPresent(subnet -> toEach(raw, rows, new Place(raw.key(), ENTITIES), List.of(subnet), "attached"));
        return rows;
    }

    private static List<Output> sqlServer(Raw raw) {
        Raw properties = raw.in("properties");
        return List.of(dataStore(raw, "database")
                .attribute("engine", "sqlserver")
                .attribute("version", properties.maybeText("version"))
                .attribute("state", properties.maybeText("state"))
                .attribute("endpoint", properties.maybeText("fullyQualifiedDomainName"))
                .attribute("administrator_login", properties.maybeText("administratorLogin"))
                .attribute("public_network_access", properties.maybeText("publicNetworkAccess"))
                .attribute("minimum_tls_version", properties.maybeText("minimalTlsVersion"))
                .tags("azure", "sql-server", "database")
                .build());
    }

    private static List<Output> sqlDatabase(Raw raw) {
        Raw properties = raw.in("properties");
        List<Output> rows = new ArrayList<>();
        rows.add(dataStore(raw, "database")
                .set("size_bytes", properties.maybeWhole("maxSizeBytes"))
                .attribute("engine", "sqlserver")
                .attribute("status", properties.maybeText("status"))
                .attribute("sku_name", raw.in("sku").maybeText("name"))
                .attribute("sku_tier", raw.in("sku").maybeText("tier"))
                .attribute("collation", properties.maybeText("collation"))
                .attribute("elastic_pool", properties.maybeText("elasticPoolId"))
                .attribute("zone_redundant", properties.maybeYes("zoneRedundant"))
                .attribute("created", properties.maybeText("creationDate"))
                .tags("azure", "sql-database", "database")
                .build());
        String id = raw.text("id");
        int end = id.toLowerCase(Locale.ROOT).lastIndexOf("/databases/");
        if (end > 0) {
            toEach(raw, rows, new Place(raw.key(), DATA_STORES), List.of(id.substring(0, end)), "part_of");
        }
        return rows;
    }

    private static List<Output> webApp(Raw raw) {
        Raw properties = raw.in("properties");
        String state = properties.text("state");
        // https://learn.microsoft.com/rest/api/appservice/web-apps/list: anything else is of the plan, not of the app.
        String status =
                switch (state) {
                    case "Running" -> "active";
                    case "Stopped" -> "inactive";
                    default -> throw new UnmappedValue("properties.state", state, "Running or Stopped");
                };
        // Words with commas between them: functionapp,linux
        List<String> kind = List.of(
                raw.maybeText("kind").orElse("app").toLowerCase(Locale.ROOT).split(","));
        String method = kind.contains("functionapp")
                ? "function"
                : kind.contains("kubernetes") ? "kubernetes" : kind.contains("container") ? "docker" : "serverless";
        List<String> names = properties.texts("hostNames");
        ArrayNode domains = JsonNodeFactory.instance.arrayNode();
        names.forEach(domains::add);
        // PYTHON|3.11, DOCKER|registry/image:tag
        String[] stack = properties
                .in("siteConfig")
                .maybeText("linuxFxVersion")
                .orElse("")
                .split("\\|");
        Optional<String> language = stack.length == 2 && !stack[0].equalsIgnoreCase("DOCKER")
                ? Optional.of(stack[0].toLowerCase(Locale.ROOT))
                : Optional.empty();
        List<Output> rows = new ArrayList<>();
        rows.add(common(
                        raw,
                        Output.row(SERVICES, raw.key().toString())
                                .set("name", Output.within(255, name(raw)))
                                .set("deployment_method", method)
                                .set("status", status)
                                .set("language", language.map(text -> Output.within(50, text)))
                                .set("domains", domains.toString())
                                .set(
                                        "is_public",
                                        properties
                                                .maybeText("publicNetworkAccess")
                                                .map(access -> !access.equalsIgnoreCase("Disabled")))
                                .refer("organization", organization(raw)))
                .attribute("kind", raw.maybeText("kind"))
                .attribute("state", state)
                .attribute("default_host_name", properties.maybeText("defaultHostName"))
                .attribute("https_only", properties.maybeYes("httpsOnly"))
                .attribute("runtime", properties.in("siteConfig").maybeText("linuxFxVersion"))
                .attribute("plan", properties.maybeText("serverFarmId"))
                .attribute("principal_id", raw.in("identity").maybeText("principalId"))
                .attribute("last_modified", properties.maybeText("lastModifiedTimeUtc"))
                .tags("azure", method.equals("function") ? "function-app" : "web-app", "service")
                .build());
        properties
                .maybeText("virtualNetworkSubnetId")
                .ifPresent(
                        subnet -> toEach(raw, rows, new Place(raw.key(), SERVICES), List.of(subnet), "connected_to"));
        return rows;
    }

    private static Output.Builder entity(Raw raw, String subType) {
        return common(
                raw,
                Output.row(ENTITIES, raw.key().toString())
                        .set("name", Output.within(255, name(raw)))
                        .set("type", "compute")
                        .set("sub_type", subType)
                        .set("external_id", Output.within(255, raw.key().id()))
                        .set("cloud_provider", "azure")
                        .set("region", location(raw))
                        .refer("organization", organization(raw)));
    }

    private static Output.Builder networking(Raw raw, String type) {
        return common(
                raw,
                Output.row(NETWORKING_RESOURCES, raw.key().toString())
                        .set("name", Output.within(255, name(raw)))
                        .set("network_type", type)
                        .set("region", location(raw))
                        .set("is_active", true)
                        .refer("organization", organization(raw)));
    }

    private static Output.Builder dataStore(Raw raw, String type) {
        return common(
                raw,
                Output.row(DATA_STORES, raw.key().toString())
                        .set("name", Output.within(255, name(raw)))
                        .set("storage_type", type)
                        .set("storage_provider", "Azure")
                        .set("location_region", location(raw))
                        .set("is_active", true)
                        .refer("organization", organization(raw)));
    }

    private static Output.Builder common(Raw raw, Output.Builder row) {
        row.attribute("provider", "azure")
                .attribute("resource_type", raw.key().kind())
                .attribute("resource_id", raw.text("id"))
                .attribute("subscription_id", raw.key().account())
                .attribute("resource_group", group(raw))
                .attribute("location", location(raw))
                .attribute("provisioning_state", raw.in("properties").maybeText("provisioningState"));
        tags(raw, row);
        return row;
    }

    private static void tags(Raw raw, Output.Builder row) {
        Map<String, String> tags = raw.textsByName("tags");
        if (!tags.isEmpty()) {
            row.attribute("tags", tags);
        }
    }

    /** The vendor's minimal examples have an id and no name. */
    private static String name(Raw raw) {
        return raw.maybeText("name")
                .orElseGet(() -> raw.text("id").substring(raw.text("id").lastIndexOf('/') + 1));
    }

    /** Some providers write {@code East US} for {@code eastus}. */
    private static Optional<String> location(Raw raw) {
        return raw.maybeText("location")
                .map(text -> text.toLowerCase(Locale.ROOT).replace(" ", ""));
    }

    /** The states that the Resource Manager defines, and those that the providers read here add. */
    private static Optional<String> state(Raw properties) {
        return properties.maybeText("provisioningState").map(text -> {
            String state = text.toLowerCase(Locale.ROOT);
            return switch (state) {
                case "accepted",
                        "canceled",
                        "creating",
                        "deleting",
                        "failed",
                        "migrating",
                        "reconcilingclusteretcdcertificates",
                        "running",
                        "scaling",
                        "starting",
                        "stopped",
                        "stopping",
                        "succeeded",
                        "updating",
                        "upgrading" -> state;
                default ->
                    throw new UnmappedValue(
                            "properties.provisioningState",
                            text,
                            "a state of Azure's: Succeeded, Failed, Canceled, Creating, Updating, Deleting, ...");
            };
        });
    }

    private static <T> Optional<List<T>> some(List<T> items) {
        return items.isEmpty() ? Optional.empty() : Optional.of(items);
    }

    private static Optional<String> id(Raw raw, String field) {
        return raw.in(field).maybeText("id");
    }

    private static List<String> ids(List<Raw> references) {
        return references.stream()
                .flatMap(reference -> reference.maybeText("id").stream())
                .toList();
    }

    private static ResourceKey subscription(String id) {
        return new ResourceKey("azure", id, "azure_subscription", id);
    }

    /** {@code /subscriptions/x/resourcegroups/y/...} */
    private static Optional<String> group(Raw raw) {
        String[] segments = raw.key().id().split("/");
        return segments.length > 4 && segments[3].equals("resourcegroups")
                ? Optional.of(segments[4])
                : Optional.empty();
    }

    private static ResourceKey organization(Raw raw) {
        String account = raw.key().account();
        return group(raw)
                .map(name -> new ResourceKey(
                        "azure",
                        account,
                        "azure_resource_group",
                        "/subscriptions/" + account + "/resourcegroups/" + name))
                .orElseGet(() -> subscription(account));
    }

    /** The row that an id leads to, or the one above it: what belongs to a kind that is not read has none. */
    private static Optional<Place> place(String armId) {
        String[] segments = armId.toLowerCase(Locale.ROOT).split("/");
        if (segments.length < 9 || !segments[1].equals("subscriptions") || !segments[5].equals("providers")) {
            return Optional.empty();
        }
        Optional<Place> found = Optional.empty();
        StringBuilder type = new StringBuilder(segments[6]);
        StringBuilder id = new StringBuilder(String.join("/", List.of(segments).subList(0, 7)));
        for (int i = 7; i + 1 < segments.length; i += 2) {
            type.append('/').append(segments[i]);
            id.append('/').append(segments[i]).append('/').append(segments[i + 1]);
            Target target = TYPES.get(type.toString());
            if (target != null && !segments[2].isBlank() && !segments[i + 1].isBlank()) {
                found = Optional.of(
                        new Place(new ResourceKey("azure", segments[2], target.kind(), id.toString()), target.table()));
            }
        }
        return found;
    }

    /** A link from a row to each that the ids lead to; several ids may lead to one. */
    private static void toEach(Raw raw, List<Output> rows, Place from, Iterable<String> ids, String how) {
        Map<String, Place> to = new TreeMap<>();
        Consumer<Place> add = place -> to.putIfAbsent(place.key().toString(), place);
        ids.forEach(id -> place(id).ifPresent(add));
        to.values().stream()
                .filter(place -> !place.key().equals(from.key()))
                .forEach(place -> rows.add(link(raw, from, place, how)));
    }

    private static Output link(Raw raw, Place from, Place to, String how) {
        // A resource speaks for at most one other of a kind.
        String what =
                how + ":" + (from.key().equals(raw.key()) ? "" : from.key().kind() + ":") + to.key();
        boolean isMapping = (from.table() == ENTITIES && to.table() == NETWORKING_RESOURCES)
                || (from.table() == NETWORKING_RESOURCES && to.table() == ENTITIES);
        if (isMapping) {
            return Output.row(NETWORK_ENTITY_MAPPINGS, raw.key().row(what))
                    .set("relationship_type", how.equals("attached_to") ? "attached" : how)
                    .refer("network", from.table() == ENTITIES ? to.key() : from.key())
                    .refer("entity", from.table() == ENTITIES ? from.key() : to.key())
                    .build();
        }
        return Output.row(DEPENDENCIES, raw.key().row(what))
                .set("source_type", from.table().noun())
                .set("target_type", to.table().noun())
                .set("dependency_type", how)
                .refer("source", from.key())
                .refer("target", to.key())
                .build();
    }
}
