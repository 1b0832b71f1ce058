package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.DATA_STORES;
import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.NETWORKING_RESOURCES;
import static io.elder.schemas.ElderTable.NETWORK_ENTITY_MAPPINGS;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;
import static io.elder.schemas.ElderTable.SOFTWARE;
import static java.util.Map.entry;

import io.elder.schemas.ElderTable;
import io.elder.schemas.ResourceKey;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

/** LXD. Fields are those of its REST API; what belongs to a project has the project in its id. */
public final class LxdMapping implements Mapping {
    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.ofEntries(
            entry("lxd_server", LxdMapping::server),
            entry("lxd_project", LxdMapping::project),
            entry("lxd_instance", LxdMapping::instance),
            entry("lxd_image", LxdMapping::image),
            entry("lxd_network", LxdMapping::network),
            entry("lxd_storage_pool", LxdMapping::pool),
            entry("lxd_cluster_member", LxdMapping::member)));

    @Override
    public String provider() {
        return "lxd";
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> server(Raw raw) {
        Raw environment = raw.in("environment");
        boolean isClustered = environment.maybeYes("server_clustered").orElse(false);
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, "LXD: " + raw.text("lxdUrl")))
                .set("type", "lxd")
                .set("cloud_provider", "lxd")
                .set("cloud_account_id", Output.within(255, raw.key().account()))
                .set("is_active", true)
                .attribute("lxd_url", raw.text("lxdUrl"))
                .attribute("version", environment.maybeText("server_version"))
                .attribute("clustered", isClustered)
                // In a cluster they are those of the member that happened to answer.
                .attribute("server_name", environment.maybeText("server_name").filter(unused -> !isClustered))
                .attribute(
                        "kernel_version",
                        environment.maybeText("kernel_version").filter(unused -> !isClustered))
                .attribute("os_name", environment.maybeText("os_name"))
                .attribute("provider", "lxd")
                .build());
    }

    private static List<Output> project(Raw raw) {
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, "LXD Project: " + raw.text("name")))
                .set("type", "lxd_project")
                .set("description", raw.maybeText("description"))
                .set("cloud_provider", "lxd")
                .set("is_active", true)
                .refer("parent", server(raw.key()))
                .attribute("project_name", raw.text("name"))
                .attribute("features", options(raw.in("config"), "features."))
                .attribute("limits", options(raw.in("config"), "limits."))
                .attribute("lxd_url", raw.maybeText("lxdUrl"))
                .attribute("provider", "lxd")
                .build());
    }

    private static List<Output> instance(Raw raw) {
        String type = raw.text("type");
        String subType =
                switch (type) {
                    case "container" -> "lxd_container";
                    case "virtual-machine" -> "lxd_vm";
                    default -> throw new UnmappedValue("type", type, "container or virtual-machine");
                };
        String status = raw.text("status");
        String state =
                switch (status) {
                    case "Started",
                            "Stopped",
                            "Running",
                            "Pending",
                            "Starting",
                            "Stopping",
                            "Aborting",
                            "Freezing",
                            "Frozen",
                            "Thawed",
                            "Error",
                            "Ready" -> status.toLowerCase(Locale.ROOT);
                    default -> throw new UnmappedValue("status", status, "a status of LXD's instances");
                };
        Raw config = raw.in("expanded_config");
        Raw devices = raw.in("expanded_devices");
        List<String> disks = new ArrayList<>();
        List<Output> links = new ArrayList<>();
        for (String name : devices.fields()) {
            Raw device = devices.in(name);
            switch (device.maybeText("type").orElse("")) {
                case "disk" -> {
                    disks.add(name);
                    device.maybeText("pool")
                            .ifPresent(pool -> links.add(dependency(
                                    raw,
                                    "storage_pool:" + pool,
                                    DATA_STORES,
                                    other(raw, "lxd_storage_pool", pool),
                                    "uses")));
                }
                case "nic" ->
                    device.maybeText("network")
                            .or(() -> device.maybeText("parent").filter(unused -> device.maybeText("nictype")
                                    .filter("bridged"::equals)
                                    .isPresent()))
                            .ifPresent(network -> links.add(attached(raw, network)));
                default -> {
                    // Not linked to anything that is a row.
                }
            }
        }
        raw.maybeText("location")
                .filter(member -> !member.equals("none"))
                .ifPresent(member -> links.add(
                        dependency(raw, "member", ENTITIES, other(raw, "lxd_cluster_member", member), "runs_on")));
        config.maybeText("volatile.base_image").ifPresent(image -> {
            String id = raw.maybeText("imageProject").orElse("default") + "/" + image;
            links.add(dependency(raw, "image", SOFTWARE, other(raw, "lxd_image", id), "uses"));
        });
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, raw.text("name"), subType, state)
                .set("external_id", config.maybeText("volatile.uuid").map(id -> Output.within(255, id)))
                .refer("organization", other(raw, "lxd_project", raw.text("project")))
                .attribute("instance_name", raw.text("name"))
                .attribute("instance_type", type)
                .attribute("description", raw.maybeText("description"))
                .attribute("architecture", raw.maybeText("architecture"))
                .attribute("status", status)
                .attribute("project", raw.text("project"))
                .attribute("location", raw.maybeText("location").filter(member -> !member.equals("none")))
                .attribute("os", config.maybeText("image.os"))
                .attribute("os_release", config.maybeText("image.release"))
                .attribute("ipv4_addresses", addresses(raw, "inet"))
                .attribute("ipv6_addresses", addresses(raw, "inet6"))
                .attribute("profiles", raw.texts("profiles"))
                .attribute("disk_devices", disks)
                .attribute("config_memory_limit", config.maybeText("limits.memory"))
                .attribute("config_cpu_limit", config.maybeText("limits.cpu"))
                .attribute("ephemeral", raw.maybeYes("ephemeral"))
                .attribute("stateful", raw.maybeYes("stateful"))
                .attribute("privileged", config.maybeText("security.privileged"))
                .attribute(
                        "config_keys",
                        raw.in("config").fields().stream()
                                .filter(option -> !option.startsWith("volatile."))
                                .toList())
                .attribute("created_at", raw.maybeText("created_at"))
                .tags("lxd", type, state)
                .build());
        rows.addAll(links);
        return List.copyOf(new LinkedHashSet<>(rows));
    }

    private static List<Output> image(Raw raw) {
        Raw properties = raw.in("properties");
        String fingerprint = raw.text("fingerprint");
        List<String> aliases = raw.objects("aliases").stream()
                .map(alias -> alias.text("name"))
                .sorted()
                .toList();
        String name = properties
                .maybeText("description")
                .or(() -> aliases.stream().findFirst())
                .orElse("LXD image " + fingerprint.substring(0, Math.min(12, fingerprint.length())));
        return List.of(Output.row(SOFTWARE, raw.key().toString())
                .set("name", Output.within(255, name))
                .set("software_type", "software")
                .set("version", properties.maybeText("version").map(version -> Output.within(100, version)))
                .refer("organization", other(raw, "lxd_project", raw.text("project")))
                .attribute("fingerprint", fingerprint)
                .attribute("aliases", aliases)
                .attribute("image_type", raw.maybeText("type"))
                .attribute("architecture", raw.maybeText("architecture"))
                .attribute("os", properties.maybeText("os"))
                .attribute("os_release", properties.maybeText("release"))
                .attribute("serial", properties.maybeText("serial"))
                .attribute("size_bytes", raw.maybeWhole("size"))
                .attribute("public", raw.maybeYes("public"))
                .attribute("auto_update", raw.maybeYes("auto_update"))
                .attribute("created_at", raw.maybeText("created_at"))
                .attribute("uploaded_at", raw.maybeText("uploaded_at"))
                .attribute("project", raw.text("project"))
                .attribute("lxd_url", raw.maybeText("lxdUrl"))
                .attribute("provider", "lxd")
                .tags("lxd", "image")
                .build());
    }

    private static List<Output> network(Raw raw) {
        String type = raw.text("type");
        String kind =
                switch (type) {
                    case "bridge", "ovn" -> "subnet";
                    case "macvlan", "sriov", "physical" -> "other";
                    default -> throw new UnmappedValue("type", type, "bridge, ovn, macvlan, sriov or physical");
                };
        Raw config = raw.in("config");
        Output.Builder row = Output.row(NETWORKING_RESOURCES, raw.key().toString())
                .set("name", Output.within(255, raw.text("name")))
                .set("network_type", kind)
                .set("description", raw.maybeText("description"))
                .set("is_active", isCreated(raw))
                .refer("organization", other(raw, "lxd_project", raw.text("project")));
        if (type.equals("ovn")) {
            // The network that it is joined to the world by; always one of the default project.
            config.maybeText("network")
                    .ifPresent(uplink -> row.refer("parent", other(raw, "lxd_network", "default/" + uplink)));
        }
        return List.of(row.attribute("network_name", raw.text("name"))
                .attribute("network_type", type)
                .attribute("status", raw.maybeText("status"))
                .attribute("managed", raw.maybeYes("managed"))
                .attribute("ipv4_address", config.maybeText("ipv4.address"))
                .attribute("ipv6_address", config.maybeText("ipv6.address"))
                .attribute("ipv4_nat", config.maybeText("ipv4.nat"))
                .attribute("parent_interface", config.maybeText("parent"))
                .attribute("vlan", config.maybeText("vlan"))
                .attribute("locations", locations(raw))
                .attribute("project", raw.text("project"))
                .attribute("lxd_url", raw.maybeText("lxdUrl"))
                .attribute("provider", "lxd")
                .tags("lxd", "network", type)
                .build());
    }

    private static List<Output> pool(Raw raw) {
        String driver = raw.text("driver");
        String type =
                switch (driver) {
                    case "dir", "btrfs", "lvm", "zfs" -> "disk";
                    case "cephfs" -> "nas";
                    case "ceph", "powerflex", "pure", "alletra" -> "san";
                    case "cephobject" -> "other";
                    default -> throw new UnmappedValue("driver", driver, "a driver of LXD's storage pools");
                };
        Raw space = raw.in("resources").in("space");
        return List.of(Output.row(DATA_STORES, raw.key().toString())
                .set("name", Output.within(255, raw.text("name")))
                .set("storage_type", type)
                .set("storage_provider", "LXD")
                .set("size_bytes", space.maybeWhole("total"))
                .set("is_active", isCreated(raw))
                .refer("organization", server(raw.key()))
                .attribute("pool_name", raw.text("name"))
                .attribute("driver", driver)
                .attribute("description", raw.maybeText("description"))
                .attribute("status", raw.maybeText("status"))
                .attribute("used_bytes", space.maybeWhole("used"))
                .attribute("total_bytes", space.maybeWhole("total"))
                .attribute("config", options(raw.in("config"), ""))
                .attribute("locations", locations(raw))
                .attribute("lxd_url", raw.maybeText("lxdUrl"))
                .attribute("provider", "lxd")
                .tags("lxd", "storage", driver)
                .build());
    }

    private static List<Output> member(Raw raw) {
        String name = raw.text("server_name");
        String status = raw.text("status");
        String state =
                switch (status) {
                    case "Online", "Offline", "Evacuated", "Blocked" -> status.toLowerCase(Locale.ROOT);
                    default -> throw new UnmappedValue("status", status, "Online, Offline, Evacuated or Blocked");
                };
        return List.of(entity(raw, name, "server", state)
                .set("external_id", Output.within(255, name))
                .refer("organization", server(raw.key()))
                .attribute("member_name", name)
                .attribute("url", raw.maybeText("url"))
                .attribute("status", status)
                .attribute("database", raw.maybeYes("database"))
                .attribute("failure_domain", raw.maybeText("failure_domain"))
                .attribute("roles", raw.texts("roles"))
                .attribute("groups", raw.texts("groups"))
                .attribute("architecture", raw.maybeText("architecture"))
                .attribute("description", raw.maybeText("description"))
                .attribute("lxd_resource", "cluster_member")
                .tags("lxd", "cluster", "node", state)
                .build());
    }

    private static boolean isCreated(Raw raw) {
        String status = raw.text("status");
        return switch (status) {
            case "Created" -> true;
            // LXD writes it so: "Unvailable"
            case "Pending", "Errored", "Unknown", "Unavailable", "Unvailable" -> false;
            default -> throw new UnmappedValue("status", status, "Created, Pending, Errored, Unavailable or Unknown");
        };
    }

    private static Output.Builder entity(Raw raw, String name, String subType, String status) {
        return Output.row(ENTITIES, raw.key().toString())
                .set("name", Output.within(255, name))
                .set("type", "compute")
                .set("sub_type", subType)
                .set("cloud_provider", "lxd")
                .set("status", status)
                .attribute("lxd_url", raw.maybeText("lxdUrl"))
                .attribute("provider", "lxd");
    }

    private static Output attached(Raw raw, String network) {
        String project = raw.maybeText("networkProject").orElse("default");
        return Output.row(NETWORK_ENTITY_MAPPINGS, raw.key().row("attached:" + network))
                .set("relationship_type", "attached")
                .refer("network", other(raw, "lxd_network", project + "/" + network))
                .refer("entity", raw.key())
                .build();
    }

    private static Output dependency(Raw raw, String link, ElderTable table, ResourceKey target, String type) {
        return Output.row(DEPENDENCIES, raw.key().row(link))
                .set("source_type", ENTITIES.noun())
                .set("target_type", table.noun())
                .set("dependency_type", type)
                .refer("source", raw.key())
                .refer("target", target)
                .attribute("provider", "lxd")
                .build();
    }

    /** Of the interfaces that lead out of the instance. */
    private static Optional<List<String>> addresses(Raw raw, String family) {
        Raw interfaces = raw.in("state").in("network");
        List<String> addresses = new ArrayList<>();
        for (String name : interfaces.fields()) {
            for (Raw address : interfaces.in(name).objects("addresses")) {
                if (address.text("family").equals(family)
                        && address.maybeText("scope").orElse("").equals("global")) {
                    addresses.add(address.text("address"));
                }
            }
        }
        return addresses.isEmpty() ? Optional.empty() : Optional.of(addresses);
    }

    private static Optional<Map<String, String>> options(Raw config, String prefix) {
        Map<String, String> options = new TreeMap<>();
        for (String name : config.fields()) {
            if (name.startsWith(prefix)) {
                config.maybeText(name).ifPresent(value -> options.put(name, value));
            }
        }
        return options.isEmpty() ? Optional.empty() : Optional.of(options);
    }

    /** {@code none} stands for a server that is no cluster. */
    private static List<String> locations(Raw raw) {
        return raw.texts("locations").stream()
                .filter(each -> !each.equals("none"))
                .sorted()
                .toList();
    }

    private static ResourceKey server(ResourceKey key) {
        return new ResourceKey("lxd", key.account(), "lxd_server", key.account());
    }

    private static ResourceKey other(Raw raw, String kind, String id) {
        return new ResourceKey("lxd", raw.key().account(), kind, id);
    }
}
