package io.elder.estate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.estate.Company.State;
import io.elder.estate.Company.Workload;
import io.elder.estate.Site.Call;
import io.elder.estate.Site.Reply;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.IntStream;

/** A Kubernetes cluster of three nodes, in which the company's workloads run. */
public final class SimulatedKubernetes implements SimulatedSystem {
    private static final int NODES = 3;

    private static final Shape VERSION = new Shape("""
            {major: '1', minor: '33', gitVersion: 'v1.33.4', platform: 'linux/amd64', goVersion: 'go1.24.5'}""");

    private static final Shape REVIEW = new Shape("""
            {apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview',
             status: {userInfo: {username: 'elder', groups: ['system:authenticated']}}}""");

    private static final Shape FAILURE = new Shape("""
            {apiVersion: 'v1', kind: 'Status', status: 'Failure', code: '{code}', reason: '{reason}', message: '{message}'}""");

    private static final Shape NODE = new Shape("""
            {metadata: {name: '{node}', uid: '0000e1de-0000-4000-8000-00000000000{number}',
               creationTimestamp: '2024-03-01T09:00:00Z',
               labels: {'kubernetes.io/os': 'linux', 'node.kubernetes.io/instance-type': 'worker-8',
                 'topology.kubernetes.io/region': 'eu-central', 'topology.kubernetes.io/zone': 'eu-central-{number}'}},
             spec: {podCIDR: '10.244.{number}.0/24'},
             status: {capacity: {cpu: '8', memory: '32Gi', pods: '110'},
               addresses: [{type: 'InternalIP', address: '10.20.0.{number}'}],
               conditions: [{type: 'Ready', status: 'True'}],
               nodeInfo: {kubeletVersion: 'v1.33.4', osImage: 'Debian GNU/Linux 13', architecture: 'amd64',
                 kernelVersion: '6.12.41', containerRuntimeVersion: 'containerd://2.1.4'}}}""");

    private static final Shape NAMESPACE = new Shape("""
            {metadata: {name: '{namespace}', labels: {'kubernetes.io/metadata.name': '{namespace}'}},
             status: {phase: 'Active'}}""");

    private static final Shape SERVICE_ACCOUNT = new Shape("""
            {metadata: {name: 'default', namespace: '{namespace}'}}""");

    private static final Shape DEPLOYMENT = new Shape("""
            {metadata: {name: '{name}', namespace: '{namespace}', creationTimestamp: '{since}', labels: {app: '{name}'}},
             spec: {replicas: '{replicas}', strategy: {type: 'RollingUpdate'}, selector: {matchLabels: {app: '{name}'}},
               template: {metadata: {labels: {app: '{name}'}}, spec: {serviceAccountName: 'default', containers: '{containers}'}}},
             status: {replicas: '{replicas}', readyReplicas: '{replicas}', updatedReplicas: '{replicas}'}}""");

    private static final Shape REPLICA_SET = new Shape("""
            {metadata: {name: '{set}', namespace: '{namespace}', creationTimestamp: '{since}', labels: {app: '{name}'},
               ownerReferences: [{apiVersion: 'apps/v1', kind: 'Deployment', name: '{name}', controller: true}]},
             spec: {replicas: '{replicas}', selector: {matchLabels: {app: '{name}'}}},
             status: {replicas: '{replicas}', readyReplicas: '{replicas}'}}""");

    private static final Shape POD = new Shape("""
            {metadata: {name: '{pod}', namespace: '{namespace}', creationTimestamp: '{since}', labels: {app: '{name}'},
               ownerReferences: [{apiVersion: 'apps/v1', kind: 'ReplicaSet', name: '{set}', controller: true}]},
             spec: {nodeName: '{node}', serviceAccountName: 'default', restartPolicy: 'Always', containers: '{containers}'},
             status: {phase: 'Running', qosClass: 'Burstable', podIP: '{ip}'}}""");

    private static final Shape CONTAINERS = new Shape("""
            {containers: [{name: 'main', image: '{image}', ports: [{containerPort: 8080}],
              resources: {requests: {cpu: '250m', memory: '256Mi'}, limits: {memory: '512Mi'}}}]}""");

