package io.elder.sink;

import io.elder.schemas.ResourceKey;
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
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Keeps names unique where Elder demands it over all tenants: user names and group names. A live row holds its name against
 * later ones, which get a suffix made from their key; a soft-deleted row gives its name up to whoever claims it; and when a
 * name becomes free, the first of those that had to take a suffix is promoted to it.
 */
final class UniqueNames {
    private record Holder(long id, String key, String name, boolean deleted, Instant observedAt, Long contentHash) {
        /** Whether writing this change would leave the row as it is: it came too late, or says nothing new. */
        boolean outlasts(Change change) {
            boolean same = contentHash != null && contentHash == change.row.getContentHash();
            return isNewerThan(change) || (same && deleted == change.deleted());
        }

        boolean isNewerThan(Change change) {
            return observedAt != null && observedAt.isAfter(change.record.getObservedAt());
        }
    }

    private final Connection connection;
    private final TableLayout layout;
    private final String table;
    private final String column;
    private final boolean plain;

    UniqueNames(Connection connection, TableLayout layout, boolean plain) {
        this.connection = connection;
        this.layout = layout;
        this.table = layout.table().sqlName();
        this.column = layout.uniqueName().orElseThrow();
        this.plain = plain;
    }

    /**
     * Gives every change its name and moves soft-deleted and departing holders out of the way.
     *
     * @param refused told of changes that can't have a name
     * @return names that may be free once the changes are written, for {@link #promote}
     */
    Set<String> settle(List<Change> changes, Map<Change, String> refused) throws SQLException {
        Map<String, Change> byKey = new LinkedHashMap<>();
        Map<Change, String> wanted = new HashMap<>();
        for (Change change : changes) {
            byKey.put(change.key(), change);
            wanted.put(change, layout.wantedName(change, plain));
        }
        Map<String, Holder> byName = new HashMap<>();
        Map<String, Holder> current = new HashMap<>();
        for (Holder holder : holders(wanted.values(), byKey.keySet())) {
            byName.put(holder.name(), holder);
            if (holder.key() != null) {
                current.put(holder.key(), holder);
            }
        }
        Set<String> freed = new TreeSet<>();
        Set<String> taken = new HashSet<>();
        Map<Long, String> renames = new LinkedHashMap<>();
        List<String[]> claims = new ArrayList<>();
        List<Change> claimants = new ArrayList<>();
        for (Change change : changes) {
            Holder own = current.get(change.key());
            if (own != null && own.outlasts(change)) {
                // It neither takes nor gives up a name.
                change.name = own.name();
                taken.add(own.name());
            } else {
                claimants.add(change);
            }
        }
        // Who holds a name and keeps it comes first, then the living, then by key: the same on every replay.
        claimants.sort(Comparator.comparing((Change change) -> {
                    Holder own = current.get(change.key());
                    return own == null || change.deleted() || !own.name().equals(wanted.get(change));
                })
                .thenComparing(Change::deleted)
                .thenComparing(Change::key));
        for (Change change : claimants) {
            String name = wanted.get(change);
            Holder own = current.get(change.key());
            Holder holder = byName.get(name);
            boolean free = !taken.contains(name) && isFree(change, name, holder, byKey, wanted);
            if (free) {
                change.name = name;
                if (holder != null && !change.key().equals(holder.key())) {
                    renames.put(holder.id(), suffixed(holder.name(), keyOf(holder)));
                }
            } else {
                if (plain && !change.deleted()) {
                    refused.put(
                            change,
                            table + "." + column + ": " + name
                                    + " is taken (expected: a name of its own; IDENTITY_NAMING=prefixed allows a suffix)");
                    continue;
                }
                change.name = suffixed(name, change.key());
                if (!change.deleted()) {
                    claims.add(new String[] {name, change.key()});
                }
            }
            taken.add(change.name);
            if (own != null && !own.name().equals(change.name)) {
                freed.add(own.name());
                // Out of the way of a row of the same statement that takes its name.
                renames.putIfAbsent(own.id(), suffixed(own.name(), change.key()));
            }
            if (change.deleted()) {
                freed.add(change.name);
            }
        }
        if (!claimants.isEmpty()) {
            forget(claimants.stream().map(Change::key).toList());
        }
        for (String[] claim : claims) {
            claim(claim[0], claim[1]);
        }
        rename(renames);
        return freed;
    }

