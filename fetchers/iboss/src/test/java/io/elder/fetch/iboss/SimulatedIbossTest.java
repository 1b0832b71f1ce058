package io.elder.fetch.iboss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.estate.Company;
import io.elder.estate.SimulatedIboss;
import io.elder.fetch.Verdict;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.normalizer.mapping.Output;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.ScopeFailed;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A whole company, by both ways to log in. */
class SimulatedIbossTest {
    private static final Instant NOON = Instant.parse("2026-01-01T12:00:00Z");

    private final Company company = new Company();
    private final SimulatedIboss iboss = new SimulatedIboss(company);

    @AfterEach
    void stop() {
        iboss.close();
    }

    @Test
    void everybodyIsReadByKeyAndByGatewayAlsoAfterAHundredChanges() throws Exception {
        assertWhole(read(iboss.settings()));
        for (int i = 0; i < 100; i++) {
            company.change(NOON);
        }
        assertWhole(read(iboss.gatewaySettings()));
    }

    private void assertWhole(RecordingPublisher published) {
        assertThat(published.events(PlanFailed.class)).isEmpty();
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        Map<String, Integer> rows = new TreeMap<>();
        Set<String> keys = new HashSet<>();
        Set<String> references = new HashSet<>();
        for (RecordingPublisher.Written record : published.sealedRecords()) {
            for (Output row : Mappings.map(record.key().toString(), record.payload())) {
                assertThat(keys.add(row.key())).as(row.key()).isTrue();
                references.addAll(row.row().getReferences().values());
                rows.merge(row.row().getTable(), 1, Integer::sum);
            }
        }
        references.removeAll(keys);
        assertThat(references).as("what is referred to and not there").isEmpty();
        Company.State now = company.now();
        int people = now.people().size();
        int teams = now.teams().size();
        assertThat(rows)
                .isEqualTo(new TreeMap<>(Map.of(
                        "organizations",
                        1,
                        "identities",
                        people,
                        "identity_groups",
                        teams,
                        "identity_group_memberships",
                        now.teams().stream()
                                .mapToInt(team -> team.members().size())
                                .sum(),
                        // With three policies.
                        "entities",
                        people + teams + 3,
                        "software",
                        4,
                        "dependencies",
                        people,
                        "networking_resources",
                        2)));
    }

    @Test
    void aWrongPasswordIsRefusedAndInNoMessage() throws Exception {
        Map<String, String> wrong = new HashMap<>(iboss.gatewaySettings());
        wrong.put("IBOSS_PASSWORD", "wrong-password-4711");
        assertThat(read(wrong).events(PlanFailed.class)).singleElement().satisfies(failed -> {
            assertThat(failed.getReason()).isEqualTo("bad_credentials");
            assertThat(failed.getMessage())
                    .contains("/ibossauth/web/tokens: 401")
                    .doesNotContain("wrong-password-4711");
        });
    }

    @Test
    void aSessionThatEndedIsBegunAnew() throws Exception {
        IbossProvider provider = new IbossProvider();
        Settings settings = Settings.of(iboss.gatewaySettings());
        try (IbossClient client = provider.connect(settings)) {
            assertThat(provider.identity(client)).isEqualTo("elder@example.com at the gateway of tenant example");
            iboss.endSessions();
            assertThatThrownBy(() -> client.get(Listing.USERS))
                    .satisfies(e -> assertThat(Verdict.on(e, provider)).isInstanceOf(Verdict.StartOver.class));
        }
        try (IbossClient client = provider.connect(settings)) {
            assertThat(client.get(Listing.USERS).path("users")).isNotEmpty();
        }
    }

    private static RecordingPublisher read(Map<String, String> settings) throws InterruptedException {
        List<String> secrets = settings.entrySet().stream()
                .filter(each -> each.getKey().endsWith("KEY") || each.getKey().endsWith("PASSWORD"))
                .map(Map.Entry::getValue)
                .toList();
        try (TestRun<IbossClient> run = new TestRun<>(new IbossProvider(), Settings.of(settings), secrets)) {
            return run.everything();
        }
    }
}
