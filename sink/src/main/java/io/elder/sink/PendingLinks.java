package io.elder.sink;

import io.elder.schemas.ElderTable;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** References that are null because their target has not arrived, in {@code pipeline.pending_links}. */
final class PendingLinks {
    private final Connection connection;
    private final Integer defaultOrganization;

    /** @param defaultOrganization what stands for an organisation that is not there; null if nothing does */
    PendingLinks(Connection connection, Integer defaultOrganization) {
        this.connection = connection;
        this.defaultOrganization = defaultOrganization;
    }

    boolean any() throws SQLException {
        try (PreparedStatement query =
                        connection.prepareStatement("SELECT EXISTS (SELECT FROM pipeline.pending_links)");
                ResultSet row = query.executeQuery()) {
            return row.next() && row.getBoolean(1);
        }
    }

    /** Notes what these rows, just written, lack, and forgets what they lacked before. */
    void note(ElderTable table, List<Change> written) throws SQLException {
        try (PreparedStatement delete = connection.prepareStatement(
                "DELETE FROM pipeline.pending_links WHERE table_name = ? AND source_key = ANY (?)")) {
            delete.setString(1, table.sqlName());
            delete.setArray(
                    2,
                    TableLayout.texts(
                            connection, written.stream().map(Change::key).toArray(String[]::new)));
            delete.executeUpdate();
        }
        if (written.stream().allMatch(change -> change.pending.isEmpty())) {
            return;
        }
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO pipeline.pending_links (table_name,"
                + " source_key, reference, target_key, record, source_partition, source_offset)"
                + " VALUES (?, ?, ?, ?, ?, ?, ?)")) {
            for (Change change : written) {
                for (Map.Entry<String, String> link : change.pending.entrySet()) {
                    insert.setString(1, table.sqlName());
                    insert.setString(2, change.key());
                    insert.setString(3, link.getKey());
                    insert.setString(4, link.getValue());
                    insert.setBytes(5, PendingRows.bytes(change.record));
                    insert.setInt(6, change.partition);
                    insert.setLong(7, change.offset);
                    insert.addBatch();
                }
            }
            insert.executeBatch();
        }
    }

    /**
     * Sets the references of a table whose targets are there.
     *
     * @param targets only those to these rows; null for all
     * @return how many
     */
    int set(ElderTable table, TableLayout.Link link, Collection<String> targets) throws SQLException {
        return set(table, link, targets, null);
    }

    /** The same, one by one where the database refuses some: those are given up and returned. */
    int setCarefully(ElderTable table, TableLayout.Link link, List<InventoryWriter.Refusal> refusals)
            throws SQLException {
        Optional<ElderTable> target = ElderTable.findByNoun(link.noun());
        List<String> ready = new ArrayList<>();
        if (target.isPresent()) {
            try (PreparedStatement query = connection.prepareStatement(ready(target.get()))) {
                bind(query, table, link, null, null);
                try (ResultSet row = query.executeQuery()) {
                    while (row.next()) {
                        ready.add(row.getString(1));
                    }
                }
            }
        }
        return ready.isEmpty() ? 0 : bisect(table, link, ready, refusals);
    }

    private int bisect(
            ElderTable table, TableLayout.Link link, List<String> keys, List<InventoryWriter.Refusal> refusals)
            throws SQLException {
        Savepoint before = connection.setSavepoint();
        try {
            int linked = set(table, link, null, keys);
            connection.releaseSavepoint(before);
            return linked;
        } catch (SQLException e) {
            if (!DatabaseTrouble.isTheRow(e)) {
                throw e;
            }
            connection.rollback(before);
            if (keys.size() == 1) {
                giveUp(table, link, keys.getFirst(), e).ifPresent(refusals::add);
                return 0;
            }
            int half = keys.size() / 2;
            return bisect(table, link, keys.subList(0, half), refusals)
                    + bisect(table, link, keys.subList(half, keys.size()), refusals);
        }
    }

    private Optional<InventoryWriter.Refusal> giveUp(
            ElderTable table, TableLayout.Link link, String key, SQLException cause) throws SQLException {
        Optional<InventoryWriter.Refusal> refusal = Optional.empty();
        try (PreparedStatement delete = connection.prepareStatement("DELETE FROM pipeline.pending_links"
                + " WHERE table_name = ? AND reference = ? AND source_key = ?"
                + " RETURNING record, source_partition, source_offset, target_key")) {
            delete.setString(1, table.sqlName());
            delete.setString(2, link.reference());
            delete.setString(3, key);
            try (ResultSet row = delete.executeQuery()) {
                // Links noted by an older release have no record: nothing to retry, and the next change sets them.
                if (row.next() && row.getBytes(1) != null) {
                    refusal = Optional.of(new InventoryWriter.Refusal(
                            PendingRows.record(row.getBytes(1)),
                            row.getInt(2),
                            row.getLong(3),
                            cause.getClass().getName(),
                            table.sqlName() + "." + link.column() + " can't refer to " + row.getString(4) + ": "
                                    + DatabaseTrouble.describe(cause)));
                }
            }
        }
        forgetContent(table, key);
        return refusal;
    }

    /** Makes the record, when it is sent again, differ from the row, which lacks the reference. */
    private void forgetContent(ElderTable table, String key) throws SQLException {
        Savepoint before = connection.setSavepoint();
        try (PreparedStatement update = connection.prepareStatement(
                "UPDATE " + table.sqlName() + " SET content_hash = NULL WHERE source_key = ?")) {
            update.setString(1, key);
            update.executeUpdate();
            connection.releaseSavepoint(before);
        } catch (SQLException e) {
            if (!DatabaseTrouble.isTheRow(e)) {
                throw e;
            }
            // A trigger that refuses every change of the row: a retry finds it as it is, and a rebuild sets it.
            connection.rollback(before);
        }
    }

    private int set(ElderTable table, TableLayout.Link link, Collection<String> targets, Collection<String> sources)
            throws SQLException {
        Optional<ElderTable> target = ElderTable.findByNoun(link.noun());
        if (target.isEmpty()) {
            return 0;
        }
        String sql = "WITH linked AS (DELETE FROM pipeline.pending_links d USING (" + ready(target.get())
                + ") r WHERE d.table_name = ? AND d.reference = ? AND d.source_key = r.source_key"
                + " AND d.target_key = r.target_key RETURNING d.source_key, r.id) UPDATE " + table.sqlName()
                + " t SET \"" + link.column() + "\" = linked.id FROM linked WHERE t.source_key = linked.source_key";
        try (PreparedStatement update = connection.prepareStatement(sql)) {
            int next = bind(update, table, link, targets, sources);
            update.setString(next, table.sqlName());
            update.setString(next + 1, link.reference());
            return update.executeUpdate();
        }
    }

    /** The links whose targets are there, or have a stand-in; {@link #bind} fills its parameters. */
    private static String ready(ElderTable target) {
        return """
                SELECT p.source_key, p.target_key, coalesce(x.id, ?::integer) AS id
                FROM pipeline.pending_links p LEFT JOIN %s x ON x.source_key = p.target_key
                WHERE p.table_name = ? AND p.reference = ? AND coalesce(x.id, ?::integer) IS NOT NULL
                  AND (?::text[] IS NULL OR p.target_key = ANY (?)) AND (?::text[] IS NULL OR p.source_key = ANY (?))
                """.formatted(target.sqlName());
    }

    private int bind(
            PreparedStatement statement,
            ElderTable table,
            TableLayout.Link link,
            Collection<String> targets,
            Collection<String> sources)
            throws SQLException {
        Integer standIn = link.noun().equals(ElderTable.ORGANIZATIONS.noun()) ? defaultOrganization : null;
        statement.setObject(1, standIn);
        statement.setString(2, table.sqlName());
        statement.setString(3, link.reference());
        statement.setObject(4, standIn);
        int next = 5;
        for (Collection<String> keys : Arrays.asList(targets, sources)) {
            Array array = keys == null ? null : TableLayout.texts(connection, keys.toArray(String[]::new));
            statement.setArray(next++, array);
            statement.setArray(next++, array);
        }
        return next;
    }
}
