package io.elder.sink;

import io.elder.schemas.ElderTable;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import io.elder.sink.InventoryWriter.Incoming;
import io.elder.sink.InventoryWriter.Refusal;
import io.elder.sink.InventoryWriter.Rules;
import io.elder.sink.InventoryWriter.Tally;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
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
import java.util.stream.Collectors;

/** Some records on their way into the tables, in one transaction: see {@link InventoryWriter}. Used once. */
final class Batch {
    /** Parents of parents in one batch are written one generation after the other; deeper ones are linked afterwards. */
    private static final int GENERATIONS = 12;

    /** How often a row is tried that each time met somebody else's. */
    private static final int TRIES = 3;

    private final Connection connection;
    private final Layouts layouts;
    private final Rules rules;
    private final boolean careful;
    private final Homes homes;
    private final Adoption adoption;
    private final PendingRows pendingRows;
    private final PendingLinks pendingLinks;
    private final Purges purges;
    private final Map<String, Integer> rows = new TreeMap<>();
    private final List<Refusal> refusals = new ArrayList<>();
    private final Map<ElderTable, Map<String, Integer>> ids = new EnumMap<>(ElderTable.class);
    private final Map<String, Tally> runs = new TreeMap<>();
    private final Map<ElderTable, Set<String>> arrived = new EnumMap<>(ElderTable.class);

    /** By key, of rows that were refused for what somebody else may have done at the same time. */
    private final Map<String, Integer> tries = new HashMap<>();

    private boolean linksWait;

    /** The layouts of the tables, as far as they were needed so far. */
    @FunctionalInterface
    interface Layouts {
        TableLayout of(Connection connection, ElderTable table) throws SQLException;
    }

    /**
     * A batch that was not begun.
     *
     * @param careful whether refused rows are looked for, and what the batch sets free is left to a pass of its own: there
     *     its refusal is laid at the right row
     */
    Batch(Connection connection, ElderShape shape, Layouts layouts, Rules rules, boolean careful) throws SQLException {
        this.connection = connection;
        this.layouts = layouts;
        this.rules = rules;
        this.careful = careful;
        this.homes = new Homes(connection, shape, rules);
        this.adoption = new Adoption(connection);
        this.pendingRows = new PendingRows(connection);
        this.purges = new Purges(connection, (table, purged) -> add(table, "purged", purged));
        this.pendingLinks = new PendingLinks(connection, standIn());
    }

    /** By {@code table/operation}. */
    Map<String, Integer> rows() {
        return rows;
    }

    Map<String, Tally> runs() {
        return runs;
    }

    List<Refusal> refusals() {
        return refusals;
    }

    void write(List<Incoming> incoming) throws SQLException {
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
        boolean rowsWait = pendingRows.any();
        linksWait = pendingLinks.any();
        for (ElderTable table : ElderTable.values()) {
            Map<String, Change> ofTable = changes.getOrDefault(table, Map.of());
            Set<String> targets = rowsWait && !careful ? arrivedFor(table) : Set.of();
            if (rowsWait && (!ofTable.isEmpty() || !targets.isEmpty())) {
                ofTable = new LinkedHashMap<>(ofTable);
                for (Change held : pendingRows.take(table, ofTable.keySet(), targets)) {
                    ofTable.merge(held.key(), held, (ours, theirs) -> ours.isOlderThan(theirs) ? theirs : ours);
                }
                // Another sink that was waited for may have left some.
                linksWait = linksWait || pendingLinks.any();
            }
            if (!ofTable.isEmpty()) {
                writeTable(layouts.of(connection, table), new ArrayList<>(ofTable.values()));
            }
        }
        if (!careful && linksWait && !arrived.isEmpty()) {
            linkArrived();
        }
    }

    /** What has arrived that a row of this table may wait for. */
    private Set<String> arrivedFor(ElderTable table) throws SQLException {
        Set<String> targets = new LinkedHashSet<>();
        if (arrived.isEmpty()) {
            return targets;
        }
        for (TableLayout.Link link : layouts.of(connection, table).links()) {
            if (link.required()) {
                Optional<ElderTable> target = ElderTable.findByNoun(link.noun());
                if (target.isPresent()) {
                    targets.addAll(arrived.getOrDefault(target.get(), Set.of()));
                } else {
                    arrived.values().forEach(targets::addAll);
                }
            }
        }
        return targets;
    }

