package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.read.ListAppender;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.NodeBuilder;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.api.model.rbac.ClusterRoleBindingBuilder;
import io.fabric8.kubernetes.api.model.rbac.ClusterRoleBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** Two real clusters of 5,000 pods each through the whole pipeline; no secret, annotation or variable of theirs gets into it. */
@Tag("installed")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class KubernetesInstalledTest {
    private static final int NAMESPACES = 50;
    private static final int PODS = 100;
    private static final String CANARY = "canary-of-the-estate";
    private static final String ENCODED = Base64.getEncoder().encodeToString(CANARY.getBytes(StandardCharsets.UTF_8));
    private static final String OURS = " source_key like 'kubernetes/%' and deleted_at is null and ";

    @TempDir
    static Path folder;

    private static final ListAppender<ILoggingEvent> LOG = new ListAppender<>();
    private static DirectoryJob job;

    @BeforeAll
    static void start() throws Exception {
        assumeTrue(
                System.getenv("ELDER_TEST_KUBERNETES_FIRST") != null,
                "no kube-apiserver: run .ci/kube-apiserver.sh start DIR");
        long began = System.nanoTime();
        for (String which : List.of("FIRST", "SECOND")) {
            try (KubernetesClient cluster = client(which)) {
                fill(cluster);
            }
        }
        System.out.printf("MEASURED two clusters filled in %.1f s%n", (System.nanoTime() - began) / 1e9);
        LOG.start();
        ((Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME)).addAppender(LOG);
        job = DirectoryJob.start(
                folder.resolve("elder"),
                Map.of("DISCOVERY_MAX_CONCURRENT", "2", "SYNC_MAX_RETRIES", "1"),
                "kubernetes",
                "{\"clusters\": " + clusters("reader-token-of-the-tests") + ", \"page_size\": 200}");
    }

    @AfterAll
    static void stop() {
        if (job != null) {
            job.close();
            ((Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME)).detachAppender(LOG);
        }
    }

    @Test
    @Order(1)
    void everyPodOfEveryNamespaceOfEveryClusterIsARowOfItsOwn() throws SQLException {
        job.sync("two clusters, first sync");
        assertThat(job.lastError()).isEqualTo("completed: ");
        assertThat(job.number("select count(*) from entities where" + OURS
                        + "sub_type = 'kubernetes_pod' and metadata->>'namespace' like 'team-%'"))
                .isEqualTo(2L * NAMESPACES * PODS);
        assertThat(job.number(
                        "select count(*) from (select organization_id, metadata->>'namespace', count(*) from entities"
                                + " where" + OURS
                                + "sub_type = 'kubernetes_pod' and metadata->>'namespace' like 'team-%'"
                                + " group by 1, 2 having count(*) = " + PODS + ") each_namespace"))
                .isEqualTo(2L * NAMESPACES);
        assertThat(
                        job.text(
                                "select string_agg(name, ',' order by name) from organizations where source_key like 'kubernetes/%'"))
                .isEqualTo("Kubernetes,Kubernetes: first,Kubernetes: second");
        assertThat(job.number("select count(*) from services where" + OURS + "name = 'web'"))
                .isGreaterThanOrEqualTo(2L * NAMESPACES);
        assertThat(job.number("select count(*) from builtin_secrets where" + OURS + "name like 'k8s:team-%'"))
                .isEqualTo(2L * NAMESPACES);
    }

    @Test
    @Order(2)
    void podsAreLinkedToTheirNodeTheirNamespaceAndTheirService() throws SQLException {
        assertThat(job.number("select count(*) from dependencies d join entities p on p.id = d.source_id"
                        + " join entities n on n.id = d.target_id where d.deleted_at is null"
                        + " and d.source_type = 'entity' and d.target_type = 'entity'"
                        + " and d.dependency_type = 'runs_on' and n.sub_type = 'kubernetes_node'"
                        + " and n.organization_id = p.organization_id and p.metadata->>'namespace' like 'team-%'"))
                .isEqualTo(2L * NAMESPACES * PODS);
        assertThat(job.number("select count(*) from network_entity_mappings m join entities p on p.id = m.entity_id"
                        + " join networking_resources n on n.id = m.network_id where m.deleted_at is null"
                        + " and p.sub_type = 'kubernetes_pod' and n.name = p.metadata->>'namespace'"
                        + " and n.organization_id = p.organization_id and n.name like 'team-%'"))
                .isEqualTo(2L * NAMESPACES * PODS);
        assertThat(job.number("select count(*) from dependencies d join services s on s.id = d.source_id"
                        + " join entities p on p.id = d.target_id where d.deleted_at is null"
                        + " and d.source_type = 'service' and d.target_type = 'entity' and d.dependency_type = 'routes_to'"
                        + " and s.organization_id = p.organization_id and p.metadata->>'namespace' like 'team-%'"))
                .isEqualTo(2L * NAMESPACES * PODS);
    }

    @Test
    @Order(3)
    void aSecondSyncChangesNoRow() throws SQLException {
        String before = job.versions();
        job.sync("two clusters, second sync");
        assertThat(job.versions()).isEqualTo(before);
    }

    @Test
    @Order(4)
    void whatVanishedIsDeletedWhileWhatIsForbiddenStaysAsItIs() throws Exception {
        long secrets = job.number("select count(*) from builtin_secrets where deleted_at is null");
        try (KubernetesClient cluster = client("FIRST")) {
            cluster.pods()
                    .inNamespace("team-07")
                    .withName("pod-042")
                    .withGracePeriod(0)
                    .delete();
            cluster.secrets().inNamespace("team-07").withName("login").delete();
        }
        job.configure("{\"clusters\": " + clusters("limited-token-of-the-tests") + "}");
        job.sync("a pod deleted, secrets forbidden");
        assertThat(job.lastError()).startsWith("partial: ").contains("secrets is forbidden");
        assertThat(job.kinds("failed")).isEqualTo("k8s_secret,k8s_secret");
        assertThat(job.text("select string_agg(source_key, ',') from entities where deleted_at is not null"))
                .isEqualTo("kubernetes/first/k8s_pod/team-07%2Fpod-042");
        assertThat(job.number("select count(*) from builtin_secrets where deleted_at is null"))
                .isEqualTo(secrets);
        job.configure("{\"clusters\": " + clusters("reader-token-of-the-tests") + "}");
        job.sync("secrets allowed again");
        assertThat(job.lastError()).isEqualTo("completed: ");
        assertThat(job.number("select count(*) from builtin_secrets where deleted_at is null"))
                .isEqualTo(secrets - 1);
    }

    @Test
    @Order(5)
    void noSecretNoAnnotationAndNoVariableIsInAnyTopicLogOrTable() throws Exception {
        AtomicLong records = new AtomicLong();
        job.eachRecord(record -> {
            records.incrementAndGet();
            assertClean(record);
        });
        assertThat(records.get()).isGreaterThan(2L * NAMESPACES * PODS);
        String tables = job.text(
                "select string_agg(quote_ident(table_schema) || '.' || quote_ident(table_name), ',')"
                        + " from information_schema.tables where table_schema in ('public', 'pipeline') and table_type = 'BASE TABLE'");
        for (String table : tables.split(",")) {
            assertThat(job.number("select count(*) from " + table + " t where t::text like '%" + CANARY
                            + "%' or t::text like '%" + ENCODED + "%'"))
                    .as(table)
                    .isZero();
        }
        assertClean(job.status());
        for (ILoggingEvent event : List.copyOf(LOG.list)) {
            assertClean(event.getFormattedMessage());
            if (event.getThrowableProxy() != null) {
                assertClean(ThrowableProxyUtil.asString(event.getThrowableProxy()));
            }
        }
    }

    private static void assertClean(String text) {
        assertThat(text.contains(CANARY) || text.contains(ENCODED))
                .as("a canary is in: %s", text.substring(0, Math.min(text.length(), 300)))
                .isFalse();
    }

    private static void fill(KubernetesClient cluster) throws Exception {
        List<HasMetadata> first = new ArrayList<>();
        List<HasMetadata> then = new ArrayList<>();
        for (int node = 0; node < 10; node++) {
            first.add(new NodeBuilder()
                    .withMetadata(named(null, "worker-" + node))
                    .build());
        }
        first.add(new ClusterRoleBuilder()
                .withMetadata(named(null, "elder-reads-all"))
                .addNewRule()
                .withApiGroups("*")
                .withResources("*")
                .withVerbs("get", "list")
                .endRule()
                .build());
        first.add(new ClusterRoleBuilder()
                .withMetadata(named(null, "elder-reads-all-but-secrets"))
                .addNewRule()
                .withApiGroups(
                        "apps",
                        "batch",
                        "networking.k8s.io",
                        "rbac.authorization.k8s.io",
                        "storage.k8s.io",
                        "cert-manager.io")
                .withResources("*")
                .withVerbs("get", "list")
                .endRule()
                .addNewRule()
                .withApiGroups("")
                .withResources(
                        "namespaces",
                        "nodes",
                        "pods",
                        "services",
                        "persistentvolumes",
                        "persistentvolumeclaims",
                        "resourcequotas",
                        "serviceaccounts",
                        "configmaps")
                .withVerbs("get", "list")
                .endRule()
                .build());
        first.add(binding("reader", "elder-reads-all"));
        first.add(binding("limited", "elder-reads-all-but-secrets"));
        for (int i = 0; i < NAMESPACES; i++) {
            String namespace = "team-%02d".formatted(i);
            first.add(
                    new NamespaceBuilder().withMetadata(named(null, namespace)).build());
            then.add(new SecretBuilder()
                    .withMetadata(named(namespace, "login"))
                    .addToStringData("password", CANARY)
                    .build());
            then.add(new ConfigMapBuilder()
                    .withMetadata(named(namespace, "settings"))
                    .addToData("dsn", CANARY)
                    .build());
            then.add(new ServiceBuilder()
                    .withMetadata(named(namespace, "web"))
                    .withNewSpec()
                    .addToSelector("app", "web")
                    .addNewPort()
                    .withPort(80)
                    .endPort()
                    .endSpec()
                    .build());
            for (int pod = 0; pod < PODS; pod++) {
                ObjectMeta metadata = named(namespace, "pod-%03d".formatted(pod));
                metadata.setLabels(Map.of("app", "web"));
                then.add(new PodBuilder()
                        .withMetadata(metadata)
                        .withNewSpec()
                        .withNodeName("worker-" + pod % 10)
                        .addNewContainer()
                        .withName("web")
                        .withImage("registry.example.com:5000/web:" + i)
                        .withArgs("--token=" + CANARY)
                        .addNewEnv()
                        .withName("PASSWORD")
                        .withValue(CANARY)
                        .endEnv()
                        .endContainer()
                        .addNewInitContainer()
                        .withName("init")
                        .withImage("busybox:1.37")
                        .addNewEnv()
                        .withName("PASSWORD")
                        .withValue(CANARY)
                        .endEnv()
                        .endInitContainer()
                        .endSpec()
                        .build());
            }
        }
        create(cluster, first);
        create(cluster, then);
    }

    private static HasMetadata binding(String user, String role) {
        return new ClusterRoleBindingBuilder()
                .withMetadata(named(null, user))
                .withNewRoleRef("rbac.authorization.k8s.io", "ClusterRole", role)
                .addNewSubject("rbac.authorization.k8s.io", "User", user, null)
                .build();
    }

    private static ObjectMeta named(String namespace, String name) {
        return new ObjectMetaBuilder()
                .withName(name)
                .withNamespace(namespace)
                .addToAnnotations("kubectl.kubernetes.io/last-applied-configuration", CANARY)
                .build();
    }

    private static void create(KubernetesClient cluster, List<HasMetadata> objects) throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(16)) {
            List<Future<HasMetadata>> all = new ArrayList<>();
            objects.forEach(object -> all.add(threads.submit(() -> create(cluster, object))));
            for (Future<HasMetadata> each : all) {
                each.get();
            }
        }
    }

    private static HasMetadata create(KubernetesClient cluster, HasMetadata object) {
        try {
            return cluster.resource(object).create();
        } catch (KubernetesClientException e) {
            if (e.getCode() == 409) {
                // From a run before, on the same servers.
                return object;
            }
            throw e;
        }
    }

    private static KubernetesClient client(String which) {
        Config config = new ConfigBuilder(Config.empty())
                .withAutoConfigure(false)
                .withMasterUrl(System.getenv("ELDER_TEST_KUBERNETES_" + which))
                .withCaCertFile(System.getenv("ELDER_TEST_KUBERNETES_" + which + "_CA"))
                .withOauthToken("admin-token-of-the-tests")
                .build();
        return new KubernetesClientBuilder().withConfig(config).build();
    }

    private static String clusters(String token) throws IOException {
        return "[" + entry("first", "FIRST", token) + ", " + entry("second", "SECOND", token) + "]";
    }

    private static String entry(String name, String which, String token) throws IOException {
        String authority = Base64.getEncoder()
                .encodeToString(Files.readAllBytes(Path.of(System.getenv("ELDER_TEST_KUBERNETES_" + which + "_CA"))));
        return """
                {"name": "%1$s", "kubeconfig": {"apiVersion": "v1", "kind": "Config", "current-context": "main",
                 "contexts": [{"name": "main", "context": {"cluster": "%1$s", "user": "reader"}}],
                 "clusters": [{"name": "%1$s", "cluster": {"server": "%2$s", "certificate-authority-data": "%3$s"}}],
                 "users": [{"name": "reader", "user": {"token": "%4$s"}}]}}""".formatted(name, System.getenv("ELDER_TEST_KUBERNETES_" + which), authority, token);
    }
}
