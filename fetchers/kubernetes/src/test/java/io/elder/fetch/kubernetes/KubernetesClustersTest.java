package io.elder.fetch.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.ScopeFailed;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What one cluster or one of its resources refuses must not keep the others from being read. */
class KubernetesClustersTest {
    private ScriptedServer server;

    @BeforeEach
    void start() throws IOException {
        server = ScriptedServer.start(getClass());
        server.on("GET /version", "version.json");
        server.on("GET /apis", "apis.json");
        server.on("GET /api/v1/namespaces", "namespaces.json");
        server.on("GET /api/v1/namespaces/shop/pods", "kube-system-pods.json");
        server.on("GET /api/v1/namespaces/blog/pods", "pods-2.json");
    }

    @AfterEach
    void stop() {
        server.close();
    }

    @Test
    void aClusterThatDoesNotAnswerFailsAloneAndLosesNothing() throws InterruptedException {
        RecordingPublisher published = read(
                "k8s_namespace",
                Map.of(
                        "KUBERNETES_CLUSTERS",
                        "[" + entry("up", server.url()) + "," + entry("down", "http://127.0.0.1:1") + "]"));
        assertThat(published.seals())
                .extracting(seal -> seal.scope().toString())
                .containsExactly("kubernetes/up/-/k8s_namespace");
        assertThat(published.events(ScopeFailed.class))
                .extracting(ScopeFailed::getScope, ScopeFailed::getReason)
                .containsExactly(org.assertj.core.groups.Tuple.tuple("kubernetes/down/-/k8s_namespace", "unreachable"));
    }

    @Test
    void aResourceThatIsForbiddenFailsAlone() throws InterruptedException {
        server.on(
                "GET /api/v1/secrets",
                Answer.of(
                                403,
                                "{\"kind\": \"Status\", \"reason\": \"Forbidden\", \"message\": \"secrets is forbidden: User \\\"reader\\\" cannot list resource \\\"secrets\\\"\"}")
                        .header("Content-Type", "application/json"));
        Map<String, String> settings = one();
        RecordingPublisher secrets = read("k8s_secret", settings);
        assertThat(secrets.seals()).isEmpty();
        assertThat(secrets.events(ScopeFailed.class)).singleElement().satisfies(failed -> {
            assertThat(failed.getReason()).isEqualTo("forbidden");
            assertThat(failed.getMessage())
                    .isEqualTo(
                            "GET /api/v1/secrets: 403: secrets is forbidden: User \"reader\" cannot list resource \"secrets\"");
        });
        assertThat(read("k8s_namespace", settings).seals()).hasSize(1);
    }

    @Test
    void whatAClusterDoesNotServeIsNotReadAndSoNeverEmpty() throws InterruptedException {
        assertThat(planned(one())).contains("-/cert_manager_certificate", "-/k8s_ingress");
        server.on(
                "GET /apis?limit",
                json("{\"groups\": [{\"name\": \"apps\", \"versions\": [{\"groupVersion\": \"apps/v1\"}]}]}"));
        assertThat(planned(one()))
                .contains("-/k8s_deployment", "-/k8s_pod")
                .doesNotContain("-/cert_manager_certificate", "-/k8s_ingress");
    }

    @Test
    void aClusterThatDoesNotTellWhatItServesIsReadButForAddOns() throws InterruptedException {
        server.on("GET /apis?limit", Answer.of(403, "{}"));
        assertThat(planned(one()))
                .contains("-/k8s_deployment", "-/k8s_ingress")
                .doesNotContain("-/cert_manager_certificate");
    }

    @Test
    void namespacesThatAreNamedAreReadEachOnItsOwn() throws InterruptedException {
        Map<String, String> settings = Map.of(
                "KUBERNETES_KUBECONFIG",
                KubernetesProviderTest.kubeconfig(server.url(), "t"),
                "KUBERNETES_NAMESPACES",
                "shop,blog");
        assertThat(planned(settings))
                .contains("shop/k8s_pod", "blog/k8s_pod", "-/k8s_node", "-/k8s_cluster_role")
                .doesNotContain("-/k8s_pod", "shop/k8s_node");
        assertThat(read("k8s_pod", settings).seals())
                .extracting(seal -> seal.scope().toString() + " " + seal.count())
                .containsExactlyInAnyOrder("kubernetes/prod/shop/k8s_pod 0", "kubernetes/prod/blog/k8s_pod 2");
    }

