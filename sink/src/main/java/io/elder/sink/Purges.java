package io.elder.sink;

import io.elder.schemas.ElderTable;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Deletes rows for good, once nothing refers to them. What cannot go yet is noted in {@code pipeline.pending_purges} and
 * tried again: another sink may be about to purge, at the same moment, what refers to it.
 */
final class Purges {
    @FunctionalInterface
    interface Counter {
        void add(ElderTable table, int purged);
    }

    /** Children before what they refer to. */
    private static final List<ElderTable> ORDER = List.of(ElderTable.values()).reversed();

    private static final int AT_ONCE = 1000;

    private final Connection connection;
    private final Counter counter;

    Purges(Connection connection, Counter counter) {
        this.connection = connection;
        this.counter = counter;
    }

    /** Those of the rows with these keys that are softly deleted. */
    void purge(String[] keys) throws SQLException {
        for (ElderTable table : ORDER) {
            purge(table, keys);
        }
        String remaining = Stream.of(ElderTable.values())
                .map(table -> "SELECT '" + table.sqlName() + "' AS name, source_key, deleted_at FROM " + table.sqlName()
                        + " WHERE source_key = ANY (k.keys) AND deleted_at IS NOT NULL")
                .collect(Collectors.joining(" UNION ALL "));
        try (PreparedStatement insert = connection.prepareStatement(
                "INSERT INTO pipeline.pending_purges (table_name, source_key, deleted_at) SELECT r.*"
                        + " FROM (SELECT ?::text[] AS keys) k CROSS JOIN LATERAL (" + remaining + ") r"
                        + " ORDER BY r.name, r.source_key ON CONFLICT (table_name, source_key)"
                        + " DO UPDATE SET deleted_at = excluded.deleted_at")) {
            insert.setArray(1, TableLayout.texts(connection, keys));
            insert.executeUpdate();
        }
    }

    /**
     * What could not go before, after a minute and then whenever it has waited as long again, a day at most. What somebody
     * else has locked is left for the next time.
     *
     * @param careful whether a row that PostgreSQL refuses to delete is looked for, and left
     */
    void retry(boolean careful) throws SQLException {
        if (!anyDue()) {
            return;
        }
        for (ElderTable table : ORDER) {
            String[] due = takeDue(table);
            if (due.length == 0) {
                continue;
            }
            String[] free = lock(table, due);
            if (careful) {
                for (String key : free) {
                    Savepoints.refusal(connection, () -> purge(table, key));
                }
            } else {
                purge(table, free);
            }
            forget(table, due);
        }
    }

    private boolean anyDue() throws SQLException {
        try (PreparedStatement query = connection.prepareStatement(
                        "SELECT EXISTS (SELECT FROM pipeline.pending_purges WHERE due_at < now())");
                ResultSet row = query.executeQuery()) {
            return row.next() && row.getBoolean(1);
        }
    }

    private String[] takeDue(ElderTable table) throws SQLException {
        try (PreparedStatement update = connection.prepareStatement("UPDATE pipeline.pending_purges p"
                + " SET due_at = now() + least(greatest(now() - p.noted_at, interval '1 minute'), interval '1 day')"
                + " WHERE p.table_name = ? AND p.source_key = ANY (ARRAY(SELECT d.source_key"
                + " FROM pipeline.pending_purges d WHERE d.table_name = ? AND d.due_at < now() ORDER BY d.due_at"
                + " LIMIT " + AT_ONCE + " FOR UPDATE SKIP LOCKED)) RETURNING p.source_key")) {
            update.setString(1, table.sqlName());
            update.setString(2, table.sqlName());
            return keys(update);
        }
    }

    /** Those of the rows that are still deleted as they were, and that nobody has in hand. */
    private String[] lock(ElderTable table, String[] keys) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("SELECT t.source_key FROM " + table.sqlName()
                + " t JOIN pipeline.pending_purges p ON p.table_name = ? AND p.source_key = t.source_key"
                + " AND p.deleted_at = t.deleted_at WHERE t.source_key = ANY (?)"
                + " ORDER BY t.id FOR UPDATE OF t SKIP LOCKED")) {
            query.setString(1, table.sqlName());
            query.setArray(2, TableLayout.texts(connection, keys));
            return keys(query);
        }
    }

    private static String[] keys(PreparedStatement statement) throws SQLException {
        List<String> keys = new ArrayList<>();
        try (ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                keys.add(row.getString(1));
            }
        }
        return keys.toArray(String[]::new);
    }

    /** The function keeps what other rows still refer to, and what is not softly deleted. */
    private void purge(ElderTable table, String... keys) throws SQLException {
        try (PreparedStatement purge = connection.prepareStatement("SELECT pipeline.purge(?, ?)")) {
            purge.setString(1, table.sqlName());
            purge.setArray(2, TableLayout.texts(connection, keys));
            try (ResultSet gone = purge.executeQuery()) {
                gone.next();
                counter.add(table, gone.getInt(1));
            }
        }
    }

    /** What is gone, or is not deleted as it was. */
    private void forget(ElderTable table, String[] keys) throws SQLException {
        String isRow = "SELECT FROM " + table.sqlName() + " t WHERE t.source_key = p.source_key";
        for (String gone : List.of(
                "pipeline.pending_purges p WHERE NOT EXISTS (" + isRow + " AND t.deleted_at = p.deleted_at)",
                // Somebody may have wanted its name meanwhile.
                "pipeline.name_claims p WHERE NOT EXISTS (" + isRow + ')')) {
            try (PreparedStatement delete = connection.prepareStatement(
                    "DELETE FROM " + gone + " AND p.table_name = ? AND p.source_key = ANY (?)")) {
                delete.setString(1, table.sqlName());
                delete.setArray(2, TableLayout.texts(connection, keys));
                delete.executeUpdate();
            }
        }
    }
}
