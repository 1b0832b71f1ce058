package io.elder.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ./elder faults}. */
@Command(
        name = "faults",
        mixinStandardHelpOptions = true,
        description = {
            "Lets processes, networks, the broker, the database and a provider fail at random moments while a generated directory is changed and synced again and again, and memberships of an Okta org are changed in Elder and at Okta.",
            "Whenever a run is visible, the tables must equal the directory, column by column; Okta must come to what Elder decided, with as many calls as there were changes. Exit code 1 if they ever did not."
        })
final class FaultsCommand implements Callable<Integer> {
    private static final String BEGIN = "<!-- written by ./elder faults --docs -->";
    private static final String END = "<!-- end -->";

    @Option(names = "--faults", defaultValue = "60", description = "how many (default: ${DEFAULT-VALUE})")
    private int faults;

    @Option(
            names = "--kinds",
            split = ",",
            description =
                    "which: kill, marked (at points between two steps), freeze, broker, database, network, provider, slot, disk, rebalance, upgrade, again, clock (default: all of them)")
    private Set<String> kinds = Fault.KINDS;

    @Option(
            names = "--parts",
            split = ",",
            description =
                    "what is changed meanwhile: directory (read from LDAP), members (written to Okta, too), poison (records that nobody can read) (default: all)")
    private Set<String> parts = FaultCampaign.PARTS;

    @Option(
            names = "--records",
            defaultValue = "100000",
            description = "people, groups and memberships together (default: ${DEFAULT-VALUE})")
    private int records;

    @Option(
            names = "--seed",
            defaultValue = "1",
            description = "of the directory, its changes, and what fails after how long (default: ${DEFAULT-VALUE})")
    private long seed;

    @Option(
            names = "--gap",
            defaultValue = "3000",
            description =
                    "most milliseconds before the next fault, and half of the longest fault (default: ${DEFAULT-VALUE})")
    private int gap;

    @Option(names = "--work", description = "an empty folder for servers and logs, kept (default: a temporary folder)")
    private Path work;

    @Option(
            names = "--log-level",
            defaultValue = "INFO",
            description = "of the roles, whose logs are searched for secrets (default: ${DEFAULT-VALUE})")
    private String logLevel;

    @Option(names = "--docs", description = "puts the figures into docs/reliability.md and bench/results/faults.json")
    private boolean docs;

    @Option(names = "--json", description = "the result as JSON on standard output, progress on standard error")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        check(faults >= 0, "--faults: " + faults + " (expected: 0 or more)");
        check(
                Fault.KINDS.containsAll(kinds),
                "--kinds: " + String.join(",", kinds) + " (expected: any of " + String.join(", ", Fault.KINDS) + ")");
        check(
                records >= FaultCampaign.LEAST_RECORDS,
                "--records: " + records + " (expected: " + FaultCampaign.LEAST_RECORDS + " or more)");
        check(
                FaultCampaign.PARTS.containsAll(parts),
                "--parts: " + String.join(",", parts) + " (expected: directory, members, poison)");
        check(gap >= 1, "--gap: " + gap + " (expected: 1 or more)");
        Path folder = work == null ? Files.createTempDirectory("elder-faults") : Files.createDirectories(work);
        PrintStream progress = json ? System.err : System.out;
        FaultReport report;
        try {
            report = new FaultCampaign(folder, records, faults, seed, Duration.ofMillis(gap), kinds, parts, progress)
                    .logging(logLevel)
                    .run();
        } catch (IllegalStateException e) {
            System.err.println("elder: " + e.getMessage());
            return 1;
        }
        report.print(progress);
        if (json) {
            System.out.println(
                    new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(report.json()));
        }
        if (docs) {
            document(report);
        }
        boolean same = report.differences().isEmpty();
        // Logs are what a difference is understood from.
        if (same && work == null) {
            CdcBench.delete(folder);
        }
        return same ? 0 : 1;
    }

    private static void document(FaultReport report) throws IOException {
        Path page = RoleProcesses.home().resolve("docs/reliability.md");
        String text = Files.readString(page);
        int from = text.indexOf(BEGIN);
        int to = text.indexOf(END);
        if (from < 0 || to < from) {
            throw new IllegalStateException(page + ": no place for figures (expected: " + BEGIN + " and " + END + ")");
        }
        Files.writeString(
                page, text.substring(0, from + BEGIN.length()) + "\n" + report.markdown() + text.substring(to));
        ObjectNode json = report.json();
        json.set("machine", Machine.describe());
        Files.writeString(
                Files.createDirectories(RoleProcesses.home().resolve("bench/results"))
                        .resolve("faults.json"),
                new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
    }

    private void check(boolean isRight, String problem) {
        if (!isRight) {
            throw new ParameterException(spec.commandLine(), problem);
        }
    }
}
