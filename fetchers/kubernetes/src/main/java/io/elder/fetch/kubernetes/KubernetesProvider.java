package io.elder.fetch.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.JobFields;
import io.elder.fetch.Out;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.Requests;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.ThisPod;
import io.elder.fetch.Verdict;
import io.elder.fetch.kubernetes.KubernetesCluster.Detail;
import io.elder.runtime.Settings;
import io.elder.schemas.ScopeKey;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.cert.CertificateException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import javax.net.ssl.SSLPeerUnverifiedException;

/** Kubernetes clusters: what is in them, how it hangs together, and who may do what. Values of secrets are never kept. */
public final class KubernetesProvider implements Provider<KubernetesClusters> {
    private static final String CORE = "v1";
    private static final String APPS = "apps/v1";
    private static final String BATCH = "batch/v1";
    private static final String NETWORKING = "networking.k8s.io/v1";
    private static final String RBAC = "rbac.authorization.k8s.io/v1";
    private static final String STORAGE = "storage.k8s.io/v1";

    /** What the pods and daemon sets of network plug-ins have in their names or images, the most special first. */
    private static final Map<String, String> NETWORK_PLUGINS = new LinkedHashMap<>();

    static {
        NETWORK_PLUGINS.put("canal", "canal");
        NETWORK_PLUGINS.put("calico", "calico");
        NETWORK_PLUGINS.put("cilium", "cilium");
        NETWORK_PLUGINS.put("flannel", "flannel");
        NETWORK_PLUGINS.put("weave", "weave");
        NETWORK_PLUGINS.put("antrea", "antrea");
        NETWORK_PLUGINS.put("kindnet", "kindnet");
        NETWORK_PLUGINS.put("kube-router", "kube-router");
        NETWORK_PLUGINS.put("ovnkube", "ovn-kubernetes");
        NETWORK_PLUGINS.put("amazon-k8s-cni", "aws-vpc-cni");
        NETWORK_PLUGINS.put("azure-cni", "azure-cni");
    }

    @Override
    public String name() {
        return "kubernetes";
    }

    @Override
    public String title() {
        return "Kubernetes";
    }

    @Override
    public void readSettings(Settings settings) {
        KubernetesSettings.from(settings);
    }

    @Override
    public JobFields jobFields() {
        // What Kubernetes sets in its pods: a job that could would have the service account's token sent to its own
        // server.
        String expected = "a kubeconfig that names the server";
        return JobFields.USUAL
                .alternatives(
                        Set.of("KUBECONFIG", "KUBECONFIG_PATH", "CLUSTERS", "IN_CLUSTER", "CREDENTIALS"),
                        Set.of("CLUSTER_NAME", "CONTEXT", "KUBECONFIG_YAML", "CREDENTIALS_FILE"))
                .refused("SERVICE_HOST", expected)
                .refused("SERVICE_PORT", expected);
    }

    @Override
    public KubernetesClusters connect(Settings settings) throws Exception {
        KubernetesSettings kubernetes = KubernetesSettings.from(settings);
        String ownServer = ThisPod.apiServer(settings).toString();
        settings.check();
        return KubernetesClusters.open(kubernetes, ownServer);
    }

    @Override
    public boolean isShareable() {
        return true;
    }

    @Override
    public double requestsPerSecond() {
        return 20;
    }

    /** A cluster, and each of its namespaces where only some are to be read. */
    @Override
    public List<Partition> partitions(KubernetesClusters clusters, Requests requests) {
        List<Partition> partitions = new ArrayList<>();
        for (KubernetesCluster cluster : clusters.all()) {
            partitions.add(Partition.of(cluster.name()));
            clusters.namespaces().forEach(namespace -> partitions.add(new Partition(cluster.name(), namespace)));
        }
        return partitions;
    }

