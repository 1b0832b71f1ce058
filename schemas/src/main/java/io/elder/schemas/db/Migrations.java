package io.elder.schemas.db;

import java.sql.Connection;
import java.sql.DriverManager;
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
import org.flywaydb.core.api.configuration.FluentConfiguration;
import org.flywaydb.core.api.output.MigrateResult;
import org.postgresql.PGConnection;

/**
 * Brings a database to what the pipeline needs: Elder's tables where they are missing, added columns, the schema
 * {@code pipeline}, the roles {@code elder_worker} and {@code elder_cdc}, the publication {@code elder_worker}. Needs the
 * rights of the owner of Elder's tables. Any number of processes may call it at once, any number of times.
 */
public final class Migrations {
    public static final String WORKER_ROLE = "elder_worker";
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
     * @param url a JDBC URL, {@code jdbc:postgresql://...}
     * @param user the owner of Elder's tables; may create roles, or the roles exist
     */
    public static Report migrate(String url, String user, String password) {
        try (Connection connection = DriverManager.getConnection(url, user, password)) {
            return migrate(connection, Flyway.configure().dataSource(url, user, password));
        } catch (SQLException e) {
            throw new IllegalStateException("migration failed: " + e.getMessage(), e);
        }
    }

    /** @param owner connects as the owner of Elder's tables */
    public static Report migrate(DataSource owner) {
        try (Connection connection = owner.getConnection()) {
            return migrate(connection, Flyway.configure().dataSource(owner));
        } catch (SQLException e) {
            throw new IllegalStateException("migration failed: " + e.getMessage(), e);
        }
    }

    /** Lets {@code elder_worker} log in with this password. */
    public static void setWorkerPassword(Connection owner, String password) throws SQLException {
        setPassword(owner, WORKER_ROLE, password);
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

    private static Report migrate(Connection connection, FluentConfiguration configuration) throws SQLException {
        int version = connection.getMetaData().getDatabaseMajorVersion();
        if (version < OLDEST_POSTGRESQL) {
            throw new IllegalStateException(
                    "PostgreSQL " + version + " (expected: " + OLDEST_POSTGRESQL + " or later)");
        }
        String database = connection.getCatalog();
        // Refuses an unknown database before anything in it is touched.
        Optional<DatabaseShape> found = DatabaseShape.find(connection);
        SortedSet<String> before = tables(connection);
        MigrateResult result = configuration
                .locations("classpath:db/migration")
                .defaultSchema("pipeline")
                .createSchemas(true)
                .baselineOnMigrate(true)
                // Below the first migration, so that none is skipped.
                .baselineVersion("0")
                .placeholderReplacement(false)
                .load()
                .migrate();
        SortedSet<String> created = tables(connection);
        created.removeAll(before);
        List<String> applied = result.migrations.stream()
                .filter(migration -> !migration.version.isEmpty())
                .map(migration -> "V" + migration.version + " " + migration.description)
                .toList();
        return new Report(
                database,
                found,
                DatabaseShape.detect(connection),
                applied,
                List.copyOf(created),
                warnings(connection, result));
    }

    // Lacking rights are warnings in the migrations: all but change capture works without.
    private static List<String> warnings(Connection connection, MigrateResult result) throws SQLException {
        List<String> warnings = new ArrayList<>(result.warnings == null ? List.of() : result.warnings);
        try (Statement statement = connection.createStatement();
                ResultSet row =
                        statement.executeQuery("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '" + CDC_ROLE
                                + "'), EXISTS (SELECT 1 FROM pg_publication WHERE pubname = '" + PUBLICATION + "')")) {
            row.next();
            if (!row.getBoolean(1)) {
                warnings.add("role " + CDC_ROLE + " is missing; change capture needs it. As a superuser: CREATE ROLE "
                        + CDC_ROLE + " NOLOGIN REPLICATION; then migrate again");
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
