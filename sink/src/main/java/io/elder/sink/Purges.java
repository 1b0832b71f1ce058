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

    private static final String DUE = "tried_at < now() - interval '1 minute'";

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

    /** What could not go before, if it was tried a minute ago or longer. */
    void retry() throws SQLException {
        if (!anyDue()) {
            return;
        }
        for (ElderTable table : ORDER) {
            List<String> taken = new ArrayList<>();
            List<String> stillDeleted = new ArrayList<>();
            try (PreparedStatement update = connection.prepareStatement("UPDATE pipeline.pending_purges p"
                    + " SET tried_at = now() FROM (SELECT source_key FROM pipeline.pending_purges WHERE table_name = ?"
                    + " AND " + DUE + " ORDER BY source_key LIMIT " + AT_ONCE + " FOR UPDATE SKIP LOCKED) d"
                    + " WHERE p.table_name = ? AND p.source_key = d.source_key"
                    + " RETURNING p.source_key, EXISTS (" + stillDeleted(table) + ')')) {
                update.setString(1, table.sqlName());
                update.setString(2, table.sqlName());
                try (ResultSet row = update.executeQuery()) {
                    while (row.next()) {
                        taken.add(row.getString(1));
                        if (row.getBoolean(2)) {
                            stillDeleted.add(row.getString(1));
                        }
                    }
                }
            }
            if (!taken.isEmpty()) {
                purge(table, stillDeleted.toArray(String[]::new));
                forget(table, taken.toArray(String[]::new));
            }
        }
    }

    private boolean anyDue() throws SQLException {
        try (PreparedStatement query = connection.prepareStatement(
                        "SELECT EXISTS (SELECT FROM pipeline.pending_purges WHERE " + DUE + ')');
                ResultSet row = query.executeQuery()) {
            return row.next() && row.getBoolean(1);
        }
    }

    /** The function keeps what other rows still refer to, and what is not softly deleted. */
    private void purge(ElderTable table, String[] keys) throws SQLException {
        try (PreparedStatement purge = connection.prepareStatement("SELECT pipeline.purge(?, ?)")) {
            purge.setString(1, table.sqlName());
            purge.setArray(2, TableLayout.texts(connection, keys));
            try (ResultSet gone = purge.executeQuery()) {
                gone.next();
                counter.add(table, gone.getInt(1));
            }
        }
    }

    private void forget(ElderTable table, String[] keys) throws SQLException {
        try (PreparedStatement delete = connection.prepareStatement("DELETE FROM pipeline.pending_purges p"
                + " WHERE p.table_name = ? AND p.source_key = ANY (?) AND NOT EXISTS (" + stillDeleted(table) + ')')) {
            delete.setString(1, table.sqlName());
            delete.setArray(2, TableLayout.texts(connection, keys));
            delete.executeUpdate();
        }
    }

    private static String stillDeleted(ElderTable table) {
        return "SELECT FROM " + table.sqlName()
                + " t WHERE t.source_key = p.source_key AND t.deleted_at = p.deleted_at";
    }
}
