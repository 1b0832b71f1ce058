package io.elder.fetch;

import io.elder.runtime.Component;
import io.elder.runtime.DeclaredSettings;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Launcher;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;

/** The fetcher as a process, and the connectivity test. */
public final class FetcherMain {
    private FetcherMain() {}

    public static void main(String[] args) {
        if (args.length > 0 && args[0].equals("check")) {
            System.exit(check(Launcher.environment()));
        }
        System.exit(Launcher.run(
                "fetcher",
                Arrays.stream(args)
                        .map(arg -> arg.replaceFirst("^--providers=", "FETCHER_PROVIDERS="))
                        .toArray(String[]::new),
                FetcherMain::component));
    }

    /** The component that the process runs. */
    public static Component component(Settings settings, Metrics metrics) {
        FetcherSettings fetcher = readSettings(settings);
        KafkaClients kafka = new KafkaClients(settings);
        settings.check();
        return new Fetcher(fetcher, kafka, metrics);
    }

    /** Its own settings; those of the connectors that are enabled are read, too, so that their wrong values are noted. */
    public static FetcherSettings readSettings(Settings settings) {
        FetcherSettings fetcher = FetcherSettings.from(settings);
        for (Provider<?> provider : Fetcher.installed(fetcher.providers())) {
            if (settings.yes(JobConfig.prefix(provider.name()) + "ENABLED", false)) {
                provider.readSettings(settings);
            }
        }
        return fetcher;
    }

    /** Prints the connectivity test; 0 if everything that is enabled answers, 1 if not, 2 for wrong settings. */
    public static int check(Settings settings) {
        // What libraries log is in the connector's line, in fewer words.
        Launcher.logging(settings.with(Map.of("LOG_FORMAT", "text", "LOG_LEVEL", "ERROR")));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        try {
            DeclaredSettings.onClassPath().noteUnknown(settings);
            FetcherSettings fetcher = readSettings(settings);
            settings.check();
            boolean isFine = new ConnectivityCheck(fetcher, Fetcher.installed(fetcher.providers())).print(out);
            settings.check();
            return isFine ? 0 : 1;
        } catch (SettingsException e) {
            System.err.println("check: these settings are wrong:");
            e.problems().forEach(problem -> System.err.println("  " + problem));
            return 2;
        }
    }
}
