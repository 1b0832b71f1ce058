package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.DATA_STORES;
import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.IDENTITIES;
import static io.elder.schemas.ElderTable.NETWORKING_RESOURCES;
import static io.elder.schemas.ElderTable.NETWORK_ENTITY_MAPPINGS;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;
import static io.elder.schemas.ElderTable.SERVICES;
import static java.util.Map.entry;

import io.elder.schemas.ElderTable;
import io.elder.schemas.ResourceKey;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Google Cloud. Fields are those of the APIs' own answers; a resource's id is its path, so that links can be followed. */
public final class GcpMapping implements Mapping {
    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.ofEntries(
            entry("cloud_function", GcpMapping::function),
            entry("cloud_run_service", GcpMapping::runService),
            entry("cloud_sql_instance", GcpMapping::sqlInstance),
            entry("gce_disk", GcpMapping::disk),
            entry("gce_firewall", GcpMapping::firewall),
            entry("gce_instance", GcpMapping::instance),
            entry("gce_network", GcpMapping::network),
            entry("gce_subnetwork", GcpMapping::subnetwork),
            entry("gcp_project", GcpMapping::project),
            entry("gcp_service_account", GcpMapping::serviceAccount),
            entry("gcs_bucket", GcpMapping::bucket),
            entry("gke_cluster", GcpMapping::cluster),
            entry("gke_node_pool", GcpMapping::nodePool)));

    /** The row above all projects; every project yields the same one. */
    private static final ResourceKey ROOT = new ResourceKey("gcp", "*", "gcp", "gcp");

    private static final long GIB = 1L << 30;

    /** {@code projects/p/...}, after whatever host and version a link begins with. */
    private static final Pattern PATH = Pattern.compile("(?:.*/)?(projects/([^/]+)/.+)");

    private static final Pattern ZONE = Pattern.compile("(.+)-[a-z]");

    /** Of a project {@code example.com:p} the domain is {@code p.example.com.iam.gserviceaccount.com}. */
    private static final Pattern OWN_ACCOUNT =
            Pattern.compile("[^@]+@([^.]+)(?:\\.(.+))?\\.iam\\.gserviceaccount\\.com");

    @Override
    public String provider() {
        return "gcp";
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> project(Raw raw) {
        String id = raw.text("projectId");
        boolean isActive =
                switch (raw.text("state")) {
                    case "ACTIVE" -> true;
                    case "DELETE_REQUESTED" -> false;
                    default -> throw new UnmappedValue("state", raw.text("state"), "ACTIVE or DELETE_REQUESTED");
                };
        Output root = Output.row(ORGANIZATIONS, ROOT.toString())
                .set("name", "GCP")
                .set("type", "cloud")
                .set("cloud_provider", "gcp")
                .set("is_active", true)
                .attribute("provider", "gcp")
                .build();
        Output project = Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, "GCP Project: " + id))
                .set("type", "cloud_account")
                .set("cloud_provider", "gcp")
                .set("cloud_account_id", Output.within(255, id))
                .set("is_active", isActive)
                .refer("parent", ROOT)
                .attribute("project_id", id)
                .attribute("project_number", raw.maybeText("name").map(GcpMapping::last))
                .attribute("display_name", raw.maybeText("displayName"))
                .attribute("parent", raw.maybeText("parent"))
                .attribute("state", raw.text("state"))
                .attribute("creation_time", raw.maybeText("createTime"))
                .attribute("labels", labels(raw, "labels"))
                .attribute("provider", "gcp")
                .build();
        return List.of(root, project);
    }

    private static List<Output> instance(Raw raw) {
        String status = raw.text("status");
        // https://cloud.google.com/compute/docs/instances/instance-lifecycle: TERMINATED is stopped, and may be
        // started.
        String state =
                switch (status) {
                    case "PROVISIONING",
                            "STAGING",
                            "RUNNING",
                            "PENDING",
                            "PENDING_STOP",
                            "STOPPING",
                            "STOPPED",
                            "SUSPENDING",
                            "SUSPENDED",
                            "REPAIRING",
                            "DEPROVISIONING",
                            "TERMINATED" -> status.toLowerCase(Locale.ROOT);
                    default -> throw new UnmappedValue("status", status, "a status of Compute Engine's instances");
                };
        String zone = last(raw.text("zone"));
        List<Raw> interfaces = raw.objects("networkInterfaces");
        Optional<Raw> first = interfaces.stream().findFirst();
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, raw.text("name"), "gce_instance", state, region(zone))
                .set("external_id", raw.maybeText("id").map(id -> Output.within(255, id)))
                .attribute("instance_id", raw.text("id"))
                .attribute("instance_name", raw.text("name"))
                .attribute("machine_type", last(raw.text("machineType")))
                .attribute("status", status)
                .attribute("zone", zone)
                .attribute("internal_ip", first.flatMap(nic -> nic.maybeText("networkIP")))
                .attribute("external_ip", first.flatMap(nic -> nic.objects("accessConfigs").stream()
                        .flatMap(config -> config.maybeText("natIP").stream())
                        .findFirst()))
                .attribute(
                        "network",
                        first.flatMap(nic -> nic.maybeText("network")).map(GcpMapping::last))
                .attribute(
                        "subnetwork",
                        first.flatMap(nic -> nic.maybeText("subnetwork")).map(GcpMapping::last))
                .attribute("network_tags", raw.in("tags").texts("items"))
                .attribute("service_accounts", emails(raw))
                .attribute("cpu_platform", raw.maybeText("cpuPlatform"))
                .attribute("deletion_protection", raw.maybeYes("deletionProtection"))
                .attribute("preemptible", raw.in("scheduling").maybeYes("preemptible"))
                .attribute(
                        "metadata_keys",
                        raw.in("metadata").objects("items").stream()
                                .map(item -> item.text("key"))
                                .toList())
                .attribute("labels", labels(raw, "labels"))
                .attribute("creation_timestamp", raw.maybeText("creationTimestamp"))
                .tags("gcp", "compute", "gce", zone)
                .build());
        for (Raw nic : interfaces) {
            nic.maybeText("subnetwork").ifPresent(link -> attach(rows, raw, "gce_subnetwork", link, "attached"));
            nic.maybeText("network").ifPresent(link -> attach(rows, raw, "gce_network", link, "connected_to"));
        }
        for (Raw disk : raw.objects("disks")) {
            // A scratch disk lives and dies with its machine, and has no source.
            disk.maybeText("source").ifPresent(link -> {
                ResourceKey source = at("gce_disk", link);
                rows.add(dependency(
                        raw, "disk:" + source.id(), DATA_STORES, source, ENTITIES, raw.key(), "attached_to"));
            });
        }
        emails(raw).forEach(email -> use(rows, raw, ENTITIES, email));
        return distinct(rows);
    }

    private static List<Output> disk(Raw raw) {
        String status = raw.text("status");
        boolean isActive =
                switch (status) {
                    case "CREATING", "RESTORING", "READY" -> true;
                    case "FAILED", "DELETING", "UNAVAILABLE" -> false;
                    default -> throw new UnmappedValue("status", status, "a status of Compute Engine's disks");
                };
        // A disk of a whole region has no zone.
        Optional<String> zone = raw.maybeText("zone").map(GcpMapping::last);
        String region = zone.map(GcpMapping::region).orElseGet(() -> last(raw.text("region")));
        return List.of(dataStore(raw, raw.text("name"), "disk", region)
                .set("size_bytes", whole(raw, "sizeGb").map(size -> size * GIB))
                // https://cloud.google.com/docs/security/encryption/default-encryption
                .set("encryption_at_rest", true)
                .set("is_active", isActive)
                .attribute("disk_id", raw.maybeText("id"))
                .attribute("disk_name", raw.text("name"))
                .attribute("size_gb", whole(raw, "sizeGb"))
                .attribute("disk_type", raw.maybeText("type").map(GcpMapping::last))
                .attribute("status", status)
                .attribute("zone", zone)
                .attribute("customer_managed_key", raw.in("diskEncryptionKey").maybeText("kmsKeyName"))
                .attribute("source_image", raw.maybeText("sourceImage").map(GcpMapping::last))
                .attribute("source_snapshot", raw.maybeText("sourceSnapshot").map(GcpMapping::last))
                .attribute(
                        "users",
                        raw.texts("users").stream().map(GcpMapping::last).toList())
                .attribute("labels", labels(raw, "labels"))
                .attribute("creation_timestamp", raw.maybeText("creationTimestamp"))
                .tags("gcp", "compute", "disk", zone.orElse(region))
                .build());
    }

    private static List<Output> network(Raw raw) {
        List<Output> rows = new ArrayList<>();
        rows.add(networking(raw, raw.text("name"), "other", "global")
                .set("is_active", true)
                .attribute("type", "vpc")
                .attribute("network_id", raw.text("id"))
                .attribute("network_name", raw.text("name"))
                // Absent in a network of the kind that had no subnetworks yet.
                .attribute("auto_create_subnetworks", raw.maybeYes("autoCreateSubnetworks"))
                .attribute("legacy_range", raw.maybeText("IPv4Range"))
                .attribute("routing_mode", raw.in("routingConfig").maybeText("routingMode"))
                .attribute("mtu", raw.maybeWhole("mtu"))
                .attribute("subnetwork_count", raw.texts("subnetworks").size())
                .attribute("creation_timestamp", raw.maybeText("creationTimestamp"))
                .tags("gcp", "vpc", "network")
                .build());
        for (Raw peering : raw.objects("peerings")) {
            peering.maybeText("network").ifPresent(link -> {
                ResourceKey peer = at("gce_network", link);
                rows.add(dependency(
                        raw,
                        "peering:" + peer.id(),
                        NETWORKING_RESOURCES,
                        raw.key(),
                        NETWORKING_RESOURCES,
                        peer,
                        "connected_to"));
            });
        }
        return distinct(rows);
    }

    private static List<Output> subnetwork(Raw raw) {
        boolean isActive =
                switch (raw.maybeText("state").orElse("READY")) {
                    case "READY" -> true;
                    // Connections are being moved away from it.
                    case "DRAINING" -> false;
                    default -> throw new UnmappedValue("state", raw.text("state"), "READY or DRAINING");
                };
        return List.of(networking(raw, raw.text("name"), "subnet", last(raw.text("region")))
                .set("is_active", isActive)
                .refer("parent", at("gce_network", raw.text("network")))
                .attribute("subnetwork_id", raw.maybeText("id"))
                .attribute("cidr_block", raw.maybeText("ipCidrRange"))
                .attribute("ipv6_cidr_block", raw.maybeText("ipv6CidrRange"))
                .attribute(
                        "secondary_ranges",
                        raw.objects("secondaryIpRanges").stream()
                                .map(range -> range.text("rangeName") + " " + range.text("ipCidrRange"))
                                .toList())
                .attribute("gateway_address", raw.maybeText("gatewayAddress"))
                .attribute("network", last(raw.text("network")))
                .attribute("purpose", raw.maybeText("purpose"))
                .attribute("stack_type", raw.maybeText("stackType"))
                .attribute("private_ip_google_access", raw.maybeYes("privateIpGoogleAccess"))
                .attribute("creation_timestamp", raw.maybeText("creationTimestamp"))
                .tags("gcp", "vpc", "subnet", last(raw.text("region")))
                .build());
    }

    private static List<Output> firewall(Raw raw) {
        String direction = raw.maybeText("direction").orElse("INGRESS");
        if (!Set.of("INGRESS", "EGRESS").contains(direction)) {
            throw new UnmappedValue("direction", direction, "INGRESS or EGRESS");
        }
        return List.of(networking(raw, raw.text("name"), "firewall", "global")
                .set("description", raw.maybeText("description"))
                .set("is_active", !raw.maybeYes("disabled").orElse(false))
                .refer("parent", at("gce_network", raw.text("network")))
                .attribute("firewall_id", raw.maybeText("id"))
                .attribute("network", last(raw.text("network")))
                .attribute("direction", direction)
                .attribute("priority", raw.maybeWhole("priority"))
                .attribute("allowed", rules(raw, "allowed"))
                .attribute("denied", rules(raw, "denied"))
                .attribute("source_ranges", raw.texts("sourceRanges"))
                .attribute("destination_ranges", raw.texts("destinationRanges"))
                .attribute("source_tags", raw.texts("sourceTags"))
                .attribute("target_tags", raw.texts("targetTags"))
                .attribute("target_service_accounts", raw.texts("targetServiceAccounts"))
                .attribute("creation_timestamp", raw.maybeText("creationTimestamp"))
                .tags("gcp", "vpc", "firewall")
                .build());
    }

    private static List<Output> bucket(Raw raw) {
        String location = raw.text("location");
        Raw iam = raw.in("iamConfiguration");
        boolean isUniform =
                iam.in("uniformBucketLevelAccess").maybeYes("enabled").orElse(false);
        return List.of(dataStore(raw, raw.text("name"), "gcs", location.toLowerCase(Locale.ROOT))
                .set("encryption_at_rest", true)
                .set("access_control_type", isUniform ? "iam" : "acl")
                .set("is_active", true)
                .attribute("bucket_name", raw.text("name"))
                .attribute("location", location)
                .attribute("location_type", raw.maybeText("locationType"))
                .attribute("storage_class", raw.text("storageClass"))
                .attribute("public_access_prevention", iam.maybeText("publicAccessPrevention"))
                .attribute("versioning", raw.in("versioning").maybeYes("enabled"))
                .attribute("customer_managed_key", raw.in("encryption").maybeText("defaultKmsKeyName"))
                .attribute("labels", labels(raw, "labels"))
                .attribute("time_created", raw.maybeText("timeCreated"))
                .attribute("service", "storage")
                .tags("gcp", "gcs", "storage", location.toLowerCase(Locale.ROOT))
                .build());
    }

    private static List<Output> cluster(Raw raw) {
        String status = raw.text("status");
        String state =
                switch (status) {
                    case "PROVISIONING", "RUNNING", "RECONCILING", "STOPPING", "ERROR", "DEGRADED" ->
                        status.toLowerCase(Locale.ROOT);
                    default -> throw new UnmappedValue("status", status, "a status of GKE's clusters");
                };
        String location = raw.text("location");
        Raw networks = raw.in("networkConfig");
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, raw.text("name"), "kubernetes_cluster", state, region(location))
                .set("external_id", Output.within(255, raw.key().id()))
                .attribute("cluster_id", raw.maybeText("id"))
                .attribute("cluster_name", raw.text("name"))
                .attribute("location", location)
                .attribute("locations", raw.texts("locations"))
                .attribute("status", status)
                .attribute("endpoint", raw.maybeText("endpoint"))
                .attribute("kubernetes_version", raw.maybeText("currentMasterVersion"))
                .attribute("node_version", raw.maybeText("currentNodeVersion"))
                .attribute("node_count", raw.maybeWhole("currentNodeCount"))
                .attribute("node_pool_count", raw.objects("nodePools").size())
                .attribute("autopilot", raw.in("autopilot").maybeYes("enabled"))
                .attribute("private_nodes", raw.in("privateClusterConfig").maybeYes("enablePrivateNodes"))
                .attribute("release_channel", raw.in("releaseChannel").maybeText("channel"))
                .attribute("network", raw.maybeText("network"))
                .attribute("subnetwork", raw.maybeText("subnetwork"))
                .attribute("pod_cidr_block", raw.maybeText("clusterIpv4Cidr"))
                .attribute("labels", labels(raw, "resourceLabels"))
                .attribute("creation_timestamp", raw.maybeText("createTime"))
                .tags("gcp", "gke", "kubernetes", location)
                .build());
        networks.maybeText("network")
                .or(() -> raw.maybeText("network"))
                .map(link -> link.contains("/") ? link : "projects/" + raw.key().account() + "/global/networks/" + link)
                .ifPresent(link -> attach(rows, raw, "gce_network", link, "connected_to"));
        networks.maybeText("subnetwork")
                .filter(link -> link.contains("/"))
                .ifPresent(link -> attach(rows, raw, "gce_subnetwork", link, "attached"));
        return distinct(rows);
    }

    private static List<Output> nodePool(Raw raw) {
        String status = raw.text("status");
        String state =
                switch (status) {
                    case "PROVISIONING", "RUNNING", "RUNNING_WITH_ERROR", "RECONCILING", "STOPPING", "ERROR" ->
                        status.toLowerCase(Locale.ROOT);
                    default -> throw new UnmappedValue("status", status, "a status of GKE's node pools");
                };
        Raw config = raw.in("config");
        Raw autoscaling = raw.in("autoscaling");
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, raw.text("name"), "kubernetes_node_pool", state, region(raw.text("clusterLocation")))
                .set("external_id", Output.within(255, raw.key().id()))
                .refer("parent", other(raw, "gke_cluster", raw.text("cluster")))
                .attribute("node_pool_name", raw.text("name"))
                .attribute("cluster", last(raw.text("cluster")))
                .attribute("status", status)
                .attribute("kubernetes_version", raw.maybeText("version"))
                .attribute("machine_type", config.maybeText("machineType"))
                .attribute("disk_type", config.maybeText("diskType"))
                .attribute("disk_size_gb", config.maybeWhole("diskSizeGb"))
                .attribute("image_type", config.maybeText("imageType"))
                .attribute("spot", config.maybeYes("spot"))
                .attribute("service_account", config.maybeText("serviceAccount"))
                .attribute("initial_node_count", raw.maybeWhole("initialNodeCount"))
                .attribute("autoscaling", autoscaling.maybeYes("enabled"))
                .attribute("min_node_count", autoscaling.maybeWhole("minNodeCount"))
                .attribute("max_node_count", autoscaling.maybeWhole("maxNodeCount"))
                .attribute("locations", raw.texts("locations"))
                .tags("gcp", "gke", "node-pool", raw.text("clusterLocation"))
                .build());
        // "default" stands for Compute Engine's default account, whose name is not told.
        config.maybeText("serviceAccount")
                .filter(email -> email.contains("@"))
                .ifPresent(email -> use(rows, raw, ENTITIES, email));
        return distinct(rows);
    }

    private static List<Output> runService(Raw raw) {
        // https://cloud.google.com/run/docs/reference/rest/v2/Condition#state
        Optional<String> condition = raw.in("terminalCondition").maybeText("state");
        String status =
                switch (condition.orElse("CONDITION_PENDING")) {
                    case "CONDITION_SUCCEEDED" -> "active";
                    case "CONDITION_PENDING", "CONDITION_RECONCILING" -> "maintenance";
                    case "CONDITION_FAILED" -> "inactive";
                    default ->
                        throw new UnmappedValue("terminalCondition.state", condition.get(), "a state of a condition");
                };
        Optional<Boolean> isPublic = raw.maybeText("ingress").map(ingress -> switch (ingress) {
            case "INGRESS_TRAFFIC_ALL" -> true;
            case "INGRESS_TRAFFIC_INTERNAL_ONLY", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "INGRESS_TRAFFIC_NONE" ->
                false;
            default -> throw new UnmappedValue("ingress", ingress, "an ingress setting of Cloud Run");
        });
        Raw template = raw.in("template");
        List<Raw> containers = template.objects("containers");
        String region = segment(raw.text("name"), "locations");
        List<Output> rows = new ArrayList<>();
        rows.add(service(raw, last(raw.text("name")), "serverless", status)
                .set("description", raw.maybeText("description"))
                .set(
                        "port",
                        containers.stream()
                                .flatMap(each -> each.objects("ports").stream())
                                .flatMap(port -> port.maybeWhole("containerPort").stream())
                                .findFirst())
                .set("is_public", isPublic)
                .set("domains", raw.maybeText("uri").map(uri -> "[\"" + uri.replaceFirst("https?://", "") + "\"]"))
                .attribute("region", region)
                .attribute("uri", raw.maybeText("uri"))
                .attribute("uid", raw.maybeText("uid"))
                .attribute("generation", raw.maybeText("generation"))
                .attribute(
                        "latest_ready_revision",
                        raw.maybeText("latestReadyRevision").map(GcpMapping::last))
                .attribute("ingress", raw.maybeText("ingress"))
                .attribute(
                        "images",
                        containers.stream()
                                .flatMap(each -> each.maybeText("image").stream())
                                .toList())
                .attribute("environment_variable_keys", variables(containers))
                .attribute("service_account", template.maybeText("serviceAccount"))
                .attribute("vpc_connector", template.in("vpcAccess").maybeText("connector"))
                .attribute("labels", labels(raw, "labels"))
                .attribute("creation_timestamp", raw.maybeText("createTime"))
                .attribute("last_modified", raw.maybeText("updateTime"))
                .tags("gcp", "cloud-run", "serverless", region)
                .build());
        template.maybeText("serviceAccount").ifPresent(email -> use(rows, raw, SERVICES, email));
        for (Raw nic : template.in("vpcAccess").objects("networkInterfaces")) {
            nic.maybeText("subnetwork")
                    .map(name -> name.contains("/")
                            ? name
                            : "projects/" + raw.key().account() + "/regions/" + region + "/subnetworks/" + name)
                    .ifPresent(link -> connect(rows, raw, SERVICES, "gce_subnetwork", link));
            nic.maybeText("network")
                    .map(name ->
                            name.contains("/") ? name : "projects/" + raw.key().account() + "/global/networks/" + name)
                    .ifPresent(link -> connect(rows, raw, SERVICES, "gce_network", link));
        }
        return distinct(rows);
    }

    private static List<Output> function(Raw raw) {
        String state = raw.text("state");
        String status =
                switch (state) {
                    case "ACTIVE" -> "active";
                    case "DEPLOYING", "DETACHING", "DETACH_FAILED" -> "maintenance";
                    // UNKNOWN: "Function deployment failed and the function serving state is undefined."
                    case "FAILED", "DELETING", "UNKNOWN" -> "inactive";
                    default -> throw new UnmappedValue("state", state, "a state of Cloud Functions");
                };
        Raw config = raw.in("serviceConfig");
        Raw build = raw.in("buildConfig");
        Optional<Boolean> isPublic = config.maybeText("ingressSettings").map(ingress -> switch (ingress) {
            case "ALLOW_ALL" -> true;
            case "ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB" -> false;
            default ->
                throw new UnmappedValue(
                        "serviceConfig.ingressSettings", ingress, "an ingress setting of Cloud Functions");
        });
        String region = segment(raw.text("name"), "locations");
        Optional<String> url = raw.maybeText("url").or(() -> config.maybeText("uri"));
        List<Output> rows = new ArrayList<>();
        rows.add(service(raw, last(raw.text("name")), "function", status)
                .set("description", raw.maybeText("description"))
                .set("language", build.maybeText("runtime").map(runtime -> Output.within(50, runtime)))
                .set("is_public", isPublic)
                .attribute("function_name", last(raw.text("name")))
                .attribute("region", region)
                .attribute("state", state)
                .attribute("environment", raw.maybeText("environment"))
                .attribute("runtime", build.maybeText("runtime"))
                .attribute("handler", build.maybeText("entryPoint"))
                .attribute("url", url)
                .attribute("memory", config.maybeText("availableMemory"))
                .attribute("cpu", config.maybeText("availableCpu"))
                .attribute("timeout_seconds", config.maybeWhole("timeoutSeconds"))
                .attribute("service_account", config.maybeText("serviceAccountEmail"))
                .attribute("vpc_connector", config.maybeText("vpcConnector"))
                .attribute("event_type", raw.in("eventTrigger").maybeText("eventType"))
                .attribute(
                        "environment_variable_keys",
                        List.copyOf(config.textsByName("environmentVariables").keySet()))
                .attribute("labels", labels(raw, "labels"))
                .attribute("last_modified", raw.maybeText("updateTime"))
                .tags("gcp", "cloud-functions", "serverless", region)
                .build());
        config.maybeText("serviceAccountEmail").ifPresent(email -> use(rows, raw, SERVICES, email));
        config.maybeText("service").ifPresent(link -> {
            // A function of the second generation is carried out by a service of Cloud Run.
            ResourceKey service = at("cloud_run_service", link);
            rows.add(dependency(raw, "service:" + service.id(), SERVICES, raw.key(), SERVICES, service, "runs_on"));
        });
        return distinct(rows);
    }

    private static List<Output> sqlInstance(Raw raw) {
        String state = raw.text("state");
        boolean isActive =
                switch (state) {
                    case "RUNNABLE", "PENDING_CREATE", "MAINTENANCE", "ONLINE_MAINTENANCE", "REPAIRING" -> true;
                    case "SUSPENDED", "PENDING_DELETE", "FAILED", "STOPPED" -> false;
                    default -> throw new UnmappedValue("state", state, "a state of Cloud SQL's instances");
                };
        Raw settings = raw.in("settings");
        Raw ip = settings.in("ipConfiguration");
        List<Output> rows = new ArrayList<>();
        rows.add(dataStore(raw, raw.text("name"), "database", raw.text("region"))
                .set("size_bytes", whole(settings, "dataDiskSizeGb").map(size -> size * GIB))
                .set("encryption_at_rest", true)
                .set("is_active", isActive)
                .attribute("instance_id", raw.text("name"))
                .attribute("engine", engine(raw.text("databaseVersion")))
                .attribute("engine_version", raw.text("databaseVersion"))
                .attribute("instance_class", settings.maybeText("tier"))
                .attribute("allocated_storage_gb", whole(settings, "dataDiskSizeGb"))
                .attribute("status", state)
                .attribute("activation_policy", settings.maybeText("activationPolicy"))
                .attribute("availability_type", settings.maybeText("availabilityType"))
                .attribute("availability_zone", raw.maybeText("gceZone"))
                .attribute("connection_name", raw.maybeText("connectionName"))
                .attribute("ip_addresses", addresses(raw))
                .attribute("public_ip_enabled", ip.maybeYes("ipv4Enabled"))
                .attribute("backup_enabled", settings.in("backupConfiguration").maybeYes("enabled"))
                .attribute(
                        "customer_managed_key",
                        raw.in("diskEncryptionConfiguration").maybeText("kmsKeyName"))
                .attribute("master_instance", raw.maybeText("masterInstanceName"))
                .attribute("service_account", raw.maybeText("serviceAccountEmailAddress"))
                .attribute("labels", labels(settings, "userLabels"))
                .attribute("created_time", raw.maybeText("createTime"))
                .attribute("service", "sql")
                .tags("gcp", "cloud-sql", "database", raw.text("region"))
                .build());
        ip.maybeText("privateNetwork").ifPresent(link -> connect(rows, raw, DATA_STORES, "gce_network", link));
        raw.maybeText("masterInstanceName").ifPresent(name -> {
            // "The name of the instance which will act as primary": project:instance
            int colon = name.lastIndexOf(':');
            ResourceKey primary = new ResourceKey(
                    "gcp",
                    colon < 0 ? raw.key().account() : name.substring(0, colon),
                    "cloud_sql_instance",
                    name.substring(colon + 1));
            rows.add(dependency(
                    raw, "primary:" + primary.id(), DATA_STORES, raw.key(), DATA_STORES, primary, "depends_on"));
        });
        return distinct(rows);
    }

    private static List<Output> serviceAccount(Raw raw) {
        String email = raw.text("email");
        return List.of(Output.row(IDENTITIES, raw.key().toString())
                .set("username", Output.within(255, "gcp:" + email))
                .set("identity_type", "service_account")
                .set("auth_provider", "gcp")
                .set("auth_provider_id", Output.within(255, "gcp:" + raw.key().account() + ":" + raw.text("uniqueId")))
                .set("email", Output.within(255, email))
                .set("full_name", raw.maybeText("displayName").map(name -> Output.within(255, name)))
                .set("is_active", !raw.maybeYes("disabled").orElse(false))
                .refer("organization", projectOf(raw))
                .attribute("unique_id", raw.text("uniqueId"))
                .attribute("description", raw.maybeText("description"))
                .attribute("project_id", raw.key().account())
                .attribute("provider", "gcp")
                .build());
    }

    private static Output.Builder entity(Raw raw, String name, String subType, String status, String region) {
        return Output.row(ENTITIES, raw.key().toString())
                .set("name", Output.within(255, name))
                .set("type", "compute")
                .set("sub_type", subType)
                .set("cloud_provider", "gcp")
                .set("region", region)
                .set("status", status)
                .refer("organization", projectOf(raw))
                .attribute("project_id", raw.key().account())
                .attribute("provider", "gcp");
    }

    private static Output.Builder networking(Raw raw, String name, String type, String region) {
        return Output.row(NETWORKING_RESOURCES, raw.key().toString())
                .set("name", Output.within(255, name))
                .set("network_type", type)
                .set("region", region)
                .refer("organization", projectOf(raw))
                .attribute("project_id", raw.key().account())
                .attribute("provider", "gcp");
    }

    private static Output.Builder dataStore(Raw raw, String name, String type, String region) {
        return Output.row(DATA_STORES, raw.key().toString())
                .set("name", Output.within(255, name))
                .set("storage_type", type)
                .set("storage_provider", "GCP")
                .set("location_region", Output.within(50, region))
                .refer("organization", projectOf(raw))
                .attribute("region", region)
                .attribute("project_id", raw.key().account())
                .attribute("provider", "gcp");
    }

    private static Output.Builder service(Raw raw, String name, String method, String status) {
        return Output.row(SERVICES, raw.key().toString())
                .set("name", Output.within(255, name))
                .set("deployment_method", method)
                .set("status", status)
                .refer("organization", projectOf(raw))
                .attribute("project_id", raw.key().account())
                .attribute("provider", "gcp");
    }

    private static void attach(List<Output> rows, Raw raw, String kind, String link, String relationship) {
        ResourceKey network = at(kind, link);
        rows.add(Output.row(NETWORK_ENTITY_MAPPINGS, raw.key().row(relationship + ":" + network.id()))
                .set("relationship_type", relationship)
                .refer("network", network)
                .refer("entity", raw.key())
                .build());
    }

    private static void connect(List<Output> rows, Raw raw, ElderTable table, String kind, String link) {
        ResourceKey network = at(kind, link);
        rows.add(dependency(
                raw, "network:" + network.id(), table, raw.key(), NETWORKING_RESOURCES, network, "connected_to"));
    }

    private static void use(List<Output> rows, Raw raw, ElderTable table, String email) {
        ResourceKey account = new ResourceKey("gcp", projectOf(raw, email), "gcp_service_account", email);
        rows.add(dependency(raw, "service_account:" + email, table, raw.key(), IDENTITIES, account, "uses"));
    }

    private static Output dependency(
            Raw raw,
            String link,
            ElderTable sourceTable,
            ResourceKey source,
            ElderTable targetTable,
            ResourceKey target,
            String type) {
        return Output.row(DEPENDENCIES, raw.key().row(link))
                .set("source_type", sourceTable.noun())
                .set("target_type", targetTable.noun())
                .set("dependency_type", type)
                .refer("source", source)
                .refer("target", target)
                .attribute("provider", "gcp")
                .build();
    }

    /** Two interfaces in one network are one link. */
    private static List<Output> distinct(List<Output> rows) {
        return List.copyOf(new LinkedHashSet<>(rows));
    }

    private static ResourceKey projectOf(Raw raw) {
        return other(raw, "gcp_project", raw.key().account());
    }

    private static ResourceKey other(Raw raw, String kind, String id) {
        return new ResourceKey("gcp", raw.key().account(), kind, id);
    }

    /** What a link leads to, which may well be in another project. */
    private static ResourceKey at(String kind, String link) {
        Matcher path = PATH.matcher(link);
        if (!path.matches()) {
            throw new RejectedRecord("link to a " + kind, link, "a path that begins with projects/");
        }
        return new ResourceKey("gcp", path.group(2), kind, path.group(1));
    }

    /** Google's own service accounts do not say whose they are: then they are this project's. */
    private static String projectOf(Raw raw, String email) {
        Matcher account = OWN_ACCOUNT.matcher(email);
        if (!account.matches()) {
            return raw.key().account();
        }
        return account.group(2) == null ? account.group(1) : account.group(2) + ":" + account.group(1);
    }

    private static List<String> emails(Raw raw) {
        return raw.objects("serviceAccounts").stream()
                .map(account -> account.text("email"))
                .toList();
    }

    private static List<String> variables(List<Raw> containers) {
        return containers.stream()
                .flatMap(each -> each.objects("env").stream())
                .map(variable -> variable.text("name"))
                .distinct()
                .sorted()
                .toList();
    }

    private static List<String> addresses(Raw raw) {
        return raw.objects("ipAddresses").stream()
                .map(address -> address.text("type") + " " + address.text("ipAddress"))
                .toList();
    }

    /** {@code tcp:80,443}, as gcloud writes them. */
    private static List<String> rules(Raw raw, String field) {
        return raw.objects(field).stream()
                .map(rule -> {
                    String ports = rule.texts("ports").stream().collect(Collectors.joining(","));
                    return rule.text("IPProtocol") + (ports.isEmpty() ? "" : ":" + ports);
                })
                .toList();
    }

    private static String engine(String version) {
        String engine = version.replaceFirst("_.*", "").toLowerCase(Locale.ROOT);
        return switch (engine) {
            case "mysql", "postgres", "sqlserver" -> engine;
            default ->
                throw new UnmappedValue("databaseVersion", version, "MYSQL_, POSTGRES_ or SQLSERVER_ and a version");
        };
    }

    private static Optional<Map<String, String>> labels(Raw raw, String field) {
        Map<String, String> labels = raw.textsByName(field);
        return labels.isEmpty() ? Optional.empty() : Optional.of(labels);
    }

    /** 64-bit numbers are texts in Google's JSON. */
    private static Optional<Long> whole(Raw raw, String field) {
        return raw.maybeText(field).map(text -> {
            try {
                return Long.parseLong(text);
            } catch (NumberFormatException e) {
                throw new RejectedRecord(field, text, "a whole number");
            }
        });
    }

    private static String last(String link) {
        return link.substring(link.lastIndexOf('/') + 1);
    }

    /** What follows a word in a path: {@code us-central1} after {@code locations}. */
    private static String segment(String path, String word) {
        List<String> segments = List.of(path.split("/"));
        int at = segments.indexOf(word);
        if (at < 0 || at + 1 == segments.size()) {
            throw new RejectedRecord("name", path, "a path with " + word);
        }
        return segments.get(at + 1);
    }

    /** {@code us-central1} of {@code us-central1-a}, and of itself. */
    private static String region(String location) {
        Matcher zone = ZONE.matcher(location);
        return zone.matches() ? zone.group(1) : location;
    }
}
