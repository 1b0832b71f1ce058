package io.elder.embedded;

import io.elder.embedded.servers.EmbeddedDatabase;
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
        query(
                "select provider, status, discovered, created, updated, deleted, coalesce(error, '') from pipeline.runs order by started_at desc limit 5",
                rows -> {
                    table.append(String.format(
                            Locale.ROOT,
                            "%nrun of %s: %s, %,d seen, %,d rows created, %,d updated, %,d deleted %s%n",
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

    /** Whether as many runs as expected were started since then, or more, and all of them have become visible. */
    boolean areRunsVisible(Instant since, int expected) throws SQLException {
        long[] counts = new long[2];
        query(
                "select count(*), count(visible_at) from pipeline.runs where started_at >= timestamptz '" + since + "'",
                rows -> {
                    counts[0] = rows.getLong(1);
                    counts[1] = rows.getLong(2);
                });
        return counts[0] >= expected && counts[0] == counts[1];
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
