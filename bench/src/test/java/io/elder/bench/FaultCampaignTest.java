package io.elder.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is killed, and whenever: the tables come to equal the directory. */
class FaultCampaignTest {
    @TempDir
    Path folder;

    @Test
    void aKillOfEachRoleLeavesNoDifference() throws Exception {
        proves(new FaultCampaign(folder, 2000, 5, 3, Duration.ofSeconds(1), System.out), 1);
    }

    @Test
    @Tag("faults")
    void fiftyKillsOverAHundredThousandRecordsLeaveNoDifference() throws Exception {
        proves(new FaultCampaign(folder, 100_000, 50, 1, Duration.ofSeconds(3), System.out), 40);
    }

    private static void proves(FaultCampaign campaign, int killsDuringSyncs) throws Exception {
        FaultReport report = campaign.run();
        report.print(System.out);
        assertThat(report.differences()).isEmpty();
        assertThat(report.held()).isPositive();
        assertThat(report.killsDuringSyncs()).isGreaterThanOrEqualTo(killsDuringSyncs);
    }
}
