package io.elder.fetch.kubernetes;

import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.elder.fetch.Provider;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.HttpProviderContract;
import io.elder.fetch.testkit.ScriptedServer;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The fixtures are what a kube-apiserver 1.33 answered, with every secret, annotation and environment value marked. */
class KubernetesProviderTest extends HttpProviderContract<KubernetesClusters> {
    @Override
    protected Provider<KubernetesClusters> provider() {
        return new KubernetesProvider();
    }

    @Override
    protected Map<String, String> settings(String url) {
        return Map.of("KUBERNETES_KUBECONFIG", kubeconfig(url, "token-4711-of-the-test"), "KUBERNETES_PAGE_SIZE", "2");
    }

    static String kubeconfig(String url, String token) {
        return """
                apiVersion: v1
                kind: Config
                current-context: main
                contexts: [{name: main, context: {cluster: prod, user: reader}}]
                clusters: [{name: prod, cluster: {server: "%s"}}]
                users: [{name: reader, user: {token: %s}}]
                """.formatted(url, token);
    }

    /** The token, and what stands in every secret, annotation, variable and argument of the fixtures. */
    @Override
    protected Set<String> secrets() {
        return Set.of("token-4711-of-the-test", "canary", "Y2FuYXJ5");
    }

    @Override
    protected void script(ScriptedServer vendor) {
        vendor.on("GET /version", "version.json");
        vendor.on("GET /apis", "apis.json");
        vendor.on(
                "POST /apis/authentication.k8s.io/v1/selfsubjectreviews",
                Answer.of(
                                201,
                                "{\"kind\": \"SelfSubjectReview\", \"status\": {\"userInfo\": {\"username\": \"reader\"}}}")
                        .header("Content-Type", "application/json"));
        vendor.page("k8s_cluster", each -> isBy(each, "k8s_cluster"), "version.json");
        list(vendor, "k8s_namespace", "/api/v1/namespaces", "namespaces");
        list(vendor, "k8s_node", "/api/v1/nodes", "nodes");
        pages(vendor, "k8s_pod", "/api/v1/pods", "pods");
        list(vendor, "k8s_deployment", "/apis/apps/v1/deployments", "deployments");
        list(vendor, "k8s_stateful_set", "/apis/apps/v1/statefulsets", "statefulsets");
        list(vendor, "k8s_daemon_set", "/apis/apps/v1/daemonsets", "daemonsets");
        list(vendor, "k8s_job", "/apis/batch/v1/jobs", "jobs");
        list(vendor, "k8s_cron_job", "/apis/batch/v1/cronjobs", "cronjobs");
        list(vendor, "k8s_service", "/api/v1/services", "services");
        list(vendor, "k8s_ingress", "/apis/networking.k8s.io/v1/ingresses", "ingresses");
        list(vendor, "k8s_network_policy", "/apis/networking.k8s.io/v1/networkpolicies", "networkpolicies");
        list(vendor, "k8s_persistent_volume", "/api/v1/persistentvolumes", "persistentvolumes");
        list(vendor, "k8s_pvc", "/api/v1/persistentvolumeclaims", "persistentvolumeclaims");
        list(vendor, "k8s_storage_class", "/apis/storage.k8s.io/v1/storageclasses", "storageclasses");
        list(vendor, "k8s_resource_quota", "/api/v1/resourcequotas", "resourcequotas");
        pages(vendor, "k8s_service_account", "/api/v1/serviceaccounts", "serviceaccounts");
        list(vendor, "k8s_role", "/apis/rbac.authorization.k8s.io/v1/roles", "roles");
        list(vendor, "k8s_cluster_role", "/apis/rbac.authorization.k8s.io/v1/clusterroles", "clusterroles");
        list(vendor, "k8s_role_binding", "/apis/rbac.authorization.k8s.io/v1/rolebindings", "rolebindings");
        list(
                vendor,
                "k8s_cluster_role_binding",
                "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
                "clusterrolebindings");
        pages(vendor, "k8s_secret", "/api/v1/secrets", "secrets");
        list(vendor, "k8s_config_map", "/api/v1/configmaps", "configmaps");
        list(vendor, "cert_manager_certificate", "/apis/cert-manager.io/v1/certificates", "certificates");
        list(vendor, "k8s_deployment_pod", "/apis/apps/v1/replicasets", "replicasets-metadata");
        list(vendor, "k8s_service_pod", "/api/v1/services", "services");
        vendor.on("GET /api/v1/pods?continue", "pods-metadata.json");
        list(vendor, "k8s_container_image", "/api/v1/pods", "pods-1");
        vendor.on("GET /api/v1/pods?continue=" + token(vendor.text("pods-1.json")), "pods-2.json");
        list(vendor, "k8s_rbac_subject", "/apis/rbac.authorization.k8s.io/v1/rolebindings", "rolebindings");
        vendor.on("GET /apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "clusterrolebindings.json");
        list(vendor, "k8s_cni", "/apis/apps/v1/daemonsets", "daemonsets");
        vendor.on("GET /api/v1/namespaces/kube-system/pods", "kube-system-pods.json");
    }

    @Override
    protected Map<String, Integer> expected() {
        return Map.ofEntries(
                entry("k8s_cluster", 1),
                entry("k8s_namespace", 2),
                entry("k8s_node", 2),
                entry("k8s_pod", 4),
                entry("k8s_deployment", 2),
                entry("k8s_stateful_set", 2),
                entry("k8s_daemon_set", 2),
                entry("k8s_job", 2),
                entry("k8s_cron_job", 2),
                entry("k8s_service", 2),
                entry("k8s_ingress", 2),
                entry("k8s_network_policy", 2),
                entry("k8s_persistent_volume", 2),
                entry("k8s_pvc", 2),
                entry("k8s_storage_class", 2),
                entry("k8s_resource_quota", 2),
                entry("k8s_service_account", 4),
                entry("k8s_role", 2),
                entry("k8s_cluster_role", 2),
                entry("k8s_role_binding", 2),
                entry("k8s_cluster_role_binding", 2),
                entry("k8s_secret", 3),
                entry("k8s_config_map", 2),
                entry("cert_manager_certificate", 2),
                entry("k8s_deployment_pod", 4),
                entry("k8s_service_pod", 4),
                entry("k8s_container_image", 3),
                // alice, developers, reader and whoever is in system:basic-user
                entry("k8s_rbac_subject", 4),
                entry("k8s_cni", 1));
    }

    @Override
    protected Answer unauthorized() {
        return status(401, "Unauthorized", "Unauthorized");
    }

    @Override
    protected Answer forbidden() {
        return status(403, "Forbidden", "pods is forbidden: User \"reader\" cannot list resource \"pods\"");
    }

    @Override
    protected Answer notFound() {
        return status(404, "NotFound", "the server could not find the requested resource");
    }

    /** The snapshot of a continue token is gone after five minutes, or sooner. */
    @Override
    protected Optional<Answer> expired() {
        return Optional.of(status(
                410, "Expired", "The provided continue parameter is too old to display a consistent list result."));
    }

    @Override
    protected Optional<Exception> gone() {
        return Optional.of(KubernetesFailure.of("GET /x", 404, MissingNode.getInstance(), Optional.empty()));
    }

    private static Answer status(int code, String reason, String message) {
        String body = JsonNodeFactory.instance
                .objectNode()
                .put("kind", "Status")
                .put("apiVersion", "v1")
                .put("status", "Failure")
                .put("message", message)
                .put("reason", reason)
                .put("code", code)
                .toString();
        return Answer.of(code, body).header("Content-Type", "application/json");
    }

    private static String token(String list) {
        Matcher matcher = Pattern.compile("\"continue\": \"([^\"]+)\"").matcher(list);
        assertThat(matcher.find()).as("a continue token").isTrue();
        return matcher.group(1);
    }

    private static boolean isBy(Asked each, String kind) {
        return each.header("User-Agent").equals("elder-worker (" + kind + ")");
    }

    private static Predicate<Asked> at(String kind, String path, boolean isFirst) {
        return each -> isBy(each, kind)
                && each.path().equals(path)
                && each.parameters().containsKey("continue") != isFirst;
    }

    private static void list(ScriptedServer vendor, String kind, String path, String fixture) {
        vendor.page(kind, at(kind, path, true), fixture + ".json");
    }

    private static void pages(ScriptedServer vendor, String kind, String path, String fixture) {
        list(vendor, kind, path, fixture + "-1");
        vendor.page(kind, at(kind, path, false), fixture + "-2.json");
    }
}
