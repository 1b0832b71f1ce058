package io.elder.sink;

import io.elder.schemas.ElderTable;
import io.elder.schemas.avro.InventoryRecord;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Writes inventory records into Elder's tables: pure JDBC, inside the caller's transaction. A batch is reduced to the last
 * version per key, split by table and written in dependency order, with one set-based statement per table. See DESIGN.md.
 */
public final class InventoryWriter {
    /** What is written may set free what waits for it, and so on; the rest has time until the next call. */
    private static final int SETTLING_PASSES = 12;

    /**
     * What the batch may assume of its surroundings.
     *
     * @param createOrganizations whether organisations that Elder does not have are made
     * @param defaultOrganization where rows go whose organisation is not made
     * @param plainNames whether a taken name is refused instead of getting a suffix
     */
    public record Rules(boolean createOrganizations, Optional<Integer> defaultOrganization, boolean plainNames) {
        public static final Rules DEFAULT = new Rules(true, Optional.empty(), false);
    }

    /**
     * A record of the topic.
     *
     * @param record null for a tombstone: the row is purged
     */
    public record Incoming(String key, InventoryRecord record, int partition, long offset) {}

    /** A row that this database will not have. */
    public record Refusal(InventoryRecord record, int partition, long offset, String errorClass, String message) {}

    /**
     * What was done to the rows of a run.
     *
     * @param problem what kept some of them from being written; null if nothing
     */
    public record Tally(long created, long updated, long deleted, String problem) {
        static final Tally NONE = new Tally(0, 0, 0, null);

        Tally plus(Tally more) {
            return new Tally(
                    created + more.created,
                    updated + more.updated,
                    deleted + more.deleted,
                    problem == null ? more.problem : problem);
        }
    }

    /** What was done: rows by {@code table/operation}, the same by run, and what was refused. */
    public record Written(Map<String, Integer> rows, Map<String, Tally> runs, List<Refusal> refusals) {
        Written() {
            this(new TreeMap<>(), new TreeMap<>(), new ArrayList<>());
        }
    }

    /**
     * For this transaction. The sink looks up at most a batch of keys, each by an index; yet while a table grows there are no
     * statistics, and PostgreSQL would scan the whole of it in every batch.
     */
    private static final String PREPARE = "SET LOCAL lock_timeout TO '15s'; SET LOCAL enable_seqscan TO off;"
            + " SET LOCAL enable_hashjoin TO off; SET LOCAL enable_mergejoin TO off; SET LOCAL jit TO off;"
            // A constraint of a site's own is to refuse the statement that breaks it, not the commit of all.
            + " SET CONSTRAINTS ALL IMMEDIATE";

    private final ElderShape shape;
    private final Rules rules;
    private final Map<ElderTable, TableLayout> layouts = new EnumMap<>(ElderTable.class);

    public InventoryWriter(ElderShape shape, Rules rules) {
        this.shape = shape;
        this.rules = rules;
    }

    /** What every transaction of the sink begins with. */
    static void prepare(Connection connection) throws SQLException {
        try (PreparedStatement settings = connection.prepareStatement(PREPARE)) {
            settings.execute();
        }
    }

    /**
     * Writes a batch.
     *
     * @param careful false: the first row that PostgreSQL refuses fails the batch; true: such rows are found by bisection
     *     and returned. Callers try without first, because every savepoint costs a round trip.
     */
    public Written write(Connection connection, List<Incoming> incoming, boolean careful) throws SQLException {
        Written all = new Written();
        if (careful) {
            divide(connection, incoming, all);
            settle(connection, true, all);
        } else {
            apply(connection, incoming, false, all);
        }
        return all;
    }

    /**
     * Links and writes what was left waiting although its target is there, and gives names to whom they belong: another sink
     * may have written the target, or given up the name, in a transaction that ours could not see, or a setting or a person
     * has changed what organisations there are. Called when a run's scopes are all visible, and when there is nothing else
     * to do.
     */
    public Written settle(Connection connection, boolean careful) throws SQLException {
        Written all = new Written();
        settle(connection, careful, all);
        return all;
    }

    private void settle(Connection connection, boolean careful, Written all) throws SQLException {
        for (int pass = 0; pass < SETTLING_PASSES; pass++) {
            Batch taking = batch(connection, careful);
            List<Incoming> ready = taking.takeReady();
            add(taking, all);
            if (ready.isEmpty()) {
                break;
            }
            if (careful) {
                divide(connection, ready, all);
            } else {
                apply(connection, ready, false, all);
            }
        }
        Batch settling = batch(connection, careful);
        settling.settle();
        add(settling, all);
    }

    /** Rows are bisected table by table; what fails beside them (a name, an adoption, a purge) is found here. */
    private void divide(Connection connection, List<Incoming> incoming, Written all) throws SQLException {
        Optional<SQLException> refusal = Savepoints.refusal(connection, () -> apply(connection, incoming, true, all));
        if (refusal.isEmpty()) {
            return;
        }
        if (incoming.size() <= 1) {
            for (Incoming one : incoming) {
                all.refusals()
                        .add(new Refusal(
                                one.record(),
                                one.partition(),
                                one.offset(),
                                refusal.get().getClass().getName(),
                                DatabaseTrouble.describe(refusal.get())));
            }
            return;
        }
        divide(connection, incoming.subList(0, incoming.size() / 2), all);
        divide(connection, incoming.subList(incoming.size() / 2, incoming.size()), all);
    }

    private void apply(Connection connection, List<Incoming> incoming, boolean careful, Written all)
            throws SQLException {
        Batch batch = batch(connection, careful);
        batch.write(incoming);
        add(batch, all);
    }

    private Batch batch(Connection connection, boolean careful) throws SQLException {
        return new Batch(connection, shape, this::layout, rules, careful);
    }

    private static void add(Batch batch, Written all) {
        batch.rows().forEach((what, count) -> all.rows().merge(what, count, Integer::sum));
        batch.runs().forEach((run, tally) -> all.runs().merge(run, tally, Tally::plus));
        all.refusals().addAll(batch.refusals());
    }

    private TableLayout layout(Connection connection, ElderTable table) throws SQLException {
        TableLayout layout = layouts.get(table);
        if (layout == null) {
            layout = new TableLayout(connection, shape, table);
            layouts.put(table, layout);
        }
        return layout;
    }
}
