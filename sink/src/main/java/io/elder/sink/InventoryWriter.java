package io.elder.sink;

import io.elder.schemas.ElderTable;
import io.elder.schemas.RunId;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Writes inventory records into Elder's tables: pure JDBC, inside the caller's transaction. A batch is reduced to the last
 * version per key, split by table and written in dependency order, with one set-based statement per table. See DESIGN.md.
 */
public final class InventoryWriter {
    /** Parents of parents in one batch are written one generation after the other; deeper ones are linked afterwards. */
    private static final int GENERATIONS = 12;

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

    /** What was done: rows by {@code table/operation}, and what was refused. */
    public record Written(Map<String, Integer> rows, List<Refusal> refusals) {}

    private record Home(Integer organization, Integer tenant) {}

    private final ElderShape shape;
    private final Rules rules;
    private final Map<ElderTable, TableLayout> layouts = new EnumMap<>(ElderTable.class);

    public InventoryWriter(ElderShape shape, Rules rules) {
        this.shape = shape;
        this.rules = rules;
    }

    /**
     * Writes a batch.
     *
     * @param careful false: the first row that PostgreSQL refuses fails the batch; true: such rows are found by bisection
     *     and returned. Callers try without first, because every savepoint costs a round trip.
     */
    public Written write(Connection connection, List<Incoming> incoming, boolean careful) throws SQLException {
        Written all = new Written(new TreeMap<>(), new ArrayList<>());
        if (careful) {
            divide(connection, incoming, all);
        } else {
            apply(connection, incoming, false, all);
        }
        return all;
    }

    /** Rows are bisected table by table; what fails beside them (a name, an adoption, a purge) is found here. */
    private void divide(Connection connection, List<Incoming> incoming, Written all) throws SQLException {
        Savepoint before = connection.setSavepoint();
        try {
            apply(connection, incoming, true, all);
            connection.releaseSavepoint(before);
        } catch (SQLException e) {
            if (!DatabaseTrouble.isTheRow(e)) {
                throw e;
            }
            connection.rollback(before);
            if (incoming.size() <= 1) {
                for (Incoming one : incoming) {
                    all.refusals()
                            .add(new Refusal(
                                    one.record(),
                                    one.partition(),
                                    one.offset(),
                                    e.getClass().getName(),
                                    DatabaseTrouble.describe(e)));
                }
                return;
            }
            divide(connection, incoming.subList(0, incoming.size() / 2), all);
            divide(connection, incoming.subList(incoming.size() / 2, incoming.size()), all);
        }
    }

    private void apply(Connection connection, List<Incoming> incoming, boolean careful, Written all)
            throws SQLException {
        Batch batch = new Batch(connection, careful);
        batch.run(incoming);
        batch.rows.forEach((what, count) -> all.rows().merge(what, count, Integer::sum));
        all.refusals().addAll(batch.refusals);
    }

    /**
     * Links and writes what was left waiting although its target is there: another sink may have written the target in a
     * transaction that ours could not see. Called when a run's scopes are all visible, and when there is nothing else to do.
     */
    public Written settle(Connection connection, boolean careful) throws SQLException {
        Batch batch = new Batch(connection, careful);
        batch.settle();
        return new Written(batch.rows, batch.refusals);
    }

    private TableLayout layout(Connection connection, ElderTable table) throws SQLException {
        TableLayout layout = layouts.get(table);
        if (layout == null) {
            layout = new TableLayout(connection, shape, table);
            layouts.put(table, layout);
        }
        return layout;
    }

    /** One call of {@link #write}. */
    private final class Batch {
        private final Connection connection;
        private final boolean careful;
        private final Map<String, Integer> rows = new TreeMap<>();
        private final List<Refusal> refusals = new ArrayList<>();
        private final Map<ElderTable, Map<String, Integer>> ids = new EnumMap<>(ElderTable.class);
        private final Map<String, Home> homes = new HashMap<>();
        private final Map<String, long[]> counts = new TreeMap<>();
        private final Map<String, String> problems = new TreeMap<>();
        private final Set<String> arrived = new LinkedHashSet<>();

