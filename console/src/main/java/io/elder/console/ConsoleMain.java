package io.elder.console;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Component;
import io.elder.runtime.Database;
import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Launcher;
import io.elder.runtime.Settings;
import java.util.Map;
import java.util.Optional;

/** The console as a process of its own. */
public final class ConsoleMain {
    private ConsoleMain() {}

    public static void main(String[] args) {
        System.exit(Launcher.run("console", args, (settings, metrics) -> component(settings, Optional.empty())));
    }

    /**
     * The console with its own connections to Elder's database.
     *
     * @param tester tries connections; a console without one says so when it is asked to
     */
    public static Component component(Settings settings, Optional<JobTester> tester) {
        ConsoleSettings console = ConsoleSettings.from(settings);
        Database database = Database.from(settings);
        KafkaClients kafka = new KafkaClients(settings);
        settings.check();
        HikariDataSource pool = database.pool("console", 4);
        ConsoleApi api = new ConsoleApi(console, pool, tester, Optional.of(kafka));
        return new Component() {
            @Override
            public void start() {
                api.start();
            }

            @Override
            public Health health() {
                return api.health();
            }

            @Override
            public Map<String, Object> status() {
                return api.status();
            }

            @Override
            public void close() {
                api.close();
                pool.close();
            }
        };
    }
}
