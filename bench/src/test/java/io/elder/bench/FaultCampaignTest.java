package io.elder.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever fails, and whenever: the tables come to equal the directory, and Okta what was decided in Elder. */
class FaultCampaignTest {
    @TempDir
    Path folder;

    @Test
    void aFewFaultsAndPoisonLeaveNoDifference() throws Exception {
        Set<String> parts = Set.of(FaultCampaign.DIRECTORY, FaultCampaign.POISON);
        proves(new FaultCampaign(folder, 2000, 4, 3, Duration.ofSeconds(1), Fault.KINDS, parts, System.out).run(), 1);
    }

    @Test
    @Tag("long")
    void fortyKillsLeaveNoDifference() throws Exception {
        FaultReport report = new FaultCampaign(
                        folder,
                        2000,
                        40,
                        3,
                        Duration.ofSeconds(1),
                        Set.of("kill", "marked"),
                        FaultCampaign.PARTS,
                        System.out)
                .run();
        proves(report, 20);
        assertThat(report.effectiveCalls()).isPositive();
    }

    @Test
    @Tag("faults")
    void membershipsAreWrittenBackOnceThoughAnythingMayFail() throws Exception {
        FaultReport report = new FaultCampaign(
                        folder, 2000, 12, 3, Duration.ofSeconds(1), Fault.KINDS, FaultCampaign.PARTS, System.out)
                .run();
        proves(report, 1);
        assertThat(report.effectiveCalls()).isPositive();
    }

    @Test
    @Tag("faults")
    void clocksThatAreSetLeaveNoDifference() throws Exception {
        assertThat(Clocks.find(folder))
                .as("libfaketime (expected: Debian's package libfaketime is installed)")
                .isPresent();
        Set<String> parts = Set.of(FaultCampaign.DIRECTORY, FaultCampaign.POISON);
        proves(
                new FaultCampaign(folder, 2000, 10, 3, Duration.ofSeconds(1), Set.of("clock"), parts, System.out).run(),
                1);
    }

    @Test
    @Tag("faults")
    void sixtyFaultsOverAHundredThousandRecordsLeaveNoDifference() throws Exception {
        FaultReport report = new FaultCampaign(
                        folder, 100_000, 60, 1, Duration.ofSeconds(3), Fault.KINDS, FaultCampaign.PARTS, System.out)
                .run();
        proves(report, 40);
        assertThat(report.effectiveCalls()).isPositive();
    }

    private static void proves(FaultReport report, int faultsDuringSyncs) {
        report.print(System.out);
        assertThat(report.differences()).isEmpty();
        assertThat(report.held()).isPositive();
        assertThat(report.faultsDuringSyncs()).isGreaterThanOrEqualTo(faultsDuringSyncs);
    }
}
