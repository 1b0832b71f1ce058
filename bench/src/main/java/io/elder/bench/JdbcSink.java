package io.elder.bench;

import io.elder.runtime.KafkaClients;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.serde.AvroDeserializer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What one writes with JDBC and an afternoon: a consumer, and statements with a parameter per value. */
final class JdbcSink implements SinkPeer {
    /** How it writes. */
    enum Way {
        /** The last version per key in a batch, table by table, with {@code reWriteBatchedInserts}. */
        BATCH("JDBC batch", 1000),
        /** As the original: look for the row, then insert or update it, and commit. */
        ROW_BY_ROW("row by row", 500);

        private final String title;
        private final int poll;

        Way(String title, int poll) {
            this.title = title;
            this.poll = poll;
        }
    }

    private final Way way;

    JdbcSink(Way way) {
        this.way = way;
    }

    @Override
    public String name() {
        return way.title;
    }

    @Override
    public double run(SinkFeed feed, Target target) throws Exception {
        String topic = feed.ordered();
        Map<String, Object> settings =
                new HashMap<>(new KafkaClients(Settings.of(feed.environment())).consumer("jdbc"));
        settings.remove("group.id");
        settings.put("max.poll.records", way.poll);
        try (KafkaConsumer<byte[], byte[]> consumer =
                        new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
                AvroDeserializer<InventoryRecord> deserializer = new AvroDeserializer<>();
                Connection connection = DriverManager.getConnection(
                        target.jdbcUrl() + "&reWriteBatchedInserts=true&stringtype=unspecified");
                Statements statements = new Statements(connection)) {
            deserializer.configure(settings, false);
            connection.setAutoCommit(false);
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(info -> new TopicPartition(topic, info.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Pace pace = new Pace(feed.records());
            long done = 0;
            while (!pace.isDone()) {
                List<InventoryRecord> records = new ArrayList<>();
                for (ConsumerRecord<byte[], byte[]> read : consumer.poll(Duration.ofMillis(100))) {
                    records.add(deserializer.deserialize(topic, read.value()));
                }
                if (way == Way.BATCH) {
                    writeBatch(statements, records);
                    connection.commit();
                    done += records.size();
                    pace.reached(done);
                } else {
                    for (InventoryRecord record : records) {
                        statements.writeRow(record);
                        connection.commit();
                        pace.reached(++done);
                    }
                }
            }
            return pace.perSecond();
        }
    }

    private static void writeBatch(Statements statements, List<InventoryRecord> records) throws SQLException {
        Map<String, InventoryRecord> last = new LinkedHashMap<>();
        records.forEach(record -> last.put(record.getKey(), record));
        Map<String, List<InventoryRecord>> byTable = last.values().stream()
                .collect(Collectors.groupingBy(record -> FlatTable.row(record).getTable()));
        for (FlatTable table : FlatTable.ALL) {
            List<InventoryRecord> ofTable = byTable.getOrDefault(table.name(), List.of());
            // A parent in the same statement can't be seen by the look-up: parents go first.
            Map<Boolean, List<InventoryRecord>> byParent = ofTable.stream()
                    .sorted(Comparator.comparing(InventoryRecord::getKey))
                    .collect(Collectors.partitioningBy(
                            record -> FlatTable.row(record).getReferences().containsKey("parent")));
            statements.writeBatch(table, byParent.get(false));
            statements.writeBatch(table, byParent.get(true));
        }
    }

    /** Prepared once per table. */
    private static final class Statements implements AutoCloseable {
        private final Connection connection;
        private final Map<String, PreparedStatement> prepared = new HashMap<>();

        Statements(Connection connection) {
            this.connection = connection;
        }

        void writeBatch(FlatTable table, List<InventoryRecord> records) throws SQLException {
            if (records.isEmpty()) {
                return;
            }
            List<String> names = names(table);
            List<String> values = new ArrayList<>();
            table.columns().forEach(column -> values.add("?"));
            table.references()
                    .forEach(reference ->
                            values.add("(SELECT id FROM " + reference.target() + " WHERE source_key = ?)"));
            PreparedStatement upsert = prepare("INSERT INTO " + table.name() + " (" + String.join(", ", names)
                    + ", created_at, updated_at) VALUES (" + String.join(", ", values)
                    + ", now(), now()) ON CONFLICT (source_key) DO UPDATE SET "
                    + names.stream().map(name -> name + " = excluded." + name).collect(Collectors.joining(", "))
                    + ", updated_at = now()");
            for (InventoryRecord record : records) {
                int next = bind(upsert, table, record);
                for (FlatTable.Reference reference : table.references()) {
                    upsert.setObject(
                            next++, FlatTable.row(record).getReferences().get(reference.name()));
                }
                upsert.addBatch();
            }
            upsert.executeBatch();
        }

        void writeRow(InventoryRecord record) throws SQLException {
            FlatTable table = FlatTable.of(FlatTable.row(record).getTable());
            List<Integer> ids = new ArrayList<>();
            for (FlatTable.Reference reference : table.references()) {
                String key = FlatTable.row(record).getReferences().get(reference.name());
                ids.add(key == null ? null : find(reference.target(), key));
            }
            Integer id = find(table.name(), record.getKey());
            List<String> names = names(table);
            PreparedStatement write = prepare(
                    id == null
                            ? "INSERT INTO " + table.name() + " (" + String.join(", ", names)
                                    + ", created_at, updated_at) VALUES ("
                                    + names.stream().map(name -> "?").collect(Collectors.joining(", "))
                                    + ", now(), now())"
                            : "UPDATE " + table.name() + " SET "
                                    + names.stream().map(name -> name + " = ?").collect(Collectors.joining(", "))
                                    + ", updated_at = now() WHERE id = ?");
            int next = bind(write, table, record);
            for (Integer target : ids) {
                write.setObject(next++, target);
            }
            if (id != null) {
                write.setInt(next, id);
            }
            write.executeUpdate();
        }

        private static List<String> names(FlatTable table) {
            return Stream.concat(
                            table.columns().stream().map(FlatTable.Column::name),
                            table.references().stream().map(FlatTable.Reference::column))
                    .toList();
        }

        private static int bind(PreparedStatement statement, FlatTable table, InventoryRecord record)
                throws SQLException {
            int next = 1;
            for (FlatTable.Column column : table.columns()) {
                statement.setObject(next++, column.value().apply(record));
            }
            return next;
        }

        private Integer find(String table, String key) throws SQLException {
            PreparedStatement query = prepare("SELECT id FROM " + table + " WHERE source_key = ?");
            query.setString(1, key);
            try (ResultSet row = query.executeQuery()) {
                return row.next() ? (Integer) row.getInt(1) : null;
            }
        }

        private PreparedStatement prepare(String sql) throws SQLException {
            PreparedStatement statement = prepared.get(sql);
            if (statement == null) {
                statement = connection.prepareStatement(sql);
                prepared.put(sql, statement);
            }
            return statement;
        }

        @Override
        public void close() throws SQLException {
            for (PreparedStatement statement : prepared.values()) {
                statement.close();
            }
        }
    }
}
