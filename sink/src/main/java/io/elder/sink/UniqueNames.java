package io.elder.sink;

import io.elder.schemas.ResourceKey;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Keeps names unique where Elder demands it over all tenants: user names and group names. Of all rows that want a name one
 * has it, the others a suffix made from their key: the living come before the deleted, then people's rows, then the smallest
 * key. Who has a suffix is noted with the name that it wants ({@code pipeline.name_claims}), so that {@link #award} comes to
 * the same whatever was written first, and by whom.
 */
final class UniqueNames {
    private record Holder(long id, String key, String name, boolean deleted, Instant observedAt) {
        boolean isNewerThan(Change change) {
            return observedAt != null && observedAt.isAfter(change.record.getObservedAt());
        }
    }

    /** A row that has a name, or that was denied it and claims it. */
    private record Contender(String name, long id, String key, String has, boolean claims) {
        boolean hasIt() {
            return name.equals(has);
        }
    }

    /** What is not as it must be: who gets a name, who has it instead, and claims that are void. */
    private record Dispute(List<Contender> winners, List<Contender> holders, List<Contender> claims) {
        List<Contender> all() {
            return Stream.of(winners, holders, claims).flatMap(List::stream).toList();
        }
    }

    private final Connection connection;
    private final TableLayout layout;
    private final String table;
    private final String column;
    private final boolean plain;
    private final Map<String, Holder> current = new HashMap<>();
    private final Map<String, String> denied = new HashMap<>();
    private final Set<String> moved = new HashSet<>();

    UniqueNames(Connection connection, TableLayout layout, boolean plain) {
        this.connection = connection;
        this.layout = layout;
        this.table = layout.table().sqlName();
        this.column = layout.uniqueName().orElseThrow();
        this.plain = plain;
    }

    /** Whether any row has to do without the name that it wants. */
    static boolean anyDenied(Connection connection) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("SELECT EXISTS (SELECT FROM pipeline.name_claims)");
                ResultSet row = query.executeQuery()) {
            return row.next() && row.getBoolean(1);
        }
    }

    /**
     * Gives every change a name that no other row has: the one that it wants if it can, else one with a suffix.
     *
     * @param refused told of changes that can't have a name
     */
    void assign(List<Change> changes, Map<Change, String> refused) throws SQLException {
        Map<String, Change> byKey = new LinkedHashMap<>();
        Map<String, String> wanted = new HashMap<>();
        for (Change change : changes) {
            byKey.put(change.key(), change);
            wanted.put(change.key(), layout.wantedName(change, plain));
        }
        Map<String, Holder> byName = new HashMap<>();
        for (Holder holder : holders(wanted.values(), byKey.keySet())) {
            byName.put(holder.name(), holder);
            if (holder.key() != null) {
                current.put(holder.key(), holder);
            }
        }
        Set<String> taken = new HashSet<>();
        List<Change> livingFirst = new ArrayList<>(changes);
        livingFirst.sort(Comparator.comparing(Change::deleted).thenComparing(Change::key));
        for (Change change : livingFirst) {
            String name = wanted.get(change.key());
            Holder own = current.get(change.key());
            Holder holder = byName.get(name);
            if (own != null && own.isNewerThan(change)) {
                // It comes too late to be written.
                change.name = own.name();
                continue;
            }
            if ((holder == null || change.key().equals(holder.key())) && taken.add(name)) {
                change.name = name;
            } else if (plain && !change.deleted() && !isLeft(name, holder, byKey, wanted)) {
                refused.put(
                        change,
                        table + "." + column + ": " + name
                                + " is taken (expected: a name of its own; IDENTITY_NAMING=prefixed allows a suffix)");
                continue;
            } else {
                deny(change, name);
            }
            if (own != null && (change.deleted() || !own.name().equals(change.name))) {
                moved.add(own.name());
            }
        }
    }

    /**
     * Renames rows that were there before, and notes who was denied a name. The statement that writes rows leaves names of
     * existing ones alone: it would lock them against everybody who refers to them.
     *
     * @param ids of the rows that were written
     * @param isNew by key
     */
    void settle(List<Change> written, Map<String, Integer> ids, Map<String, Boolean> isNew) throws SQLException {
        Map<Long, String> renames = new LinkedHashMap<>();
        Map<String, String> claims = new LinkedHashMap<>();
        for (Change change : written) {
            Holder own = current.get(change.key());
            if (!isNew.get(change.key()) && (own == null || !own.name().equals(change.name))) {
                renames.put((long) ids.get(change.key()), change.name);
            }
            if (denied.containsKey(change.key())) {
                claims.put(change.key(), denied.get(change.key()));
            }
        }
        rename(renames);
        claim(claims);
    }

    /** Gives the names that these changes let go of, or were denied, to whom they belong. */
    void awardMoved() throws SQLException {
        Set<String> names = new TreeSet<>(moved);
        names.addAll(denied.values());
        if (!names.isEmpty()) {
            award(Optional.of(names));
        }
    }

    /**
     * Gives each name to the first of the rows that want it.
     *
     * @param names which; all that somebody was denied if empty
     */
    void award(Optional<Set<String>> names) throws SQLException {
        List<Contender> disputed = dispute(names).all();
        if (disputed.isEmpty()) {
            return;
        }
        // In one order, so that two sinks that come to the same at once wait for each other; then what is true is read
        // again.
        lock(disputed);
        Dispute dispute = dispute(names);
        Map<Long, String> aside = new LinkedHashMap<>();
        dispute.holders().forEach(holder -> aside.put(holder.id(), suffixed(holder.name(), keyOf(holder))));
        rename(aside);
        Map<Long, String> promotions = new LinkedHashMap<>();
        dispute.winners().forEach(winner -> promotions.put(winner.id(), winner.name()));
        rename(promotions);
        claim(dispute.holders().stream()
                .filter(holder -> holder.key() != null)
                .collect(Collectors.toMap(Contender::key, Contender::name)));
        forget(Stream.concat(dispute.winners().stream(), dispute.claims().stream())
                .toList());
    }

    /** The name without the provider, and the account if that is in it too: {@code aws:123456789012:ci} is {@code ci}. */
    static String plain(String name, String key) {
        String plain = name;
        try {
            ResourceKey resource = ResourceKey.parse(key);
            for (String prefix : List.of(resource.provider() + ":", resource.account() + ":")) {
                if (plain.startsWith(prefix) && plain.length() > prefix.length()) {
                    plain = plain.substring(prefix.length());
                }
            }
        } catch (IllegalArgumentException e) {
            // A key of another form: its name is as it should be.
            return name;
        }
        return plain;
    }

    static String suffix(String key) {
        return "~" + String.format("%08x", (int) TableLayout.hash(key));
    }

    private String suffixed(String name, String key) {
        String suffix = suffix(key);
        return (layout.nameLength() == 0 ? name : TableLayout.cut(name, layout.nameLength() - suffix.length()))
                + suffix;
    }

    private void deny(Change change, String name) {
        change.name = suffixed(name, change.key());
        denied.put(change.key(), name);
    }

    private static String keyOf(Contender row) {
        return row.key() == null ? "row " + row.id() : row.key();
    }

    /** Whether the holder of a name is deleted, or lets go of it in this batch. */
    private static boolean isLeft(String name, Holder holder, Map<String, Change> batch, Map<String, String> wanted) {
        if (holder == null || holder.deleted()) {
            return holder != null;
        }
        Change next = holder.key() == null ? null : batch.get(holder.key());
        return next != null && !holder.isNewerThan(next) && (next.deleted() || !name.equals(wanted.get(holder.key())));
    }

    private List<Holder> holders(Collection<String> names, Collection<String> keys) throws SQLException {
        List<Holder> holders = new ArrayList<>();
        String sql = "SELECT id, source_key, \"" + column + "\", deleted_at IS NOT NULL, observed_at FROM " + table
                + " WHERE \"" + column + "\" = ANY (?) OR source_key = ANY (?)";
        try (PreparedStatement query = connection.prepareStatement(sql)) {
            query.setArray(1, texts(names));
            query.setArray(2, texts(keys));
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    OffsetDateTime observedAt = row.getObject(5, OffsetDateTime.class);
                    holders.add(new Holder(
                            row.getLong(1),
                            row.getString(2),
                            row.getString(3),
                            row.getBoolean(4),
                            observedAt == null ? null : observedAt.toInstant()));
                }
            }
        }
        return holders;
    }

    private Dispute dispute(Optional<Set<String>> names) throws SQLException {
        Dispute dispute = new Dispute(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        Map<String, Contender> winners = new HashMap<>();
        for (Contender one : contenders(names)) {
            boolean isVoid = one.claims() && (one.hasIt() || !one.has().equals(suffixed(one.name(), keyOf(one))));
            if (isVoid) {
                dispute.claims().add(one);
                continue;
            }
            Contender winner = winners.putIfAbsent(one.name(), one);
            if (winner == null && !one.hasIt()) {
                dispute.winners().add(one);
            } else if (winner != null && one.hasIt()) {
                dispute.holders().add(one);
            }
        }
        return dispute;
    }

    /** All who have or claim a name that somebody claims, in the order in which they may have it. */
    private List<Contender> contenders(Optional<Set<String>> names) throws SQLException {
        String name = "t.\"" + column + '"';
        String sql = "WITH c AS (SELECT name, source_key FROM pipeline.name_claims WHERE table_name = ?"
                + (names.isPresent() ? " AND name = ANY (?)" : "")
                + ") SELECT * FROM (SELECT c.name AS wanted, t.id, t.source_key, " + name
                + ", true AS claims, t.deleted_at IS NOT NULL AS deleted FROM c JOIN " + table
                + " t ON t.source_key = c.source_key UNION ALL SELECT " + name + ", t.id, t.source_key, " + name
                + ", false, t.deleted_at IS NOT NULL FROM (SELECT DISTINCT c.name FROM c) c JOIN " + table + " t ON "
                + name
                + " = c.name) w ORDER BY wanted, deleted, source_key COLLATE \"C\" NULLS FIRST";
        List<Contender> contenders = new ArrayList<>();
        try (PreparedStatement query = connection.prepareStatement(sql)) {
            query.setString(1, table);
            if (names.isPresent()) {
                query.setArray(2, texts(names.get()));
            }
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    contenders.add(new Contender(
                            row.getString(1), row.getLong(2), row.getString(3), row.getString(4), row.getBoolean(5)));
                }
            }
        }
        return contenders;
    }

    private void lock(List<Contender> rows) throws SQLException {
        try (PreparedStatement lock =
                connection.prepareStatement("SELECT id FROM " + table + " WHERE id = ANY (?) ORDER BY id FOR UPDATE")) {
            lock.setArray(1, ids(rows.stream().map(Contender::id).toList()));
            lock.executeQuery().close();
        }
    }

    private void rename(Map<Long, String> names) throws SQLException {
        if (names.isEmpty()) {
            return;
        }
        String sql = "UPDATE " + table + " t SET \"" + column + "\" = i.name, updated_at = now()"
                + " FROM unnest(?::bigint[], ?::text[]) AS i(id, name) WHERE t.id = i.id";
        try (PreparedStatement update = connection.prepareStatement(sql)) {
            update.setArray(1, ids(names.keySet()));
            update.setArray(2, texts(names.values()));
            update.executeUpdate();
        }
    }

    /** Notes what rows want, by their keys. */
    private void claim(Map<String, String> names) throws SQLException {
        if (names.isEmpty()) {
            return;
        }
        try (PreparedStatement insert = connection.prepareStatement(
                "INSERT INTO pipeline.name_claims (table_name, name, source_key) SELECT ?, i.name, i.key"
                        + " FROM unnest(?::text[], ?::text[]) AS i(name, key) ORDER BY i.name, i.key"
                        + " ON CONFLICT DO NOTHING")) {
            insert.setString(1, table);
            insert.setArray(2, texts(names.values()));
            insert.setArray(3, texts(names.keySet()));
            insert.executeUpdate();
        }
    }

    /** Only claims of rows that are locked: another sink may just deny one the same name again. */
    private void forget(List<Contender> served) throws SQLException {
        if (served.isEmpty()) {
            return;
        }
        try (PreparedStatement delete = connection.prepareStatement(
                "DELETE FROM pipeline.name_claims WHERE table_name = ? AND name = ? AND source_key = ?")) {
            for (Contender one : served) {
                delete.setString(1, table);
                delete.setString(2, one.name());
                delete.setString(3, one.key());
                delete.addBatch();
            }
            delete.executeBatch();
        }
    }

    private Array texts(Collection<String> values) throws SQLException {
        return TableLayout.texts(connection, values.toArray(String[]::new));
    }

    private Array ids(Collection<Long> ids) throws SQLException {
        return connection.createArrayOf("bigint", ids.toArray());
    }
}
