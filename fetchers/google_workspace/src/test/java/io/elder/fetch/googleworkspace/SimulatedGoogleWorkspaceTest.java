package io.elder.fetch.googleworkspace;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.api.client.json.GenericJson;
import com.google.api.client.json.gson.GsonFactory;
import com.google.api.services.directory.model.Group;
import com.google.api.services.directory.model.Member;
import com.google.api.services.directory.model.OrgUnit;
import com.google.api.services.directory.model.User;
import io.elder.estate.Company;
import io.elder.estate.SimulatedGoogleWorkspace;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.normalizer.mapping.Output;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.ScopeFailed;
import java.io.IOException;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A whole company through the real flow: a signed assertion, a token for each scope, pages, rows. */
class SimulatedGoogleWorkspaceTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Instant NOON = Instant.parse("2026-01-01T12:00:00Z");

    private final Company company = new Company();
    private final SimulatedGoogleWorkspace workspace = new SimulatedGoogleWorkspace(company);

    @AfterEach
    void stop() {
        workspace.close();
    }

    @Test
    void everybodyIsReadAlsoAfterAHundredChangesAndInSmallPages() throws Exception {
        assertWhole(read(Map.of()));
        for (int i = 0; i < 100; i++) {
            company.change(NOON);
        }
        assertWhole(read(Map.of("GOOGLE_WORKSPACE_PAGE_SIZE", "31")));
    }

    private void assertWhole(RecordingPublisher published) {
        assertThat(published.events(PlanFailed.class)).isEmpty();
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        Map<String, Integer> counts = new TreeMap<>();
        Map<String, Integer> rows = new TreeMap<>();
        Set<String> keys = new TreeSet<>();
        Set<String> references = new TreeSet<>();
        for (RecordingPublisher.Written record : published.sealedRecords()) {
            counts.merge(record.key().kind(), 1, Integer::sum);
            for (Output row : Mappings.map(record.key().toString(), record.payload())) {
                assertThat(keys.add(row.key())).as(row.key()).isTrue();
                rows.merge(row.row().getTable(), 1, Integer::sum);
                references.addAll(row.row().getReferences().values());
            }
        }
        Company.State now = company.now();
        int people = now.people().size();
        int teams = now.teams().size();
        int direct =
                now.teams().stream().mapToInt(team -> team.members().size()).sum();
        int nested = now.teams().stream().mapToInt(team -> team.teams().size()).sum();
        int departments = (int)
                now.people().stream().map(Company.Person::department).distinct().count();
        assertThat(counts)
                .isEqualTo(new TreeMap<>(Map.of(
                        "google_workspace_customer",
                        1,
                        "google_workspace_org_unit",
                        2 * departments,
                        "google_workspace_user",
                        people + 1,
                        "google_workspace_group",
                        teams,
                        // Of them the partner, and the customer as a whole.
                        "google_workspace_group_member",
                        direct + nested + 2)));
        assertThat(rows.get("identities")).isEqualTo(people + 1);
        assertThat(rows.get("identity_groups")).isEqualTo(teams);
        assertThat(rows.get("identity_group_memberships")).isEqualTo(direct);
        assertThat(rows.get("dependencies")).isEqualTo(nested + 1);
        assertThat(rows.get("organizations")).isEqualTo(2 * departments + 2);
        references.removeAll(keys);
        assertThat(references).as("what is referred to and not there").isEmpty();
    }

    @Test
    void theVendorsOwnClassesReadEveryAnswer() throws Exception {
        Map<String, Class<? extends GenericJson>> types = Map.of(
                "google_workspace_org_unit", OrgUnit.class,
                "google_workspace_user", User.class,
                "google_workspace_group", Group.class,
                "google_workspace_group_member", Member.class);
        Set<String> ours = Set.of("orgUnitId", "groupId", "memberKind");
        for (RecordingPublisher.Written record : read(Map.of()).sealedRecords()) {
            Class<? extends GenericJson> type = types.get(record.key().kind());
            if (type != null) {
                GenericJson parsed = GsonFactory.getDefaultInstance().fromString(record.payload(), type);
                assertThat(parsed.getUnknownKeys().keySet())
                        .as(record.key().kind())
                        .isSubsetOf(ours);
            }
        }
    }

    @Test
    void aScopeThatIsNotDelegatedCostsOnlyWhatNeedsIt() throws Exception {
        workspace.revoke("group");
        RecordingPublisher published = read(Map.of());
        assertThat(published.seals())
                .extracting(seal -> seal.scope().kind())
                .containsExactlyInAnyOrder(
                        "google_workspace_customer", "google_workspace_org_unit", "google_workspace_user");
        assertThat(published.events(ScopeFailed.class))
                .extracting(ScopeFailed::getReason)
                .containsExactlyInAnyOrder("forbidden", "incomplete");
    }

    @Test
    void anotherAdministratorOrAnotherKeyGetsNoToken() throws Exception {
        assertThat(read(Map.of("GOOGLE_WORKSPACE_ADMIN_EMAIL", "somebody@example.com"))
                        .events(PlanFailed.class))
                .singleElement()
                .satisfies(failed -> {
                    assertThat(failed.getReason()).isEqualTo("bad_credentials");
                    assertThat(failed.getMessage()).contains("somebody@example.com is nobody");
                });
        try (SimulatedGoogleWorkspace other = new SimulatedGoogleWorkspace(company)) {
            String key = other.settings().get("GOOGLE_WORKSPACE_CREDENTIALS_JSON");
            JsonNode mixed = JSON.readTree(workspace.settings().get("GOOGLE_WORKSPACE_CREDENTIALS_JSON"));
            ((com.fasterxml.jackson.databind.node.ObjectNode) mixed)
                    .set("private_key", JSON.readTree(key).get("private_key"));
            assertThat(read(Map.of("GOOGLE_WORKSPACE_CREDENTIALS_JSON", mixed.toString()))
                            .events(PlanFailed.class))
                    .singleElement()
                    .satisfies(failed -> assertThat(failed.getMessage()).contains("Invalid JWT Signature"));
        }
    }

    private RecordingPublisher read(Map<String, String> others) throws InterruptedException, IOException {
        Map<String, String> settings = new HashMap<>(workspace.settings());
        settings.putAll(others);
        String key = JSON.readTree(settings.get("GOOGLE_WORKSPACE_CREDENTIALS_JSON"))
                .path("private_key")
                .asText();
        try (TestRun<GoogleWorkspaceClient> run =
                new TestRun<>(new GoogleWorkspaceProvider(), Settings.of(settings), List.of(key))) {
            return run.everything();
        }
    }
}
