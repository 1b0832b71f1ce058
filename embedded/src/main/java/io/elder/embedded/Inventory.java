package io.elder.embedded;

import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.schemas.ElderTable;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What stands in the embedded database, for the eyes of whoever started it. */
final class Inventory {
    private static final Map<String, String> TABLES = new LinkedHashMap<>();

    static {
        TABLES.put("organizations", "organizations");
        TABLES.put("identities", "identities");
        TABLES.put("groups", "identity_groups");
        TABLES.put("memberships", "identity_group_memberships");
        TABLES.put("entities", "entities");
        TABLES.put("dependencies", "dependencies");
    }

    private record Count(String name, long live, long deleted) {}

    /** Of a table with a row per system. */
    static final String HEADINGS = row("", "people", "groups", "members", "entities", "networks", "stores", "links");

    private static final List<List<ElderTable>> COLUMNS = List.of(
            List.of(ElderTable.IDENTITIES),
            List.of(ElderTable.IDENTITY_GROUPS),
            List.of(ElderTable.IDENTITY_GROUP_MEMBERSHIPS),
            List.of(ElderTable.ENTITIES, ElderTable.SERVICES, ElderTable.SOFTWARE),
            List.of(ElderTable.NETWORKING_RESOURCES),
            List.of(ElderTable.DATA_STORES),
            List.of(ElderTable.DEPENDENCIES, ElderTable.NETWORK_ENTITY_MAPPINGS));

    /** A run all of whose rows are in the tables. */
    record Run(String id, String provider, String status, String error, long created, long updated, long deleted) {}

    private final EmbeddedDatabase database;

    Inventory(EmbeddedDatabase database) {
        this.database = database;
    }

    /** One line: how many of each. */
    String line() throws SQLException {
        List<String> parts = new ArrayList<>();
        long deleted = 0;
        for (Count count : counts()) {
            parts.add(count.live() + " " + count.name());
            deleted += count.deleted();
        }
        return "inventory: " + String.join(", ", parts) + "; " + deleted + " deleted";
    }

    String table() throws SQLException {
        StringBuilder table = new StringBuilder(String.format(Locale.ROOT, "%-16s %10s %10s%n", "", "live", "deleted"));
        for (Count count : counts()) {
            table.append(
                    String.format(Locale.ROOT, "%-16s %,10d %,10d%n", count.name(), count.live(), count.deleted()));
        }
        table.append(System.lineSeparator());
        query(
                "select distinct on (provider, job_id) provider, status, discovered, created, updated, deleted, coalesce(error, '') from pipeline.runs order by provider, job_id, started_at desc",
                rows -> {
                    table.append(String.format(
                            Locale.ROOT,
                            "run of %s: %s, %,d seen, %,d rows created, %,d updated, %,d deleted %s%n",
                            rows.getString(1),
                            rows.getString(2),
                            rows.getLong(3),
                            rows.getLong(4),
                            rows.getLong(5),
                            rows.getLong(6),
                            rows.getString(7)));
                });
        return table.toString();
    }

    /** Whether as many jobs and connectors as expected have had a run since then that has become visible. */
    boolean areRunsVisible(Instant since, int expected) throws SQLException {
        return visibleRuns(since).stream().map(Run::provider).distinct().count() >= expected;
    }

    /** Runs that were started since then, in the order in which they became visible. */
    List<Run> visibleRuns(Instant since) throws SQLException {
        List<Run> runs = new ArrayList<>();
        query(
                "select run_id, provider, status, coalesce(error, ''), created, updated, deleted from pipeline.runs"
                        + " where visible_at is not null and started_at >= timestamptz '" + since
                        + "' order by visible_at, started_at",
                row -> runs.add(new Run(
                        row.getString(1),
                        row.getString(2),
                        row.getString(3),
                        row.getString(4),
                        row.getLong(5),
                        row.getLong(6),
                        row.getLong(7))));
        return runs;
    }

    /** Scopes whose deletions a run left to a person, with the reason. */
    Map<String, String> held(String run) throws SQLException {
        Map<String, String> held = new LinkedHashMap<>();
        query(
                "select scope, reason from pipeline.scope_progress where outcome = 'held' and run_id = '" + run
                        + "' order by scope",
                row -> held.put(row.getString(1), row.getString(2)));
        return held;
    }

    /** How many of each a provider's rows are, below {@link #HEADINGS}. */
    String rowsOf(String provider, String title) throws SQLException {
        return counted(title, " and source_key like '" + provider.replace("_", "\\_") + "/%'");
    }

    String total() throws SQLException {
        return counted("in all", "");
    }

    private String counted(String title, String which) throws SQLException {
        List<String> cells = new ArrayList<>(List.of(title));
        for (List<ElderTable> column : COLUMNS) {
            long[] count = new long[1];
            for (ElderTable table : column) {
                query(
                        "select count(*) from " + table.sqlName()
                                + " where source_key is not null and deleted_at is null" + which,
                        row -> count[0] += row.getLong(1));
            }
            cells.add(count[0] == 0 ? "-" : String.format(Locale.ROOT, "%,d", count[0]));
        }
        return row(cells.toArray(String[]::new));
    }

    private static String row(String... cells) {
        StringBuilder row = new StringBuilder(String.format(Locale.ROOT, "%-18s", cells[0]));
        for (int i = 1; i < cells.length; i++) {
            row.append(String.format(Locale.ROOT, "%9s", cells[i]));
        }
        return row.toString();
    }

    /** Whether the newest run of any provider failed, wholly or in part. */
    boolean lastRunsFailed() throws SQLException {
        long[] failed = new long[1];
        query(
                "select count(*) from (select distinct on (provider, job_id) status from pipeline.runs order by provider, job_id, started_at desc) newest where status <> 'completed'",
                rows -> failed[0] = rows.getLong(1));
        return failed[0] > 0;
    }

    private List<Count> counts() throws SQLException {
        List<Count> counts = new ArrayList<>();
        for (Map.Entry<String, String> table : TABLES.entrySet()) {
            query(
                    "select count(*) filter (where deleted_at is null), count(deleted_at) from " + table.getValue()
                            + " where source_key is not null",
                    rows -> counts.add(new Count(table.getKey(), rows.getLong(1), rows.getLong(2))));
        }
        return counts;
    }

    @FunctionalInterface
    private interface RowReader {
        void read(ResultSet row) throws SQLException;
    }

    private void query(String sql, RowReader reader) throws SQLException {
        try (Connection connection = database.connect("elder");
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            while (rows.next()) {
                reader.read(rows);
            }
        }
    }
}