    /** What waits although what it waits for is there. It is taken out: write it. */
    List<Incoming> takeReady() throws SQLException {
        if (!pendingRows.any()) {
            return List.of();
        }
        if (!rules.createOrganizations()) {
            List<Change> unmade = pendingRows.unmadeOrganizations();
            homes.read(unmade);
            adoptWaiting(resolve(layouts.of(connection, ElderTable.ORGANIZATIONS), unmade));
        }
        return pendingRows.takeReady(rules.createOrganizations(), standIn() != null);
    }

    /** Organisations that a person has made meanwhile are ours, and what waits for them is ready. */
    private void adoptWaiting(List<Change> unmade) throws SQLException {
        if (!careful) {
            add(ElderTable.ORGANIZATIONS, "adopted", adoption.adoptOrganizations(unmade));
            return;
        }
        for (Change change : unmade) {
            Optional<SQLException> refusal = Savepoints.refusal(
                    connection,
                    () -> add(ElderTable.ORGANIZATIONS, "adopted", adoption.adoptOrganizations(List.of(change))));
            if (refusal.isPresent()) {
                pendingRows.take(ElderTable.ORGANIZATIONS, Set.of(change.key()), Set.of());
                refuse(change, refusal.get());
            }
        }
    }

    /**
     * Sets the references whose targets are there, joins memberships that are there twice, gives names to whom they belong,
     * and purges what nothing refers to any more.
     */
    void settle() throws SQLException {
        if (pendingLinks.any()) {
            link();
        }
        TableLayout memberships = layouts.of(connection, ElderTable.IDENTITY_GROUP_MEMBERSHIPS);
        // What is refused is nobody's fault, here and with names: another sink may be about the same. It is tried
        // again.
        Savepoints.refusal(
                connection, careful, () -> add(memberships.table(), "adopted", adoption.joinMemberships(memberships)));
        if (UniqueNames.anyDenied(connection)) {
            for (ElderTable table : ElderTable.values()) {
                TableLayout layout = layouts.of(connection, table);
                if (layout.uniqueName().isPresent()) {
                    UniqueNames names = new UniqueNames(connection, layout, rules.plainNames());
                    Savepoints.refusal(connection, careful, () -> names.award(Optional.empty()));
                }
            }
        }
        purges.retry(careful);
    }

    private void link() throws SQLException {
        for (ElderTable table : ElderTable.values()) {
            for (TableLayout.Link link : layouts.of(connection, table).links()) {
                if (!link.required()) {
                    int linked = careful
                            ? pendingLinks.setCarefully(table, link, refusals)
                            : pendingLinks.set(table, link, null);
                    add(table, "linked", linked);
                }
            }
        }
    }

    /** Sets the references to what this batch brought. */
    private void linkArrived() throws SQLException {
        Set<String> targets = new LinkedHashSet<>();
        arrived.values().forEach(targets::addAll);
        Set<PendingLinks.Kind> waiting = pendingLinks.to(targets);
        for (ElderTable table : ElderTable.values()) {
            for (TableLayout.Link link : layouts.of(connection, table).links()) {
                if (!link.required() && waiting.contains(new PendingLinks.Kind(table.sqlName(), link.reference()))) {
                    add(table, "linked", pendingLinks.set(table, link, targets));
                }
            }
        }
    }

    /** What rows refer to instead of an organisation that is not made; null if nothing. */
    private Integer standIn() throws SQLException {
        return rules.createOrganizations() ? null : homes.defaultOrganization();
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
        // Loops, not streams: this is done for every record.
        if (key.indexOf(0) >= 0) {
            return true;
        }
        for (String to : row.getReferences().values()) {
            if (to.indexOf(0) >= 0) {
                return true;
            }
        }
        for (Object value : row.getValues().values()) {
            if (value instanceof String text && text.indexOf(0) >= 0) {
                return true;
            }
        }
        return false;
    }

