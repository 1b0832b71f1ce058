package io.elder.console;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Database;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Launcher;
import io.elder.runtime.Settings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;

/** What commands work on: this site's database and cluster, reached when a command needs them. */
final class Site {
    private final Settings settings;

    Site(Settings settings) {
        this.settings = settings;
    }

    /**
     * The settings themselves where they say where the site is; else with those of the {@code ./elder up} that runs in this
     * folder, if one does. Never a mixture: its topics and somebody else's database would not belong together.
     */
    static Settings orRunning(Settings settings, Path running, Terminal terminal) {
        boolean named = settings.findAny(
                        "KAFKA_BOOTSTRAP_SERVERS",
                        "SCHEMA_REGISTRY_URL",
                        "DATABASE_URL",
                        "DB_URL",
                        "DATABASE_OWNER_URL")
                .isPresent();
        if (named || !Files.isReadable(running)) {
            return settings;
        }
        terminal.say("elder: using the running pipeline of " + running);
        return settings.with(Launcher.dotEnv(running));
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
        Settings impatient = settings.with(patience);
        KafkaClients kafka = new KafkaClients(impatient);
        impatient.check();
        return kafka;
    }

    /** Settings of a client that gives up within seconds: somebody is waiting. */
    static Map<String, Object> impatient(Map<String, Object> client) {
        client.putIfAbsent("default.api.timeout.ms", 15_000);
        client.putIfAbsent("request.timeout.ms", 10_000);
        client.putIfAbsent("max.block.ms", 15_000);
        client.putIfAbsent("delivery.timeout.ms", 20_000);
        return client;
    }

    static Admin admin(KafkaClients kafka) {
        return Admin.create(impatient(kafka.common()));
    }
}
