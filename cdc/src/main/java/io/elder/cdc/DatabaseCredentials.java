package io.elder.cdc;

import io.elder.runtime.Database;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.config.ConfigData;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.config.provider.ConfigProvider;

/**
 * Gives Connect the database's user and password at the moment of use, so that its topics hold placeholders only. Connect
 * makes the instance itself: the number in its settings says whose credentials it gives.
 */
public final class DatabaseCredentials implements ConfigProvider {
    static final String USER = "${elder:user}";
    static final String PASSWORD = "${elder:password}";

    private static final Map<String, Database> DATABASES = new ConcurrentHashMap<>();
    private static final AtomicLong NUMBERS = new AtomicLong();

    private Database database;

    /** Connect loads this by its name. */
    public DatabaseCredentials() {}

    static String register(Database database) {
        String number = String.valueOf(NUMBERS.incrementAndGet());
        DATABASES.put(number, database);
        return number;
    }

    static void forget(String number) {
        DATABASES.remove(number);
    }

    @Override
    public void configure(Map<String, ?> settings) {
        database = DATABASES.get(String.valueOf(settings.get("number")));
    }

    @Override
    public ConfigData get(String path) {
        return get(path, Set.of("user", "password"));
    }

    @Override
    public ConfigData get(String path, Set<String> keys) {
        if (database == null) {
            throw new ConfigException("database credentials: none registered (expected: a worker started by cdc)");
        }
        Map<String, String> all =
                Map.of("user", database.user(), "password", database.password().value());
        Map<String, String> found = new java.util.HashMap<>(all);
        found.keySet().retainAll(keys);
        return new ConfigData(found);
    }

    @Override
    public void close() {
        database = null;
    }
}
