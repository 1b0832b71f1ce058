package io.elder.sink;

import io.elder.schemas.ElderTable;
import io.elder.schemas.avro.InventoryRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Rows that can't be written yet, in {@code pipeline.pending_rows}: what they must refer to has not arrived, or they are
 * organisations that may not be made. The latter wait for themselves, in case they are made by somebody, or allowed.
 */
final class PendingRows {
    /**
     * A row on its way there.
     *
     * @param missing the keys that it waits for
     * @param reason what an operator has to do about it; null if it comes by itself
     */
    record Waiting(Change change, List<String> missing, String reason) {}

    private final Connection connection;

    PendingRows(Connection connection) {
        this.connection = connection;
    }

    boolean any() throws SQLException {
        try (PreparedStatement query =
                        connection.prepareStatement("SELECT EXISTS (SELECT FROM pipeline.pending_rows)");
                ResultSet row = query.executeQuery()) {
            return row.next() && row.getBoolean(1);
        }
    }

    void put(List<Waiting> rows) throws SQLException {
        if (rows.isEmpty()) {
            return;
        }
        // As many columns of keys as a row of these waits for at most: arrays of arrays must not be ragged.
        int most = rows.stream().mapToInt(row -> row.missing().size()).max().orElse(1);
        List<String> keys = IntStream.range(0, most).mapToObj(i -> "m" + i).toList();
        String sql = "INSERT INTO pipeline.pending_rows (source_key, table_name, record, source_partition,"
                + " source_offset, scope, reason, missing) SELECT i.source_key, i.table_name, i.record, i.partition,"
                + " i.next, i.scope, i.reason, array_remove(ARRAY[i." + String.join(", i.", keys) + "], NULL)"
                + " FROM unnest(?::text[], ?::text[], ?::bytea[], ?::integer[], ?::bigint[], ?::text[], ?::text[]"
                + ", ?::text[]".repeat(most)
                + ") AS i(source_key, table_name, record, partition, next, scope, reason, " + String.join(", ", keys)
                + ") ORDER BY i.source_key ON CONFLICT (source_key) DO UPDATE SET table_name = excluded.table_name,"
                + " missing = excluded.missing, record = excluded.record,"
                + " source_partition = excluded.source_partition, source_offset = excluded.source_offset,"
                + " scope = excluded.scope, reason = excluded.reason";
        try (PreparedStatement insert = connection.prepareStatement(sql)) {
            Columns.bind(insert, 1, "text", rows, row -> row.change().key());
            Columns.bind(insert, 2, "text", rows, row -> row.change().table.sqlName());
            bindRecords(insert, 3, rows, row -> row.change().record);
            Columns.bind(insert, 4, "integer", rows, row -> row.change().partition);
            Columns.bind(insert, 5, "bigint", rows, row -> row.change().offset);
            Columns.bind(insert, 6, "text", rows, row -> row.change().record.getScope());
            Columns.bind(insert, 7, "text", rows, Waiting::reason);
            for (int i = 0; i < most; i++) {
                int of = i;
                Columns.bind(
                        insert,
                        8 + i,
                        "text",
                        rows,
                        row -> of < row.missing().size() ? row.missing().get(of) : null);
            }
            insert.executeUpdate();
        }
    }

    static <T> void bindRecords(
            PreparedStatement statement, int parameter, List<T> rows, Function<T, InventoryRecord> column)
            throws SQLException {
        byte[][] records = rows.stream().map(row -> bytes(column.apply(row))).toArray(byte[][]::new);
        statement.setArray(parameter, statement.getConnection().createArrayOf("bytea", records));
    }

    /**
     * Takes out the rows of a table that have these keys, or wait for one of those that have arrived. If another sink is just
     * writing one of these keys, it is waited for: what it writes may be older than what is to be written here.
     */
    List<Change> take(ElderTable table, Collection<String> keys, Collection<String> arrived) throws SQLException {
        List<Change> taken = new ArrayList<>();
        // Two statements: what waited for a lock does not see what its holder put in the place of the row.
        String sql = "SELECT 1 FROM pipeline.pending_rows WHERE source_key = ANY (?) ORDER BY source_key FOR UPDATE;"
                + " DELETE FROM pipeline.pending_rows WHERE table_name = ? AND source_key = ANY (ARRAY("
                + "SELECT p.source_key FROM pipeline.pending_rows p WHERE p.source_key = ANY (ARRAY("
                + "SELECT unnest(?::text[]) UNION ALL " + waitingFor("unnest(?::text[]) AS a(key)", "a.key") + "))"
                // Of these, what another sink is just writing is not waited for: it knows better.
                + " FOR UPDATE SKIP LOCKED))"
                + " RETURNING record, source_partition, source_offset";
        try (PreparedStatement delete = connection.prepareStatement(sql)) {
            delete.setArray(1, TableLayout.texts(connection, keys.toArray(String[]::new)));
            delete.setString(2, table.sqlName());
            delete.setArray(3, TableLayout.texts(connection, keys.toArray(String[]::new)));
            delete.setArray(4, TableLayout.texts(connection, arrived.toArray(String[]::new)));
            delete.execute();
            delete.getMoreResults();
            try (ResultSet row = delete.getResultSet()) {
                while (row.next()) {
                    taken.add(new Change(record(row.getBytes(1)), table, row.getInt(2), row.getLong(3)));
                }
            }
        }
        return taken;
    }

