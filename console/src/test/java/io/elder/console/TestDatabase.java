package io.elder.console;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.runtime.Database;
import io.elder.runtime.Secret;
import io.elder.schemas.db.Migrations;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;

/** Databases of each shape, as Elder leaves them, migrated. */
final class TestDatabase {
    private static final Path SHAPES = Path.of("../schemas/src/test/resources/db");
    private static final Map<String, List<String>> SCRIPTS = Map.of(
            "A", List.of(),
            "B", List.of("shape-a.sql", "shape-b.sql"),
            "C", List.of("shape-c.sql"));

    private TestDatabase() {}

    /** @param shape A, which the migrations make of an empty database, B or C */
    static HikariDataSource open(EmbeddedDatabase server, String shape) throws SQLException, IOException {
        String name = "shape_" + shape.toLowerCase(java.util.Locale.ROOT);
        server.createDatabase(name);
        for (String script : SCRIPTS.get(shape)) {
            run(server, name, Files.readString(SHAPES.resolve(script)));
        }
        if (shape.equals("C")) {
            run(server, name, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)");
        }
        Migrations.migrate(server.jdbcUrl("postgres", name), "postgres", "");
        return new Database(server.jdbcUrl("postgres", name), "postgres", new Secret("")).pool("test-" + name, 4);
    }

    /** With the rights that the console has. */
    static HikariDataSource asConsole(EmbeddedDatabase server, String shape) throws SQLException {
        String name = "shape_" + shape.toLowerCase(java.util.Locale.ROOT);
        try (Connection owner = server.connect(name)) {
            Migrations.setConsolePassword(owner, "console-password");
        }
        return new Database(
                        server.jdbcUrl(Migrations.CONSOLE_ROLE, name),
                        Migrations.CONSOLE_ROLE,
                        new Secret("console-password"))
                .pool("console-" + name, 4);
    }

    static void run(EmbeddedDatabase server, String name, String sql) throws SQLException {
        try (Connection connection = server.connect(name);
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }
}
