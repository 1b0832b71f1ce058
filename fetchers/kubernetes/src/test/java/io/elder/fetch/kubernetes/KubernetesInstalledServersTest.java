package io.elder.fetch.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.Requests;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.kubernetes.KubernetesCluster.Detail;
import io.elder.runtime.Settings;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Against a kube-apiserver as {@code .ci/kube-apiserver.sh} starts it. */
@Tag("installed")
class KubernetesInstalledServersTest {
    private static final String PATH = "/api/v1/namespaces/paging/configmaps";
    private static final int MAPS = 250;

    private final KubernetesProvider provider = new KubernetesProvider();

    @BeforeEach
    void fill() {
        assumeTrue(server() != null, "no kube-apiserver: run .ci/kube-apiserver.sh start DIR");
        try (KubernetesClient admin = admin()) {
            admin.resource(new NamespaceBuilder()
                            .withNewMetadata()
                            .withName("paging")
                            .endMetadata()
                            .build())
                    .serverSideApply();
            List<ConfigMap> all =
                    admin.configMaps().inNamespace("paging").list().getItems();
            for (int i = all.size(); i < MAPS; i++) {
                admin.resource(map("map-" + i)).serverSideApply();
            }
        }
    }

    @Test
    void pagesOfTenGiveWhatOnePageGives() throws Exception {
        assertThat(names(7)).hasSize(MAPS).isEqualTo(names(500));
    }

    @Test
    void aSnapshotThatIsCompactedAwayIsReadAnew() throws Exception {
        try (KubernetesClusters clusters = provider.connect(settings("admin-token-of-the-tests", 10))) {
            KubernetesCluster cluster = clusters.cluster("test");
            Page<ObjectNode> first = cluster.page(PATH, "k8s_config_map", Detail.WHOLE, null);
            assertThat(first.next()).isNotEmpty();
            try (KubernetesClient admin = admin()) {
                admin.resource(map("map-0")
                                .edit()
                                .addToData("changed", Long.toString(System.nanoTime()))
                                .build())
                        .serverSideApply();
            }
            compact();
            assertThatThrownBy(() -> cluster.page(PATH, "k8s_config_map", Detail.WHOLE, first.next()))
                    .isInstanceOf(KubernetesFailure.class)
                    .hasMessageContaining("410")
                    .satisfies(
                            failure -> assertThat(Verdict.on(failure, provider)).isInstanceOf(Verdict.StartOver.class));
        }
        assertThat(names(10)).hasSize(MAPS);
    }

    @Test
    void aTokenThatNobodyHasIsRefused() {
        assertThatThrownBy(() -> provider.connect(settings("nobody-has-this-one", 10)))
                .satisfies(failure -> assertThat(Verdict.on(failure, provider))
                        .isInstanceOfSatisfying(Verdict.Stop.class, stop -> assertThat(stop.reason())
                                .isEqualTo(StopReason.BAD_CREDENTIALS)));
    }

    @Test
    void aUserWithoutRightsIsForbiddenToList() throws Exception {
        try (KubernetesClusters clusters = provider.connect(settings("stranger-token-of-the-tests", 10))) {
            assertThat(provider.identity(clusters)).startsWith("test: Kubernetes v1.33.13 as stranger");
            assertThatThrownBy(() -> clusters.cluster("test").page("/api/v1/secrets", "k8s_secret", Detail.WHOLE, null))
                    .satisfies(failure -> assertThat(Verdict.on(failure, provider))
                            .isEqualTo(new Verdict.Stop(
                                    StopReason.FORBIDDEN,
                                    "GET /api/v1/secrets: 403: secrets is forbidden: User \"stranger\" cannot list resource"
                                            + " \"secrets\" in API group \"\" at the cluster scope")));
        }
    }

