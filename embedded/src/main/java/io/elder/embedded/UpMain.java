package io.elder.embedded;

import io.elder.console.CommandFailed;
import io.elder.console.Terminal;
import io.elder.embedded.servers.ServerStartException;
import io.elder.runtime.Health;
import io.elder.runtime.Launcher;
import io.elder.runtime.Metrics;
import io.elder.runtime.OpsServer;
import io.elder.runtime.PortTakenException;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import io.elder.scheduler.SchedulerSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Everything in one process, on a laptop or in a test. */
@Command(
        name = "up",
        mixinStandardHelpOptions = true,
        description = "Runs the broker, the database and every role in this process; data is kept under .elder/.")
public final class UpMain implements Callable<Integer> {
    @Option(
            names = "--demo",
            description =
                    "read the systems of a company that does not exist, and tell what happens there and in the inventory")
    private boolean demo;

    @Option(names = "--once", description = "run every enabled connector once, print the inventory and exit")
    private boolean once;

    @Option(
            names = "--rebuild",
            description = "first derive the inventory anew from the raw topics; rows are kept and keep their ids")
    private boolean rebuild;

    @Option(names = "--empty", description = "with --rebuild: delete the rows of the inventory first")
    private boolean empty;

    @Option(
            names = "--data",
            paramLabel = "FOLDER",
            description = "where everything is kept (default: ELDER_DATA, .elder)")
    private Path folder;

    public static void main(String[] args) {
        System.exit(new CommandLine(new UpMain()).execute(args));
    }

    @Override
    public Integer call() throws IOException, InterruptedException, SQLException {
        if (empty && !rebuild) {
            System.err.println("--empty: alone (expected: --rebuild with it)");
            return 2;
        }
        Instant begin = Instant.now();
        // What passes by itself is no news to whoever watches a demo.
        String level = demo ? "ERROR" : "WARN";
        Map<String, String> defaults = new LinkedHashMap<>(Map.of("LOG_FORMAT", "text", "LOG_LEVEL", level));
        defaults.putAll(Launcher.environment().values());
        Launcher.logging(Settings.of(defaults));
        CountDownLatch told = new CountDownLatch(1);
        CountDownLatch down = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(told, down), "shutdown"));
        try (Demo estate = demo ? new Demo(begin, UpMain::print) : null;
                Metrics metrics = new Metrics()) {
            Settings settings = Settings.of(estate == null ? defaults : estate.over(defaults, once));
            String host = settings.text("HEALTH_CHECK_HOST", "127.0.0.1");
            int port = settings.whole("HEALTH_CHECK_PORT", 8000, 0, 65535);
            folder = folder == null ? Path.of(settings.text("ELDER_DATA", ".elder")) : folder;
            int connectors = SchedulerSettings.from(settings).connectors().size();
            Files.createDirectories(folder);
            try (Pipeline pipeline = new Pipeline(folder.toAbsolutePath(), settings, metrics);
                    OpsServer ops = new OpsServer(host, port, "up", pipeline, metrics)) {
                if (once && connectors == 0) {
                    System.err.println("--once: no connector is enabled (expected: e.g. LDAP_ENABLED=true, or --demo)");
                    return 2;
                }
                System.out.println("starting the broker, the database and the roles under " + folder);
                if (rebuild && !pipeline.rebuild(empty, Terminal.ofProcess(), () -> told.getCount() > 0)) {
                    return 1;
                }
                pipeline.start();
                if (!awaitReady(pipeline, told)) {
                    return 1;
                }
                System.out.printf(
                        "ready after %.1f s: health http://%s:%d/healthz, API http://127.0.0.1:%s/api/v1%n",
                        Duration.between(begin, Instant.now()).toMillis() / 1000.0,
                        host,
                        ops.port(),
                        settings.text("CONSOLE_PORT", "5000"));
                return watch(new Inventory(pipeline.database()), estate, told, begin, connectors);
            }
        } catch (SettingsException e) {
            System.err.println("these settings are wrong:");
            e.problems().forEach(problem -> System.err.println("  " + problem));
            return 2;
        } catch (ServerStartException | CommandFailed | PortTakenException e) {
            System.err.println(e.getMessage());
            return 1;
        } finally {
            down.countDown();
        }
    }

    private int watch(Inventory inventory, Demo estate, CountDownLatch told, Instant begin, int connectors)
            throws InterruptedException, SQLException {
        String shown = "";
        if (estate != null) {
            estate.introduce();
        }
        while (!told.await(1, TimeUnit.SECONDS)) {
            boolean isAllRead;
            if (estate != null) {
                isAllRead = estate.show(inventory, once);
            } else {
                String line = inventory.line();
                if (!line.equals(shown)) {
                    System.out.println(line);
                    shown = line;
                }
                isAllRead = once && inventory.areRunsVisible(begin, connectors);
            }
            if (once && isAllRead) {
                System.out.println();
                System.out.print(inventory.table());
                return inventory.lastRunsFailed() ? 1 : 0;
            }
        }
        System.out.println("stopping");
        return 0;
    }

    private static void print(String line) {
        System.out.println(line);
    }

    private static boolean awaitReady(Pipeline pipeline, CountDownLatch told) throws InterruptedException {
        Instant patience = Instant.now().plusSeconds(120);
        while (!told.await(100, TimeUnit.MILLISECONDS)) {
            Health health = pipeline.health();
            if (health.ok()) {
                return true;
            }
            if (Instant.now().isAfter(patience)) {
                System.err.println("still not ready after two minutes:");
                health.reasons().forEach(reason -> System.err.println("  " + reason));
                return false;
            }
        }
        return false;
    }

    private static void stop(CountDownLatch told, CountDownLatch down) {
        told.countDown();
        try {
            down.await(30, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
