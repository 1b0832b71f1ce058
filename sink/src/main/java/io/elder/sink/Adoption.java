package io.elder.sink;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

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
                WHERE t.id = i.id
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
                WHERE t.id = i.id
                """;
        if (!exists("SELECT EXISTS (SELECT FROM identity_group_memberships WHERE source_key IS NULL)")) {
            return 0;
        }
        update(ended, candidates);
        return update(sql, candidates);
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

    private boolean exists(String sql) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement(sql);
                ResultSet row = query.executeQuery()) {
            return row.next() && row.getBoolean(1);
        }
    }
}