    @Test
    void aServerWhoseAuthorityIsNotTrustedGetsNoToken() {
        assertThatThrownBy(() -> provider.connect(Settings.of(Map.of(
                        "KUBERNETES_KUBECONFIG",
                        KubernetesProviderTest.kubeconfig(server(), "admin-token-of-the-tests")))))
                .satisfies(failure -> assertThat(Verdict.on(failure, provider))
                        .isInstanceOfSatisfying(Verdict.Stop.class, stop -> assertThat(stop.reason())
                                .isEqualTo(StopReason.TLS)));
    }

    @Test
    void whatIsServedIsKnownFromDiscovery() throws Exception {
        try (KubernetesClusters clusters = provider.connect(settings("admin-token-of-the-tests", 10))) {
            KubernetesCluster cluster = clusters.cluster("test");
            assertThat(List.of(
                            "apps/v1",
                            "batch/v1",
                            "networking.k8s.io/v1",
                            "rbac.authorization.k8s.io/v1",
                            "storage.k8s.io/v1"))
                    .allMatch(cluster::serves);
            assertThat(cluster.serves("extensions/v1beta1")).isFalse();
        }
    }

    private Set<String> names(int pageSize) throws Exception {
        try (KubernetesClusters clusters = provider.connect(settings("admin-token-of-the-tests", pageSize))) {
            KubernetesCluster cluster = clusters.cluster("test");
            List<String> names = new ArrayList<>();
            Requests requests = new Requests() {
                @Override
                public <T> T request(Request<T> request) throws Exception {
                    return request.send();
                }
            };
            requests.<ObjectNode>pages(
                    cursor -> cluster.page(PATH, "k8s_config_map", Detail.WHOLE, cursor),
                    map -> names.add(map.at("/metadata/name").asText()));
            assertThat(names).doesNotHaveDuplicates();
            return new HashSet<>(names);
        }
    }

    private static ConfigMap map(String name) {
        return new ConfigMapBuilder()
                .withNewMetadata()
                .withName(name)
                .withNamespace("paging")
                .endMetadata()
                .addToData("key", "value")
                .build();
    }

    private static String server() {
        return System.getenv("ELDER_TEST_KUBERNETES_FIRST");
    }

    private static Settings settings(String token, int pageSize) throws IOException {
        String authority = Base64.getEncoder()
                .encodeToString(Files.readAllBytes(Path.of(System.getenv("ELDER_TEST_KUBERNETES_FIRST_CA"))));
        return Settings.of(Map.of(
                "KUBERNETES_KUBECONFIG",
                KubernetesProviderTest.kubeconfig(server() + "\", certificate-authority-data: \"" + authority, token),
                "KUBERNETES_CLUSTER_NAME",
                "test",
                "KUBERNETES_PAGE_SIZE",
                Integer.toString(pageSize)));
    }

    private static KubernetesClient admin() {
        Config config = new ConfigBuilder(Config.empty())
                .withAutoConfigure(false)
                .withMasterUrl(server())
                .withCaCertFile(System.getenv("ELDER_TEST_KUBERNETES_FIRST_CA"))
                .withOauthToken("admin-token-of-the-tests")
                .build();
        return new KubernetesClientBuilder().withConfig(config).build();
    }

    /** What etcd does every five minutes. */
    private static void compact() throws IOException, InterruptedException {
        JsonNode now = etcd("/v3/kv/range", "{\"key\": \"AA==\"}");
        etcd(
                "/v3/kv/compaction",
                "{\"revision\": \"" + now.at("/header/revision").asText() + "\", \"physical\": true}");
    }

    private static JsonNode etcd(String path, String body) throws IOException, InterruptedException {
        try (HttpClient http = HttpClient.newHttpClient()) {
            HttpResponse<String> answer = http.send(
                    HttpRequest.newBuilder(URI.create(System.getenv("ELDER_TEST_KUBERNETES_ETCD") + path))
                            .POST(HttpRequest.BodyPublishers.ofString(body))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
            return new ObjectMapper().readTree(answer.body());
        }
    }
}
