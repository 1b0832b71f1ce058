package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.BUILTIN_SECRETS;
import static io.elder.schemas.ElderTable.CERTIFICATES;
import static io.elder.schemas.ElderTable.DATA_STORES;
import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.IDENTITIES;
import static io.elder.schemas.ElderTable.IDENTITY_GROUPS;
import static io.elder.schemas.ElderTable.IDENTITY_GROUP_MEMBERSHIPS;
import static io.elder.schemas.ElderTable.NETWORKING_RESOURCES;
import static io.elder.schemas.ElderTable.NETWORK_ENTITY_MAPPINGS;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;
import static io.elder.schemas.ElderTable.SERVICES;
import static io.elder.schemas.ElderTable.SOFTWARE;
import static java.util.Map.entry;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.elder.schemas.ElderTable;
import io.elder.schemas.ResourceKey;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;

/** Kubernetes clusters. Objects refer to each other by name, so the id of one is its namespace and its name. */
public final class KubernetesMapping implements Mapping {
    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.ofEntries(
            entry("k8s_cluster", KubernetesMapping::cluster),
            entry("k8s_namespace", KubernetesMapping::namespace),
            entry("k8s_node", KubernetesMapping::node),
            entry("k8s_pod", KubernetesMapping::pod),
            entry("k8s_deployment", raw -> workload(raw, "deployment", "replicas", "readyReplicas")),
            entry("k8s_stateful_set", raw -> workload(raw, "stateful_set", "replicas", "readyReplicas")),
            entry("k8s_daemon_set", KubernetesMapping::daemonSet),
            entry("k8s_job", KubernetesMapping::job),
            entry("k8s_cron_job", KubernetesMapping::cronJob),
            entry("k8s_service", KubernetesMapping::service),
            entry("k8s_ingress", KubernetesMapping::ingress),
            entry("k8s_network_policy", KubernetesMapping::networkPolicy),
            entry("k8s_persistent_volume", KubernetesMapping::persistentVolume),
            entry("k8s_pvc", KubernetesMapping::persistentVolumeClaim),
            entry("k8s_storage_class", KubernetesMapping::storageClass),
            entry("k8s_resource_quota", KubernetesMapping::resourceQuota),
            entry("k8s_service_account", KubernetesMapping::serviceAccount),
            entry("k8s_role", raw -> role(raw, "role")),
            entry("k8s_cluster_role", raw -> role(raw, "clusterrole")),
            entry("k8s_role_binding", KubernetesMapping::binding),
            entry("k8s_cluster_role_binding", KubernetesMapping::binding),
            entry("k8s_rbac_subject", KubernetesMapping::subject),
            entry("k8s_secret", KubernetesMapping::secret),
            entry("k8s_config_map", KubernetesMapping::configMap),
            entry("cert_manager_certificate", KubernetesMapping::certificate),
            entry("k8s_deployment_pod", KubernetesMapping::podOfDeployment),
            entry("k8s_service_pod", KubernetesMapping::podOfService),
            entry("k8s_container_image", KubernetesMapping::containerImage),
            entry("k8s_cni", KubernetesMapping::networkPlugin)));

    private static final ResourceKey ROOT = new ResourceKey("kubernetes", "*", "kubernetes", "kubernetes");

    @Override
    public String provider() {
        return "kubernetes";
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> cluster(Raw raw) {
        String name = raw.text("name");
        Raw version = raw.in("version");
        return List.of(
                Output.row(ORGANIZATIONS, ROOT.toString())
                        .set("name", "Kubernetes")
                        .set("type", "cloud")
                        .set("cloud_provider", "kubernetes")
                        .set("is_active", true)
                        .build(),
                Output.row(ORGANIZATIONS, raw.key().toString())
                        .set("name", Output.within(255, "Kubernetes: " + name))
                        .set("type", "kubernetes_cluster")
                        .set("cloud_provider", "kubernetes")
                        .set("cloud_account_id", Output.within(255, name))
                        .set("is_active", true)
                        .refer("parent", ROOT)
                        .attribute("cluster", name)
                        .attribute("provider", "kubernetes")
                        .build(),
                Output.row(ENTITIES, raw.key().row("entity"))
                        .set("name", Output.within(255, name))
                        .set("type", "compute")
                        .set("sub_type", "kubernetes_cluster")
                        .set("external_id", Output.within(255, name))
                        .set("cloud_provider", "kubernetes")
                        .set("status", "active")
                        .refer("organization", raw.key())
                        .attribute("cluster", name)
                        .attribute("version", version.maybeText("gitVersion"))
                        .attribute("platform", version.maybeText("platform"))
                        .attribute("provider", "kubernetes")
                        .tags("kubernetes", "cluster")
                        .build());
    }

    private static List<Output> namespace(Raw raw) {
        String phase = raw.in("status").maybeText("phase").orElse("Active");
        boolean isActive =
                switch (phase) {
                    case "Active" -> true;
                    case "Terminating" -> false;
                    default -> throw new UnmappedValue("status.phase", phase, "Active or Terminating");
                };
        return List.of(network(raw, "namespace")
                .set("is_active", isActive)
                .attribute("phase", phase)
                .build());
    }

    private static List<Output> node(Raw raw) {
        Raw spec = raw.in("spec");
        Raw status = raw.in("status");
        Raw info = status.in("nodeInfo");
        Raw capacity = status.in("capacity");
        Raw labels = raw.in("metadata").in("labels");
        return List.of(entity(raw, "kubernetes_node")
                .set("status", ready(status))
                .set("region", labels.maybeText("topology.kubernetes.io/region"))
                .attribute("zone", labels.maybeText("topology.kubernetes.io/zone"))
                .attribute("instance_type", labels.maybeText("node.kubernetes.io/instance-type"))
                .attribute("provider_id", spec.maybeText("providerID"))
                .attribute("pod_cidr", spec.maybeText("podCIDR"))
                .attribute("unschedulable", spec.maybeYes("unschedulable").orElse(false))
                .attribute("taints", spec.maybe("taints"))
                .attribute("capacity_cpu", capacity.maybe("cpu"))
                .attribute("capacity_memory", capacity.maybe("memory"))
                .attribute("capacity_pods", capacity.maybe("pods"))
                .attribute("kubelet_version", info.maybeText("kubeletVersion"))
                .attribute("os_image", info.maybeText("osImage"))
                .attribute("architecture", info.maybeText("architecture"))
                .attribute("kernel_version", info.maybeText("kernelVersion"))
                .attribute("container_runtime", info.maybeText("containerRuntimeVersion"))
                .attribute("addresses", status.maybe("addresses"))
                .attribute(
                        "conditions",
                        status.objects("conditions").stream()
                                .map(condition -> condition.text("type"))
                                .toList())
                .build());
    }

    private static String ready(Raw status) {
        for (Raw condition : status.objects("conditions")) {
            if (condition.text("type").equals("Ready")) {
                return switch (condition.text("status")) {
                    case "True" -> "ready";
                    case "False" -> "not_ready";
                    case "Unknown" -> "unknown";
                    default ->
                        throw new UnmappedValue(
                                "status.conditions[Ready].status", condition.text("status"), "True, False or Unknown");
                };
            }
        }
        // What no kubelet has reported on yet, as Kubernetes itself puts it.
        return "unknown";
    }

    private static List<Output> pod(Raw raw) {
        Raw spec = raw.in("spec");
        Raw status = raw.in("status");
        List<Raw> containers = spec.objects("containers");
        Optional<String> node = spec.maybeText("nodeName");
        Optional<String> phase = status.maybeText("phase");
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, "kubernetes_pod")
                .set("status", phase.map(KubernetesMapping::podStatus))
                .attribute("pod_name", name(raw))
                .attribute("phase", phase)
                .attribute("node_name", node)
                .attribute("pod_ip", status.maybeText("podIP"))
                .attribute("host_ip", status.maybeText("hostIP"))
                .attribute("qos_class", status.maybeText("qosClass"))
                .attribute("restart_policy", spec.maybeText("restartPolicy"))
                .attribute("service_account", spec.maybeText("serviceAccountName"))
                .attribute("containers_count", containers.size())
                .attribute("containers", containers(containers))
                .attribute("init_containers", containers(spec.objects("initContainers")))
                .attribute("resource_requests", total(containers, "requests"))
                .attribute("resource_limits", total(containers, "limits"))
                .attribute("owner", owner(raw).map(owner -> owner.text("kind") + "/" + owner.text("name")))
                .build());
        rows.add(inNamespace(raw));
        node.ifPresent(name -> rows.add(depends(raw, ENTITIES, "runs_on", ENTITIES, "k8s_node", name)));
        owner(raw)
                .flatMap(owner -> ownerKind(owner.text("kind"))
                        .map(kind ->
                                depends(raw, ENTITIES, "part_of", ENTITIES, kind, besides(raw, owner.text("name")))))
                .ifPresent(rows::add);
        spec.maybeText("serviceAccountName")
                .ifPresent(account -> rows.add(
                        depends(raw, ENTITIES, "uses", IDENTITIES, "k8s_service_account", besides(raw, account))));
        Set<String> claims = new LinkedHashSet<>();
        for (Raw volume : spec.objects("volumes")) {
            volume.in("persistentVolumeClaim").maybeText("claimName").ifPresent(claims::add);
            if (volume.maybe("ephemeral").isPresent()) {
                // https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#persistentvolumeclaim-naming
                claims.add(name(raw) + "-" + volume.text("name"));
            }
        }
        claims.forEach(claim -> rows.add(depends(raw, ENTITIES, "uses", DATA_STORES, "k8s_pvc", besides(raw, claim))));
        Set<String> images = new LinkedHashSet<>();
        for (String list : List.of("containers", "initContainers", "ephemeralContainers")) {
            spec.objects(list).forEach(container -> container.maybeText("image").ifPresent(images::add));
        }
        images.forEach(image -> rows.add(depends(raw, ENTITIES, "uses", SOFTWARE, "k8s_container_image", image)));
        return rows;
    }

    private static String podStatus(String phase) {
        return switch (phase) {
            case "Pending" -> "pending";
            case "Running" -> "running";
            case "Succeeded" -> "succeeded";
            case "Failed" -> "failed";
            case "Unknown" -> "unknown";
            default -> throw new UnmappedValue("status.phase", phase, "Pending, Running, Succeeded, Failed or Unknown");
        };
    }

    /** Replica sets have no rows: pods of deployments are linked by {@code k8s_deployment_pod}. */
    private static Optional<String> ownerKind(String kind) {
        return Optional.ofNullable(
                switch (kind) {
                    case "StatefulSet" -> "k8s_stateful_set";
                    case "DaemonSet" -> "k8s_daemon_set";
                    case "Job" -> "k8s_job";
                    case "CronJob" -> "k8s_cron_job";
                    // Anybody may own a pod, e.g. an operator's own kind.
                    default -> null;
                });
    }

    private static List<Output> podOfDeployment(Raw raw) {
        return List.of(ofPod(raw, "part_of")
                .set("source_type", ENTITIES.noun())
                .set("target_type", ENTITIES.noun())
                .refer("source", other(raw, "k8s_pod", linked(raw, "pod")))
                .refer("target", other(raw, "k8s_deployment", linked(raw, "deployment")))
                .build());
    }

    private static List<Output> podOfService(Raw raw) {
        return List.of(ofPod(raw, "routes_to")
                .set("source_type", SERVICES.noun())
                .set("target_type", ENTITIES.noun())
                .refer("source", other(raw, "k8s_service", linked(raw, "service")))
                .refer("target", other(raw, "k8s_pod", linked(raw, "pod")))
                .build());
    }

    private static Output.Builder ofPod(Raw raw, String type) {
        return Output.row(DEPENDENCIES, raw.key().toString())
                .set("dependency_type", type)
                .attribute("cluster", raw.key().account())
                .attribute("namespace", raw.text("namespace"))
                .attribute("provider", "kubernetes");
    }

    private static String linked(Raw raw, String field) {
        return raw.text("namespace") + "/" + raw.text(field);
    }

    private static List<Output> workload(Raw raw, String subType, String wanted, String found) {
        Raw spec = raw.in("spec");
        Raw status = raw.in("status");
        long replicas = spec.maybeWhole(wanted).orElse(1L);
        long ready = status.maybeWhole(found).orElse(0L);
        return workload(
                raw,
                entity(raw, subType)
                        .set("status", ready >= replicas ? "ready" : "not_ready")
                        .attribute("replicas", replicas)
                        .attribute("ready_replicas", ready)
                        .attribute("selector", spec.in("selector").maybe("matchLabels"))
                        .attribute("strategy", spec.in("strategy").maybeText("type"))
                        .attribute("service_name", spec.maybeText("serviceName")),
                spec.in("template").in("spec"));
    }

    private static List<Output> daemonSet(Raw raw) {
        Raw status = raw.in("status");
        long wanted = status.maybeWhole("desiredNumberScheduled").orElse(0L);
        long ready = status.maybeWhole("numberReady").orElse(0L);
        return workload(
                raw,
                entity(raw, "daemon_set")
                        .set("status", ready >= wanted ? "ready" : "not_ready")
                        .attribute("desired", wanted)
                        .attribute("ready", ready)
                        .attribute("selector", raw.in("spec").in("selector").maybe("matchLabels")),
                raw.in("spec").in("template").in("spec"));
    }

    private static List<Output> job(Raw raw) {
        Raw spec = raw.in("spec");
        Raw status = raw.in("status");
        List<Output> rows = new ArrayList<>(workload(
                raw,
                entity(raw, "job")
                        .set("status", jobStatus(spec, status))
                        .attribute("completions", spec.maybeWhole("completions"))
                        .attribute("parallelism", spec.maybeWhole("parallelism"))
                        .attribute("succeeded", status.maybeWhole("succeeded"))
                        .attribute("failed", status.maybeWhole("failed")),
                spec.in("template").in("spec")));
        owner(raw)
                .filter(owner -> owner.text("kind").equals("CronJob"))
                .ifPresent(owner -> rows.add(
                        depends(raw, ENTITIES, "part_of", ENTITIES, "k8s_cron_job", besides(raw, owner.text("name")))));
        return rows;
    }

    private static String jobStatus(Raw spec, Raw status) {
        for (Raw condition : status.objects("conditions")) {
            if (condition.maybeText("status").orElse("").equals("True")) {
                switch (condition.text("type")) {
                    case "Complete", "SuccessCriteriaMet" -> {
                        return "complete";
                    }
                    case "Failed", "FailureTarget" -> {
                        return "failed";
                    }
                    case "Suspended" -> {
                        return "suspended";
                    }
                    default -> {
                        // Controllers other than Kubernetes' own have conditions of their own.
                    }
                }
            }
        }
        if (spec.maybeYes("suspend").orElse(false)) {
            return "suspended";
        }
        return status.maybeWhole("active").orElse(0L) > 0 ? "running" : "pending";
    }

    private static List<Output> cronJob(Raw raw) {
        Raw spec = raw.in("spec");
        return workload(
                raw,
                entity(raw, "cron_job")
                        .set("status", spec.maybeYes("suspend").orElse(false) ? "suspended" : "active")
                        .attribute("schedule", spec.maybeText("schedule"))
                        .attribute("time_zone", spec.maybeText("timeZone"))
                        .attribute("concurrency_policy", spec.maybeText("concurrencyPolicy")),
                spec.in("jobTemplate").in("spec").in("template").in("spec"));
    }

    private static List<Output> workload(Raw raw, Output.Builder row, Raw podSpec) {
        return List.of(
                row.attribute("containers", containers(podSpec.objects("containers")))
                        .attribute("service_account", podSpec.maybeText("serviceAccountName"))
                        .build(),
                inNamespace(raw));
    }

    private static List<Output> service(Raw raw) {
        Raw spec = raw.in("spec");
        String type = spec.maybeText("type").orElse("ClusterIP");
        switch (type) {
            case "ClusterIP", "NodePort", "LoadBalancer", "ExternalName" -> {}
            default -> throw new UnmappedValue("spec.type", type, "ClusterIP, NodePort, LoadBalancer or ExternalName");
        }
        ArrayNode ports = JsonNodeFactory.instance.arrayNode();
        for (Raw port : spec.objects("ports")) {
            ports.addObject()
                    .put("name", port.maybeText("name").orElse(null))
                    .put("port", port.maybeWhole("port").orElse(null))
                    .put("node_port", port.maybeWhole("nodePort").orElse(null))
                    .put("protocol", port.maybeText("protocol").orElse("TCP"));
        }
        return List.of(
                Output.row(SERVICES, raw.key().toString())
                        .set("name", Output.within(255, name(raw)))
                        .set("deployment_method", "kubernetes")
                        .set(
                                "port",
                                spec.objects("ports").stream()
                                        .flatMap(port -> port.maybeWhole("port").stream())
                                        .findFirst())
                        .set("status", "active")
                        .refer("organization", organization(raw))
                        .attribute("type", type)
                        .attribute("cluster_ip", spec.maybeText("clusterIP"))
                        .attribute("external_ips", spec.maybe("externalIPs"))
                        .attribute("external_name", spec.maybeText("externalName"))
                        .attribute(
                                "load_balancer",
                                raw.in("status").in("loadBalancer").maybe("ingress"))
                        .attribute("ports", ports)
                        .attribute("selector", spec.maybe("selector"))
                        .attribute("labels", labels(raw))
                        .attribute("uid", uid(raw))
                        .attribute("namespace", namespaceOf(raw))
                        .attribute("cluster", raw.key().account())
                        .attribute("provider", "kubernetes")
                        .tags("kubernetes", "service")
                        .build(),
                ofNamespace(raw, SERVICES));
    }

    private static List<Output> ingress(Raw raw) {
        Raw spec = raw.in("spec");
        ArrayNode paths = JsonNodeFactory.instance.arrayNode();
        Set<String> backends = new LinkedHashSet<>();
        spec.in("defaultBackend").in("service").maybeText("name").ifPresent(backends::add);
        for (Raw rule : spec.objects("rules")) {
            for (Raw path : rule.in("http").objects("paths")) {
                Raw backend = path.in("backend").in("service");
                backend.maybeText("name").ifPresent(backends::add);
                paths.addObject()
                        .put("host", rule.maybeText("host").orElse("*"))
                        .put("path", path.maybeText("path").orElse("/"))
                        .put("path_type", path.maybeText("pathType").orElse(null))
                        .put("service", backend.maybeText("name").orElse(null))
                        .set(
                                "port",
                                backend.in("port")
                                        .maybe("number")
                                        .or(() -> backend.in("port").maybe("name"))
                                        .orElse(null));
            }
        }
        List<String> tlsHosts = spec.objects("tls").stream()
                .flatMap(each -> each.texts("hosts").stream())
                .toList();
        List<Output> rows = new ArrayList<>();
        rows.add(network(raw, "ingress")
                .set("is_active", true)
                .refer("parent", namespaceKey(raw))
                .attribute("ingress_class", spec.maybeText("ingressClassName"))
                .attribute("paths", paths)
                .attribute("tls_enabled", spec.maybe("tls").isPresent())
                .attribute("tls_hosts", tlsHosts)
                .attribute("backend_services", List.copyOf(backends))
                .attribute("load_balancer", raw.in("status").in("loadBalancer").maybe("ingress"))
                .build());
        // A backend is always in the namespace of its ingress.
        backends.forEach(backend -> rows.add(
                depends(raw, NETWORKING_RESOURCES, "routes_to", SERVICES, "k8s_service", besides(raw, backend))));
        return rows;
    }

    private static List<Output> networkPolicy(Raw raw) {
        Raw spec = raw.in("spec");
        return List.of(network(raw, "firewall")
                .set("is_active", true)
                .refer("parent", namespaceKey(raw))
                .attribute("pod_selector", spec.maybe("podSelector"))
                .attribute("policy_types", spec.texts("policyTypes"))
                .attribute("ingress_rules", spec.maybe("ingress"))
                .attribute("egress_rules", spec.maybe("egress"))
                .build());
    }

    private static List<Output> persistentVolume(Raw raw) {
        Raw spec = raw.in("spec");
        String phase = raw.in("status").maybeText("phase").orElse("Pending");
        switch (phase) {
            case "Pending", "Available", "Bound", "Released", "Failed" -> {}
            default -> throw new UnmappedValue("status.phase", phase, "Pending, Available, Bound, Released or Failed");
        }
        Raw claim = spec.in("claimRef");
        return List.of(store(raw, "disk")
                .set("size_bytes", bytes(spec.in("capacity")))
                .attribute("capacity", spec.in("capacity").maybeText("storage"))
                .attribute("access_modes", spec.texts("accessModes"))
                .attribute("storage_class", spec.maybeText("storageClassName"))
                .attribute("reclaim_policy", spec.maybeText("persistentVolumeReclaimPolicy"))
                .attribute("csi_driver", spec.in("csi").maybeText("driver"))
                .attribute("volume_handle", spec.in("csi").maybeText("volumeHandle"))
                .attribute(
                        "claim",
                        claim.maybeText("name")
                                .map(name -> claim.maybeText("namespace").orElse("") + "/" + name))
                .attribute("phase", phase)
                .build());
    }

    private static List<Output> persistentVolumeClaim(Raw raw) {
        Raw spec = raw.in("spec");
        Raw status = raw.in("status");
        String phase = status.maybeText("phase").orElse("Pending");
        switch (phase) {
            case "Pending", "Bound", "Lost" -> {}
            default -> throw new UnmappedValue("status.phase", phase, "Pending, Bound or Lost");
        }
        Raw requested = spec.in("resources").in("requests");
        Optional<Long> size = bytes(status.in("capacity"));
        List<Output> rows = new ArrayList<>();
        rows.add(store(raw, "disk")
                .set("size_bytes", size.isPresent() ? size : bytes(requested))
                .attribute("pvc_name", name(raw))
                .attribute("volume_name", spec.maybeText("volumeName"))
                .attribute("storage_class", spec.maybeText("storageClassName"))
                .attribute("access_modes", spec.texts("accessModes"))
                .attribute("requested_storage", requested.maybeText("storage"))
                .attribute("capacity", status.in("capacity").maybeText("storage"))
                .attribute("phase", phase)
                .build());
        rows.add(ofNamespace(raw, DATA_STORES));
        spec.maybeText("volumeName")
                .ifPresent(volume ->
                        rows.add(depends(raw, DATA_STORES, "bound_to", DATA_STORES, "k8s_persistent_volume", volume)));
        return rows;
    }

    private static List<Output> storageClass(Raw raw) {
        return List.of(store(raw, "other")
                .attribute("provisioner", raw.maybeText("provisioner"))
                .attribute("reclaim_policy", raw.maybeText("reclaimPolicy"))
                .attribute("volume_binding_mode", raw.maybeText("volumeBindingMode"))
                .attribute(
                        "allow_volume_expansion",
                        raw.maybeYes("allowVolumeExpansion").orElse(false))
                .attribute("parameters", raw.maybe("parameters"))
                .build());
    }

    private static List<Output> resourceQuota(Raw raw) {
        return List.of(
                entity(raw, "resource_quota")
                        .set("status", "active")
                        .attribute("hard", raw.in("spec").maybe("hard"))
                        .attribute("scopes", raw.in("spec").maybe("scopes"))
                        .attribute("used", raw.in("status").maybe("used"))
                        .build(),
                inNamespace(raw));
    }

    private static List<Output> serviceAccount(Raw raw) {
        String name = namespaceOf(raw).orElseThrow(() -> new RejectedRecord("metadata.namespace", "nothing", "a text"))
                + ":" + name(raw);
        return List.of(
                identity(raw, "service_account", name)
                        .set("full_name", Output.within(255, raw.key().id()))
                        .attribute("automount_token", raw.maybe("automountServiceAccountToken"))
                        .attribute(
                                "secrets",
                                raw.objects("secrets").stream()
                                        .flatMap(secret -> secret.maybeText("name").stream())
                                        .toList())
                        .attribute("labels", labels(raw))
                        .attribute("uid", uid(raw))
                        .attribute("namespace", namespaceOf(raw))
                        .build(),
                ofNamespace(raw, IDENTITIES));
    }

    private static List<Output> subject(Raw raw) {
        String name = raw.text("name");
        return switch (raw.text("kind")) {
            case "User" ->
                List.of(identity(raw, name.startsWith("system:") ? "service_account" : "other", "user:" + name)
                        .set("full_name", Output.within(255, name))
                        .build());
            case "Group" -> List.of(group(raw, "group:" + name).build());
            default -> throw new UnmappedValue("kind", raw.text("kind"), "User or Group");
        };
    }

    private static Output.Builder identity(Raw raw, String type, String name) {
        return Output.row(IDENTITIES, raw.key().toString())
                .set("username", Output.within(255, "kubernetes:" + raw.key().account() + ":" + name))
                .set("identity_type", type)
                .set("auth_provider", "kubernetes")
                .set(
                        "auth_provider_id",
                        Output.within(
                                255,
                                "kubernetes:" + raw.key().account() + ":"
                                        + raw.key().id()))
                .set("is_active", true)
                .refer("organization", organization(raw))
                .attribute("cluster", raw.key().account())
                .attribute("provider", "kubernetes");
    }

    private static Output.Builder group(Raw raw, String name) {
        return Output.row(IDENTITY_GROUPS, raw.key().toString())
                .set("name", Output.within(255, "kubernetes:" + raw.key().account() + ":" + name))
                .set("provider", "kubernetes")
                .set("provider_group_id", Output.within(512, raw.key().toString()))
                .set("sync_enabled", false)
                .set("is_active", true)
                .attribute("cluster", raw.key().account())
                .attribute("provider", "kubernetes");
    }

    private static List<Output> role(Raw raw, String word) {
        return List.of(group(raw, word + ":" + raw.key().id())
                .set("description", Output.within(512, description(raw, word)))
                .attribute("rules", raw.maybe("rules"))
                .attribute("aggregation_rule", raw.maybe("aggregationRule"))
                .attribute("labels", labels(raw))
                .attribute("namespace", namespaceOf(raw))
                .attribute("uid", uid(raw))
                .build());
    }

    private static String description(Raw raw, String word) {
        int rules = raw.objects("rules").size();
        return (word.equals("role") ? "Role in namespace " + namespaceOf(raw).orElse("") : "Cluster role") + ", "
                + rules + (rules == 1 ? " rule" : " rules");
    }

    /** Who holds a role by this binding: a membership of everyone who is an identity, a dependency of every group. */
    private static List<Output> binding(Raw raw) {
        Raw reference = raw.in("roleRef");
        String roleName = reference.text("name");
        ResourceKey role =
                switch (reference.text("kind")) {
                    case "ClusterRole" -> other(raw, "k8s_cluster_role", roleName);
                    case "Role" -> other(raw, "k8s_role", besides(raw, roleName));
                    default -> throw new UnmappedValue("roleRef.kind", reference.text("kind"), "Role or ClusterRole");
                };
        Map<String, Output> rows = new TreeMap<>();
        for (Raw subject : raw.objects("subjects")) {
            String name = subject.text("name");
            String kind = subject.text("kind");
            Output row =
                    switch (kind) {
                        case "ServiceAccount" -> {
                            String id = subject.maybeText("namespace")
                                            .or(() -> namespaceOf(raw))
                                            .orElseThrow(
                                                    () -> new RejectedRecord("subjects.namespace", "nothing", "a text"))
                                    + "/" + name;
                            yield membership(raw, other(raw, "k8s_service_account", id), role, kind + "/" + id);
                        }
                        case "User" ->
                            membership(raw, other(raw, "k8s_rbac_subject", "User/" + name), role, "User/" + name);
                        case "Group" ->
                            inBinding(raw, Output.row(DEPENDENCIES, raw.key().row("Group/" + name)))
                                    .set("source_type", IDENTITY_GROUPS.noun())
                                    .set("target_type", IDENTITY_GROUPS.noun())
                                    .set("dependency_type", "member_of")
                                    .refer("source", other(raw, "k8s_rbac_subject", "Group/" + name))
                                    .refer("target", role)
                                    .build();
                        default -> throw new UnmappedValue("subjects.kind", kind, "ServiceAccount, User or Group");
                    };
            rows.put(row.key(), row);
        }
        return List.copyOf(rows.values());
    }

    private static Output membership(Raw raw, ResourceKey identity, ResourceKey role, String member) {
        return inBinding(raw, Output.row(IDENTITY_GROUP_MEMBERSHIPS, raw.key().row(member)))
                .set("provider_member_id", Output.within(512, member))
                .refer("identity", identity)
                .refer("group", role)
                .build();
    }

    private static Output.Builder inBinding(Raw raw, Output.Builder row) {
        return row.attribute("binding", raw.key().id())
                // Where the role holds: a cluster role may be bound in one namespace alone.
                .attribute("namespace", namespaceOf(raw).orElse("*"))
                .attribute("cluster", raw.key().account())
                .attribute("provider", "kubernetes");
    }

    private static List<Output> secret(Raw raw) {
        String type = raw.maybeText("type").orElse("Opaque");
        List<String> keys = keys(raw, "data", "stringData");
        return List.of(
                Output.row(BUILTIN_SECRETS, raw.key().toString())
                        .set(
                                "name",
                                Output.within(255, "k8s:" + namespaceOf(raw).orElse("") + ":" + name(raw)))
                        .set("secret_type", secretType(type))
                        .set(
                                "description",
                                "Kubernetes secret of type " + type + " in "
                                        + raw.key().account() + ", keys: "
                                        + (keys.isEmpty() ? "none" : String.join(", ", keys)))
                        .refer("organization", organization(raw))
                        .attribute("k8s_type", type)
                        .attribute("keys", keys)
                        .attribute("secret_key_count", keys.size())
                        .attribute("namespace", namespaceOf(raw))
                        .attribute("cluster", raw.key().account())
                        .tags("kubernetes", "k8s-secret", "discovered")
                        .build(),
                ofNamespace(raw, BUILTIN_SECRETS));
    }

    /** Types are names that anybody may invent, so what is none of Kubernetes' own is other. */
    private static String secretType(String type) {
        return switch (type) {
            case "kubernetes.io/tls" -> "certificate";
            case "kubernetes.io/basic-auth" -> "password";
            case "kubernetes.io/ssh-auth" -> "ssh_key";
            case "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg" -> "json_credential";
            case "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token" -> "api_key";
            default -> "other";
        };
    }

    private static List<Output> configMap(Raw raw) {
        List<String> keys = keys(raw, "data", "binaryData");
        return List.of(
                store(raw, "other")
                        .attribute("keys", keys)
                        .attribute("key_count", keys.size())
                        .attribute("immutable", raw.maybeYes("immutable").orElse(false))
                        .build(),
                ofNamespace(raw, DATA_STORES));
    }

    private static List<String> keys(Raw raw, String... maps) {
        Set<String> keys = new LinkedHashSet<>();
        for (String map : maps) {
            keys.addAll(raw.in(map).fields());
        }
        return List.copyOf(keys);
    }

    /** A certificate that was not issued yet has no dates, and no row. */
    private static List<Output> certificate(Raw raw) {
        Raw spec = raw.in("spec");
        Raw status = raw.in("status");
        Optional<String> notAfter = status.maybeText("notAfter");
        if (notAfter.isEmpty()) {
            return List.of();
        }
        Raw issuer = spec.in("issuerRef");
        List<String> names = spec.texts("dnsNames");
        Optional<String> commonName = spec.maybeText("commonName");
        String issued =
                status.maybeText("notBefore").orElseGet(() -> raw.in("metadata").text("creationTimestamp"));
        List<Output> rows = new ArrayList<>();
        rows.add(Output.row(CERTIFICATES, raw.key().toString())
                .set("name", Output.within(255, name(raw)))
                .set("creator", "cert_manager")
                .set("cert_type", spec.maybeYes("isCA").orElse(false) ? "ca_intermediate" : "server_cert")
                .set(
                        "common_name",
                        commonName.or(() -> names.stream().findFirst()).map(text -> Output.within(255, text)))
                .set("subject_alternative_names", json(names))
                .set("issuer_common_name", issuer.maybeText("name"))
                .set("issuer_organization", issuer.maybeText("kind"))
                .set("issue_date", date("status.notBefore", issued))
                .set("expiration_date", date("status.notAfter", notAfter.get()))
                .set("not_after", notAfter.get())
                .set("status", "active")
                .refer("organization", organization(raw))
                .attribute("dns_names", names)
                .attribute("issuer_ref", spec.maybe("issuerRef"))
                .attribute("secret_name", spec.maybeText("secretName"))
                .attribute("renewal_time", status.maybeText("renewalTime"))
                .attribute("ready", certificateReady(status))
                .attribute("labels", labels(raw))
                .attribute("uid", uid(raw))
                .attribute("namespace", namespaceOf(raw))
                .attribute("cluster", raw.key().account())
                .attribute("provider", "kubernetes")
                .tags("kubernetes", "certificate", "cert-manager")
                .build());
        rows.add(ofNamespace(raw, CERTIFICATES));
        spec.maybeText("secretName")
                .ifPresent(secret -> rows.add(
                        depends(raw, CERTIFICATES, "uses", BUILTIN_SECRETS, "k8s_secret", besides(raw, secret))));
        return rows;
    }

    private static Optional<Boolean> certificateReady(Raw status) {
        return status.objects("conditions").stream()
                .filter(condition -> condition.text("type").equals("Ready"))
                .map(condition -> condition.text("status").equals("True"))
                .findFirst();
    }

    private static String json(List<String> texts) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        texts.forEach(array::add);
        return array.toString();
    }

    private static String date(String field, String timestamp) {
        if (!timestamp.matches("\\d{4}-\\d{2}-\\d{2}T.*")) {
            throw new RejectedRecord(field, timestamp, "a timestamp such as 2026-01-31T00:00:00Z");
        }
        return timestamp.substring(0, 10);
    }

    /** @see <a href="https://github.com/distribution/reference/blob/main/reference.go">the grammar of references</a> */
    private static List<Output> containerImage(Raw raw) {
        String image = raw.text("image");
        int at = image.indexOf('@');
        String tagged = at < 0 ? image : image.substring(0, at);
        Optional<String> digest = at < 0 ? Optional.empty() : Optional.of(image.substring(at + 1));
        // A colon before a slash is the port of a registry.
        int colon = tagged.lastIndexOf(':') > tagged.lastIndexOf('/') ? tagged.lastIndexOf(':') : -1;
        String name = colon < 0 ? tagged : tagged.substring(0, colon);
        Optional<String> tag = colon < 0 ? Optional.empty() : Optional.of(tagged.substring(colon + 1));
        String first = name.contains("/") ? name.substring(0, name.indexOf('/')) : "";
        boolean isRegistry = first.contains(".") || first.contains(":") || first.equals("localhost");
        return List.of(Output.row(SOFTWARE, raw.key().toString())
                .set("name", Output.within(255, name))
                .set("software_type", "software")
                .set("version", Output.within(100, tag.or(() -> digest).orElse("latest")))
                .set("vendor", Output.within(255, isRegistry ? first : "docker.io"))
                .refer("organization", organization(raw))
                .attribute("image", image)
                .attribute("registry", isRegistry ? first : "docker.io")
                .attribute("tag", tag)
                .attribute("digest", digest)
                .attribute("cluster", raw.key().account())
                .attribute("provider", "kubernetes")
                .tags("kubernetes", "container-image", "discovered")
                .build());
    }

    private static List<Output> networkPlugin(Raw raw) {
        String type = raw.text("cni_type");
        String image = raw.text("image");
        int colon = image.lastIndexOf(':');
        Optional<String> version = colon > image.lastIndexOf('/') && !image.contains("@")
                ? Optional.of(image.substring(colon + 1))
                : Optional.empty();
        return List.of(Output.row(NETWORKING_RESOURCES, raw.key().toString())
                .set("name", type + " CNI")
                .set("network_type", "cni")
                .set("is_active", true)
                .refer("organization", organization(raw))
                .attribute("cni_type", type)
                .attribute("version", version)
                .attribute("image", image)
                .attribute("namespace", raw.maybeText("namespace"))
                .attribute("cluster", raw.key().account())
                .attribute("provider", "kubernetes")
                .tags("kubernetes", "cni")
                .build());
    }

    private static Output.Builder entity(Raw raw, String subType) {
        return described(Output.row(ENTITIES, raw.key().toString()), raw)
                .set("name", Output.within(255, name(raw)))
                .set("type", "compute")
                .set("sub_type", subType)
                .set("external_id", externalId(raw))
                .set("cloud_provider", "kubernetes")
                .attribute("namespace", namespaceOf(raw))
                .tags("kubernetes", subType);
    }

    private static Output.Builder network(Raw raw, String type) {
        return described(Output.row(NETWORKING_RESOURCES, raw.key().toString()), raw)
                .set("name", Output.within(255, name(raw)))
                .set("network_type", type)
                .attribute("namespace", type.equals("namespace") ? Optional.of(name(raw)) : namespaceOf(raw))
                .tags("kubernetes", type);
    }

    private static Output.Builder store(Raw raw, String type) {
        return described(Output.row(DATA_STORES, raw.key().toString()), raw)
                .set("name", Output.within(255, name(raw)))
                .set("storage_type", type)
                .set("storage_provider", "Kubernetes")
                .set("is_active", true)
                .attribute("namespace", namespaceOf(raw))
                .attribute("kind", raw.key().kind());
    }

    /** What every object has: its cluster and its metadata. */
    private static Output.Builder described(Output.Builder row, Raw raw) {
        return row.refer("organization", organization(raw))
                .attribute("cluster", raw.key().account())
                .attribute("uid", uid(raw))
                .attribute("creation_timestamp", raw.in("metadata").maybeText("creationTimestamp"))
                .attribute("labels", labels(raw))
                .attribute("annotations", annotations(raw))
                .attribute("provider", "kubernetes");
    }

    private static Output inNamespace(Raw raw) {
        return Output.row(NETWORK_ENTITY_MAPPINGS, raw.key().row("namespace"))
                .set("relationship_type", "attached")
                .refer("network", namespaceKey(raw))
                .refer("entity", raw.key())
                .build();
    }

    /** The namespace of what is no entity. */
    private static Output ofNamespace(Raw raw, ElderTable table) {
        return Output.row(DEPENDENCIES, raw.key().row("namespace"))
                .set("source_type", table.noun())
                .set("target_type", NETWORKING_RESOURCES.noun())
                .set("dependency_type", "part_of")
                .refer("source", raw.key())
                .refer("target", namespaceKey(raw))
                .build();
    }

    private static Output depends(
            Raw raw, ElderTable from, String type, ElderTable to, String targetKind, String targetId) {
        ResourceKey target = other(raw, targetKind, targetId);
        return Output.row(DEPENDENCIES, raw.key().row(type + ":" + target.kind() + ":" + target.id()))
                .set("source_type", from.noun())
                .set("target_type", to.noun())
                .set("dependency_type", type)
                .refer("source", raw.key())
                .refer("target", target)
                .build();
    }

    private static ResourceKey other(Raw raw, String kind, String id) {
        return new ResourceKey("kubernetes", raw.key().account(), kind, id);
    }

    private static ResourceKey organization(Raw raw) {
        return other(raw, "k8s_cluster", raw.key().account());
    }

    private static ResourceKey namespaceKey(Raw raw) {
        return other(raw, "k8s_namespace", raw.in("metadata").text("namespace"));
    }

    /** The id of something in the same namespace. */
    private static String besides(Raw raw, String name) {
        return raw.in("metadata").text("namespace") + "/" + name;
    }

    private static String name(Raw raw) {
        return raw.in("metadata").text("name");
    }

    private static Optional<String> namespaceOf(Raw raw) {
        return raw.in("metadata").maybeText("namespace");
    }

    private static Optional<String> uid(Raw raw) {
        return raw.in("metadata").maybeText("uid");
    }

    private static String externalId(Raw raw) {
        return Output.within(255, uid(raw).orElse(raw.key().id()));
    }

    private static Optional<JsonNode> labels(Raw raw) {
        return raw.in("metadata").maybe("labels");
    }

    /** Their names: the values never left the fetcher. */
    private static Optional<List<String>> annotations(Raw raw) {
        List<String> names = raw.in("metadata").in("annotations").fields();
        return names.isEmpty() ? Optional.empty() : Optional.of(names);
    }

    private static Optional<Raw> owner(Raw raw) {
        return raw.in("metadata").objects("ownerReferences").stream()
                .filter(owner -> owner.maybeYes("controller").orElse(false))
                .findFirst();
    }

    private static Optional<ArrayNode> containers(List<Raw> containers) {
        ArrayNode found = JsonNodeFactory.instance.arrayNode();
        for (Raw container : containers) {
            ArrayNode ports = found.addObject()
                    .put("name", container.text("name"))
                    .put("image", container.maybeText("image").orElse(null))
                    .putArray("ports");
            container.objects("ports").forEach(port -> port.maybeWhole("containerPort")
                    .ifPresent(ports::add));
        }
        return found.isEmpty() ? Optional.empty() : Optional.of(found);
    }

    /** What all containers together ask for: cores, and bytes. */
    private static Optional<Map<String, Object>> total(List<Raw> containers, String what) {
        BigDecimal cpu = BigDecimal.ZERO;
        BigDecimal memory = BigDecimal.ZERO;
        boolean isAnything = false;
        for (Raw container : containers) {
            Raw asked = container.in("resources").in(what);
            isAnything |=
                    asked.maybe("cpu").isPresent() || asked.maybe("memory").isPresent();
            cpu = cpu.add(quantity(asked, "cpu").orElse(BigDecimal.ZERO));
            memory = memory.add(quantity(asked, "memory").orElse(BigDecimal.ZERO));
        }
        return isAnything
                ? Optional.of(Map.of(
                        "cpu", new BigDecimal(cpu.stripTrailingZeros().toPlainString()), "memory", memory.longValue()))
                : Optional.empty();
    }

    private static Optional<Long> bytes(Raw capacity) {
        return quantity(capacity, "storage")
                .map(bytes -> bytes.setScale(0, RoundingMode.CEILING).longValue());
    }

    /** @see <a href="https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/">Quantity</a> */
    private static Optional<BigDecimal> quantity(Raw raw, String field) {
        Optional<String> text = raw.maybe(field).map(JsonNode::asText);
        if (text.isEmpty()) {
            return Optional.empty();
        }
        String number = text.get().replaceFirst("(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)$", "");
        String unit = text.get().substring(number.length());
        BigDecimal factor =
                switch (unit) {
                    case "" -> BigDecimal.ONE;
                    case "n" -> new BigDecimal("1e-9");
                    case "u" -> new BigDecimal("1e-6");
                    case "m" -> new BigDecimal("1e-3");
                    case "k" -> new BigDecimal("1e3");
                    case "M" -> new BigDecimal("1e6");
                    case "G" -> new BigDecimal("1e9");
                    case "T" -> new BigDecimal("1e12");
                    case "P" -> new BigDecimal("1e15");
                    case "E" -> new BigDecimal("1e18");
                    default -> BigDecimal.TWO.pow(10 * ("KMGTPE".indexOf(unit.charAt(0)) + 1));
                };
        try {
            return Optional.of(new BigDecimal(number).multiply(factor));
        } catch (NumberFormatException e) {
            throw new RejectedRecord(field, text.get(), "a quantity such as 500m or 2Gi");
        }
    }
}
