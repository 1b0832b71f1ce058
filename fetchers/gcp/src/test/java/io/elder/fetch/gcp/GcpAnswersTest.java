package io.elder.fetch.gcp;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.api.client.json.GenericJson;
import com.google.api.client.json.gson.GsonFactory;
import com.google.api.client.util.GenericData;
import com.google.api.services.cloudresourcemanager.v3.model.Project;
import com.google.api.services.compute.model.DiskAggregatedList;
import com.google.api.services.compute.model.FirewallList;
import com.google.api.services.compute.model.InstanceAggregatedList;
import com.google.api.services.compute.model.NetworkList;
import com.google.api.services.compute.model.SubnetworkAggregatedList;
import com.google.api.services.container.model.ListClustersResponse;
import com.google.api.services.iam.v1.model.ListServiceAccountsResponse;
import com.google.api.services.sqladmin.model.InstancesListResponse;
import com.google.api.services.storage.model.Buckets;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is asked and what is answered, held against the vendor's own descriptions of both. */
class GcpAnswersTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** In the log of a real request, but not in the description of 2018. */
    private static final String SINCE_2019 = "returnPartialSuccess";

    private ScriptedServer vendor;
    private RecordingPublisher published;

    @BeforeEach
    void readEverything() throws Exception {
        vendor = ScriptedServer.start(getClass());
        GcpVendor.script(vendor);
        try (TestRun<GcpClient> run =
                new TestRun<>(new GcpProvider(), Settings.of(GcpVendor.settings(vendor.url())), GcpVendor.secrets())) {
            published = run.everything();
        }
    }

    @AfterEach
    void stop() {
        vendor.close();
    }

    @Test
    void everyRequestIsOneOfTheDiscoveryDocumentsWithinItsBounds() throws IOException {
        JsonNode methods = JSON.readTree(vendor.text("vendor/methods.json"));
        TreeSet<String> met = new TreeSet<>();
        TreeSet<String> undescribed = new TreeSet<>();
        for (Asked request : vendor.asked()) {
            if (!request.path().equals("/token")) {
                check(request, methods, met, undescribed);
            }
        }
        assertThat(met)
                .containsExactly(
                        "cloudresourcemanager.projects.get",
                        "compute.disks.aggregatedList",
                        "compute.firewalls.list",
                        "compute.instances.aggregatedList",
                        "compute.networks.list",
                        "compute.subnetworks.aggregatedList",
                        "container.projects.locations.clusters.list",
                        "iam.projects.serviceAccounts.list",
                        "run.projects.locations.services.list",
                        "sqladmin.instances.list",
                        "storage.buckets.list");
        // APIs whose discovery document we do not have.
        assertThat(undescribed)
                .containsExactly(
                        "/v1/projects/my-project-123/locations", "/v2/projects/my-project-123/locations/-/functions");
    }

    private static void check(Asked request, JsonNode methods, Set<String> met, Set<String> undescribed) {
        for (Map.Entry<String, JsonNode> method : methods.properties()) {
            String path = method.getValue().path("path").textValue();
            String pattern = path.replace("{+parent}", "projects/[^/]+/locations/[^/]+")
                    .replace("{+name}", "projects/[^/]+")
                    .replaceAll("\\{\\w+}", "[^/]+");
            JsonNode known = method.getValue().path("parameters");
            if (request.path().matches(pattern)) {
                met.add(method.getKey());
                for (Map.Entry<String, String> parameter : request.parameters().entrySet()) {
                    if (parameter.getKey().equals(SINCE_2019)) {
                        continue;
                    }
                    assertThat(known.has(parameter.getKey()))
                            .as("%s has %s", method.getKey(), parameter.getKey())
                            .isTrue();
                    int most = known.path(parameter.getKey()).intValue();
                    if (most > 0) {
                        assertThat(Integer.parseInt(parameter.getValue()))
                                .as("%s of %s", parameter.getKey(), method.getKey())
                                .isBetween(1, most);
                    }
                }
                method.getValue().path("required").forEach(name -> assertThat(request.parameters())
                        .containsKey(name.textValue()));
                return;
            }
        }
        undescribed.add(request.path());
    }

    @Test
    void everyRequestCarriesTheToken() {
        assertThat(vendor.asked())
                .filteredOn(request -> !request.path().equals("/token"))
                .isNotEmpty()
                .allMatch(request -> request.header("Authorization").equals("Bearer ya29.canary-token-4711"));
        assertThat(vendor.asked())
                .filteredOn(request -> request.path().equals("/token"))
                .hasSize(1);
    }

    @Test
    void theVendorsOwnClassesReadTheFixturesAndKnowAllOfThem() throws IOException {
        read("project.json", Project.class);
        read("instances-1.json", InstanceAggregatedList.class);
        read("instances-2.json", InstanceAggregatedList.class);
        read("disks.json", DiskAggregatedList.class);
        read("networks.json", NetworkList.class);
        read("subnetworks.json", SubnetworkAggregatedList.class);
        read("firewalls.json", FirewallList.class);
        read("buckets-1.json", Buckets.class);
        read("buckets-2.json", Buckets.class);
        read("sql.json", InstancesListResponse.class);
        read("accounts-1.json", ListServiceAccountsResponse.class);
        read("accounts-2.json", ListServiceAccountsResponse.class);
    }

    /** Why records are not made of those classes: a real answer has fields that even a recent release of them lacks. */
    @Test
    void fieldsThatTheVendorsOwnClassesDoNotKnowYetAreInTheRecords() throws IOException {
        assertThat(unknown("clusters.json", ListClustersResponse.class))
                .containsExactlyInAnyOrder(
                        "/clusters/anonymousAuthenticationConfig",
                        "/clusters/clusterTelemetry",
                        "/clusters/controlPlaneEndpointsConfig/dnsEndpointConfig/enableK8sTokensViaDns",
                        "/clusters/nodeConfig/bootDisk",
                        "/clusters/nodeConfig/kubeletConfig/maxParallelImagePulls",
                        "/clusters/nodePools/config/bootDisk",
                        "/clusters/nodePools/config/kubeletConfig/maxParallelImagePulls",
                        "/clusters/nodePools/networkConfig/subnetwork",
                        "/clusters/podAutoscaling",
                        "/clusters/protectConfig");
        assertThat(payload("gke_cluster", "test-4711")).contains("\"anonymousAuthenticationConfig\"", "\"bootDisk\"");
    }

    private void read(String fixture, Class<? extends GenericJson> type) throws IOException {
        assertThat(unknown(fixture, type)).as(fixture).isEmpty();
    }

    private List<String> unknown(String fixture, Class<? extends GenericJson> type) throws IOException {
        GenericJson read = GsonFactory.getDefaultInstance().fromString(vendor.text("vendor/" + fixture), type);
        assertThat(read).as(fixture).isNotEmpty();
        List<String> unknown = new ArrayList<>();
        unknown(read, "", unknown);
        return unknown;
    }

    private static void unknown(Object value, String path, List<String> unknown) {
        if (value instanceof GenericData data) {
            data.getUnknownKeys().keySet().forEach(name -> unknown.add(path + "/" + name));
        }
        if (value instanceof Map<?, ?> map) {
            map.forEach((name, each) -> unknown(each, path + "/" + name, unknown));
        } else if (value instanceof List<?> list) {
            list.forEach(each -> unknown(each, path, unknown));
        }
    }

    @Test
    void everyObjectThatIsHandedOutHasAMapping() {
        assertThat(published.sealedRecords())
                .hasSize(GcpVendor.EXPECTED.values().stream()
                        .mapToInt(Integer::intValue)
                        .sum());
        assertThat(published.sealedRecords())
                .allSatisfy(record -> assertThat(Mappings.map(record.key().toString(), record.payload()))
                        .as(record.key().toString())
                        .isNotEmpty());
    }

    @Test
    void namesOfVariablesStayAndTheirValuesGo() {
        assertThat(payload("gce_instance", "instance-1")).contains("\"key\":\"startup-script\"", "ssh-keys");
        assertThat(payload("cloud_run_service", "shop"))
                .contains("\"name\":\"DB_PASSWORD\"", "secretKeyRef", "/alive", "\"name\":\"Authorization\"", "X-Probe")
                .doesNotContain("\"command\"", "\"args\"");
        assertThat(payload("cloud_function", "resize")).contains("\"DB_PASSWORD\":\"\"", "\"NPM_TOKEN\":\"\"");
        assertThat(payload("cloud_sql_instance", "orders-replica"))
                .contains("\"username\":\"replicator\"", "\"username\":\"elsewhere\"");
        assertThat(published.sealedRecords())
                .noneMatch(record -> record.payload().contains("canary"));
    }

    private String payload(String kind, String end) {
        return published.sealedRecords().stream()
                .filter(record ->
                        record.key().kind().equals(kind) && record.key().id().endsWith(end))
                .findFirst()
                .orElseThrow()
                .payload();
    }
}