    /**
     * The keys of the rows that wait for one of these, by a look into the index for each: {@code LATERAL} and {@code OFFSET 0}, as
     * elsewhere {@code ANY (ARRAY(...))}, leave PostgreSQL no choice. It takes a table that was empty when it last looked for
     * one of a row, and would compare all that waits with all keys.
     */
    private static String waitingFor(String keys, String key) {
        return "SELECT w.source_key FROM " + keys + ", LATERAL (SELECT p.source_key FROM pipeline.pending_rows p"
                + " WHERE p.missing @> ARRAY[" + key + "] OFFSET 0) w";
    }

    /**
     * Takes out the rows of any table of which something that they wait for is there.
     *
     * @param organizationsAreMade whether organisations no longer wait
     * @param organizationsHaveStandIn whether rows no longer wait for organisations that are not made
     */
    List<InventoryWriter.Incoming> takeReady(boolean organizationsAreMade, boolean organizationsHaveStandIn)
            throws SQLException {
        String isThere = Stream.of(ElderTable.values())
                .map(table -> "EXISTS (SELECT FROM " + table.sqlName() + " t WHERE t.source_key = wanted.key)")
                .collect(Collectors.joining(" OR "));
        String waiting = " UNION ALL SELECT source_key FROM pipeline.pending_rows WHERE ";
        // Many wait for the same, for ever if nobody may read it: each key is looked for once, not once a row.
        String ready =
                "WITH wanted AS MATERIALIZED (SELECT DISTINCT unnest(missing) AS key FROM pipeline.pending_rows),"
                        + " there AS MATERIALIZED (SELECT key FROM wanted WHERE " + isThere + ") SELECT p.source_key"
                        + " FROM pipeline.pending_rows p WHERE p.source_key = ANY (ARRAY("
                        + waitingFor("there", "there.key")
                        + (organizationsAreMade ? waiting + "reason IS NOT NULL OR source_key = ANY (missing)" : "")
                        + (organizationsHaveStandIn ? waiting + "reason IS NOT NULL" : "") + "))"
                        // In one order: another sink may be about the same.
                        + " ORDER BY p.source_key FOR UPDATE";
        // Again, when what another sink had in hand is done: it may have put it back.
        String sql = ready + "; DELETE FROM pipeline.pending_rows WHERE source_key = ANY (ARRAY(" + ready
                + ")) RETURNING record, source_partition, source_offset";
        List<InventoryWriter.Incoming> taken = new ArrayList<>();
        try (PreparedStatement delete = connection.prepareStatement(sql)) {
            delete.execute();
            delete.getMoreResults();
            try (ResultSet row = delete.getResultSet()) {
                while (row.next()) {
                    InventoryRecord record = record(row.getBytes(1));
                    taken.add(new InventoryWriter.Incoming(record.getKey(), record, row.getInt(2), row.getLong(3)));
                }
            }
        }
        return taken;
    }

    /** The organisations that wait until they may be made, or until a person has made them. They stay where they are. */
    List<Change> unmadeOrganizations() throws SQLException {
        List<Change> unmade = new ArrayList<>();
        try (PreparedStatement query =
                connection.prepareStatement("SELECT record, source_partition, source_offset FROM pipeline.pending_rows"
                        + " WHERE table_name = ? AND source_key = ANY (missing) ORDER BY source_key")) {
            query.setString(1, ElderTable.ORGANIZATIONS.sqlName());
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    unmade.add(new Change(
                            record(row.getBytes(1)), ElderTable.ORGANIZATIONS, row.getInt(2), row.getLong(3)));
                }
            }
        }
        return unmade;
    }

    static InventoryRecord record(byte[] bytes) throws SQLException {
        try {
            return InventoryRecord.getDecoder().decode(bytes);
        } catch (IOException e) {
            throw new SQLException("pipeline holds a record that can't be read", e);
        }
    }

    static byte[] bytes(InventoryRecord record) {
        try {
            ByteBuffer buffer = InventoryRecord.getEncoder().encode(record);
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
            return bytes;
        } catch (IOException e) {
            throw new IllegalStateException("a record that was read can be written", e);
        }
    }
}