    @Override
    public List<Resource<KubernetesClusters>> resources() {
        return List.of(
                Resource.root("k8s_cluster", "name", KubernetesProvider::fetchCluster)
                        .only(KubernetesProvider::isWhole),
                ofCluster("k8s_namespace", CORE, "namespaces"),
                ofCluster("k8s_node", CORE, "nodes"),
                ofNamespace("k8s_pod", CORE, "pods"),
                ofNamespace("k8s_deployment", APPS, "deployments"),
                ofNamespace("k8s_stateful_set", APPS, "statefulsets"),
                ofNamespace("k8s_daemon_set", APPS, "daemonsets"),
                ofNamespace("k8s_job", BATCH, "jobs"),
                ofNamespace("k8s_cron_job", BATCH, "cronjobs"),
                ofNamespace("k8s_service", CORE, "services"),
                ofNamespace("k8s_ingress", NETWORKING, "ingresses"),
                ofNamespace("k8s_network_policy", NETWORKING, "networkpolicies"),
                ofCluster("k8s_persistent_volume", CORE, "persistentvolumes"),
                ofNamespace("k8s_pvc", CORE, "persistentvolumeclaims"),
                ofCluster("k8s_storage_class", STORAGE, "storageclasses"),
                ofNamespace("k8s_resource_quota", CORE, "resourcequotas"),
                ofNamespace("k8s_service_account", CORE, "serviceaccounts"),
                ofNamespace("k8s_role", RBAC, "roles"),
                ofCluster("k8s_cluster_role", RBAC, "clusterroles"),
                ofNamespace("k8s_role_binding", RBAC, "rolebindings"),
                ofCluster("k8s_cluster_role_binding", RBAC, "clusterrolebindings"),
                ofNamespace("k8s_secret", CORE, "secrets"),
                ofNamespace("k8s_config_map", CORE, "configmaps"),
                ofNamespace("cert_manager_certificate", KubernetesCluster.CERT_MANAGER, "certificates"),
                // What the lists above say only together.
                derived("k8s_deployment_pod", APPS, KubernetesProvider::fetchPodsOfDeployments),
                derived("k8s_service_pod", CORE, KubernetesProvider::fetchPodsOfServices),
                derived("k8s_container_image", CORE, KubernetesProvider::fetchImages),
                derived("k8s_rbac_subject", RBAC, KubernetesProvider::fetchSubjects),
                Resource.root("k8s_cni", "cni_type", KubernetesProvider::fetchNetworkPlugins)
                        .only(KubernetesProvider::isWhole));
    }

    @Override
    public String identity(KubernetesClusters clusters) throws InterruptedException {
        List<String> all = new ArrayList<>();
        for (KubernetesCluster cluster : clusters.all()) {
            String state;
            try {
                String server =
                        "Kubernetes " + cluster.version().path("gitVersion").asText("of unknown version");
                state = server + cluster.username().map(name -> " as " + name).orElse("");
            } catch (IOException | RuntimeException e) {
                state = "not reached: " + e.getMessage();
            }
            all.add(cluster.name() + ": " + state);
        }
        return String.join("; ", all);
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case KubernetesFailure e -> e.verdict();
            case IOException e -> ofConnection(e);
            case UncheckedIOException e -> ofConnection(e.getCause());
            case KubernetesClientException e -> ofClient(e);
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    private static Verdict ofConnection(IOException e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            // A handshake that was only cut short may well succeed next time.
            if (cause instanceof CertificateException || cause instanceof SSLPeerUnverifiedException) {
                return new Verdict.Stop(StopReason.TLS, String.valueOf(cause.getMessage()));
            }
        }
        return new Verdict.RetryWithBackoff();
    }

    private static Verdict ofClient(KubernetesClientException e) {
        if (e.getCause() instanceof IOException cause) {
            return ofConnection(cause);
        }
        // What the client makes of a key, a certificate or a proxy that it can't use.
        return new Verdict.Stop(StopReason.BAD_CONFIGURATION, String.valueOf(e.getMessage()));
    }

    private static Resource<KubernetesClusters> ofCluster(String kind, String groupVersion, String plural) {
        return Resource.<KubernetesClusters>root(
                        kind,
                        KubernetesProvider::id,
                        (clusters, where, out) -> list(clusters, where, kind, groupVersion, plural, out))
                .only(KubernetesProvider::isWhole)
                .only(served(groupVersion));
    }

    private static Resource<KubernetesClusters> ofNamespace(String kind, String groupVersion, String plural) {
        return Resource.<KubernetesClusters>root(
                        kind,
                        KubernetesProvider::id,
                        (clusters, where, out) -> list(clusters, where, kind, groupVersion, plural, out))
                .only(KubernetesProvider::isNamespaced)
                .only(served(groupVersion));
    }

    private static Resource<KubernetesClusters> derived(
            String kind, String groupVersion, Resource.RootFetch<KubernetesClusters> fetch) {
        return Resource.root(kind, "id", fetch)
                .only(KubernetesProvider::isNamespaced)
                .only(served(groupVersion));
    }

    private static boolean isWhole(KubernetesClusters clusters, Partition where) {
        return where.region().equals(ScopeKey.NO_REGION);
    }

