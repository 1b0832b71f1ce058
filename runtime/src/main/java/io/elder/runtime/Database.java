package io.elder.runtime;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * Where Elder's PostgreSQL is.
 *
 * @param jdbcUrl without user and password
 */
public record Database(String jdbcUrl, String user, Secret password) {
    private static final String EXPECTED = "postgresql://user:password@host:5432/database";

    /** Reads {@code DATABASE_URL} or {@code DB_URL}; {@code postgres://}, {@code postgresql://} and {@code jdbc:} all serve. */
    public static Database from(Settings settings) {
        return from(settings, "DATABASE_URL", "DB_URL");
    }

    public static Database from(Settings settings, String... names) {
        Optional<String> url = settings.findAny(names);
        if (url.isEmpty()) {
            settings.problem(names[0], "not set", EXPECTED);
            return new Database("", "", new Secret(""));
        }
        Optional<Database> database = parse(url.get());
        if (database.isEmpty()) {
            // The value itself may hold a password.
            settings.problem(names[0], "not a PostgreSQL URL", EXPECTED);
            return new Database("", "", new Secret(""));
        }
        return database.get();
    }

    static Optional<Database> parse(String text) {
        String plain = text.startsWith("jdbc:") ? text.substring("jdbc:".length()) : text;
        if (!plain.startsWith("postgres://") && !plain.startsWith("postgresql://")) {
            return Optional.empty();
        }
        URI uri;
        try {
            uri = URI.create(plain);
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
        if (uri.getHost() == null
                || uri.getRawPath() == null
                || uri.getRawPath().length() < 2) {
            return Optional.empty();
        }
        String[] credentials = uri.getRawUserInfo() == null
                ? new String[0]
                : uri.getRawUserInfo().split(":", 2);
        String user = credentials.length > 0
                ? decode(credentials[0])
                : parameter(uri, "user").orElse("");
        String password = credentials.length > 1
                ? decode(credentials[1])
                : parameter(uri, "password").orElse("");
        StringBuilder jdbc = new StringBuilder("jdbc:postgresql://")
                .append(uri.getHost())
                .append(':')
                .append(uri.getPort() < 0 ? 5432 : uri.getPort())
                .append(uri.getRawPath());
        String separator = "?";
        if (uri.getRawQuery() != null) {
            for (String pair : uri.getRawQuery().split("&")) {
                if (!pair.startsWith("user=") && !pair.startsWith("password=") && !pair.isEmpty()) {
                    jdbc.append(separator).append(pair);
                    separator = "&";
                }
            }
        }
        return Optional.of(new Database(jdbc.toString(), user, new Secret(password)));
    }

    /** A pool that comes up even while the database is away. Connections are in auto-commit mode. */
    public HikariDataSource pool(String name, int size) {
        HikariConfig config = new HikariConfig();
        config.setPoolName(name);
        config.setJdbcUrl(jdbcUrl);
        config.setUsername(user);
        config.setPassword(password.value());
        config.setMaximumPoolSize(size);
        config.setMinimumIdle(0);
        config.setInitializationFailTimeout(-1);
        config.setConnectionTimeout(5_000);
        config.addDataSourceProperty("ApplicationName", "elder-" + name);
        config.addDataSourceProperty("connectTimeout", 5);
        config.addDataSourceProperty("tcpKeepAlive", true);
        config.addDataSourceProperty("reWriteBatchedInserts", true);
        return new HikariDataSource(config);
    }

    private static Optional<String> parameter(URI uri, String name) {
        if (uri.getRawQuery() == null) {
            return Optional.empty();
        }
        for (String pair : uri.getRawQuery().split("&")) {
            if (pair.startsWith(name + "=")) {
                return Optional.of(decode(pair.substring(name.length() + 1)));
            }
        }
        return Optional.empty();
    }

    private static String decode(String text) {
        return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
    }
}
