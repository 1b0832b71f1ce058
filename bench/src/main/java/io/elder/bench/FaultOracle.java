package io.elder.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.elder.schemas.ElderTable;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.StringJoiner;
import java.util.TreeMap;

/** Compares the directory's part of the tables with what it must hold, and remembers every row that was ever proven, so that none may get lost. */
final class FaultOracle {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);

    /** Source key, columns, and JSON columns last, of the live rows. */
    private static final Map<ElderTable, String> LIVE = live();

    static final List<ElderTable> TABLES = List.copyOf(LIVE.keySet());

    /** The one row of {@code identities} that a person made. */
    static final String PERSON = "made-by-a-person";

    private static final int SHOWN = 3;

    private final Map<ElderTable, Map<String, Long>> idOfKey = new EnumMap<>(ElderTable.class);
    private final Map<ElderTable, long[]> counts = new EnumMap<>(ElderTable.class);

    FaultOracle() {
        TABLES.forEach(table -> idOfKey.put(table, new HashMap<>()));
    }

    /** A row's columns as {@link #compare} reads them from the table: maps and lists stand for JSON. */
    static String row(Object... columns) {
        StringJoiner row = new StringJoiner(" | ");
        for (Object column : columns) {
            row.add(
                    column instanceof Map<?, ?> || column instanceof Collection<?>
                            ? json(column)
                            : String.valueOf(column));
        }
        return row.toString();
    }

    /** Live rows and soft-deleted rows of a table when it was last compared. */
    long[] counts(ElderTable table) {
        return counts.get(table);
    }

    /** What is otherwise than it must be, one text per kind of difference; empty if nothing. */
    List<String> compare(Connection connection, Map<ElderTable, NavigableMap<String, String>> expected)
            throws SQLException {
        List<String> differences = new ArrayList<>();
        for (ElderTable table : TABLES) {
            NavigableMap<String, String> must = expected.get(table);
            Map<String, String> missing = new TreeMap<>(must);
            List<String> surplus = new ArrayList<>();
            List<String> wrong = new ArrayList<>();
            List<String> twice = new ArrayList<>();
            for (Map.Entry<String, String> row : rows(connection, LIVE.get(table))) {
                String want = must.get(row.getKey());
                if (want == null) {
                    surplus.add(row.getKey() + " (" + row.getValue() + ")");
                } else if (missing.remove(row.getKey()) == null) {
                    twice.add(row.getKey());
                } else if (!want.equals(row.getValue())) {
                    wrong.add(row.getKey() + " is (" + row.getValue() + "), expected (" + want + ")");
                }
            }
            String name = table.sqlName();
            note(differences, name + ": missing", List.copyOf(missing.keySet()));
            note(differences, name + ": live, and not in the directory", surplus);
            note(differences, name + ": other columns", wrong);
            note(differences, name + ": twice", twice);
            identity(connection, table, must, differences);
        }
        sense(connection, differences);
        return differences;
    }

    /** A row keeps its id for ever, whether it lives or was deleted softly; and nothing is there that never was seen. */
    private void identity(
            Connection connection, ElderTable table, NavigableMap<String, String> must, List<String> differences)
            throws SQLException {
        Map<String, Long> known = idOfKey.get(table);
        Map<String, Long> lost = new HashMap<>(known);
        List<String> changed = new ArrayList<>();
        List<String> unknown = new ArrayList<>();
        long all = 0;
        for (Map.Entry<String, String> row :
                rows(connection, "select source_key, id from " + table.sqlName() + " where source_key like 'ldap/%'")) {
            all++;
            long id = Long.parseLong(row.getValue());
            Long before = lost.remove(row.getKey());
            if (before != null && before != id) {
                changed.add(row.getKey() + ": " + before + ", now " + id);
            }
            if (must.containsKey(row.getKey())) {
                known.put(row.getKey(), id);
            } else if (!known.containsKey(row.getKey())) {
                unknown.add(row.getKey());
            }
        }
        counts.put(table, new long[] {must.size(), all - must.size()});
        note(differences, table.sqlName() + ": gone instead of deleted softly", List.copyOf(lost.keySet()));
        note(differences, table.sqlName() + ": another id than before", changed);
        note(differences, table.sqlName() + ": never in the directory", unknown);
    }

    private static void sense(Connection connection, List<String> differences) throws SQLException {
        Map<String, String> checks = new LinkedHashMap<>();
        checks.put(
                "live memberships of one person in one group",
                "select group_id, identity_id from identity_group_memberships where deleted_at is null"
                        + " and (expires_at is null or expires_at::timestamptz > now())"
                        + " group by group_id, identity_id having count(*) > 1");
        checks.put(
                "live dependencies of one pair",
                "select source_id, target_id from dependencies where deleted_at is null"
                        + " group by source_type, source_id, target_type, target_id, dependency_type having count(*) > 1");
        checks.put(
                "live organizations of one name and parent",
                "select name, parent_id from organizations where deleted_at is null group by name, parent_id"
                        + " having count(*) > 1");
        checks.put(
                "rows without a source key",
                "select 'organizations', name from organizations where source_key is null union all"
                        + " select 'identities', username from identities where source_key is null and username <> '"
                        + PERSON
                        + "' union all"
                        + " select 'identity_groups', name from identity_groups where source_key is null");
        checks.put(
                "memberships that are deleted and still honoured",
                "select source_key, id from identity_group_memberships where deleted_at is not null and expires_at is null");
        checks.put(
                "identities that are deleted and active",
                "select source_key, id from identities where deleted_at is not null and is_active");
        checks.put(
                "entities that are deleted and say otherwise",
                "select source_key, status from entities where deleted_at is not null and status <> 'deleted'");
        checks.put(
                "rows of live references that still wait for another",
                "select source_key, table_name from pipeline.pending_rows where source_key like 'ldap/%' union all"
                        + " select source_key, reference from pipeline.pending_links where source_key like 'ldap/%'");
        checks.put(
                "runs without exactly one history row",
                "select run_id, history_id from pipeline.runs r"
                        + " where r.provider = 'ldap' and (select count(*) from discovery_history h where h.id = r.history_id) <> 1");
        checks.put(
                "history rows without a run of their own",
                "select id, status from discovery_history h"
                        + " where (select count(*) from pipeline.runs r where r.history_id = h.id) <> 1");
        checks.put(
                "history rows that never ended",
                "select h.id, h.status from discovery_history h join discovery_jobs j on j.id = h.job_id"
                        + " where j.provider = 'ldap' and (h.status = 'running' or h.completed_at is null)");
        for (Map.Entry<String, String> check : checks.entrySet()) {
            note(
                    differences,
                    check.getKey(),
                    rows(connection, check.getValue()).stream()
                            .map(Map.Entry::toString)
                            .toList());
        }
    }

    static void note(List<String> differences, String what, List<String> wrong) {
        if (!wrong.isEmpty()) {
            differences.add(what + ": " + wrong.size() + ", e.g. " + wrong.subList(0, Math.min(SHOWN, wrong.size())));
        }
    }

    /** The first column, and the others as {@link #row} writes them; rows may have the same first column. */
    private static List<Map.Entry<String, String>> rows(Connection connection, String sql) throws SQLException {
        List<Map.Entry<String, String>> texts = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            int columns = rows.getMetaData().getColumnCount();
            while (rows.next()) {
                Object[] values = new Object[columns - 1];
                for (int i = 0; i < values.length; i++) {
                    String type = rows.getMetaData().getColumnTypeName(i + 2);
                    String text = rows.getString(i + 2);
                    values[i] = switch (type) {
                        case "bool" -> text == null ? null : text.equals("t");
                        case "json" -> text == null ? null : parsed(text);
                        default -> text;
                    };
                }
                texts.add(Map.entry(String.valueOf(rows.getString(1)), row(values)));
            }
        }
        return texts;
    }

    private static Object parsed(String text) {
        try {
            return JSON.readValue(text, new TypeReference<Object>() {});
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON column holds " + text + " (expected: JSON)", e);
        }
    }

    private static String json(Object value) {
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Map<ElderTable, String> live() {
        Map<ElderTable, String> sql = new EnumMap<>(ElderTable.class);
        sql.put(
                ElderTable.ORGANIZATIONS,
                "select t.source_key, t.name, t.type, t.description, t.is_active, p.source_key, n.slug, t.metadata"
                        + " from organizations t left join organizations p on p.id = t.parent_id"
                        + " left join tenants n on n.id = t.tenant_id");
        sql.put(
                ElderTable.IDENTITIES,
                "select t.source_key, t.username, t.identity_type::text, t.auth_provider::text, t.auth_provider_id, t.email,"
                        + " t.full_name, t.is_active, o.source_key, n.slug"
                        + " from identities t left join organizations o on o.id = t.organization_id"
                        + " left join tenants n on n.id = t.tenant_id");
        sql.put(
                ElderTable.IDENTITY_GROUPS,
                "select t.source_key, t.name, t.description, t.ldap_dn, t.provider, t.provider_group_id, t.sync_enabled,"
                        + " t.is_active from identity_groups t");
        sql.put(
                ElderTable.IDENTITY_GROUP_MEMBERSHIPS,
                "select t.source_key, g.source_key, i.source_key, t.provider_member_id, t.expires_at"
                        + " from identity_group_memberships t left join identity_groups g on g.id = t.group_id"
                        + " left join identities i on i.id = t.identity_id");
        sql.put(
                ElderTable.ENTITIES,
                "select t.source_key, t.name, t.type, t.sub_type, t.external_id, t.status, o.source_key, t.metadata, t.tags"
                        + " from entities t left join organizations o on o.id = t.organization_id");
        sql.put(
                ElderTable.DEPENDENCIES,
                "select t.source_key, a.source_key, b.source_key, t.source_type, t.target_type, t.dependency_type, t.metadata"
                        + " from dependencies t left join identity_groups a on a.id = t.source_id"
                        + " left join identity_groups b on b.id = t.target_id");
        sql.replaceAll((table, query) -> query + " where t.source_key like 'ldap/%' and t.deleted_at is null");
        return sql;
    }
}
