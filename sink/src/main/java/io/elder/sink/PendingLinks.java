package io.elder.sink;

import io.elder.schemas.ElderTable;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

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

    /** What waits: references by this name, of rows of this table. */
    record Kind(String table, String reference) {}

    /** What waits for one of these rows. */
    Set<Kind> to(Collection<String> targets) throws SQLException {
        Set<Kind> kinds = new HashSet<>();
        try (PreparedStatement query = connection.prepareStatement(
                "SELECT DISTINCT table_name, reference FROM pipeline.pending_links WHERE target_key = ANY (?)")) {
            query.setArray(1, TableLayout.texts(connection, targets.toArray(String[]::new)));
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    kinds.add(new Kind(row.getString(1), row.getString(2)));
                }
            }
        }
        return kinds;
    }

    /**
     * Notes what these rows, just written, lack, and forgets what they lacked before.
     *
     * @param any whether anything waits at all
     * @return whether these rows do
     */
    boolean note(ElderTable table, List<Change> written, boolean any) throws SQLException {
        if (any) {
            forget(table, written);
        }
        if (written.stream().allMatch(change -> change.pending.isEmpty())) {
            return false;
        }
        insert(table, written);
        return true;
    }

    private void forget(ElderTable table, List<Change> written) throws SQLException {
        try (PreparedStatement delete = connection.prepareStatement(
                "DELETE FROM pipeline.pending_links WHERE table_name = ? AND source_key = ANY (?)")) {
            delete.setString(1, table.sqlName());
            delete.setArray(
                    2,
                    TableLayout.texts(
                            connection, written.stream().map(Change::key).toArray(String[]::new)));
            delete.executeUpdate();
        }
    }

    private void insert(ElderTable table, List<Change> written) throws SQLException {
        List<Map.Entry<Change, Map.Entry<String, String>>> links = new ArrayList<>();
        for (Change change : written) {
            change.pending.entrySet().forEach(link -> links.add(Map.entry(change, link)));
        }
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO pipeline.pending_links (table_name,"
                + " source_key, reference, target_key, record, source_partition, source_offset) SELECT ?, i.*"
                + " FROM unnest(?::text[], ?::text[], ?::text[], ?::bytea[], ?::integer[], ?::bigint[]) AS i")) {
            insert.setString(1, table.sqlName());
            Columns.bind(insert, 2, "text", links, link -> link.getKey().key());
            Columns.bind(insert, 3, "text", links, link -> link.getValue().getKey());
            Columns.bind(insert, 4, "text", links, link -> link.getValue().getValue());
            PendingRows.bindRecords(insert, 5, links, link -> link.getKey().record);
            Columns.bind(insert, 6, "integer", links, link -> link.getKey().partition);
            Columns.bind(insert, 7, "bigint", links, link -> link.getKey().offset);
            insert.executeUpdate();
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
        List<String> ready = new ArrayList<>();
        try (PreparedStatement query = connection.prepareStatement(
                "SELECT p.source_key FROM pipeline.pending_links p WHERE " + ready(link, false, false))) {
            bind(query, table, link, null, null);
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    ready.add(row.getString(1));
                }
            }
        }
        return ready.isEmpty() ? 0 : bisect(table, link, ready, refusals);
    }

    private int bisect(
            ElderTable table, TableLayout.Link link, List<String> keys, List<InventoryWriter.Refusal> refusals)
            throws SQLException {
        AtomicInteger linked = new AtomicInteger();
        Optional<SQLException> refusal = Savepoints.refusal(connection, () -> linked.set(set(table, link, null, keys)));
        if (refusal.isPresent() && keys.size() == 1) {
            giveUp(table, link, keys.getFirst(), refusal.get()).ifPresent(refusals::add);
        } else if (refusal.isPresent()) {
            int half = keys.size() / 2;
            return bisect(table, link, keys.subList(0, half), refusals)
                    + bisect(table, link, keys.subList(half, keys.size()), refusals);
        }
        return linked.get();
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

    /**
     * Makes the record, when it is sent again, differ from the row, which lacks the reference. Where a trigger refuses every
     * change of the row, a retry finds it as it is, and a rebuild sets it.
     */
    private void forgetContent(ElderTable table, String key) throws SQLException {
        try (PreparedStatement update = connection.prepareStatement(
                "UPDATE " + table.sqlName() + " SET content_hash = NULL WHERE source_key = ?")) {
            update.setString(1, key);
            Savepoints.refusal(connection, update::executeUpdate);
        }
    }

    private int set(ElderTable table, TableLayout.Link link, Collection<String> targets, Collection<String> sources)
            throws SQLException {
        String sql = "WITH linked AS (DELETE FROM pipeline.pending_links p WHERE "
                + ready(link, targets != null, sources != null)
                // Beside a batch, what another sink is just writing is not waited for, or the two might wait for each
                // other.
                + (targets == null
                        ? ""
                        : " AND p.source_key IN (SELECT f.source_key FROM " + table.sqlName()
                                + " f WHERE f.source_key = p.source_key FOR NO KEY UPDATE SKIP LOCKED)")
                + " RETURNING p.source_key, " + id(link)
                + " AS id) UPDATE " + table.sqlName() + " t SET \"" + link.column()
                + "\" = linked.id FROM linked WHERE t.source_key = linked.source_key";
        try (PreparedStatement update = connection.prepareStatement(sql)) {
            int next = bind(update, table, link, targets, sources);
            update.setObject(next, standIn(link));
            return update.executeUpdate();
        }
    }

    /**
     * The links whose targets are there, or have a stand-in; {@link #bind} fills its parameters. A condition that may be
     * null would keep PostgreSQL from the index on the target, and without statistics it prefers the one on the table.
     */
    private static String ready(TableLayout.Link link, boolean byTarget, boolean bySource) {
        return (byTarget ? "p.table_name || ''" : "p.table_name") + " = ? AND p.reference = ? AND " + id(link)
                + " IS NOT NULL" + (byTarget ? " AND p.target_key = ANY (?)" : "")
                + (bySource ? " AND p.source_key = ANY (?)" : "");
    }

    /** What may be a row of any table is looked for in each: a key is of one. */
    private static String id(TableLayout.Link link) {
        List<ElderTable> targets =
                ElderTable.findByNoun(link.noun()).map(List::of).orElse(List.of(ElderTable.values()));
        return targets.stream()
                .map(target -> "(SELECT x.id FROM " + target.sqlName() + " x WHERE x.source_key = p.target_key)")
                .collect(Collectors.joining(", ", "coalesce(", ", ?::integer)"));
    }

    private Integer standIn(TableLayout.Link link) {
        return link.noun().equals(ElderTable.ORGANIZATIONS.noun()) ? defaultOrganization : null;
    }

    private int bind(
            PreparedStatement statement,
            ElderTable table,
            TableLayout.Link link,
            Collection<String> targets,
            Collection<String> sources)
            throws SQLException {
        statement.setString(1, table.sqlName());
        statement.setString(2, link.reference());
        statement.setObject(3, standIn(link));
        int next = 4;
        for (Collection<String> keys : Arrays.asList(targets, sources)) {
            if (keys != null) {
                statement.setArray(next++, TableLayout.texts(connection, keys.toArray(String[]::new)));
            }
        }
        return next;
    }
}