        private Batch(Connection connection, boolean careful) {
            this.connection = connection;
            this.careful = careful;
        }

        private void run(List<Incoming> incoming) throws SQLException {
            List<Incoming> part = new ArrayList<>();
            Set<String> purged = new TreeSet<>();
            for (Incoming one : incoming) {
                if (one.record() == null) {
                    purged.add(one.key());
                } else if (purged.contains(one.key())) {
                    // It came back after it was purged: a new row.
                    write(reduce(part));
                    purge(purged);
                    part.clear();
                    purged.clear();
                    part.add(one);
                } else {
                    part.add(one);
                }
            }
            write(reduce(part));
            purge(purged);
        }

        private void write(Map<ElderTable, Map<String, Change>> changes) throws SQLException {
            boolean waiting = exists("SELECT EXISTS (SELECT FROM pipeline.pending_rows)");
            for (ElderTable table : ElderTable.values()) {
                Map<String, Change> ofTable = changes.getOrDefault(table, Map.of());
                if (waiting && (!ofTable.isEmpty() || !arrived.isEmpty())) {
                    ofTable = new LinkedHashMap<>(ofTable);
                    release(table, ofTable);
                }
                if (!ofTable.isEmpty()) {
                    writeTable(layout(connection, table), new ArrayList<>(ofTable.values()));
                }
            }
            linkPending();
            count();
        }

        private Map<ElderTable, Map<String, Change>> reduce(List<Incoming> incoming) {
            Map<ElderTable, Map<String, Change>> changes = new EnumMap<>(ElderTable.class);
            for (Incoming one : incoming) {
                if (one.record().getBody() instanceof Row row) {
                    Optional<ElderTable> table = ElderTable.findBySqlName(row.getTable());
                    if (table.isEmpty()) {
                        refuse(
                                one.record(),
                                one.partition(),
                                one.offset(),
                                "table " + row.getTable() + " (expected: a table of Elder's inventory)");
                        continue;
                    }
                    if (hasNul(one.record().getKey(), row)) {
                        refuse(
                                one.record(),
                                one.partition(),
                                one.offset(),
                                "a key, reference or value holds the character NUL (expected: text that PostgreSQL can hold)");
                        continue;
                    }
                    Change change = new Change(one.record(), table.get(), one.partition(), one.offset());
                    changes.computeIfAbsent(table.get(), t -> new LinkedHashMap<>())
                            .merge(change.key(), change, (held, next) -> next.isOlderThan(held) ? held : next);
                }
            }
            return changes;
        }

        private static boolean hasNul(String key, Row row) {
            return key.indexOf(0) >= 0
                    || row.getReferences().values().stream().anyMatch(to -> to.indexOf(0) >= 0)
                    || row.getValues().values().stream()
                            .anyMatch(value -> value instanceof String text && text.indexOf(0) >= 0);
        }

        private void purge(Set<String> keys) throws SQLException {
            if (keys.isEmpty()) {
                return;
            }
            String[] all = keys.toArray(String[]::new);
            execute("DELETE FROM pipeline.pending_rows WHERE source_key = ANY (?)", all);
            execute("DELETE FROM pipeline.pending_links WHERE source_key = ANY (?)", all);
            execute("DELETE FROM pipeline.name_claims WHERE source_key = ANY (?)", all);
            // The function keeps what other rows still refer to, and what is not soft-deleted.
            for (ElderTable table : List.of(ElderTable.values()).reversed()) {
                try (PreparedStatement purge = connection.prepareStatement("SELECT pipeline.purge(?, ?)")) {
                    purge.setString(1, table.sqlName());
                    purge.setArray(2, TableLayout.texts(connection, all));
                    try (ResultSet gone = purge.executeQuery()) {
                        gone.next();
                        add(table, "purged", gone.getInt(1));
                    }
                }
                ids.remove(table);
            }
        }

