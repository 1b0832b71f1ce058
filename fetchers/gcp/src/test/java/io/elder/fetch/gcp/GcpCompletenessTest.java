package io.elder.fetch.gcp;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.ScopeFailed;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Answers that succeed and yet are not whole, and what is read in which projects. */
class GcpCompletenessTest {
    private static final String COMPUTE = "/compute/v1/projects/my-project-123/";

    private ScriptedServer vendor;
    private final Map<String, String> settings = new HashMap<>();

    @BeforeEach
    void start() throws Exception {
        vendor = ScriptedServer.start(getClass());
        vendor.on("POST /token", "vendor/token.json");
        vendor.on("GET /v3/projects/my-project-123", "vendor/project.json");
        settings.putAll(GcpVendor.settings(vendor.url()));
    }

    @AfterEach
    void stop() {
        vendor.close();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            gce_instance | aggregated/instances | {"unreachables": ["zones/us-east1-b"], "items": {"zones/a": {"instances": [@]}}} | zones/us-east1-b
            gce_instance | aggregated/instances | {"items": {"zones/a": {"instances": [@]}, "zones/us-east1-b": {"warning": {"code": "UNREACHABLE", "message": "down"}}}} | zones/us-east1-b UNREACHABLE  down
            gce_disk | aggregated/disks | {"warning": {"code": "PARTIAL_SUCCESS", "message": "some"}, "items": {"zones/a": {"disks": [@]}}} | PARTIAL_SUCCESS
            """)
    void anAggregatedListThatLacksAZoneIsNoWholeReadButWhatItHasIsHandedOut(
            String kind, String list, String body, String told) throws Exception {
        answer("GET " + COMPUTE + list, body);
        assertIncomplete(kind, told);
    }

    @Test
    void aListOfClustersThatLacksAZoneIsNoWholeRead() throws Exception {
        answer(
                "GET /v1/projects/my-project-123/locations/-/clusters",
                "{\"clusters\": [@], \"missingZones\": [\"us-east1-b\"]}");
        RecordingPublisher published = assertIncomplete("gke_cluster", "us-east1-b");
        assertThat(published.events(ScopeFailed.class))
                .extracting(ScopeFailed::getScope)
                .contains("gcp/my-project-123/global/gke_node_pool");
    }

    @Test
    void functionsOfALocationThatIsUnreachableAreNoWholeRead() throws Exception {
        answer(
                "GET /v2/projects/my-project-123/locations/-/functions",
                "{\"functions\": [@], \"unreachable\": [\"projects/my-project-123/locations/us-east1\"]}");
        assertIncomplete("cloud_function", "us-east1");
    }

    @Test
    void databasesOfARegionThatIsUnreachableAreNoWholeRead() throws Exception {
        answer(
                "GET /v1/projects/my-project-123/instances",
                "{\"items\": [@], \"warnings\": [{\"code\": \"REGION_UNREACHABLE\", \"region\": \"us-east1\"}]}");
        assertIncomplete("cloud_sql_instance", "REGION_UNREACHABLE us-east1");
    }

    @Test
    void aZoneWithoutResultsIsNothingMissing() throws Exception {
        answer(
                "GET " + COMPUTE + "aggregated/instances",
                "{\"items\": {\"zones/a\": {\"warning\": {\"code\": \"NO_RESULTS_ON_PAGE\"}}},"
                        + " \"warning\": {\"code\": \"NO_RESULTS_ON_PAGE\"}}");
        RecordingPublisher published = fetch("gce_instance");
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        assertThat(published.seals()).hasSize(1);
    }

    @Test
    void anApiThatIsSwitchedOffIsForbiddenAndNotEmpty() throws Exception {
        vendor.on(
                "GET " + COMPUTE + "aggregated/instances",
                json(
                        403,
                        "{\"error\": {\"code\": 403, \"message\": \"Compute Engine API has not been used in project"
                                + " 123456789012 before or it is disabled.\", \"status\": \"PERMISSION_DENIED\", \"details\":"
                                + " [{\"reason\": \"SERVICE_DISABLED\", \"domain\": \"googleapis.com\"}]}}"));
        RecordingPublisher published = fetch("gce_instance");
        assertThat(published.seals()).isEmpty();
        assertThat(published.events(ScopeFailed.class)).hasSize(1).allSatisfy(failed -> {
            assertThat(failed.getReason()).isEqualTo("forbidden");
            assertThat(failed.getMessage()).contains("not enabled in this project", "Compute Engine API");
        });
    }

    @Test
    void aPageTokenThatWasForgottenIsReadFromTheStart() throws Exception {
        vendor.on(
                "GET " + COMPUTE + "aggregated/instances?pageToken",
                json(200, "{\"nextPageToken\": \"old\", \"items\": {}}"));
        vendor.on(
                "GET " + COMPUTE + "aggregated/instances?pageToken=old",
                json(400, "{\"error\": {\"code\": 400, \"message\": \"Invalid value for field 'pageToken'\"}}"));
        fetch("gce_instance");
        assertThat(vendor.asked())
                .filteredOn(request -> request.path().endsWith("/instances")
                        && !request.parameters().containsKey("pageToken"))
                .hasSizeGreaterThan(1);
    }

    @Test
    void projectsOfAFolderAreTheActiveOnesOfAllFoldersBelow() throws Exception {
        settings.remove("GCP_PROJECT_IDS");
        settings.put("GCP_FOLDER_ID", "1");
        answer(
                "GET /v3/projects?parent=folders/1&pageToken",
                "{\"projects\": [{\"projectId\": \"project-a\", \"state\": \"ACTIVE\"}], \"nextPageToken\": \"2\"}");
        answer(
                "GET /v3/projects?parent=folders/1&pageToken=2",
                "{\"projects\": [{\"projectId\": \"project-old\", \"state\": \"DELETE_REQUESTED\"}]}");
        answer(
                "GET /v3/folders?parent=folders/1",
                "{\"folders\": [{\"name\": \"folders/2\", \"state\": \"ACTIVE\"},"
                        + " {\"name\": \"folders/3\", \"state\": \"DELETE_REQUESTED\"}]}");
        answer(
                "GET /v3/projects?parent=folders/2",
                "{\"projects\": [{\"projectId\": \"project-b\", \"state\": \"ACTIVE\"}]}");
        answer("GET /v3/folders?parent=folders/2", "{}");
        try (TestRun<GcpClient> run = run()) {
            assertThat(run.plan().stream().map(PlannedTask::getAccount).distinct())
                    .containsExactly("project-a", "project-b");
        }
        assertThat(vendor.unexpected()).isEmpty();
    }

    @Test
    void servicesThatAreNotWantedAreNotAskedFor() throws Exception {
        settings.put("GCP_SERVICES", "storage,IAM");
        try (TestRun<GcpClient> run = run()) {
            assertThat(run.plan().stream().map(PlannedTask::getKind))
                    .containsExactlyInAnyOrder("gcp_project", "gcs_bucket", "gcp_service_account");
        }
    }

    @Test
    void aTestOfAJobTellsWhoIsThereAndInWhichProject() throws Exception {
        try (GcpClient client = new GcpProvider().connect(Settings.of(settings))) {
            assertThat(new GcpProvider().identity(client))
                    .isEqualTo("elder@my-project-123.iam.gserviceaccount.com in project my-project-123");
        }
    }

    @Test
    void aTokenEndpointThatIsBusyIsTriedAgainAndOneThatRefusesIsNot() throws Exception {
        vendor.on("POST /busy", Answer.of(503, "{}"));
        vendor.on(
                "POST /refuses",
                json(400, "{\"error\": \"invalid_grant\", \"error_description\": \"Invalid JWT Signature.\"}"));
        settings.put(
                "GCP_CREDENTIALS_JSON",
                GcpVendor.keyFile(vendor.url() + "/refuses").toString());
        assertThat(planFailure()).satisfies(failed -> {
            assertThat(failed.getReason()).isEqualTo("bad_credentials");
            assertThat(failed.getMessage()).contains("400", "Invalid JWT Signature.");
        });
        assertThat(asked("/refuses")).isEqualTo(1);
        settings.put(
                "GCP_CREDENTIALS_JSON",
                GcpVendor.keyFile(vendor.url() + "/busy").toString());
        assertThat(planFailure().getReason()).isEqualTo("unreachable");
        assertThat(asked("/busy")).isEqualTo(2);
    }

    private PlanFailed planFailure() throws InterruptedException {
        try (TestRun<GcpClient> run = run()) {
            run.plan();
            return run.published().events(PlanFailed.class).getFirst();
        }
    }

    private long asked(String path) {
        return vendor.asked().stream()
                .filter(request -> request.path().equals(path))
                .count();
    }

    /** The last object of a list is what matters here, so one will do for all. */
    private void answer(String request, String body) {
        vendor.on(
                request,
                json(
                        200,
                        body.replace(
                                "@",
                                "{\"name\": \"there\", \"selfLink\": \"https://x/projects/my-project-123/there\"}")));
    }

    private RecordingPublisher assertIncomplete(String kind, String told) throws InterruptedException {
        RecordingPublisher published = fetch(kind);
        assertThat(published.seals()).isEmpty();
        assertThat(published.events(ScopeFailed.class).getFirst()).satisfies(failed -> {
            assertThat(failed.getReason()).isEqualTo("incomplete");
            assertThat(failed.getMessage().replace("  ", " ")).contains(told.replace("  ", " "));
        });
        assertThat(published.records()).hasSize(1);
        return published;
    }

    private RecordingPublisher fetch(String kind) throws InterruptedException {
        try (TestRun<GcpClient> run = run()) {
            List<PlannedTask> tasks = run.plan().stream()
                    .filter(task -> task.getKind().equals(kind))
                    .toList();
            assertThat(tasks).hasSize(1);
            tasks.forEach(run::fetch);
            return run.published();
        }
    }

    private TestRun<GcpClient> run() {
        return new TestRun<>(new GcpProvider(), Settings.of(settings), GcpVendor.secrets());
    }

    private static Answer json(int status, String body) {
        return Answer.of(status, body).header("Content-Type", "application/json");
    }
}
