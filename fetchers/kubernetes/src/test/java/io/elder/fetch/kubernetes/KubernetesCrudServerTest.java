package io.elder.fetch.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.TestRun;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.ScopeFailed;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesCrudDispatcher;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.fabric8.mockwebserver.Context;
import io.fabric8.mockwebserver.MockWebServer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Against fabric8's server that keeps objects: it knows neither pages nor metadata lists, as some servers do not. */
class KubernetesCrudServerTest {
    private static final String CANARY = "canary-4711";

    private KubernetesMockServer east;
    private KubernetesMockServer west;
    private KubernetesClient inEast;
    private KubernetesClient inWest;

    @BeforeEach
    void start() {
        east = server();
        west = server();
        inEast = east.createClient();
        inWest = west.createClient();
    }

    private static KubernetesMockServer server() {
        KubernetesMockServer server = new KubernetesMockServer(
                new Context(), new MockWebServer(), new HashMap<>(), new KubernetesCrudDispatcher(), false);
        server.init();
        return server;
    }

    @AfterEach
    void stop() {
        inEast.close();
        inWest.close();
        east.destroy();
        west.destroy();
    }

    @Test
    void sameNamesInDifferentNamespacesAndClustersAreObjectsOfTheirOwn() throws InterruptedException {
        for (KubernetesClient each : List.of(inEast, inWest)) {
            for (String namespace : List.of("shop", "blog")) {
                each.namespaces()
                        .resource(new NamespaceBuilder()
                                .withNewMetadata()
                                .withName(namespace)
                                .endMetadata()
                                .build())
                        .create();
                each.pods()
                        .inNamespace(namespace)
                        .resource(pod(namespace, "web-0"))
                        .create();
            }
        }
        RecordingPublisher published = everything();
        assertThat(keys(published, "k8s_pod"))
                .containsExactlyInAnyOrder(
                        "kubernetes/east/k8s_pod/shop%2Fweb-0",
                        "kubernetes/east/k8s_pod/blog%2Fweb-0",
                        "kubernetes/west/k8s_pod/shop%2Fweb-0",
                        "kubernetes/west/k8s_pod/blog%2Fweb-0");
        assertThat(keys(published, "k8s_namespace")).hasSize(4);
    }

    @Test
    void whatVanishedIsInNoRecordOfACompleteReadAndWhatCameBackHasItsOldKey() throws InterruptedException {
        inEast.pods().inNamespace("shop").resource(pod("shop", "web-0")).create();
        Set<String> before = keys(everything(), "k8s_pod");
        inEast.pods().inNamespace("shop").withName("web-0").delete();
        RecordingPublisher after = everything();
        assertThat(keys(after, "k8s_pod")).isEmpty();
        assertThat(after.seals())
                .anyMatch(seal -> seal.scope().toString().equals("kubernetes/east/-/k8s_pod") && seal.count() == 0);
        inEast.pods().inNamespace("shop").resource(pod("shop", "web-0")).create();
        assertThat(keys(everything(), "k8s_pod")).isEqualTo(before);
    }

    @Test
    void aServiceIsLinkedToThePodsThatItSelectsInItsOwnNamespace() throws InterruptedException {
        inEast.pods().inNamespace("shop").resource(pod("shop", "web-0")).create();
        inEast.pods().inNamespace("blog").resource(pod("blog", "web-0")).create();
        for (String app : List.of("web", "api")) {
            inEast.services()
                    .inNamespace("shop")
                    .resource(new ServiceBuilder()
                            .withNewMetadata()
                            .withName(app)
                            .withNamespace("shop")
                            .endMetadata()
                            .withNewSpec()
                            .addToSelector("app", app)
                            .endSpec()
                            .build())
                    .create();
        }
        assertThat(keys(everything(), "k8s_service_pod"))
                .containsExactly("kubernetes/east/k8s_service_pod/shop%2Fweb-0%2Fweb");
    }

    @Test
    void noValueOfASecretAConfigMapAnAnnotationOrAVariableIsInARecord() throws InterruptedException {
        inEast.secrets()
                .inNamespace("shop")
                .resource(new SecretBuilder()
                        .withNewMetadata()
                        .withName("login")
                        .withNamespace("shop")
                        .addToAnnotations("kubectl.kubernetes.io/last-applied-configuration", CANARY)
                        .endMetadata()
                        .addToStringData("password", CANARY)
                        .addToData("token", "Y2FuYXJ5LTQ3MTE=")
                        .build())
                .create();
        inEast.configMaps()
                .inNamespace("shop")
                .resource(new ConfigMapBuilder()
                        .withNewMetadata()
                        .withName("settings")
                        .withNamespace("shop")
                        .endMetadata()
                        .addToData("dsn", CANARY)
                        .build())
                .create();
        inEast.pods().inNamespace("shop").resource(pod("shop", "web-0")).create();
        RecordingPublisher published = everything();
        assertThat(keys(published, "k8s_secret")).hasSize(1);
        assertThat(keys(published, "k8s_config_map")).hasSize(1);
        assertThat(published.records())
                .noneMatch(record ->
                        record.payload().contains(CANARY) || record.payload().contains("Y2FuYXJ5LTQ3MTE="));
        assertThat(published.records())
                .filteredOn(record -> record.key().kind().equals("k8s_secret"))
                .allMatch(record -> record.payload().contains("\"password\":\"***\"")
                        && record.payload().contains("\"token\":\"***\""));
    }

    private RecordingPublisher everything() throws InterruptedException {
        try (TestRun<KubernetesClusters> run = new TestRun<>(
                new KubernetesProvider(),
                Settings.of(
                        Map.of("KUBERNETES_CLUSTERS", "[" + entry("east", east) + ", " + entry("west", west) + "]")),
                Set.of("token-of-the-test"))) {
            RecordingPublisher published = run.everything();
            assertThat(published.events(ScopeFailed.class)).isEmpty();
            return published;
        }
    }

    private static String entry(String name, KubernetesMockServer server) {
        String kubeconfig = KubernetesProviderTest.kubeconfig(
                        "http://127.0.0.1:" + server.getPort(), "token-of-the-test")
                .replace("\"", "\\\"")
                .replace("\n", "\\n");
        return "{\"name\": \"" + name + "\", \"kubeconfig\": \"" + kubeconfig + "\"}";
    }

    private static Set<String> keys(RecordingPublisher published, String kind) {
        return published.sealedRecords().stream()
                .filter(record -> record.key().kind().equals(kind))
                .map(record -> record.key().toString())
                .collect(Collectors.toSet());
    }

    private static Pod pod(String namespace, String name) {
        return new PodBuilder()
                .withNewMetadata()
                .withName(name)
                .withNamespace(namespace)
                .addToLabels("app", "web")
                .addToAnnotations("note", CANARY)
                .endMetadata()
                .withNewSpec()
                .addNewContainer()
                .withName("web")
                .withImage("nginx:1.29")
                .withArgs("--password=" + CANARY)
                .addNewEnv()
                .withName("PASSWORD")
                .withValue(CANARY)
                .endEnv()
                .endContainer()
                .endSpec()
                .build();
    }
}
