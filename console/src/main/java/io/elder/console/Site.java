package io.elder.console;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Database;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Settings;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;

/** What commands work on: this site's database and cluster, reached when a command needs them. */
final class Site {
    private final Settings settings;

    Site(Settings settings) {
        this.settings = settings;
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
        KafkaClients kafka = new KafkaClients(settings);
        settings.check();
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
