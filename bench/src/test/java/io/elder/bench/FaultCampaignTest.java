package io.elder.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever fails, and whenever: the tables come to equal the directory, and Okta what was decided in Elder. */
class FaultCampaignTest {
    @TempDir
    Path folder;

    @Test
    void oneFaultOfEachKindLeavesNoDifference() throws Exception {
        proves(
                new FaultCampaign(
                        folder, 2000, 6, 3, Duration.ofSeconds(1), Fault.KINDS, FaultCampaign.PARTS, System.out),
                1);
    }

    @Test
    @Tag("faults")
    void sixtyFaultsOverAHundredThousandRecordsLeaveNoDifference() throws Exception {
        proves(
                new FaultCampaign(
                        folder, 100_000, 60, 1, Duration.ofSeconds(3), Fault.KINDS, FaultCampaign.PARTS, System.out),
                40);
    }

    private static void proves(FaultCampaign campaign, int faultsDuringSyncs) throws Exception {
        FaultReport report = campaign.run();
        report.print(System.out);
        assertThat(report.differences()).isEmpty();
        assertThat(report.held()).isPositive();
        assertThat(report.effectiveCalls()).isPositive();
        assertThat(report.faultsDuringSyncs()).isGreaterThanOrEqualTo(faultsDuringSyncs);
    }
}
