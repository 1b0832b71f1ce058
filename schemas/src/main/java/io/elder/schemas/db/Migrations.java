package io.elder.schemas.db;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.output.MigrateResult;
import org.postgresql.PGConnection;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * Brings a database to what the pipeline needs: Elder's tables where they are missing, added columns, the schema
 * {@code pipeline}, the roles {@code elder_worker}, {@code elder_console} and {@code elder_cdc}, the publication {@code elder_worker}. Needs the
 * rights of the owner of Elder's tables. Any number of processes may call it at once, any number of times.
 */
public final class Migrations {
    public static final String WORKER_ROLE = "elder_worker";
    public static final String CONSOLE_ROLE = "elder_console";
    public static final String CDC_ROLE = "elder_cdc";
    public static final String PUBLICATION = "elder_worker";

    // Column lists of publications came with it.
    private static final int OLDEST_POSTGRESQL = 15;

    /**
     * What a migration found and did.
     *
     * @param found the shape before; empty if there were no tables of Elder's
     * @param shape the shape now
     * @param applied version and description of each migration that was applied now
     * @param created the tables of Elder's that were missing
     */
    public record Report(
            String database,
            Optional<DatabaseShape> found,
            DatabaseShape shape,
            List<String> applied,
            List<String> created,
            List<String> warnings) {

        /** A few lines for a person. */
        @Override
        public String toString() {
            StringBuilder text = new StringBuilder(database);
            text.append(
                    found.isPresent()
                            ? ": tables of shape " + shape + " (" + shape.madeBy() + ")"
                            : ": was empty, Elder's tables created in shape " + shape);
            text.append(applied.isEmpty() ? "\nnothing to migrate" : "\nmigrated: " + String.join("; ", applied));
            if (found.isPresent() && !created.isEmpty()) {
                text.append("\ncreated missing tables in shape A: ").append(String.join(", ", created));
            }
            for (String warning : warnings) {
                text.append("\nwarning: ").append(warning);
            }
            return text.toString();
        }
    }

    private Migrations() {}

    /**
     * Migrates the database at a JDBC URL.
     *
     * @param url {@code jdbc:postgresql://...}
     * @param user the owner of Elder's tables; may create roles, or the roles exist
     */
    public static Report migrate(String url, String user, String password) {
        PGSimpleDataSource owner = new PGSimpleDataSource();
        owner.setUrl(url);
        owner.setUser(user);
        owner.setPassword(password);
        return migrate(owner);
    }

    /**
     * Migrates a database.
     *
     * @param owner connects as the owner of Elder's tables
     */
    public static Report migrate(DataSource owner) {
        try {
            Optional<DatabaseShape> found;
            SortedSet<String> before;
            // Refuses an unknown database before anything in it is touched.
            try (Connection connection = owner.getConnection()) {
                int version = connection.getMetaData().getDatabaseMajorVersion();
                if (version < OLDEST_POSTGRESQL) {
                    throw new IllegalStateException(
                            "PostgreSQL " + version + " (expected: " + OLDEST_POSTGRESQL + " or later)");
                }
                found = DatabaseShape.find(connection);
                before = tables(connection);
            }
            MigrateResult result = flyway(owner).migrate();
            try (Connection connection = owner.getConnection()) {
                SortedSet<String> created = tables(connection);
                created.removeAll(before);
                List<String> applied = result.migrations.stream()
                        .filter(migration -> !migration.version.isEmpty())
                        .map(migration -> "V" + migration.version + " " + migration.description)
                        .toList();
                return new Report(
                        connection.getCatalog(),
                        found,
                        DatabaseShape.detect(connection),
                        applied,
                        List.copyOf(created),
                        missing(connection));
            }
        } catch (SQLException e) {
            throw new IllegalStateException("migration failed: " + e.getMessage(), e);
        }
    }

    /** Lets {@code elder_worker} log in with this password. */
    public static void setWorkerPassword(Connection owner, String password) throws SQLException {
        setPassword(owner, WORKER_ROLE, password);
    }

    /** Lets {@code elder_console} log in with this password. */
    public static void setConsolePassword(Connection owner, String password) throws SQLException {
        setPassword(owner, CONSOLE_ROLE, password);
    }

    /** Lets {@code elder_cdc} log in with this password. */
    public static void setCdcPassword(Connection owner, String password) throws SQLException {
        setPassword(owner, CDC_ROLE, password);
    }

    private static void setPassword(Connection owner, String role, String password) throws SQLException {
        if (password.isBlank()) {
            throw new IllegalArgumentException("password of " + role + " is blank (expected: some text)");
        }
        // The driver computes the SCRAM verifier: the password itself is in no statement and so in no log of the
        // server.
        owner.unwrap(PGConnection.class).alterUserPassword(role, password.toCharArray(), "scram-sha-256");
        try (Statement statement = owner.createStatement()) {
            statement.execute("ALTER ROLE " + statement.enquoteIdentifier(role, true) + " LOGIN");
        }
    }

    private static Flyway flyway(DataSource owner) {
        return Flyway.configure()
                .dataSource(owner)
                .locations("classpath:db/migration")
                .defaultSchema("pipeline")
                .createSchemas(true)
                .baselineOnMigrate(true)
                // Below the first migration, so that none is skipped.
                .baselineVersion("0")
                .placeholderReplacement(false)
                .load();
    }

    // What the migrations leave out, with a warning, when the owner may not create it: all but change capture works.
    private static List<String> missing(Connection connection) throws SQLException {
        List<String> warnings = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet row =
                        statement.executeQuery("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '" + CDC_ROLE
                                + "'), EXISTS (SELECT 1 FROM pg_publication WHERE pubname = '" + PUBLICATION
                                + "'), EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '" + CONSOLE_ROLE + "')")) {
            row.next();
            if (!row.getBoolean(1)) {
                warnings.add("role " + CDC_ROLE + " is missing; change capture needs it. As a superuser: CREATE ROLE "
                        + CDC_ROLE + " NOLOGIN REPLICATION; then migrate again");
            }
            if (!row.getBoolean(3)) {
                warnings.add("role " + CONSOLE_ROLE + " is missing; the console needs it. As a superuser: CREATE ROLE "
                        + CONSOLE_ROLE + " NOLOGIN; then migrate again");
            }
            if (!row.getBoolean(2)) {
                warnings.add(
                        "publication " + PUBLICATION + " is missing; change capture needs it. Grant the owner CREATE"
                                + " on the database, then migrate again");
            }
        }
        return List.copyOf(warnings);
    }

    private static SortedSet<String> tables(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows =
                        statement.executeQuery("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")) {
            SortedSet<String> tables = new TreeSet<>();
            while (rows.next()) {
                tables.add(rows.getString(1));
            }
            return tables;
        }
    }
}