    private static boolean isNamespaced(KubernetesClusters clusters, Partition where) {
        return isWhole(clusters, where) == clusters.namespaces().isEmpty();
    }

    /**
     * A row is read where the server has its group and version. Where it has not (any more), its rows stay as they are: an
     * operator that is being reinstalled must not look like "everything was deleted".
     */
    private static Resource.Applies<KubernetesClusters> served(String groupVersion) {
        return (clusters, where) ->
                groupVersion.equals(CORE) || clusters.cluster(where.account()).serves(groupVersion);
    }

    /** In Kubernetes the name is the identity: all references between objects are by name, and a name is free once. */
    private static String id(JsonNode object) {
        String name = object.at("/metadata/name").asText("");
        String namespace = object.at("/metadata/namespace").asText("");
        return namespace.isEmpty() || name.isEmpty() ? name : namespace + "/" + name;
    }

    private static String path(String groupVersion, String plural, Partition where) {
        String namespace = where.region().equals(ScopeKey.NO_REGION) ? "" : "/namespaces/" + where.region();
        return (groupVersion.equals(CORE) ? "/api/v1" : "/apis/" + groupVersion) + namespace + "/" + plural;
    }

    private static void list(
            KubernetesClusters clusters, Partition where, String kind, String groupVersion, String plural, Out out)
            throws Exception {
        KubernetesCluster cluster = proven(clusters, where);
        String path = path(groupVersion, plural, where);
        out.pages(cursor -> cluster.page(path, kind, Detail.WHOLE, cursor));
    }

    private static void each(
            KubernetesCluster cluster, String path, String kind, Detail detail, Out out, Requests.Each<ObjectNode> each)
            throws Exception {
        out.<ObjectNode>pages(cursor -> cluster.page(path, kind, detail, cursor), each);
    }

    /** A cluster that did not answer at first is asked again by every read. */
    private static KubernetesCluster proven(KubernetesClusters clusters, Partition where) throws Exception {
        KubernetesCluster cluster = clusters.cluster(where.account());
        cluster.prove();
        return cluster;
    }

    private static void fetchCluster(KubernetesClusters clusters, Partition where, Out out) throws Exception {
        KubernetesCluster cluster = proven(clusters, where);
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("name", cluster.name());
        ObjectNode version = json.putObject("version");
        out.request(() -> cluster.get("/version", "k8s_cluster", Detail.WHOLE))
                .properties()
                .forEach(entry -> {
                    // Texts all; something else in its place might be anything.
                    if (entry.getValue().isTextual()) {
                        version.set(entry.getKey(), entry.getValue());
                    }
                });
        out.accept(json);
    }

    /** By way of the replica sets between them, whose names mean nothing that one could rely on. */
    private static void fetchPodsOfDeployments(KubernetesClusters clusters, Partition where, Out out) throws Exception {
        String kind = "k8s_deployment_pod";
        KubernetesCluster cluster = proven(clusters, where);
        Map<String, String> deploymentOf = new HashMap<>();
        each(cluster, path(APPS, "replicasets", where), kind, Detail.METADATA, out, replicaSet -> owner(
                        replicaSet, "Deployment")
                .ifPresent(deployment -> deploymentOf.put(id(replicaSet), deployment)));
        each(cluster, path(CORE, "pods", where), kind, Detail.METADATA, out, pod -> owner(pod, "ReplicaSet")
                .ifPresent(replicaSet -> {
                    String namespace = pod.at("/metadata/namespace").asText();
                    String deployment = deploymentOf.get(namespace + "/" + replicaSet);
                    if (deployment != null) {
                        out.accept(link(pod, id(pod)).put("deployment", deployment));
                    }
                }));
    }

    /** Those that a service's selector selects: they are the same whether or not anybody keeps its endpoints. */
    private static void fetchPodsOfServices(KubernetesClusters clusters, Partition where, Out out) throws Exception {
        String kind = "k8s_service_pod";
        KubernetesCluster cluster = proven(clusters, where);
        Map<String, Map<String, JsonNode>> selectors = new HashMap<>();
        each(cluster, path(CORE, "services", where), kind, Detail.WHOLE, out, service -> {
            JsonNode selector = service.at("/spec/selector");
            if (!selector.isEmpty()) {
                selectors
                        .computeIfAbsent(service.at("/metadata/namespace").asText(), unused -> new LinkedHashMap<>())
                        .put(service.at("/metadata/name").asText(), selector);
            }
        });
        each(cluster, path(CORE, "pods", where), kind, Detail.METADATA, out, pod -> {
            JsonNode labels = pod.at("/metadata/labels");
            selectors
                    .getOrDefault(pod.at("/metadata/namespace").asText(), Map.of())
                    .forEach((service, selector) -> {
                        if (selects(selector, labels)) {
                            out.accept(link(pod, id(pod) + "/" + service).put("service", service));
                        }
                    });
        });
    }