    private void purge(Set<String> keys) throws SQLException {
        if (keys.isEmpty()) {
            return;
        }
        String[] all = keys.toArray(String[]::new);
        // Two statements: what waited for a lock does not see what its holder put in the place of the row.
        execute("SELECT FROM pipeline.pending_rows WHERE source_key = ANY (?) ORDER BY source_key FOR UPDATE", all);
        execute("DELETE FROM pipeline.pending_rows WHERE source_key = ANY (?)", all);
        execute("DELETE FROM pipeline.pending_links WHERE source_key = ANY (?)", all);
        purges.purge(all);
        ids.clear();
        // Now that no other sink can claim one for them.
        execute("DELETE FROM pipeline.name_claims WHERE source_key = ANY (?)", all);
    }

    private void writeTable(TableLayout layout, List<Change> changes) throws SQLException {
        changes.sort(Comparator.comparing(Change::key));
        homes.read(changes);
        for (List<Change> generation : generations(layout.table(), changes)) {
            List<Change> ready = resolve(layout, generation);
            if (layout.table() == ElderTable.ORGANIZATIONS) {
                add(layout.table(), "adopted", adoption.adoptOrganizations(ready));
                ready = withoutUnmade(ready);
            } else if (layout.table() == ElderTable.IDENTITY_GROUP_MEMBERSHIPS) {
                add(layout.table(), "adopted", adoption.adoptMemberships(ready));
            }
            UniqueNames names = null;
            if (layout.uniqueName().isPresent()) {
                names = new UniqueNames(connection, layout, rules.plainNames());
                Map<Change, String> refused = new LinkedHashMap<>();
                names.assign(ready, refused);
                refused.forEach(this::refuse);
                ready.removeAll(refused.keySet());
            } else if (rules.plainNames() && layout.nameColumn().isPresent()) {
                for (Change change : ready) {
                    change.name = layout.wantedName(change, true);
                }
            }
            List<Change> writable = new ArrayList<>();
            for (Change change : ready) {
                try {
                    if (layout.needsTenant() && change.tenantId == null) {
                        count(change, new Tally(0, 0, 0, "no tenant with slug default or system (expected: one)"));
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
                bisect(layout, names, writable);
            } else {
                upsert(layout, names, writable);
            }
            if (names != null) {
                Savepoints.refusal(connection, careful, names::awardMoved);
            }
            Set<String> there = arrived.computeIfAbsent(layout.table(), t -> new LinkedHashSet<>());
            generation.forEach(change -> there.add(change.key()));
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
        lookUpTargets(layout, changes);
        List<Change> ready = new ArrayList<>();
        List<PendingRows.Waiting> waiting = new ArrayList<>();
        for (Change change : changes) {
            change.tenantId = homes.of(change.record.getRunId()).tenant();
            List<String> missing = new ArrayList<>();
            String reason = null;
            String refusal = null;
            for (TableLayout.Link link : layout.links()) {
                Optional<String> key = targetKey(change, link);
                if (key.isPresent() && targetTable(change, link).isEmpty()) {
                    refusal = link.reference() + " of " + change.key()
                            + " is of an unknown type (expected: a noun of Elder's tables in " + link.reference()
                            + "_type)";
                    break;
                }
                Integer id = key.isPresent() ? idOf(change, link, key.get()) : home(change, link);
                if (id != null) {
                    change.ids.put(link.id(), id);
                } else if (key.isPresent() && link.required()) {
                    missing.add(key.get());
                    if (isToOrganization(link) && !rules.createOrganizations()) {
                        reason = "organisation " + key.get() + " does not exist " + homes.remedy();
                    }
                } else if (key.isPresent()) {
                    change.pending.put(link.reference(), key.get());
                } else if (link.required()) {
                    refusal = link.reference() + " of " + change.key()
                            + " is missing (expected: a reference, a job with an organisation, or"
                            + " DEFAULT_ORGANIZATION_ID)";
                }
            }
            if (refusal != null) {
                refuse(change, refusal);
            } else if (missing.isEmpty()) {
                ready.add(change);
            } else {
                waiting.add(new PendingRows.Waiting(change, missing, reason));
            }
        }
        if (waiting.stream().anyMatch(row -> row.change().deleted())) {
            leaveWhereTheyAre(layout, waiting, ready);
        }
        waiting.forEach(row -> add(layout.table(), "waiting", 1));
        pendingRows.put(waiting);
        return ready;
    }

    /** A row that is deleted need not wait for what it would refer to: it refers to what it did. */
    private void leaveWhereTheyAre(TableLayout layout, List<PendingRows.Waiting> waiting, List<Change> ready)
            throws SQLException {
        List<TableLayout.Link> required =
                layout.links().stream().filter(TableLayout.Link::required).toList();
        Map<String, Change> deleted = new HashMap<>();
        waiting.stream()
                .map(PendingRows.Waiting::change)
                .filter(Change::deleted)
                .forEach(change -> deleted.put(change.key(), change));
        String columns =
                required.stream().map(link -> '"' + link.column() + '"').collect(Collectors.joining(", "));
        Set<Change> placed = new HashSet<>();
        try (PreparedStatement query = connection.prepareStatement("SELECT source_key, " + columns + " FROM "
                + layout.table().sqlName() + " WHERE source_key = ANY (?)")) {
            query.setArray(1, TableLayout.texts(connection, deleted.keySet().toArray(String[]::new)));
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    Change change = deleted.get(row.getString(1));
                    for (int i = 0; i < required.size(); i++) {
                        change.ids.putIfAbsent(required.get(i).id(), row.getInt(i + 2));
                    }
                    placed.add(change);
                }
            }
        }
        waiting.removeIf(row -> placed.contains(row.change()));
        ready.addAll(placed);
        // In one order, as ever.
        ready.sort(Comparator.comparing(Change::key));
    }

    private void lookUpTargets(TableLayout layout, List<Change> changes) throws SQLException {
        Map<ElderTable, Set<String>> wanted = new EnumMap<>(ElderTable.class);
        for (Change change : changes) {
            for (TableLayout.Link link : layout.links()) {
                Optional<String> key = targetKey(change, link);
                Optional<ElderTable> table = targetTable(change, link);
                if (key.isPresent() && table.isPresent()) {
                    wanted.computeIfAbsent(table.get(), t -> new HashSet<>()).add(key.get());
                }
            }
        }
        for (Map.Entry<ElderTable, Set<String>> keys : wanted.entrySet()) {
            find(keys.getKey(), keys.getValue());
        }
    }

    private Integer idOf(Change change, TableLayout.Link link, String key) throws SQLException {
        Integer id = ids.getOrDefault(targetTable(change, link).orElseThrow(), Map.of())
                .get(key);
        return id == null && isToOrganization(link) ? standIn() : id;
    }

    /** The organisation of what has none of its own: the job's, else the default one. Organisations may do without. */
    private Integer home(Change change, TableLayout.Link link) throws SQLException {
        if (!isToOrganization(link)) {
            return null;
        }
        Homes.Home home = homes.of(change.record.getRunId());
        if (change.table == ElderTable.ORGANIZATIONS) {
            return home.isFoundBeside(change.key()) ? null : home.organization();
        }
        return home.organization() == null ? homes.defaultOrganization() : home.organization();
    }

    private static boolean isToOrganization(TableLayout.Link link) {
        return link.noun().equals(ElderTable.ORGANIZATIONS.noun());
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
        String[] unknown = keys.stream().filter(key -> !known.containsKey(key)).toArray(String[]::new);
        if (unknown.length == 0) {
            return;
        }
        String sql =
                "SELECT source_key, id, deleted_at IS NOT NULL FROM " + table.sqlName() + " WHERE source_key = ANY (?)";
        List<String> deleted = new ArrayList<>();
        try (PreparedStatement query = connection.prepareStatement(sql)) {
            query.setArray(1, TableLayout.texts(connection, unknown));
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    known.put(row.getString(1), row.getInt(2));
                    if (row.getBoolean(3)) {
                        deleted.add(row.getString(1));
                    }
                }
            }
        }
        if (!deleted.isEmpty()) {
            keep(table, deleted, known);
        }
    }

    /** Another sink may be about to purge them; not every reference has a foreign key that would say so. */
    private void keep(ElderTable table, List<String> deleted, Map<String, Integer> known) throws SQLException {
        known.keySet().removeAll(deleted);
        try (PreparedStatement lock = connection.prepareStatement("SELECT source_key, id FROM " + table.sqlName()
                + " WHERE source_key = ANY (?) ORDER BY id FOR KEY SHARE")) {
            lock.setArray(1, TableLayout.texts(connection, deleted.toArray(String[]::new)));
            try (ResultSet row = lock.executeQuery()) {
                while (row.next()) {
                    known.put(row.getString(1), row.getInt(2));
                }
            }
        }
    }

    private void bisect(TableLayout layout, UniqueNames names, List<Change> changes) throws SQLException {
        if (changes.isEmpty()) {
            return;
        }
        Optional<SQLException> refusal = Savepoints.refusal(connection, () -> upsert(layout, names, changes));
        if (refusal.isEmpty()) {
            return;
        }
        Change first = changes.getFirst();
        if (changes.size() > 1) {
            bisect(layout, names, changes.subList(0, changes.size() / 2));
            bisect(layout, names, changes.subList(changes.size() / 2, changes.size()));
        } else if (DatabaseTrouble.mayBeARace(refusal.get()) && tries.merge(first.key(), 1, Integer::sum) < TRIES) {
            writeAnew(layout, first);
        } else {
            refuse(first, refusal.get());
        }
    }

    /** Another sink, or a person, may have written or purged what this row was compared with and refers to. */
    private void writeAnew(TableLayout layout, Change change) throws SQLException {
        ids.clear();
        Change anew = new Change(change.record, change.table, change.partition, change.offset);
        writeTable(layout, new ArrayList<>(List.of(anew)));
    }

    /** @param names null where they need not be unique */
    private void upsert(TableLayout layout, UniqueNames names, List<Change> changes) throws SQLException {
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
        if (!changed.isEmpty() && !layout.links().stream().allMatch(TableLayout.Link::required)) {
            linksWait |= pendingLinks.note(layout.table(), changed, linksWait);
        }
        if (names != null) {
            names.settle(changed, newIds, written);
        }
        // Only now can nothing fail any more: counts of a part that is rolled back would be wrong.
        ids.computeIfAbsent(layout.table(), t -> new HashMap<>()).putAll(newIds);
        for (Change change : changed) {
            boolean isNew = written.get(change.key());
            String operation = change.deleted() ? "deleted" : isNew ? "created" : "updated";
            add(layout.table(), operation, 1);
            boolean lives = !change.deleted();
            count(change, new Tally(lives && isNew ? 1 : 0, lives && !isNew ? 1 : 0, !lives && !isNew ? 1 : 0, null));
        }
    }

    private void count(Change change, Tally one) {
        runs.merge(change.record.getRunId(), one, Tally::plus);
    }

    /** Puts aside the organisations that are not there and may not be made. They wait for themselves. */
    private List<Change> withoutUnmade(List<Change> organizations) throws SQLException {
        if (rules.createOrganizations()) {
            return organizations;
        }
        Set<String> keys = new HashSet<>();
        organizations.forEach(change -> keys.add(change.key()));
        find(ElderTable.ORGANIZATIONS, keys);
        Map<String, Integer> known = ids.get(ElderTable.ORGANIZATIONS);
        List<Change> present = new ArrayList<>();
        List<PendingRows.Waiting> unmade = new ArrayList<>();
        for (Change change : organizations) {
            if (known != null && known.containsKey(change.key())) {
                present.add(change);
                continue;
            }
            String reason = standIn() != null || change.deleted()
                    ? null
                    : "organisation " + change.value("name").orElse(change.key()) + " does not exist " + homes.remedy();
            unmade.add(new PendingRows.Waiting(change, List.of(change.key()), reason));
            add(ElderTable.ORGANIZATIONS, "not_made", 1);
        }
        pendingRows.put(unmade);
        return present;
    }

    private void refuse(Change change, SQLException e) {
        refusals.add(new Refusal(
                change.record, change.partition, change.offset, e.getClass().getName(), DatabaseTrouble.describe(e)));
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

    private void execute(String sql, String[] keys) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setArray(1, TableLayout.texts(connection, keys));
            statement.execute();
        }
    }
}
