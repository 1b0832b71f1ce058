package io.elder.schemas.db;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** The three shapes that Elder's tables have in the field, told apart by the columns of two tables. */
public enum DatabaseShape {
    /** Created by Elder 3.2 or later, or by our migrations. */
    A("Elder 3.2 or later"),
    /** Created by Elder 3.1.6 and never altered since: {@code entities.entity_type} is an enum. */
    B("Elder 3.1.6"),
    /** Created by Elder's hand-run Alembic migrations: {@code discovery_jobs.type}, no enum types. */
    C("Elder's Alembic migrations");

    private static final String EXPECTED =
            "expected: discovery_jobs.provider with entities.type (shape A) or entities.entity_type (shape B),"
                    + " or discovery_jobs.type with entities.type (shape C)";

    private final String madeBy;

    DatabaseShape(String madeBy) {
        this.madeBy = madeBy;
    }

    /** Which program gives tables this shape. */
    public String madeBy() {
        return madeBy;
    }

    /**
     * The shape of the database's schema {@code public}.
     *
     * @throws UnknownShapeException if Elder's tables are missing or of no known shape
     */
    public static DatabaseShape detect(Connection connection) throws SQLException {
        return find(connection)
                .orElseThrow(() -> new UnknownShapeException(
                        "schema public has neither discovery_jobs nor entities (expected: Elder's tables; "
                                + "`./elder migrate` creates them)"));
    }

    /**
     * The shape of the database's schema {@code public}; empty if Elder's tables are not there yet.
     *
     * @throws UnknownShapeException if the tables are of no known shape
     */
    public static Optional<DatabaseShape> find(Connection connection) throws SQLException {
        Set<String> jobs = columns(connection, "discovery_jobs");
        Set<String> entities = columns(connection, "entities");
        if (jobs.isEmpty() && entities.isEmpty()) {
            return Optional.empty();
        }
        // Of a table that is missing nothing can be told; the migrations would create it in shape A.
        boolean currentJobs = jobs.isEmpty() || jobs.contains("provider");
        boolean currentEntities = entities.isEmpty() || entities.contains("type");
        if (currentJobs && currentEntities) {
            return Optional.of(A);
        }
        if (currentJobs && entities.contains("entity_type")) {
            return Optional.of(B);
        }
        if (jobs.contains("type") && currentEntities) {
            return Optional.of(C);
        }
        throw new UnknownShapeException(
                "discovery_jobs" + named(jobs) + ", entities" + named(entities) + " (" + EXPECTED + ")");
    }

    private static String named(Set<String> columns) {
        return columns.isEmpty() ? " is missing" : " has the columns " + String.join(", ", columns);
    }

    // The catalog and not information_schema: that shows only the columns that the role may use.
    private static Set<String> columns(Connection connection, String table) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped")) {
            statement.setString(1, "public." + table);
            try (ResultSet rows = statement.executeQuery()) {
                Set<String> columns = new TreeSet<>();
                while (rows.next()) {
                    columns.add(rows.getString(1));
                }
                return columns;
            }
        }
    }
}
