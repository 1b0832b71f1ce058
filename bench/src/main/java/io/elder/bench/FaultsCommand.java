package io.elder.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ./elder faults}. */
@Command(
        name = "faults",
        mixinStandardHelpOptions = true,
        description = "Kills roles at random moments of a sync; then the tables must equal the directory.")
final class FaultsCommand implements Callable<Integer> {
    @Option(names = "--kills", defaultValue = "50", description = "how many (default: ${DEFAULT-VALUE})")
    private int kills;

    @Option(
            names = "--records",
            defaultValue = "100000",
            description = "people, groups and memberships together (default: ${DEFAULT-VALUE})")
    private int records;

    @Option(names = "--seed", defaultValue = "1", description = "of all chance (default: ${DEFAULT-VALUE})")
    private long seed;

    @Option(
            names = "--gap",
            defaultValue = "3000",
            description = "most milliseconds before the next kill (default: ${DEFAULT-VALUE})")
    private int gap;

    @Option(names = "--work", description = "where servers and logs live, kept (default: a temporary folder)")
    private Path work;

    @Override
    public Integer call() throws Exception {
        Path folder = work == null ? Files.createTempDirectory("elder-faults") : Files.createDirectories(work);
        boolean same = new FaultCampaign(folder, records, kills, seed, Duration.ofMillis(gap), System.out)
                .run()
                .isEmpty();
        // Logs are what a difference is understood from.
        if (same && work == null) {
            CdcBench.delete(folder);
        }
        return same ? 0 : 1;
    }
}
