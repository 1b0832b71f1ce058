package io.elder.bench;

import java.io.InputStream;
import java.nio.file.Files;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.postgresql.PGConnection;

/**
 * What PostgreSQL itself can do with one backend: COPY everything into temporary tables, then merge each in one statement, in
 * one transaction. The records come from files: nothing is decoded.
 */
final class CopyMerge implements SinkPeer {
    @Override
    public String name() {
        return "limit: COPY and merge";
    }

    @Override
    public double run(SinkFeed feed, Target target) throws Exception {
        feed.file(FlatTable.ALL.getFirst());
        Pace pace = new Pace(feed.records());
        try (Connection connection = DriverManager.getConnection(target.jdbcUrl());
                Statement statement = connection.createStatement()) {
            connection.setAutoCommit(false);
            statement.execute("SET LOCAL work_mem TO '256MB'; SET LOCAL jit TO off");
            for (FlatTable table : FlatTable.ALL) {
                statement.execute("CREATE TEMP TABLE stage_" + table.name() + " (number integer, "
                        + table.columns().stream()
                                .map(column -> column.name() + " " + column.type().sql)
                                .collect(Collectors.joining(", "))
                        + table.references().stream()
                                .map(reference -> ", key_" + reference.name() + " text")
                                .collect(Collectors.joining())
                        + ") ON COMMIT DROP");
                try (InputStream file = Files.newInputStream(feed.file(table))) {
                    connection
                            .unwrap(PGConnection.class)
                            .getCopyAPI()
                            .copyIn("COPY stage_" + table.name() + " FROM STDIN", file, 1 << 20);
                }
                statement.execute("ANALYZE stage_" + table.name());
            }
            for (FlatTable table : FlatTable.ALL) {
                boolean isNested = table.references().stream()
                        .anyMatch(reference -> reference.name().equals("parent"));
                if (isNested) {
                    merge(statement, table, "WHERE s.key_parent IS NULL");
                }
                merge(statement, table, isNested ? "WHERE s.key_parent IS NOT NULL" : "");
            }
            connection.commit();
        }
        pace.reached(feed.records());
        return pace.perSecond();
    }

    private static void merge(Statement statement, FlatTable table, String condition) throws SQLException {
        List<String> names = Stream.concat(
                        table.columns().stream().map(FlatTable.Column::name),
                        table.references().stream().map(FlatTable.Reference::column))
                .toList();
        List<String> values = new ArrayList<>();
        StringBuilder joins = new StringBuilder();
        table.columns().forEach(column -> values.add("s." + column.name()));
        for (FlatTable.Reference reference : table.references()) {
            String alias = "to_" + reference.name();
            values.add(alias + ".id");
            joins.append(" LEFT JOIN ")
                    .append(reference.target())
                    .append(' ')
                    .append(alias)
                    .append(" ON ")
                    .append(alias)
                    .append(".source_key = s.key_")
                    .append(reference.name());
        }
        statement.execute("INSERT INTO " + table.name() + " AS t (" + String.join(", ", names)
                + ", created_at, updated_at) SELECT " + String.join(", ", values)
                + ", now(), now() FROM (SELECT DISTINCT ON (source_key) * FROM stage_" + table.name()
                + " ORDER BY source_key, number DESC) s" + joins + " " + condition
                + " ON CONFLICT (source_key) DO UPDATE SET "
                + names.stream().map(name -> name + " = excluded." + name).collect(Collectors.joining(", "))
                + ", updated_at = now() WHERE t.observed_at < excluded.observed_at"
                + " OR (t.observed_at = excluded.observed_at AND t.content_hash <> excluded.content_hash)");
    }
}