        /** Takes in the rows that wait for a row that has arrived, and those that this batch has a newer version of. */
        private void release(ElderTable table, Map<String, Change> ofTable) throws SQLException {
            String sql =
                    "DELETE FROM pipeline.pending_rows WHERE table_name = ? AND (source_key = ANY (?) OR missing && ?)"
                            + " RETURNING record, source_partition, source_offset";
            try (PreparedStatement delete = connection.prepareStatement(sql)) {
                delete.setString(1, table.sqlName());
                delete.setArray(
                        2, TableLayout.texts(connection, ofTable.keySet().toArray(String[]::new)));
                delete.setArray(3, TableLayout.texts(connection, arrived.toArray(String[]::new)));
                try (ResultSet waiting = delete.executeQuery()) {
                    while (waiting.next()) {
                        Change held = stored(table, waiting);
                        ofTable.merge(held.key(), held, (ours, theirs) -> ours.isOlderThan(theirs) ? theirs : ours);
                    }
                }
            }
        }

        private Change stored(ElderTable table, ResultSet row) throws SQLException {
            try {
                return new Change(
                        InventoryRecord.getDecoder().decode(row.getBytes(1)), table, row.getInt(2), row.getLong(3));
            } catch (IOException e) {
                throw new SQLException("pipeline.pending_rows holds a record that can't be read", e);
            }
        }

        private void writeTable(TableLayout layout, List<Change> changes) throws SQLException {
            changes.sort(Comparator.comparing(Change::key));
            readHomes(changes);
            for (List<Change> generation : generations(layout.table(), changes)) {
                List<Change> ready = resolve(layout, generation);
                if (layout.table() == ElderTable.ORGANIZATIONS) {
                    adopt(ready);
                    ready = withoutMissingOrganizations(ready);
                } else if (layout.table() == ElderTable.IDENTITY_GROUP_MEMBERSHIPS) {
                    adoptMemberships(ready);
                }
                Set<String> freed = Set.of();
                UniqueNames names = null;
                if (layout.uniqueName().isPresent()) {
                    names = new UniqueNames(connection, layout, rules.plainNames());
                    Map<Change, String> refused = new LinkedHashMap<>();
                    freed = names.settle(ready, refused);
                    refused.forEach(this::refuse);
                    ready.removeAll(refused.keySet());
                }
                List<Change> writable = new ArrayList<>();
                for (Change change : ready) {
                    try {
                        if (layout.needsTenant() && change.tenantId == null) {
                            problems.put(
                                    change.record.getRunId(), "no tenant with slug default or system (expected: one)");
                            throw new RefusedValue(
                                    "tenant: none with slug default or system (expected: one, or a job with an organisation that has one)");
                        }
                        layout.prepare(change);
                        writable.add(change);
                    } catch (RefusedValue e) {
                        refuse(change, e.getMessage());
                    }
                }
                if (careful) {
                    bisect(layout, writable);
                } else {
                    upsert(layout, writable);
                }
                if (names != null) {
                    names.promote(freed);
                }
                generation.forEach(change -> arrived.add(change.key()));
            }
        }

        /** Changes whose parent is in the same batch come after it. */
        private List<List<Change>> generations(ElderTable table, List<Change> changes) {
            boolean nested = table.references().values().stream()
                    .anyMatch(reference -> reference.noun().equals(table.noun()));
            if (!nested) {
                return List.of(changes);
            }
            Map<String, Change> byKey = new HashMap<>();
            changes.forEach(change -> byKey.put(change.key(), change));
            List<List<Change>> generations = new ArrayList<>();
            for (Change change : changes) {
                int depth = 0;
                Change above = change.target("parent").map(byKey::get).orElse(null);
                while (above != null && above != change && depth < GENERATIONS) {
                    depth++;
                    above = above.target("parent").map(byKey::get).orElse(null);
                }
                while (generations.size() <= depth) {
                    generations.add(new ArrayList<>());
                }
                generations.get(depth).add(change);
            }
            generations.removeIf(List::isEmpty);
            return generations;
        }

