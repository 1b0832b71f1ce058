package io.elder.bench;

import io.elder.runtime.Launcher;
import io.elder.runtime.Settings;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Measures the pipeline, and breaks it on purpose. */
@Command(
        name = "elder",
        mixinStandardHelpOptions = true,
        subcommands = {BenchMain.Bench.class, FaultsCommand.class})
public final class BenchMain {
    @Command(
            name = "bench",
            mixinStandardHelpOptions = true,
            description = "Measurements; figures also go to bench/results/.",
            subcommands = {
                CdcBench.class,
                EndToEndBench.class,
                FetchBench.class,
                NormalizerBench.class,
                SinkBench.class,
                WritebackBench.class
            })
    static final class Bench {}

    private BenchMain() {}

    public static void main(String[] args) {
        // The broker in this process complains of every client that is killed: that is what happens here on purpose.
        String level = System.getenv().getOrDefault("LOG_LEVEL", "OFF");
        Launcher.logging(Settings.of(Map.of("LOG_FORMAT", "text", "LOG_LEVEL", level)));
        System.exit(new CommandLine(new BenchMain())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .execute(args));
    }
}
