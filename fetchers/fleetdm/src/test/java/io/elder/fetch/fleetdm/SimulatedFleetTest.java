package io.elder.fetch.fleetdm;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.estate.Company;
import io.elder.estate.SimulatedFleet;
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
import org.junit.jupiter.api.Test;

/** A whole company's laptops, with what is on them. */
class SimulatedFleetTest {
    private static final Instant NOON = Instant.parse("2026-01-01T12:00:00Z");

    private final Company company = new Company();

    @Test
    void everyLaptopIsReadAlsoAfterAHundredChangesAndInSmallPages() throws Exception {
        try (SimulatedFleet fleet = new SimulatedFleet(company)) {
            assertWhole(read(fleet, Map.of()), true);
            for (int i = 0; i < 100; i++) {
                company.change(NOON);
            }
            assertWhole(read(fleet, Map.of("FLEETDM_PAGE_SIZE", "3")), true);
        }
    }

    @Test
    void withoutTeamsEveryHostBelongsToTheServer() throws Exception {
        try (SimulatedFleet fleet = new SimulatedFleet(company, false)) {
            assertWhole(read(fleet, Map.of()), false);
        }
    }

    private void assertWhole(RecordingPublisher published, boolean hasTeams) {
        assertThat(published.events(PlanFailed.class)).isEmpty();
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        Map<String, Integer> counts = new TreeMap<>();
        Set<String> keys = new HashSet<>();
        Set<String> references = new HashSet<>();
        for (RecordingPublisher.Written record : published.sealedRecords()) {
            counts.merge(record.key().kind(), 1, Integer::sum);
            for (Output row : Mappings.map(record.key().toString(), record.payload())) {
                assertThat(keys.add(row.key())).as(row.key()).isTrue();
                references.addAll(row.row().getReferences().values());
            }
        }
        List<Company.Laptop> laptops = company.now().laptops();
        int macs = (int) laptops.stream()
                .filter(laptop -> laptop.platform().equals("darwin"))
                .count();
        int laggards = (int)
                laptops.stream().filter(laptop -> laptop.number() % 4 == 0).count();
        int laggingMacs = (int) laptops.stream()
                .filter(laptop -> laptop.platform().equals("darwin") && laptop.number() % 4 == 0)
                .count();
        assertThat(laggards).isPositive();
        assertThat(counts.get("fleetdm_host")).isEqualTo(laptops.size());
        assertThat(counts.get("fleetdm_host_software")).isEqualTo(3 * laptops.size());
        // Two of the outdated browser; that of the tool which every Linux has is the outdated library's as well.
        assertThat(counts.get("fleetdm_host_vulnerability")).isEqualTo(2 * laggingMacs + laptops.size() - macs);
        assertThat(counts.get("fleetdm_software")).isEqualTo(8);
        assertThat(counts.get("fleetdm_vulnerability")).isEqualTo(3);
        assertThat(counts.get("fleetdm_policy")).isEqualTo(2);
        assertThat(counts.getOrDefault("fleetdm_team", 0)).isEqualTo(hasTeams ? 2 : 0);
        assertThat(counts.getOrDefault("fleetdm_team_policy", 0)).isEqualTo(hasTeams ? 1 : 0);
        assertThat(keys).containsAll(references);
    }

    private static RecordingPublisher read(SimulatedFleet fleet, Map<String, String> others)
            throws InterruptedException {
        Map<String, String> settings = new HashMap<>(fleet.settings());
        settings.putAll(others);
        try (TestRun<FleetdmClient> run = new TestRun<>(
                new FleetdmProvider(), Settings.of(settings), List.of(settings.get("FLEETDM_API_TOKEN")))) {
            RecordingPublisher published = run.everything();
            published.records().forEach(record -> assertThat(record.payload()).doesNotContain("enroll-"));
            return published;
        }
    }
}