        /** Finds the rows referred to. What must refer and can't yet is put aside; the rest is returned. */
        private List<Change> resolve(TableLayout layout, List<Change> changes) throws SQLException {
            Map<ElderTable, Set<String>> wanted = new EnumMap<>(ElderTable.class);
            for (Change change : changes) {
                for (TableLayout.Link link : layout.links()) {
                    Optional<String> key = targetKey(change, link);
                    Optional<ElderTable> table = targetTable(change, link);
                    if (key.isPresent() && table.isPresent()) {
                        wanted.computeIfAbsent(table.get(), t -> new HashSet<>())
                                .add(key.get());
                    }
                }
            }
            for (Map.Entry<ElderTable, Set<String>> keys : wanted.entrySet()) {
                find(keys.getKey(), keys.getValue());
            }
            List<Change> ready = new ArrayList<>();
            Map<Change, List<String>> waiting = new LinkedHashMap<>();
            for (Change change : changes) {
                Home home = homes.getOrDefault(change.record.getRunId(), new Home(null, null));
                change.tenantId = home.tenant();
                List<String> missing = new ArrayList<>();
                String refusal = null;
                for (TableLayout.Link link : layout.links()) {
                    Optional<String> key = targetKey(change, link);
                    boolean toOrganization = link.noun().equals(ElderTable.ORGANIZATIONS.noun());
                    Integer id = null;
                    if (key.isPresent()) {
                        Optional<ElderTable> table = targetTable(change, link);
                        if (table.isEmpty()) {
                            refusal = link.reference() + " of " + change.key()
                                    + " is of an unknown type (expected: a noun of Elder's tables in "
                                    + link.reference()
                                    + "_type)";
                            break;
                        }
                        id = ids.getOrDefault(table.get(), Map.of()).get(key.get());
                        if (id == null && toOrganization && !rules.createOrganizations()) {
                            id = rules.defaultOrganization().orElse(null);
                            if (id == null) {
                                problems.put(
                                        change.record.getRunId(),
                                        "organisation " + key.get()
                                                + " does not exist (expected: CREATE_MISSING_ORGANIZATIONS=true, or"
                                                + " DEFAULT_ORGANIZATION_ID)");
                            }
                        }
                    } else if (toOrganization) {
                        id = home.organization();
                    }
                    if (id != null) {
                        change.ids.put(link.id(), id);
                    } else if (key.isPresent() && link.required()) {
                        missing.add(key.get());
                    } else if (key.isPresent()) {
                        change.pending.put(link.reference(), key.get());
                    } else if (link.required()) {
                        refusal = link.reference() + " of " + change.key()
                                + " is missing (expected: a reference, or a job" + " with an organisation)";
                    }
                }
                if (refusal != null) {
                    refuse(change, refusal);
                } else if (missing.isEmpty()) {
                    ready.add(change);
                } else {
                    waiting.put(change, missing);
                }
            }
            putAside(waiting);
            return ready;
        }

        private Optional<String> targetKey(Change change, TableLayout.Link link) {
            Optional<String> key = change.target(link.reference());
            boolean isEntity = change.value(link.reference() + "_type")
                    .filter(ElderTable.ENTITIES.noun()::equals)
                    .isPresent();
            return link.suffix().isEmpty() || isEntity ? key : key.map(of -> of + link.suffix());
        }

        private static Optional<ElderTable> targetTable(Change change, TableLayout.Link link) {
            String noun = link.noun().equals("any")
                    ? change.value(link.reference() + "_type").orElse("")
                    : link.noun();
            return ElderTable.findByNoun(noun);
        }

        private void find(ElderTable table, Set<String> keys) throws SQLException {
            Map<String, Integer> known = ids.computeIfAbsent(table, t -> new HashMap<>());
            String[] unknown =
                    keys.stream().filter(key -> !known.containsKey(key)).toArray(String[]::new);
            if (unknown.length == 0) {
                return;
            }
            try (PreparedStatement query = connection.prepareStatement(
                    "SELECT source_key, id FROM " + table.sqlName() + " WHERE source_key = ANY (?)")) {
                query.setArray(1, TableLayout.texts(connection, unknown));
                try (ResultSet row = query.executeQuery()) {
                    while (row.next()) {
                        known.put(row.getString(1), row.getInt(2));
                    }
                }
            }
        }

