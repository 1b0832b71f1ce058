package io.elder.console;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Database;
import io.elder.runtime.DeclaredSettings;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Launcher;
import io.elder.runtime.Settings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;

/** What commands work on: this site's database and cluster, reached when a command needs them. */
final class Site {
    private static final String RUNNING = "site.env";
    private static final String PID = "ELDER_UP_PID";

    private final Settings settings;
    private final Optional<Path> embedded;

    private Site(Settings settings, Optional<Path> embedded) {
        this.settings = settings;
        this.embedded = embedded;
    }

    /**
     * The site that the settings name, where they do; else that of the {@code ./elder up} that runs on this folder, if one
     * does. Never a mixture: its topics and somebody else's database would not belong together.
     */
    static Site of(Settings settings, Path folder, Terminal terminal) {
        boolean named = settings.findAny(
                        "KAFKA_BOOTSTRAP_SERVERS",
                        "SCHEMA_REGISTRY_URL",
                        "DATABASE_URL",
                        "DB_URL",
                        "DATABASE_OWNER_URL")
                .isPresent();
        if (named || !Files.isDirectory(folder)) {
            DeclaredSettings.onClassPath().noteUnknown(settings);
            return new Site(settings, Optional.empty());
        }
        Path running = folder.resolve(RUNNING);
        Map<String, String> values = new HashMap<>(Launcher.dotEnv(running));
        boolean lives = Optional.ofNullable(values.remove(PID))
                .flatMap(pid -> ProcessHandle.of(Long.parseLong(pid)))
                .isPresent();
        if (lives) {
            terminal.say("elder: using the running pipeline of " + running);
        }
        Settings all = lives ? settings.with(values) : settings;
        DeclaredSettings.onClassPath().noteUnknown(all);
        return new Site(all, Optional.of(folder));
    }

    /** What needs the normalizer and the sink stopped can't be done beside a process that holds everything. */
    void refuseWhereEmbedded(String command) {
        if (embedded.isPresent()) {
            String data = embedded.get().equals(Path.of(".elder")) ? "" : " --data=" + embedded.get();
            throw new CommandFailed(command
                    + " needs the broker without the normalizer and the sink, and ./elder up holds"
                    + " all of them in " + embedded.get() + " (expected: stop it if it runs, then ./elder up" + data
                    + " --" + command + "; or the settings of another site, e.g. KAFKA_BOOTSTRAP_SERVERS)");
        }
    }

    Settings settings() {
        return settings;
    }

    /** The caller closes it. */
    HikariDataSource database() {
        Database database = Database.from(settings);
        settings.check();
        return database.pool("cli", 2);
    }

    KafkaClients kafka() {
        // Somebody is waiting: clients give up within seconds unless told otherwise.
        Map<String, String> patience =
                new HashMap<>(Map.of("KAFKA_DEFAULT_API_TIMEOUT_MS", "15000", "KAFKA_REQUEST_TIMEOUT_MS", "10000"));
        patience.keySet().removeIf(name -> settings.find(name).isPresent());
        settings.check();
        Settings impatient = settings.with(patience);
        KafkaClients kafka = new KafkaClients(impatient);
        impatient.check();
        return kafka;
    }

    /** Who decides, for the record: the login name if nobody is named. */
    static String person(String by) {
        return by == null ? System.getProperty("user.name", "unknown") : by;
    }

    /** Settings of a client that gives up within seconds: somebody is waiting. */
    static Map<String, Object> impatient(Map<String, Object> client) {
        client.putIfAbsent("default.api.timeout.ms", 15_000);
        client.putIfAbsent("request.timeout.ms", 10_000);
        client.putIfAbsent("max.block.ms", 15_000);
        client.putIfAbsent("delivery.timeout.ms", 20_000);
        client.putIfAbsent("schema.registry.patience.ms", 0);
        return client;
    }

    static Admin admin(KafkaClients kafka) {
        return Admin.create(impatient(kafka.common()));
    }
}