    private static boolean selects(JsonNode selector, JsonNode labels) {
        for (Map.Entry<String, JsonNode> wanted : selector.properties()) {
            if (!labels.path(wanted.getKey()).equals(wanted.getValue())) {
                return false;
            }
        }
        return true;
    }

    private static ObjectNode link(JsonNode pod, String id) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("id", id)
                .put("namespace", pod.at("/metadata/namespace").asText())
                .put("pod", pod.at("/metadata/name").asText());
    }

    private static Optional<String> owner(JsonNode object, String kind) {
        for (JsonNode owner : object.at("/metadata/ownerReferences")) {
            if (owner.path("kind").asText().equals(kind)
                    && owner.path("controller").asBoolean(false)) {
                return Optional.of(owner.path("name").asText());
            }
        }
        return Optional.empty();
    }

    private static void fetchImages(KubernetesClusters clusters, Partition where, Out out) throws Exception {
        String kind = "k8s_container_image";
        Set<String> seen = new HashSet<>();
        each(proven(clusters, where), path(CORE, "pods", where), kind, Detail.WHOLE, out, pod -> {
            for (String list : List.of("containers", "initContainers", "ephemeralContainers")) {
                for (JsonNode container : pod.path("spec").path(list)) {
                    String image = container.path("image").asText("");
                    if (!image.isBlank() && seen.add(image)) {
                        out.accept(JsonNodeFactory.instance
                                .objectNode()
                                .put("id", image)
                                .put("image", image));
                    }
                }
            }
        });
    }

    /** Users and groups are no objects of a cluster: it knows them by its bindings alone. */
    private static void fetchSubjects(KubernetesClusters clusters, Partition where, Out out) throws Exception {
        String kind = "k8s_rbac_subject";
        KubernetesCluster cluster = proven(clusters, where);
        Set<String> seen = new HashSet<>();
        Requests.Each<ObjectNode> collect = binding -> {
            for (JsonNode subject : binding.path("subjects")) {
                String type = subject.path("kind").asText();
                String id = type + "/" + subject.path("name").asText();
                if ((type.equals("User") || type.equals("Group")) && seen.add(id)) {
                    out.accept(JsonNodeFactory.instance
                            .objectNode()
                            .put("id", id)
                            .put("kind", type)
                            .put("name", subject.path("name").asText()));
                }
            }
        };
        each(cluster, path(RBAC, "rolebindings", where), kind, Detail.WHOLE, out, collect);
        if (isWhole(clusters, where)) {
            each(cluster, path(RBAC, "clusterrolebindings", where), kind, Detail.WHOLE, out, collect);
        }
    }

    /** Told by the daemon sets that put them on every node, and by the pods of kube-system where somebody else did. */
    private static void fetchNetworkPlugins(KubernetesClusters clusters, Partition where, Out out) throws Exception {
        String kind = "k8s_cni";
        KubernetesCluster cluster = proven(clusters, where);
        Set<String> seen = new HashSet<>();
        each(cluster, path(APPS, "daemonsets", where), kind, Detail.WHOLE, out, set -> plugin(
                        set, set.at("/spec/template/spec"))
                .filter(found -> seen.add(found.get("cni_type").asText()))
                .ifPresent(out::accept));
        each(
                cluster,
                path(CORE, "pods", new Partition(where.account(), "kube-system")),
                kind,
                Detail.WHOLE,
                out,
                pod -> plugin(pod, pod.path("spec"))
                        .filter(found -> seen.add(found.get("cni_type").asText()))
                        .ifPresent(out::accept));
    }

    private static Optional<ObjectNode> plugin(JsonNode object, JsonNode podSpec) {
        String name = object.at("/metadata/name").asText();
        for (Map.Entry<String, String> plugin : NETWORK_PLUGINS.entrySet()) {
            for (JsonNode container : podSpec.path("containers")) {
                String image = container.path("image").asText("");
                if (name.contains(plugin.getKey()) || image.contains(plugin.getKey())) {
                    return Optional.of(JsonNodeFactory.instance
                            .objectNode()
                            .put("cni_type", plugin.getValue())
                            .put("image", image)
                            .put("namespace", object.at("/metadata/namespace").asText()));
                }
            }
        }
        return Optional.empty();
    }
}