        private void putAside(Map<Change, List<String>> waiting) throws SQLException {
            if (waiting.isEmpty()) {
                return;
            }
            String sql = "INSERT INTO pipeline.pending_rows"
                    + " (source_key, table_name, missing, record, source_partition, source_offset) VALUES (?, ?, ?, ?, ?, ?)"
                    + " ON CONFLICT (source_key) DO UPDATE SET table_name = excluded.table_name,"
                    + " missing = excluded.missing, record = excluded.record,"
                    + " source_partition = excluded.source_partition, source_offset = excluded.source_offset";
            try (PreparedStatement insert = connection.prepareStatement(sql)) {
                for (Map.Entry<Change, List<String>> one : waiting.entrySet()) {
                    Change change = one.getKey();
                    insert.setString(1, change.key());
                    insert.setString(2, change.table.sqlName());
                    insert.setArray(
                            3, TableLayout.texts(connection, one.getValue().toArray(String[]::new)));
                    insert.setBytes(4, bytes(change.record));
                    insert.setInt(5, change.partition);
                    insert.setLong(6, change.offset);
                    insert.addBatch();
                    add(change.table, "waiting", 1);
                }
                insert.executeBatch();
            }
        }

        private void bisect(TableLayout layout, List<Change> changes) throws SQLException {
            if (changes.isEmpty()) {
                return;
            }
            Savepoint before = connection.setSavepoint();
            try {
                upsert(layout, changes);
                connection.releaseSavepoint(before);
            } catch (SQLException e) {
                if (!DatabaseTrouble.isTheRow(e)) {
                    throw e;
                }
                connection.rollback(before);
                if (changes.size() == 1) {
                    Change refused = changes.getFirst();
                    refusals.add(new Refusal(
                            refused.record,
                            refused.partition,
                            refused.offset,
                            e.getClass().getName(),
                            DatabaseTrouble.describe(e)));
                    return;
                }
                bisect(layout, changes.subList(0, changes.size() / 2));
                bisect(layout, changes.subList(changes.size() / 2, changes.size()));
            }
        }

        private void upsert(TableLayout layout, List<Change> changes) throws SQLException {
            if (changes.isEmpty()) {
                return;
            }
            Map<String, Boolean> written = new HashMap<>();
            Map<String, Integer> newIds = new HashMap<>();
            try (PreparedStatement upsert = layout.upsert(connection, changes);
                    ResultSet row = upsert.executeQuery()) {
                while (row.next()) {
                    newIds.put(row.getString(1), row.getInt(2));
                    written.put(row.getString(1), row.getBoolean(3));
                }
            }
            List<Change> unchanged = new ArrayList<>();
            List<Change> changed = new ArrayList<>();
            for (Change change : changes) {
                (written.containsKey(change.key()) ? changed : unchanged).add(change);
            }
            if (!unchanged.isEmpty()) {
                try (PreparedStatement refresh = layout.refresh(connection, unchanged)) {
                    add(layout.table(), "seen", refresh.executeUpdate());
                }
            }
            notePending(layout, changed);
            // Only now can nothing fail any more: counts of a part that is rolled back would be wrong.
            ids.computeIfAbsent(layout.table(), t -> new HashMap<>()).putAll(newIds);
            for (Change change : changed) {
                boolean isNew = written.get(change.key());
                String operation = change.deleted() ? "deleted" : isNew ? "created" : "updated";
                add(layout.table(), operation, 1);
                long[] ofRun = counts.computeIfAbsent(change.record.getRunId(), run -> new long[3]);
                if (!change.deleted()) {
                    ofRun[isNew ? 0 : 1]++;
                } else if (!isNew) {
                    ofRun[2]++;
                }
            }
        }