    /** Gives each name that is free, or held by a soft-deleted row, to the first live row that had to do without. */
    void promote(Collection<String> freed) throws SQLException {
        if (freed.isEmpty()) {
            return;
        }
        Map<String, String> firsts = new LinkedHashMap<>();
        String sql = "SELECT DISTINCT ON (c.name) c.name, c.source_key FROM pipeline.name_claims c JOIN " + table
                + " t ON t.source_key = c.source_key WHERE c.table_name = ? AND c.name = ANY (?)"
                + " AND t.deleted_at IS NULL ORDER BY c.name, c.source_key";
        try (PreparedStatement query = connection.prepareStatement(sql)) {
            query.setString(1, table);
            query.setArray(2, TableLayout.texts(connection, freed.toArray(String[]::new)));
            try (ResultSet claim = query.executeQuery()) {
                while (claim.next()) {
                    firsts.put(claim.getString(1), claim.getString(2));
                }
            }
        }
        if (firsts.isEmpty()) {
            return;
        }
        List<Holder> holders = holders(firsts.keySet(), new HashSet<>(firsts.values()));
        Map<String, Holder> byName =
                holders.stream().collect(Collectors.toMap(Holder::name, holder -> holder, (one, other) -> one));
        Map<Long, String> aside = new LinkedHashMap<>();
        Map<Long, String> promotions = new LinkedHashMap<>();
        Set<String> promoted = new HashSet<>();
        for (Holder claimant : holders) {
            String name = firsts.entrySet().stream()
                    .filter(first -> first.getValue().equals(claimant.key()))
                    .map(Map.Entry::getKey)
                    .findFirst()
                    .orElse(null);
            Holder holder = name == null ? null : byName.get(name);
            if (name == null || (holder != null && !holder.deleted())) {
                continue;
            }
            if (holder != null) {
                aside.put(holder.id(), suffixed(name, keyOf(holder)));
            }
            promotions.put(claimant.id(), name);
            promoted.add(claimant.key());
        }
        rename(aside);
        rename(promotions);
        if (!promoted.isEmpty()) {
            forget(promoted);
        }
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
        String base = name.endsWith(suffix) ? name.substring(0, name.length() - suffix.length()) : name;
        return (layout.nameLength() == 0 ? base : TableLayout.cut(base, layout.nameLength() - suffix.length()))
                + suffix;
    }

    private static String keyOf(Holder holder) {
        return holder.key() == null ? "row " + holder.id() : holder.key();
    }

    private static boolean isFree(
            Change claimant, String name, Holder holder, Map<String, Change> batch, Map<Change, String> wanted) {
        if (holder == null || claimant.key().equals(holder.key())) {
            return true;
        }
        if (claimant.deleted()) {
            // A row that is gone takes no name from anyone.
            return false;
        }
        if (holder.deleted()) {
            Change next = holder.key() == null ? null : batch.get(holder.key());
            return next == null || next.deleted() || !name.equals(wanted.get(next)) || holder.outlasts(next);
        }
        Change next = holder.key() == null ? null : batch.get(holder.key());
        return next != null && !holder.outlasts(next) && (next.deleted() || !name.equals(wanted.get(next)));
    }

    private List<Holder> holders(Collection<String> names, Collection<String> keys) throws SQLException {
        List<Holder> holders = new ArrayList<>();
        String sql =
                "SELECT id, source_key, \"" + column + "\", deleted_at IS NOT NULL, observed_at, content_hash FROM "
                        + table + " WHERE \"" + column + "\" = ANY (?) OR source_key = ANY (?) ORDER BY id";
        try (PreparedStatement query = connection.prepareStatement(sql)) {
            query.setArray(1, TableLayout.texts(connection, names.toArray(String[]::new)));
            query.setArray(2, TableLayout.texts(connection, keys.toArray(String[]::new)));
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    OffsetDateTime observedAt = row.getObject(5, OffsetDateTime.class);
                    holders.add(new Holder(
                            row.getLong(1),
                            row.getString(2),
                            row.getString(3),
                            row.getBoolean(4),
                            observedAt == null ? null : observedAt.toInstant(),
                            row.getObject(6, Long.class)));
                }
            }
        }
        return holders;
    }

    private void rename(Map<Long, String> names) throws SQLException {
        if (names.isEmpty()) {
            return;
        }
        String sql = "UPDATE " + table + " t SET \"" + column + "\" = i.name, updated_at = now()"
                + " FROM unnest(?::bigint[], ?::text[]) AS i(id, name) WHERE t.id = i.id";
        try (PreparedStatement update = connection.prepareStatement(sql)) {
            update.setArray(1, connection.createArrayOf("bigint", names.keySet().toArray()));
            update.setArray(2, TableLayout.texts(connection, names.values().toArray(String[]::new)));
            update.executeUpdate();
        }
    }

    private void forget(Collection<String> keys) throws SQLException {
        try (PreparedStatement delete = connection.prepareStatement(
                "DELETE FROM pipeline.name_claims WHERE table_name = ? AND source_key = ANY (?)")) {
            delete.setString(1, table);
            delete.setArray(2, TableLayout.texts(connection, keys.toArray(String[]::new)));
            delete.executeUpdate();
        }
    }

    private void claim(String name, String key) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement(
                "INSERT INTO pipeline.name_claims (table_name, name, source_key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")) {
            insert.setString(1, table);
            insert.setString(2, name);
            insert.setString(3, key);
            insert.executeUpdate();
        }
    }
}