    @Test
    void aRedirectIsNotFollowed() throws InterruptedException {
        server.on("GET /version?limit", Answer.of(302).header("Location", server.url() + "/api/v1/namespaces"));
        try (TestRun<KubernetesClusters> run = run(one())) {
            run.plan();
            assertThat(run.published().events(PlanFailed.class))
                    .singleElement()
                    .satisfies(failed -> assertThat(failed.getMessage()).startsWith("GET /version: 302"));
        }
        assertThat(server.asked()).noneMatch(each -> each.path().equals("/api/v1/namespaces"));
    }

    /** The client would look for a token in all places that it knows, above all after a 401. */
    @Test
    void aServerIsSentNoTokenButItsOwn() throws InterruptedException {
        System.setProperty("kubernetes.auth.token", "token-of-the-site");
        System.setProperty("kubernetes.master", "https://site.example");
        try {
            String anonymous =
                    KubernetesProviderTest.kubeconfig(server.url(), "t").replace("{token: t}", "{}");
            assertThat(planned(Map.of("KUBERNETES_KUBECONFIG", anonymous))).isNotEmpty();
            server.on("GET /version?limit", Answer.of(401, "{}"));
            for (String kubeconfig : List.of(anonymous, KubernetesProviderTest.kubeconfig(server.url(), "t"))) {
                assertThat(planned(Map.of("KUBERNETES_KUBECONFIG", kubeconfig))).isEmpty();
            }
        } finally {
            System.clearProperty("kubernetes.auth.token");
            System.clearProperty("kubernetes.master");
        }
        assertThat(server.asked())
                .extracting(each -> each.header("Authorization"))
                .contains("", "Bearer t")
                .doesNotContain("Bearer token-of-the-site");
    }

    @Test
    void thePersonWhoTestsAConnectionIsToldWhoTheyAreAndWhatIsThere() throws Exception {
        server.on(
                "POST /apis/authentication.k8s.io/v1/selfsubjectreviews",
                json(
                        "{\"kind\": \"SelfSubjectReview\", \"status\": {\"userInfo\": {\"username\": \"system:serviceaccount:elder:worker\"}}}"));
        KubernetesProvider provider = new KubernetesProvider();
        try (KubernetesClusters clusters = provider.connect(Settings.of(Map.of(
                "KUBERNETES_CLUSTERS",
                "[" + entry("up", server.url()) + "," + entry("down", "http://127.0.0.1:1") + "]")))) {
            assertThat(provider.identity(clusters))
                    .startsWith("up: Kubernetes v1.33.13 as system:serviceaccount:elder:worker; down: not reached: ");
        }
    }

    private static Answer json(String body) {
        return Answer.of(200, body).header("Content-Type", "application/json");
    }

    private Map<String, String> one() {
        return Map.of("KUBERNETES_KUBECONFIG", KubernetesProviderTest.kubeconfig(server.url(), "t"));
    }

    private static String entry(String name, String url) {
        return "{\"name\": \"" + name + "\", \"kubeconfig\": \""
                + KubernetesProviderTest.kubeconfig(url, "t")
                        .replace("\"", "\\\"")
                        .replace("\n", "\\n") + "\"}";
    }

    private static TestRun<KubernetesClusters> run(Map<String, String> settings) {
        return new TestRun<>(new KubernetesProvider(), Settings.of(settings), Set.of("token-of-the-test"));
    }

    private static List<String> planned(Map<String, String> settings) throws InterruptedException {
        try (TestRun<KubernetesClusters> run = run(settings)) {
            return run.plan().stream()
                    .map(task -> task.getRegion() + "/" + task.getKind())
                    .toList();
        }
    }

    private static RecordingPublisher read(String kind, Map<String, String> settings) throws InterruptedException {
        try (TestRun<KubernetesClusters> run = run(settings)) {
            List<PlannedTask> tasks = run.plan().stream()
                    .filter(task -> task.getKind().equals(kind))
                    .toList();
            tasks.forEach(run::fetch);
            return run.published();
        }
    }
}
