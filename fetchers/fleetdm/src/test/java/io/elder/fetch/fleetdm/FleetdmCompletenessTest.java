package io.elder.fetch.fleetdm;

import static io.elder.fetch.fleetdm.FleetdmVendor.error;
import static io.elder.fetch.fleetdm.FleetdmVendor.json;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.fetch.Verdict;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.ScopeFailed;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What looks like a whole list and is none, what is refused, and what is asked. */
class FleetdmCompletenessTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final FleetdmProvider provider = new FleetdmProvider();
    private ScriptedServer vendor;

    @BeforeEach
    void start() throws IOException {
        vendor = ScriptedServer.start(getClass());
    }

    @AfterEach
    void stop() {
        vendor.close();
    }

    @Test
    void everyRequestIsOfTheReferenceWithParametersThatItKnows() throws Exception {
        FleetdmVendor.script(vendor);
        RecordingPublisher published = run();
        JsonNode parameters = JSON.readTree(vendor.text("vendor/parameters.json"));
        TreeSet<String> met = new TreeSet<>();
        for (Asked request : vendor.asked()) {
            assertThat(request.header("Authorization")).isEqualTo("Bearer canary-token-4711");
            String path = request.path().replaceAll("/\\d+", "/{id}");
            assertThat(parameters.has(path)).as(path).isTrue();
            met.add(path);
            for (String name : request.parameters().keySet()) {
                assertThat(parameters.path(path))
                        .as("%s of %s", name, path)
                        .extracting(JsonNode::textValue)
                        .contains(name);
            }
        }
        TreeSet<String> all = new TreeSet<>();
        parameters.fieldNames().forEachRemaining(all::add);
        assertThat(met).isEqualTo(all);
        assertThat(published.sealedRecords())
                .allSatisfy(record -> assertThat(Mappings.map(record.key().toString(), record.payload()))
                        .as(record.key().toString())
                        .isNotEmpty());
    }

    /** Where a licence has no teams, that there are none is not known, so none is deleted. */
    @Test
    void aFreeLicenceHasNoTeamsToAskForAndTheRunIsWhole() throws Exception {
        vendor.on("GET /api/v1/fleet/config", "vendor/config-free.json");
        vendor.on("GET /api/v1/fleet/teams?page=0", error(402, "Requires Fleet Premium license", "x"));
        FleetdmVendor.script(vendor);
        RecordingPublisher published = run();
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        assertThat(published.seals())
                .extracting(seal -> seal.scope().kind())
                .contains("fleetdm_host", "fleetdm_policy")
                .doesNotContain("fleetdm_team", "fleetdm_team_policy");
        assertThat(vendor.asked()).noneMatch(request -> request.path().contains("/teams"));
    }

    @Test
    void aLicenceThatEndsMeanwhileIsARefusal() throws Exception {
        vendor.on("GET /api/v1/fleet/teams?page=0", error(402, "Requires Fleet Premium license", "x"));
        FleetdmVendor.script(vendor);
        assertFails("fleetdm_team", "forbidden");
    }

    @Test
    void aHostThatCameOrWentWhilePagesWereReadIsNoWholeRead() throws Exception {
        vendor.on("GET /api/v1/fleet/hosts/count", json(200, "{'count': 4}"));
        FleetdmVendor.script(vendor);
        assertFails("fleetdm_host", "incomplete", "unreachable", "timeout");
    }

    /** Host 11 went and 15 came when the second page was asked for: as many as before, and 14 is on the first now. */
    @Test
    void aHostThatMovedToAPageThatWasReadIsNoWholeRead() throws Exception {
        vendor.on("GET /api/v1/fleet/hosts/count", json(200, "{'count': 4}"));
        vendor.on(
                "GET /api/v1/fleet/hosts?page=0&per_page=3&order_key=id",
                json(200, "{'hosts': [{'id': 11}, {'id': 12}, {'id': 13}]}"));
        vendor.on(
                "GET /api/v1/fleet/hosts?page=1&per_page=2&order_key=id",
                json(200, "{'hosts': [{'id': 14}, {'id': 15}]}"));
        vendor.on("GET /api/v1/fleet/hosts?page=1&per_page=3&order_key=id", json(200, "{'hosts': [{'id': 15}]}"));
        FleetdmVendor.script(vendor);
        Map<String, String> settings = new TreeMap<>(FleetdmVendor.settings(vendor.url()));
        settings.put("FLEETDM_PAGE_SIZE", "3");
        assertFails(fetch("fleetdm_host", Settings.of(settings)), "fleetdm_host", "unreachable");
    }

    @Test
    void softwareThatIsFewerThanTheServerCountsIsNoWholeRead() throws Exception {
        vendor.on(
                "GET /api/v1/fleet/software/versions?page=0&per_page=2",
                json(200, "{'count': 3, 'software': [{'id': 101, 'name': 'x'}], 'meta': {'has_next_results': false}}"));
        FleetdmVendor.script(vendor);
        assertFails("fleetdm_software", "incomplete", "unreachable", "timeout");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {'hosts_of_2027': []}
            {'policies': null}
            {'policies': {}}
            {'policies': 'none'}
            {'policies': [null]}
            {'error': 'try later'}
            {}
            """)
    void anAnswerWithoutTheListIsNoEmptyList(String body) throws Exception {
        vendor.on("GET /api/v1/fleet/global/policies?page=0", json(200, body));
        FleetdmVendor.script(vendor);
        assertFails("fleetdm_policy", "bad_response");
    }

    /** Fleet's {@code json:"policies,omitempty"}: an empty list is no list, and whether it is empty is asked elsewhere. */
    @Test
    void policiesThatAreLeftOutAreNoneWhereTheServerCountsNone() throws Exception {
        vendor.on("GET /api/v1/fleet/global/policies?page=0", json(200, "{}"));
        vendor.on("GET /api/v1/fleet/policies/count", json(200, "{'count': 0}"));
        FleetdmVendor.script(vendor);
        RecordingPublisher published = fetch("fleetdm_policy");
        assertThat(published.seals()).hasSize(1);
        assertThat(published.sealedRecords()).isEmpty();
    }

    @Test
    void policiesThatAreLeftOutWhereTheServerCountsMoreAreNoWholeRead() throws Exception {
        vendor.on("GET /api/v1/fleet/policies/count", json(200, "{'count': 3}"));
        FleetdmVendor.script(vendor);
        assertFails("fleetdm_policy", "incomplete", "unreachable", "timeout");
    }

    @Test
    void aServerThatSaysWithoutEndThatThereIsMoreIsNotAskedForEver() throws Exception {
        vendor.on(
                "GET /api/v1/fleet/vulnerabilities",
                json(200, "{'count': 9, 'vulnerabilities': [], 'meta': {'has_next_results': true}}"));
        FleetdmVendor.script(vendor);
        assertFails("fleetdm_vulnerability", "repeated_cursor");
    }

    @Test
    void anEmptyListIsLeftOutWhereTheCountSaysSo() throws Exception {
        vendor.on(
                "GET /api/v1/fleet/software/versions?page=0&per_page=2",
                json(200, "{'count': 0, 'counts_updated_at': null, 'meta': {'has_next_results': false}}"));
        FleetdmVendor.script(vendor);
        RecordingPublisher published = fetch("fleetdm_software");
        assertThat(published.seals()).hasSize(1);
        assertThat(published.sealedRecords()).isEmpty();
    }

    /** Else a token that was exchanged for a lesser one would delete the hosts of all other teams. */
    @Test
    void aTokenThatSeesOnlyItsTeamsIsRefused() throws Exception {
        vendor.on(
                "GET /api/v1/fleet/me",
                json(
                        200,
                        "{'user': {'email': 'elder@example.com', 'global_role': null, 'teams':"
                                + " [{'id': 1, 'name': 'workstations', 'role': 'observer'}]}}"));
        FleetdmVendor.script(vendor);
        assertThat(run().events(PlanFailed.class)).singleElement().satisfies(failed -> {
            assertThat(failed.getReason()).isEqualTo("forbidden");
            assertThat(failed.getMessage()).contains("workstations", "global role observer");
        });
    }

    @Test
    void aRightThatIsMissingIsNamed() {
        vendor.on("GET /api/v1/fleet/hosts?page=0&per_page=1", error(403, "Permission Denied", "forbidden"));
        FleetdmVendor.script(vendor);
        assertThatThrownBy(() -> {
                    try (FleetdmClient client = provider.connect(settings())) {
                        provider.identity(client);
                    }
                })
                .satisfies(e -> assertThat(Verdict.on(e, provider))
                        .isInstanceOfSatisfying(Verdict.Stop.class, stop -> assertThat(stop.message())
                                .contains("global role observer", "/api/v1/fleet/hosts: 403: Permission Denied")));
    }

    @Test
    void aHostKnowsItsOperatingSystemByNameAndLosesNothingWhereItIsUnknown() throws Exception {
        FleetdmVendor.script(vendor);
        Map<String, String> ids = new TreeMap<>();
        for (RecordingPublisher.Written record : fetch("fleetdm_host").sealedRecords()) {
            if (record.key().kind().equals("fleetdm_host")) {
                ids.put(
                        record.key().id(),
                        JSON.readTree(record.payload()).path("os_version_id").asText("none"));
            }
        }
        assertThat(ids).isEqualTo(new TreeMap<>(Map.of("11", "1", "12", "2", "13", "none")));
    }

    @Test
    void wrongSettingsAreReportedTogether() {
        assertThatThrownBy(() -> provider.connect(
                        Settings.of(Map.of("FLEETDM_URL", "ftp://fleet.example.com", "FLEETDM_PAGE_SIZE", "0"))))
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("FLEETDM_URL: ftp://fleet.example.com")
                .hasMessageContaining("FLEETDM_API_TOKEN: not set")
                .hasMessageContaining("FLEETDM_PAGE_SIZE: 0 (expected: 1 to 1000)");
    }

    private void assertFails(String kind, String reason, String... others) throws InterruptedException {
        assertFails(fetch(kind, settings()), kind, reason, others);
    }

    private static void assertFails(RecordingPublisher published, String kind, String reason, String... others) {
        assertThat(published.seals()).noneMatch(seal -> seal.scope().kind().equals(kind));
        assertThat(published.events(ScopeFailed.class))
                .filteredOn(failed -> failed.getScope().endsWith("/" + kind))
                .isNotEmpty()
                .allSatisfy(failed -> {
                    TreeSet<String> reasons = new TreeSet<>(List.of(others));
                    reasons.add(reason);
                    assertThat(failed.getReason()).as(failed.getMessage()).isIn(reasons);
                });
    }

    private RecordingPublisher fetch(String kind) throws InterruptedException {
        return fetch(kind, settings());
    }

    private RecordingPublisher fetch(String kind, Settings settings) throws InterruptedException {
        try (TestRun<FleetdmClient> run = new TestRun<>(provider, settings, FleetdmVendor.secrets())) {
            for (PlannedTask task : run.plan()) {
                if (task.getKind().equals(kind)) {
                    run.fetch(task);
                }
            }
            return run.published();
        }
    }

    private RecordingPublisher run() throws InterruptedException {
        try (TestRun<FleetdmClient> run = new TestRun<>(provider, settings(), FleetdmVendor.secrets())) {
            return run.everything();
        }
    }

    private Settings settings() {
        return Settings.of(FleetdmVendor.settings(vendor.url()));
    }
}
