package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.DATA_STORES;
import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.NETWORKING_RESOURCES;
import static io.elder.schemas.ElderTable.NETWORK_ENTITY_MAPPINGS;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;
import static java.util.Map.entry;

import io.elder.schemas.ElderTable;
import io.elder.schemas.ResourceKey;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

/** vCenter. Fields are the properties of vim25; an account is a vCenter's instance uuid. */
public final class VcenterMapping implements Mapping {
    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.ofEntries(
            entry("vcenter_server", VcenterMapping::server),
            entry("vcenter_datacenter", VcenterMapping::datacenter),
            entry("vcenter_cluster", VcenterMapping::cluster),
            entry("vcenter_host", VcenterMapping::host),
            entry("vcenter_vm", VcenterMapping::machine),
            entry("vcenter_datastore", VcenterMapping::datastore),
            entry("vcenter_network", VcenterMapping::network)));

    private static final double GIB = 1L << 30;

    @Override
    public String provider() {
        return "vcenter";
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> server(Raw raw) {
        String host = raw.text("host");
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, "vCenter: " + host))
                .set("type", "vcenter")
                .set("cloud_provider", "vcenter")
                .set("cloud_account_id", Output.within(255, raw.key().account()))
                .set("is_active", true)
                .attribute("vcenter_host", host)
                .attribute("instance_uuid", raw.maybeText("instanceUuid"))
                .attribute("product", raw.maybeText("fullName"))
                .attribute("version", raw.maybeText("version"))
                .attribute("build", raw.maybeText("build"))
                .attribute("api_type", raw.maybeText("apiType"))
                .attribute("api_version", raw.maybeText("apiVersion"))
                .attribute("provider", "vcenter")
                .build());
    }

    private static List<Output> datacenter(Raw raw) {
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, "DC: " + name(raw)))
                .set("type", "datacenter")
                .set("cloud_provider", "vcenter")
                .set("is_active", true)
                .refer("parent", server(raw.key()))
                .attribute("vcenter_datacenter_id", raw.text("moref"))
                .attribute("folder", raw.maybeText("folder"))
                .attribute("overall_status", raw.maybeText("overallStatus"))
                .attribute("vcenter_host", raw.maybeText("vcenter"))
                .attribute("provider", "vcenter")
                .build());
    }

    private static List<Output> cluster(Raw raw) {
        Raw summary = raw.in("summary");
        Raw configuration = raw.in("configuration");
        String status = summary.maybeText("overallStatus").orElse("gray");
        switch (status) {
            case "green", "yellow", "red", "gray" -> {}
            default -> throw new UnmappedValue("summary.overallStatus", status, "green, yellow, red or gray");
        }
        return List.of(entity(raw, "vsphere_cluster", status)
                .attribute("vcenter_cluster_id", raw.text("moref"))
                .attribute("host_count", summary.maybeWhole("numHosts"))
                .attribute("cpu_cores", summary.maybeWhole("numCpuCores"))
                .attribute("cpu_threads", summary.maybeWhole("numCpuThreads"))
                .attribute("cpu_mhz", summary.maybeWhole("totalCpu"))
                .attribute("memory_bytes", summary.maybeWhole("totalMemory"))
                .attribute("memory_gb", gib(summary.maybeWhole("totalMemory")))
                .attribute("ha_enabled", configuration.in("dasConfig").maybeYes("enabled"))
                .attribute("drs_enabled", configuration.in("drsConfig").maybeYes("enabled"))
                .tags("vcenter", "cluster", "compute")
                .build());
    }

    private static List<Output> host(Raw raw) {
        Raw hardware = raw.in("summary").in("hardware");
        Raw product = raw.in("summary").in("config").in("product");
        Raw runtime = raw.in("runtime");
        String connection = runtime.text("connectionState");
        String status =
                switch (connection) {
                    case "connected", "disconnected" -> connection;
                    case "notResponding" -> "not_responding";
                    default ->
                        throw new UnmappedValue(
                                "runtime.connectionState", connection, "connected, disconnected or notResponding");
                };
        Raw parent = raw.in("parent");
        // A host on its own has a compute resource that is no cluster.
        Optional<ResourceKey> cluster = Optional.of(parent.text("type"))
                .filter("ClusterComputeResource"::equals)
                .map(unused -> other(raw, "vcenter_cluster", parent.text("value")));
        Output.Builder row = entity(raw, "server", status);
        cluster.ifPresent(key -> row.refer("parent", key));
        List<Output> rows = new ArrayList<>();
        rows.add(row.attribute("vcenter_host_id", raw.text("moref"))
                .attribute("host_type", "esxi")
                .attribute("version", product.maybeText("version"))
                .attribute("build", product.maybeText("build"))
                .attribute("product", product.maybeText("fullName"))
                .attribute("vendor", hardware.maybeText("vendor"))
                .attribute("model", hardware.maybeText("model"))
                .attribute("hardware_uuid", hardware.maybeText("uuid"))
                .attribute("cpu_model", hardware.maybeText("cpuModel"))
                .attribute("cpu_mhz", hardware.maybeWhole("cpuMhz"))
                .attribute("cpu_sockets", hardware.maybeWhole("numCpuPkgs"))
                .attribute("cpu_cores", hardware.maybeWhole("numCpuCores"))
                .attribute("cpu_threads", hardware.maybeWhole("numCpuThreads"))
                .attribute("memory_bytes", hardware.maybeWhole("memorySize"))
                .attribute("memory_gb", gib(hardware.maybeWhole("memorySize")))
                .attribute("connection_state", connection)
                .attribute("power_state", runtime.maybeText("powerState"))
                .attribute("maintenance_mode", runtime.maybeYes("inMaintenanceMode"))
                .tags("vcenter", "esxi", "host", "compute")
                .build());
        cluster.ifPresent(key -> rows.add(dependency(raw, "cluster", ENTITIES, key, "part_of")));
        addStoresAndNetworks(rows, raw, "connected_to");
        return distinct(rows);
    }

    private static List<Output> machine(Raw raw) {
        Raw config = raw.in("config");
        Raw runtime = raw.in("runtime");
        Raw guest = raw.in("guest");
        if (config.maybeYes("template").orElse(false)) {
            // It can't be started as it is: no machine.
            return List.of();
        }
        String power = runtime.text("powerState");
        String status =
                switch (power) {
                    case "poweredOn" -> "powered_on";
                    case "poweredOff" -> "powered_off";
                    case "suspended" -> "suspended";
                    default ->
                        throw new UnmappedValue("runtime.powerState", power, "poweredOn, poweredOff or suspended");
                };
        Raw hardware = config.in("hardware");
        List<String> addresses = guest.objects("net").stream()
                .flatMap(nic -> nic.texts("ipAddress").stream())
                .distinct()
                .sorted()
                .toList();
        List<String> macs = guest.objects("net").stream()
                .flatMap(nic -> nic.maybeText("macAddress").stream())
                .distinct()
                .sorted()
                .toList();
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, "virtual_machine", status)
                .set("external_id", Output.within(255, raw.key().id()))
                .attribute("vcenter_vm_id", raw.text("moref"))
                .attribute("vm_type", "virtual_machine")
                .attribute("instance_uuid", raw.key().id())
                .attribute("uuid", config.maybeText("uuid"))
                .attribute("guest_os", config.maybeText("guestFullName"))
                .attribute("guest_id", config.maybeText("guestId"))
                .attribute("hardware_version", config.maybeText("version"))
                .attribute("cpu_count", hardware.maybeWhole("numCPU"))
                .attribute("memory_mb", hardware.maybeWhole("memoryMB"))
                .attribute("memory_gb", hardware.maybeWhole("memoryMB").map(mib -> mib / 1024.0))
                .attribute("power_state", power)
                .attribute("connection_state", runtime.maybeText("connectionState"))
                .attribute("tools_status", guest.maybeText("toolsRunningStatus"))
                .attribute("tools_version_status", guest.maybeText("toolsVersionStatus2"))
                .attribute("guest_hostname", guest.maybeText("hostName"))
                .attribute("ip_address", guest.maybeText("ipAddress"))
                .attribute("ip_addresses", some(addresses))
                .attribute("mac_addresses", some(macs))
                .attribute("host_name", raw.maybeText("hostName"))
                .tags("vcenter", "vm", "virtual_machine", "compute")
                .build());
        Raw host = runtime.in("host");
        host.maybeText("value")
                .ifPresent(moref ->
                        rows.add(dependency(raw, "host", ENTITIES, other(raw, "vcenter_host", moref), "runs_on")));
        addStoresAndNetworks(rows, raw, "attached");
        return distinct(rows);
    }

    private static List<Output> datastore(Raw raw) {
        Raw summary = raw.in("summary");
        String type = summary.text("type");
        boolean isShared = summary.maybeYes("multipleHostAccess").orElse(false);
        // HostFileSystemVolumeFileSystemType of vim25
        String storage =
                switch (type) {
                    case "VMFS", "VFFS", "PMEM", "vsanD" -> isShared ? "san" : "disk";
                    case "vsan", "VVOL" -> "san";
                    case "NFS", "NFS41", "CIFS" -> "nas";
                    case "OTHER", "other" -> "other";
                    default -> throw new UnmappedValue("summary.type", type, "a type of vSphere's file systems");
                };
        Optional<Long> capacity = summary.maybeWhole("capacity");
        Optional<Long> free = summary.maybeWhole("freeSpace");
        return List.of(Output.row(DATA_STORES, raw.key().toString())
                .set("name", Output.within(255, name(raw)))
                .set("storage_type", storage)
                .set("storage_provider", "vCenter")
                .set("size_bytes", capacity)
                .set("is_active", summary.maybeYes("accessible"))
                .refer("organization", place(raw))
                .attribute("vcenter_datastore_id", raw.text("moref"))
                .attribute("datastore_type", type)
                .attribute("capacity_bytes", capacity)
                .attribute("capacity_gb", gib(capacity))
                .attribute("free_space_bytes", free)
                .attribute("free_space_gb", gib(free))
                .attribute("used_gb", capacity.flatMap(all -> gib(free.map(left -> all - left))))
                .attribute("url", summary.maybeText("url"))
                .attribute("accessible", summary.maybeYes("accessible"))
                .attribute("maintenance_mode", summary.maybeText("maintenanceMode"))
                .attribute("multiple_host_access", summary.maybeYes("multipleHostAccess"))
                .attribute("folder", raw.maybeText("folder"))
                .attribute("vcenter_host", raw.maybeText("vcenter"))
                .attribute("provider", "vcenter")
                .tags("vcenter", "datastore", "storage")
                .build());
    }

    private static List<Output> network(Raw raw) {
        String type =
                switch (raw.text("type")) {
                    case "Network" -> "standard_portgroup";
                    case "DistributedVirtualPortgroup" -> "distributed_portgroup";
                    // NSX's
                    case "OpaqueNetwork" -> "opaque_network";
                    default ->
                        throw new UnmappedValue(
                                "type", raw.text("type"), "Network, DistributedVirtualPortgroup or OpaqueNetwork");
                };
        Raw config = raw.in("config");
        Optional<Boolean> accessible = raw.in("summary").maybeYes("accessible");
        return List.of(Output.row(NETWORKING_RESOURCES, raw.key().toString())
                .set("name", Output.within(255, name(raw)))
                .set("network_type", "other")
                .set("is_active", accessible)
                .refer("organization", place(raw))
                .attribute("vcenter_network_id", raw.text("moref"))
                .attribute("network_type", type)
                .attribute("accessible", accessible)
                .attribute("port_binding", config.maybeText("type"))
                .attribute("port_count", config.maybeWhole("numPorts"))
                .attribute(
                        "distributed_switch",
                        config.in("distributedVirtualSwitch").maybeText("value"))
                .attribute("folder", raw.maybeText("folder"))
                .attribute("vcenter_host", raw.maybeText("vcenter"))
                .attribute("provider", "vcenter")
                .tags("vcenter", "network", type)
                .build());
    }

    private static Output.Builder entity(Raw raw, String subType, String status) {
        return Output.row(ENTITIES, raw.key().toString())
                .set("name", Output.within(255, name(raw)))
                .set("type", "compute")
                .set("sub_type", subType)
                .set("external_id", Output.within(255, raw.text("moref")))
                .set("cloud_provider", "vcenter")
                .set("status", status)
                .refer("organization", place(raw))
                .attribute("folder", raw.maybeText("folder"))
                .attribute("vcenter_host", raw.maybeText("vcenter"))
                .attribute("provider", "vcenter");
    }

    private static void addStoresAndNetworks(List<Output> rows, Raw raw, String relationship) {
        for (Raw store : raw.objects("datastore")) {
            String moref = store.text("value");
            rows.add(
                    dependency(raw, "datastore:" + moref, DATA_STORES, other(raw, "vcenter_datastore", moref), "uses"));
        }
        for (Raw network : raw.objects("network")) {
            String moref = network.text("value");
            rows.add(Output.row(NETWORK_ENTITY_MAPPINGS, raw.key().row(relationship + ":" + moref))
                    .set("relationship_type", relationship)
                    .refer("network", other(raw, "vcenter_network", moref))
                    .refer("entity", raw.key())
                    .build());
        }
    }

    private static Output dependency(Raw raw, String link, ElderTable table, ResourceKey target, String type) {
        return Output.row(DEPENDENCIES, raw.key().row(link))
                .set("source_type", ENTITIES.noun())
                .set("target_type", table.noun())
                .set("dependency_type", type)
                .refer("source", raw.key())
                .refer("target", target)
                .attribute("provider", "vcenter")
                .build();
    }

    /** vCenter writes these three characters so in names. */
    private static String name(Raw raw) {
        return raw.text("name")
                .replaceAll("(?i)%2f", "/")
                .replaceAll("(?i)%5c", "\\\\")
                .replace("%25", "%");
    }

    /** The datacentre; the vCenter where whoever asks may not see it. */
    private static ResourceKey place(Raw raw) {
        return raw.maybeText("datacenter")
                .map(moref -> other(raw, "vcenter_datacenter", moref))
                .orElseGet(() -> server(raw.key()));
    }

    private static ResourceKey server(ResourceKey key) {
        return new ResourceKey("vcenter", key.account(), "vcenter_server", key.account());
    }

    private static ResourceKey other(Raw raw, String kind, String id) {
        return new ResourceKey("vcenter", raw.key().account(), kind, id);
    }

    private static Optional<Double> gib(Optional<Long> bytes) {
        return bytes.map(all -> Math.round(all / GIB * 100) / 100.0);
    }

    private static Optional<List<String>> some(List<String> texts) {
        return texts.isEmpty() ? Optional.empty() : Optional.of(texts);
    }

    private static List<Output> distinct(List<Output> rows) {
        return List.copyOf(new LinkedHashSet<>(rows));
    }
}
