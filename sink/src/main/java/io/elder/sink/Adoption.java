package io.elder.sink;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Rows that people made in Elder, and that are what a record describes: they become its row instead of getting a twin. */
final class Adoption {
    private final Connection connection;

    Adoption(Connection connection) {
        this.connection = connection;
    }

    /** An organisation that a person made under the same name and parent becomes ours instead of getting a twin. */
    int adoptOrganizations(List<Change> organizations) throws SQLException {
        List<Change> candidates = new ArrayList<>();
        for (Change change : organizations) {
            if (!change.deleted() && !change.pending.containsKey("parent")) {
                candidates.add(change);
            }
        }
        if (candidates.isEmpty()) {
            return 0;
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
                WHERE t.id = i.id AND t.source_key IS NULL
                """;
        try (PreparedStatement update = connection.prepareStatement(sql)) {
            Columns.bind(update, 1, "text", candidates, Change::key);
            Columns.bind(update, 2, "text", candidates, change -> change.value("name")
                    .orElse(null));
            Columns.bind(update, 3, "integer", candidates, change -> change.ids.get("parent"));
            return update.executeUpdate();
        }
    }

    /**
     * A membership that a person granted in Elder, and that the provider now reports, is the same membership. If there was
     * one before that ended, the person's row takes its place, and it stays as history.
     */
    int adoptMemberships(List<Change> memberships) throws SQLException {
        List<Change> candidates =
                memberships.stream().filter(change -> !change.deleted()).toList();
        if (candidates.isEmpty()) {
            return 0;
        }
        String ended = """
                UPDATE identity_group_memberships t SET source_key = NULL
                FROM unnest(?::text[], ?::integer[], ?::integer[], ?::text[]) AS n(key, identity_id, group_id, observed_at)
                WHERE t.source_key = n.key AND t.deleted_at IS NOT NULL AND t.observed_at <= n.observed_at::timestamptz
                  AND EXISTS (SELECT FROM identity_group_memberships m
                              WHERE m.identity_id = n.identity_id AND m.group_id = n.group_id
                                AND m.source_key IS NULL AND m.deleted_at IS NULL)
                """;
        String sql = """
                UPDATE identity_group_memberships t SET source_key = i.key
                FROM (SELECT DISTINCT ON (n.key) m.id, n.key
                      FROM unnest(?::text[], ?::integer[], ?::integer[], ?::text[])
                          AS n(key, identity_id, group_id, observed_at)
                      JOIN identity_group_memberships m ON m.identity_id = n.identity_id AND m.group_id = n.group_id
                                                       AND m.source_key IS NULL AND m.deleted_at IS NULL
                      WHERE NOT EXISTS (SELECT FROM identity_group_memberships mine WHERE mine.source_key = n.key)
                      ORDER BY n.key, m.id) i
                WHERE t.id = i.id AND t.source_key IS NULL AND t.deleted_at IS NULL
                """;
        if (!anyByPeople()) {
            return 0;
        }
        update(ended, candidates);
        return update(sql, candidates);
    }

    /**
     * A membership that a person granted in the moment in which the sink wrote the same has two rows: the person's takes the
     * place of the sink's, which stays as history. One that is granted for a time is left beside it: what the provider has
     * of its own does not end with it.
     */
    int joinMemberships(TableLayout memberships) throws SQLException {
        if (!anyByPeople()) {
            return 0;
        }
        boolean hasState = memberships.has("is_active");
        record Twins(int theirs, int ours, String key) {}
        Map<String, Twins> byKey = new TreeMap<>();
        Set<Integer> taken = new HashSet<>();
        try (PreparedStatement query = connection.prepareStatement(
                        """
                        SELECT p.id, s.id, s.source_key
                        FROM identity_group_memberships p
                        JOIN identity_group_memberships s ON s.identity_id = p.identity_id AND s.group_id = p.group_id
                        WHERE p.source_key IS NULL AND p.deleted_at IS NULL AND p.expires_at IS NULL
                          AND s.source_key IS NOT NULL AND s.deleted_at IS NULL
                        """ + (hasState ? " AND p.is_active" : "") + " ORDER BY p.id FOR UPDATE SKIP LOCKED");
                ResultSet row = query.executeQuery()) {
            while (row.next()) {
                Twins twins = new Twins(row.getInt(1), row.getInt(2), row.getString(3));
                if (!byKey.containsKey(twins.key()) && taken.add(twins.theirs())) {
                    byKey.put(twins.key(), twins);
                }
            }
        }
        String end = "UPDATE identity_group_memberships SET source_key = NULL, deleted_at = now()"
                + (hasState ? ", is_active = false" : "")
                + ", expires_at = CAST(? AS " + memberships.type("expires_at") + ") WHERE id = ?";
        String join = "UPDATE identity_group_memberships p SET source_key = ?, run_id = s.run_id,"
                + " observed_at = s.observed_at, last_seen_at = s.last_seen_at, content_hash = s.content_hash"
                + (memberships.has("provider_member_id") ? ", provider_member_id = s.provider_member_id" : "")
                + " FROM identity_group_memberships s WHERE p.id = ? AND s.id = ?";
        try (PreparedStatement ending = connection.prepareStatement(end);
                PreparedStatement joining = connection.prepareStatement(join)) {
            for (Twins twins : byKey.values()) {
                ending.setString(1, Instant.now().toString());
                ending.setInt(2, twins.ours());
                ending.executeUpdate();
                joining.setString(1, twins.key());
                joining.setInt(2, twins.theirs());
                joining.setInt(3, twins.ours());
                joining.executeUpdate();
            }
        }
        return byKey.size();
    }

    private boolean anyByPeople() throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("SELECT EXISTS (SELECT FROM"
                        + " identity_group_memberships WHERE source_key IS NULL AND deleted_at IS NULL)");
                ResultSet row = query.executeQuery()) {
            return row.next() && row.getBoolean(1);
        }
    }

    private int update(String sql, List<Change> memberships) throws SQLException {
        try (PreparedStatement update = connection.prepareStatement(sql)) {
            Columns.bind(update, 1, "text", memberships, Change::key);
            Columns.bind(update, 2, "integer", memberships, change -> change.ids.get("identity"));
            Columns.bind(update, 3, "integer", memberships, change -> change.ids.get("group"));
            Columns.bind(update, 4, "text", memberships, Change::observedAt);
            return update.executeUpdate();
        }
    }
}
