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
    void sixKills() throws Exception {
        assertThat(new FaultCampaign(folder, 3000, 6, 3, Duration.ofSeconds(1), System.out).run())
                .isEmpty();
    }

    @Test
    @Tag("faults")
    void fiftyKillsOverAHundredThousandRecords() throws Exception {
        assertThat(new FaultCampaign(folder, 100_000, 50, 1, Duration.ofSeconds(3), System.out).run())
                .isEmpty();
    }
}