    private static final Shape SERVICE = new Shape("""
            {metadata: {name: '{name}', namespace: '{namespace}', creationTimestamp: '{since}', labels: {app: '{name}'}},
             spec: {type: 'ClusterIP', selector: {app: '{name}'},
               ports: [{name: 'http', port: 80, targetPort: 8080, protocol: 'TCP'}]},
             status: {loadBalancer: {}}}""");

    /** What the API server has, and what of it there is. */
    private record Kind(String groupVersion, String plural, String name, Function<State, ArrayNode> objects) {
        String path() {
            return (groupVersion.equals("v1") ? "/api/v1/" : "/apis/" + groupVersion + "/") + plural;
        }
    }

    private static final List<Kind> KINDS = List.of(
            new Kind("v1", "nodes", "Node", SimulatedKubernetes::nodes),
            new Kind("v1", "namespaces", "Namespace", state -> ofNamespaces(NAMESPACE, state)),
            new Kind("v1", "serviceaccounts", "ServiceAccount", state -> ofNamespaces(SERVICE_ACCOUNT, state)),
            new Kind("v1", "pods", "Pod", SimulatedKubernetes::pods),
            new Kind("v1", "services", "Service", state -> ofWorkloads(SERVICE, state)),
            new Kind("apps/v1", "deployments", "Deployment", state -> ofWorkloads(DEPLOYMENT, state)),
            new Kind("apps/v1", "replicasets", "ReplicaSet", state -> ofWorkloads(REPLICA_SET, state)),
            none("v1", "persistentvolumes", "PersistentVolume"),
            none("v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
            none("v1", "resourcequotas", "ResourceQuota"),
            none("v1", "secrets", "Secret"),
            none("v1", "configmaps", "ConfigMap"),
            none("apps/v1", "statefulsets", "StatefulSet"),
            none("apps/v1", "daemonsets", "DaemonSet"),
            none("batch/v1", "jobs", "Job"),
            none("batch/v1", "cronjobs", "CronJob"),
            none("networking.k8s.io/v1", "ingresses", "Ingress"),
            none("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy"),
            none("storage.k8s.io/v1", "storageclasses", "StorageClass"),
            none("rbac.authorization.k8s.io/v1", "roles", "Role"),
            none("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole"),
            none("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding"),
            none("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding"),
            none("cert-manager.io/v1", "certificates", "Certificate"));

    private final String token = UUID.randomUUID().toString();
    private final Site site = Site.start();

    public SimulatedKubernetes(Company company) {
        site.gate(call -> call.header("authorization").equals(Optional.of("Bearer " + token))
                ? Optional.empty()
                : Optional.of(failure(401, "Unauthorized", "Unauthorized")));
        site.get("/version", call -> Reply.json(VERSION.of(Map.of())));
        site.get("/apis", call -> Reply.json(groups()));
        site.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", call -> Reply.json(201, REVIEW.of(Map.of())));
        for (Kind kind : KINDS) {
            site.get(
                    kind.path(),
                    call -> Reply.json(list(call, kind, kind.objects().apply(company.now()))));
        }
        site.get("/api/v1/namespaces/{namespace}/pods", call -> {
            ArrayNode pods = pods(company.now());
            pods.removeIf(pod -> !pod.at("/metadata/namespace").asText().equals(call.variable("namespace")));
            return Reply.json(list(call, kind("pods"), pods));
        });
        site.get("/{any*}", call -> failure(404, "NotFound", "the server could not find the requested resource"));
    }

    @Override
    public Map<String, String> settings() {
        return Map.of("KUBERNETES_ENABLED", "true", "KUBERNETES_KUBECONFIG", """
                {"apiVersion": "v1", "kind": "Config", "current-context": "demo",
                 "contexts": [{"name": "demo", "context": {"cluster": "production", "user": "elder"}}],
                 "clusters": [{"name": "production", "cluster": {"server": "%s"}}],
                 "users": [{"name": "elder", "user": {"token": "%s"}}]}""".formatted(site.url(), token));
    }

    @Override
    public void close() {
        site.close();
    }

    private static Kind none(String groupVersion, String plural, String name) {
        return new Kind(groupVersion, plural, name, state -> JsonNodeFactory.instance.arrayNode());
    }

    private static Kind kind(String plural) {
        return KINDS.stream()
                .filter(kind -> kind.plural().equals(plural))
                .findFirst()
                .orElseThrow();
    }

    private static Reply failure(int code, String reason, String message) {
        return Reply.json(code, FAILURE.of(Map.of("code", code, "reason", reason, "message", message)));
    }

    private static ObjectNode groups() {
        ObjectNode list = JsonNodeFactory.instance
                .objectNode()
                .put("kind", "APIGroupList")
                .put("apiVersion", "v1");
        ArrayNode groups = list.putArray("groups");
        KINDS.stream()
                .map(Kind::groupVersion)
                .filter(groupVersion -> groupVersion.contains("/"))
                .distinct()
                .forEach(groupVersion -> groups.addObject()
                        .put("name", groupVersion.substring(0, groupVersion.indexOf('/')))
                        .putArray("versions")
                        .addObject()
                        .put("groupVersion", groupVersion)
                        .put("version", groupVersion.substring(groupVersion.indexOf('/') + 1)));
        return list;
    }

    private static ObjectNode list(Call call, Kind kind, ArrayNode objects) {
        boolean isMetadata = call.header("accept").orElse("").contains("as=PartialObjectMetadataList");
        ObjectNode list = JsonNodeFactory.instance.objectNode();
        list.put("kind", isMetadata ? "PartialObjectMetadataList" : kind.name() + "List");
        list.put("apiVersion", isMetadata ? "meta.k8s.io/v1" : kind.groupVersion());
        list.putObject("metadata").put("resourceVersion", "1");
        ArrayNode items = list.putArray("items");
        for (JsonNode object : objects) {
            items.add(
                    isMetadata
                            ? JsonNodeFactory.instance.objectNode().set("metadata", object.get("metadata"))
                            : object);
        }
        return list;
    }

    private static ArrayNode nodes(State state) {
        return NODE.each(
                IntStream.rangeClosed(1, NODES).boxed().toList(),
                number -> Map.of("number", number, "node", "worker-" + number));
    }

    private static ArrayNode ofNamespaces(Shape shape, State state) {
        return shape.each(
                state.workloads().stream().map(Workload::namespace).distinct().toList(),
                namespace -> Map.of("namespace", namespace));
    }

    private static ArrayNode ofWorkloads(Shape shape, State state) {
        return shape.each(state.workloads(), SimulatedKubernetes::values);
    }

    private static ArrayNode pods(State state) {
        List<Map<String, Object>> pods = new ArrayList<>();
        for (int i = 0; i < state.workloads().size(); i++) {
            Workload workload = state.workloads().get(i);
            for (int replica = 0; replica < workload.replicas(); replica++) {
                Map<String, Object> values = values(workload);
                int node = 1 + (i + replica) % NODES;
                values.put("pod", values.get("set") + "-" + suffix(workload.name() + replica));
                values.put("node", "worker-" + node);
                values.put("ip", "10.244." + node + "." + (10 + 6 * i + replica));
                pods.add(values);
            }
        }
        return POD.each(pods, values -> values);
    }

    private static Map<String, Object> values(Workload workload) {
        Map<String, Object> values = new HashMap<>();
        values.put("name", workload.name());
        values.put("namespace", workload.namespace());
        values.put("replicas", workload.replicas());
        values.put("since", workload.since().toString());
        values.put("set", workload.name() + "-" + suffix(workload.image()));
        values.put(
                "containers", CONTAINERS.of(Map.of("image", workload.image())).get("containers"));
        return values;
    }

    /** Five letters and digits, as Kubernetes appends them. */
    private static String suffix(String of) {
        return Integer.toString(1_679_616 + Math.floorMod(of.hashCode(), 50_000_000), 36);
    }
}