        private void notePending(TableLayout layout, List<Change> changed) throws SQLException {
            if (changed.isEmpty() || layout.links().stream().allMatch(TableLayout.Link::required)) {
                return;
            }
            try (PreparedStatement delete = connection.prepareStatement(
                    "DELETE FROM pipeline.pending_links WHERE table_name = ? AND source_key = ANY (?)")) {
                delete.setString(1, layout.table().sqlName());
                delete.setArray(
                        2,
                        TableLayout.texts(
                                connection, changed.stream().map(Change::key).toArray(String[]::new)));
                delete.executeUpdate();
            }
            if (changed.stream().allMatch(change -> change.pending.isEmpty())) {
                return;
            }
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO pipeline.pending_links"
                    + " (table_name, source_key, reference, target_key) VALUES (?, ?, ?, ?)")) {
                for (Change change : changed) {
                    for (Map.Entry<String, String> link : change.pending.entrySet()) {
                        insert.setString(1, layout.table().sqlName());
                        insert.setString(2, change.key());
                        insert.setString(3, link.getKey());
                        insert.setString(4, link.getValue());
                        insert.addBatch();
                    }
                }
                insert.executeBatch();
            }
        }

        /** Sets the references that waited for a row that has arrived. */
        private void linkPending() throws SQLException {
            if (arrived.isEmpty() || !exists("SELECT EXISTS (SELECT FROM pipeline.pending_links)")) {
                return;
            }
            for (ElderTable table : ElderTable.values()) {
                for (TableLayout.Link link : layout(connection, table).links()) {
                    if (!link.required()) {
                        link(table, link, arrived.toArray(String[]::new));
                    }
                }
            }
        }

        private void link(ElderTable table, TableLayout.Link link, String[] targets) throws SQLException {
            Optional<ElderTable> target = ElderTable.findByNoun(link.noun());
            if (target.isEmpty()) {
                return;
            }
            String sql = "WITH linked AS (DELETE FROM pipeline.pending_links p USING "
                    + target.get().sqlName()
                    + " x WHERE p.table_name = ? AND p.reference = ? AND x.source_key = p.target_key"
                    + (targets == null ? "" : " AND p.target_key = ANY (?)")
                    + " RETURNING p.source_key, x.id) UPDATE " + table.sqlName() + " t SET \"" + link.column()
                    + "\" = linked.id FROM linked WHERE t.source_key = linked.source_key";
            try (PreparedStatement update = connection.prepareStatement(sql)) {
                update.setString(1, table.sqlName());
                update.setString(2, link.reference());
                if (targets != null) {
                    update.setArray(3, TableLayout.texts(connection, targets));
                }
                add(table, "linked", update.executeUpdate());
            }
        }

        private void settle() throws SQLException {
            if (exists("SELECT EXISTS (SELECT FROM pipeline.pending_rows)")) {
                for (ElderTable table : ElderTable.values()) {
                    try (PreparedStatement query =
                            connection.prepareStatement("SELECT DISTINCT x.source_key FROM " + table.sqlName()
                                    + " x JOIN (SELECT DISTINCT unnest(missing) AS key FROM pipeline.pending_rows) m"
                                    + " ON x.source_key = m.key")) {
                        try (ResultSet row = query.executeQuery()) {
                            while (row.next()) {
                                arrived.add(row.getString(1));
                            }
                        }
                    }
                }
                if (!arrived.isEmpty()) {
                    write(Map.of());
                }
            }
            if (exists("SELECT EXISTS (SELECT FROM pipeline.pending_links)")) {
                for (ElderTable table : ElderTable.values()) {
                    for (TableLayout.Link link : layout(connection, table).links()) {
                        if (!link.required()) {
                            link(table, link, null);
                        }
                    }
                }
            }
        }

        /** An organisation that a person made under the same name and parent becomes ours instead of getting a twin. */
        private void adopt(List<Change> organizations) throws SQLException {
            List<Change> candidates = new ArrayList<>();
            for (Change change : organizations) {
                if (!change.deleted() && !change.pending.containsKey("parent")) {
                    candidates.add(change);
                }
            }
            if (candidates.isEmpty()) {
                return;
            }
            String sql = """
                    UPDATE organizations t SET source_key = i.key
                    FROM (SELECT DISTINCT ON (o.id) o.id, n.key
                          FROM unnest(?::text[], ?::text[], ?::integer[]) AS n(key, name, parent_id)
                          JOIN LATERAL (SELECT min(id) AS id FROM organizations
                                        WHERE source_key IS NULL AND name = n.name
                                          AND parent_id IS NOT DISTINCT FROM n.parent_id) o ON o.id IS NOT NULL
                          WHERE NOT EXISTS (SELECT FROM organizations mine WHERE mine.source_key = n.key)
                          ORDER BY o.id, n.key) i
                    WHERE t.id = i.id
                    """;
            try (PreparedStatement update = connection.prepareStatement(sql)) {
                update.setArray(
                        1,
                        TableLayout.texts(
                                connection, candidates.stream().map(Change::key).toArray(String[]::new)));
                update.setArray(
                        2,
                        TableLayout.texts(
                                connection,
                                candidates.stream()
                                        .map(change -> change.value("name").orElse(null))
                                        .toArray(String[]::new)));
                update.setArray(
                        3,
                        connection.createArrayOf(
                                "integer",
                                candidates.stream()
                                        .map(change -> change.ids.get("parent"))
                                        .toArray()));
                add(ElderTable.ORGANIZATIONS, "adopted", update.executeUpdate());
            }
        }

        /** A membership that a person granted in Elder, and that the provider now reports, is the same membership. */
        private void adoptMemberships(List<Change> memberships) throws SQLException {
            List<Change> candidates =
                    memberships.stream().filter(change -> !change.deleted()).toList();
            if (candidates.isEmpty()) {
                return;
            }
            String sql = """
                    UPDATE identity_group_memberships t SET source_key = i.key
                    FROM (SELECT DISTINCT ON (n.key) m.id, n.key
                          FROM unnest(?::text[], ?::integer[], ?::integer[]) AS n(key, identity_id, group_id)
                          JOIN identity_group_memberships m ON m.identity_id = n.identity_id AND m.group_id = n.group_id
                                                           AND m.source_key IS NULL
                          WHERE NOT EXISTS (SELECT FROM identity_group_memberships mine WHERE mine.source_key = n.key)
                          ORDER BY n.key, m.id) i
                    WHERE t.id = i.id
                    """;
            if (!exists("SELECT EXISTS (SELECT FROM identity_group_memberships WHERE source_key IS NULL)")) {
                return;
            }
            try (PreparedStatement update = connection.prepareStatement(sql)) {
                update.setArray(
                        1,
                        TableLayout.texts(
                                connection, candidates.stream().map(Change::key).toArray(String[]::new)));
                for (int i = 0; i < 2; i++) {
                    String reference = i == 0 ? "identity" : "group";
                    update.setArray(
                            i + 2,
                            connection.createArrayOf(
                                    "integer",
                                    candidates.stream()
                                            .map(change -> change.ids.get(reference))
                                            .toArray()));
                }
                add(ElderTable.IDENTITY_GROUP_MEMBERSHIPS, "adopted", update.executeUpdate());
            }
        }

        private List<Change> withoutMissingOrganizations(List<Change> organizations) throws SQLException {
            if (rules.createOrganizations()) {
                return organizations;
            }
            Set<String> keys = new HashSet<>();
            organizations.forEach(change -> keys.add(change.key()));
            find(ElderTable.ORGANIZATIONS, keys);
            Map<String, Integer> known = ids.get(ElderTable.ORGANIZATIONS);
            List<Change> present = new ArrayList<>();
            for (Change change : organizations) {
                if (known.containsKey(change.key())) {
                    present.add(change);
                } else {
                    add(ElderTable.ORGANIZATIONS, "not_made", 1);
                    if (rules.defaultOrganization().isEmpty() && !change.deleted()) {
                        problems.put(
                                change.record.getRunId(),
                                "organisation " + change.value("name").orElse(change.key())
                                        + " does not exist (expected: CREATE_MISSING_ORGANIZATIONS=true, or"
                                        + " DEFAULT_ORGANIZATION_ID)");
                    }
                }
            }
            return present;
        }

        /** Where the rows of each run belong: the job's organisation and its tenant, else the default tenant. */
        private void readHomes(List<Change> changes) throws SQLException {
            Set<String> unknown = new HashSet<>();
            changes.forEach(change -> unknown.add(change.record.getRunId()));
            unknown.removeAll(homes.keySet());
            if (unknown.isEmpty()) {
                return;
            }
            Integer defaultTenant = defaultTenant();
            for (String run : unknown) {
                homes.put(run, home(run, defaultTenant));
            }
        }

        private Home home(String run, Integer defaultTenant) throws SQLException {
            Integer organization = null;
            Integer tenant = null;
            Integer job = jobId(run);
            if (job != null) {
                String sql = "SELECT o.id, o.tenant_id FROM discovery_jobs j JOIN organizations o ON o.id ="
                        + " coalesce(j.organization_id, CASE WHEN j." + shape.jobConfigColumn()
                        + " ->> '_organization_id' ~ '^[0-9]{1,9}$' THEN (j." + shape.jobConfigColumn()
                        + " ->> '_organization_id')::integer END) WHERE j.id = ?";
                try (PreparedStatement query = connection.prepareStatement(sql)) {
                    query.setInt(1, job);
                    try (ResultSet row = query.executeQuery()) {
                        if (row.next()) {
                            organization = row.getObject(1, Integer.class);
                            tenant = row.getObject(2, Integer.class);
                        }
                    }
                }
            }
            if (organization == null && !rules.createOrganizations()) {
                organization = rules.defaultOrganization().orElse(null);
            }
            if (tenant == null && organization != null) {
                try (PreparedStatement query =
                        connection.prepareStatement("SELECT tenant_id FROM organizations WHERE id = ?")) {
                    query.setInt(1, organization);
                    try (ResultSet row = query.executeQuery()) {
                        tenant = row.next() ? row.getObject(1, Integer.class) : null;
                    }
                }
            }
            return new Home(organization, tenant == null ? defaultTenant : tenant);
        }

        private static Integer jobId(String run) {
            try {
                return RunId.parse(run).jobId().stream().boxed().findFirst().orElse(null);
            } catch (IllegalArgumentException e) {
                // A run id that is not ours, e.g. of a replay: its rows have no job.
                return null;
            }
        }

        private Integer defaultTenant() throws SQLException {
            try (PreparedStatement query = connection.prepareStatement(
                            "SELECT id FROM tenants WHERE slug IN ('default', 'system') ORDER BY slug LIMIT 1");
                    ResultSet row = query.executeQuery()) {
                return row.next() ? (Integer) row.getInt(1) : null;
            }
        }

        private void count() throws SQLException {
            if (counts.isEmpty() && problems.isEmpty()) {
                return;
            }
            Set<String> runs = new TreeSet<>(counts.keySet());
            runs.addAll(problems.keySet());
            try (PreparedStatement upsert = connection.prepareStatement(
                    "INSERT INTO pipeline.runs AS r (run_id, created, updated, deleted, problem) VALUES (?, ?, ?, ?, ?)"
                            + " ON CONFLICT (run_id) DO UPDATE SET created = r.created + excluded.created,"
                            + " updated = r.updated + excluded.updated, deleted = r.deleted + excluded.deleted,"
                            + " problem = coalesce(r.problem, excluded.problem)")) {
                for (String run : runs) {
                    long[] ofRun = counts.getOrDefault(run, new long[3]);
                    upsert.setString(1, run);
                    upsert.setLong(2, ofRun[0]);
                    upsert.setLong(3, ofRun[1]);
                    upsert.setLong(4, ofRun[2]);
                    upsert.setString(5, problems.get(run));
                    upsert.addBatch();
                }
                upsert.executeBatch();
            }
            counts.clear();
            problems.clear();
        }

        private void refuse(Change change, String message) {
            refuse(change.record, change.partition, change.offset, message);
        }

        private void refuse(InventoryRecord record, int partition, long offset, String message) {
            refusals.add(new Refusal(record, partition, offset, RefusedValue.class.getName(), message));
        }

        private void add(ElderTable table, String operation, int more) {
            if (more > 0) {
                rows.merge(table.sqlName() + "/" + operation, more, Integer::sum);
            }
        }

        private int execute(String sql, String[] keys) throws SQLException {
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                statement.setArray(1, TableLayout.texts(connection, keys));
                return statement.executeUpdate();
            }
        }

        private boolean exists(String sql) throws SQLException {
            try (PreparedStatement query = connection.prepareStatement(sql);
                    ResultSet row = query.executeQuery()) {
                return row.next() && row.getBoolean(1);
            }
        }

        private static byte[] bytes(InventoryRecord record) {
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
}
