package io.elder.writeback;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.schemas.avro.WritebackResult;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Notes results in Elder's tables: whether and when a row is at its provider, and a line of {@code audit_logs} where that
 * table is. The offsets are committed with the rows, as the sink does it, so that a line is written once.
 */
final class ResultWriter implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ResultWriter.class);
    private static final Duration PAUSE_AFTER_FAILURE = Duration.ofSeconds(2);
    private static final String MEMBERSHIPS = "identity_group_memberships";

    private final KafkaClients kafka;
    private final HikariDataSource database;
    private final Deserializer<WritebackResult> results;
    private final Thread thread;
    private volatile boolean isStopping;
    private volatile String trouble;

    ResultWriter(KafkaClients kafka, HikariDataSource database) {
        this.kafka = kafka;
        this.database = database;
        this.results = PlannerTopology.reader(WritebackResult.class, kafka.common());
        this.thread = new Thread(this::loop, "writeback-results");
    }

    void start() {
        thread.start();
    }

    Health health() {
        String now = trouble;
        return now == null ? Health.OK : Health.notReady("writeback results: " + now);
    }

    @Override
    public void close() {
        isStopping = true;
        try {
            thread.join(Duration.ofSeconds(20));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        database.close();
    }

    private void loop() {
        while (!isStopping) {
            Map<String, Object> settings = kafka.consumer("writeback-results");
            try (KafkaConsumer<byte[], byte[]> consumer =
                    new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                consumer.subscribe(List.of(kafka.topics().writebackResults().name()), new Rebalance(consumer));
                while (!isStopping) {
                    ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
                    if (!records.isEmpty()) {
                        write(records);
                    }
                    trouble = null;
                }
            } catch (SQLException e) {
                trouble = "the database: SQLSTATE " + e.getSQLState();
                LOG.warn("results can't be noted, trying again in {}", PAUSE_AFTER_FAILURE, e);
                pauseAfterFailure();
            } catch (KafkaException | Unavailable e) {
                trouble = String.valueOf(e.getMessage());
                LOG.warn("results can't be read, trying again in {}", PAUSE_AFTER_FAILURE, e);
                pauseAfterFailure();
            }
        }
    }

    private void pauseAfterFailure() {
        try {
            Thread.sleep(PAUSE_AFTER_FAILURE);
        } catch (InterruptedException e) {
            isStopping = true;
        }
    }

    private void write(ConsumerRecords<byte[], byte[]> records) throws SQLException {
        try (Connection connection = database.getConnection()) {
            connection.setAutoCommit(false);
            Map<String, String> columns = columns(connection, MEMBERSHIPS);
            Map<String, String> audit = columns(connection, "audit_logs");
            Map<TopicPartition, Long> next = new HashMap<>();
            for (ConsumerRecord<byte[], byte[]> record : records) {
                next.put(new TopicPartition(record.topic(), record.partition()), record.offset() + 1);
                WritebackResult result;
                try {
                    result = results.deserialize(record.topic(), record.value());
                } catch (SerializationException e) {
                    LOG.error("a result that nobody can read is left out: {}", e.getMessage());
                    continue;
                }
                if (result == null || result.getMemberId().isEmpty()) {
                    continue;
                }
                note(connection, columns, result);
                audit(connection, audit, result);
            }
            for (Map.Entry<TopicPartition, Long> entry : next.entrySet()) {
                try (PreparedStatement move = connection.prepareStatement("""
                        INSERT INTO pipeline.offsets (topic, partition, next_offset) VALUES (?, ?, ?)
                        ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset
                        """)) {
                    move.setString(1, entry.getKey().topic());
                    move.setInt(2, entry.getKey().partition());
                    move.setLong(3, entry.getValue());
                    move.executeUpdate();
                }
            }
            connection.commit();
        }
    }

    /** The update comes back as a change of the row, in nothing that write-back looks at. */
    private static void note(Connection connection, Map<String, String> columns, WritebackResult result)
            throws SQLException {
        boolean isDone = result.getOutcome().equals(Outcome.APPLIED)
                || result.getOutcome().equals(Outcome.ALREADY);
        if (result.getRows().isEmpty() || !columns.containsKey("provider_synced")) {
            return;
        }
        StringBuilder sql = new StringBuilder("UPDATE identity_group_memberships SET provider_synced = ?");
        boolean hasTime = isDone && columns.containsKey("provider_synced_at");
        boolean hasMember = isDone && result.getOperation().equals("add") && columns.containsKey("provider_member_id");
        if (hasTime) {
            sql.append(", provider_synced_at = CAST(? AS ")
                    .append(columns.get("provider_synced_at"))
                    .append(")");
        }
        if (hasMember) {
            sql.append(", provider_member_id = coalesce(provider_member_id, ?)");
        }
        sql.append(" WHERE id = ANY (?)");
        try (PreparedStatement update = connection.prepareStatement(sql.toString())) {
            int i = 1;
            update.setBoolean(i++, isDone);
            if (hasTime) {
                update.setString(i++, result.getAt().toString());
            }
            if (hasMember) {
                update.setString(i++, result.getMemberId());
            }
            update.setArray(
                    i, connection.createArrayOf("integer", result.getRows().toArray()));
            update.executeUpdate();
        }
    }

    /** Elder's releases differ in this table: what it has of these columns is filled, if that is enough for a row. */
    private static void audit(Connection connection, Map<String, String> columns, WritebackResult result)
            throws SQLException {
        if (columns.isEmpty()) {
            return;
        }
        ObjectNode details = JsonNodeFactory.instance
                .objectNode()
                .put("plan_id", result.getPlanId())
                .put("provider", result.getProvider())
                .put("group", result.getGroupId())
                .put("member", result.getMemberId())
                .put("outcome", result.getOutcome())
                .put("message", result.getMessage())
                .put("by", result.getBy());
        Map<String, String> values = new LinkedHashMap<>();
        String action = "writeback." + result.getOperation();
        values.put("action", action);
        values.put("action_name", action);
        values.put("resource_type", "identity_group_membership");
        if (!result.getRows().isEmpty()) {
            values.put("resource_id", result.getRows().getFirst().toString());
        }
        values.put("details", details.toString());
        values.put(
                "success",
                Boolean.toString(
                        !Set.of(Outcome.FAILED, Outcome.REFUSED, Outcome.MOVED).contains(result.getOutcome())));
        values.put("created_at", result.getAt().toString());
        values.put("timestamp", result.getAt().toString());
        values.keySet().retainAll(columns.keySet());
        List<String> casts = new ArrayList<>();
        values.keySet().forEach(name -> casts.add("CAST(? AS " + columns.get(name) + ")"));
        var savepoint = connection.setSavepoint();
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO audit_logs ("
                + String.join(
                        ", ",
                        values.keySet().stream().map(name -> '"' + name + '"').toList()) + ") VALUES ("
                + String.join(", ", casts) + ")")) {
            int i = 1;
            for (String value : values.values()) {
                insert.setString(i++, value);
            }
            insert.executeUpdate();
            connection.releaseSavepoint(savepoint);
        } catch (SQLException e) {
            connection.rollback(savepoint);
            LOG.warn("audit_logs did not take a line: SQLSTATE {}", e.getSQLState());
        }
    }

    /** Names and types of a table's columns; none if there is no such table, or no right to it. */
    private static Map<String, String> columns(Connection connection, String table) throws SQLException {
        Map<String, String> columns = new LinkedHashMap<>();
        try (PreparedStatement query = connection.prepareStatement("""
                SELECT a.attname, format_type(a.atttypid, a.atttypmod)
                FROM pg_attribute a
                WHERE a.attrelid = to_regclass('public.' || ?) AND a.attnum > 0 AND NOT a.attisdropped
                    AND (has_column_privilege(a.attrelid, a.attnum, 'INSERT') OR has_column_privilege(a.attrelid, a.attnum, 'UPDATE'))
                """)) {
            query.setString(1, table);
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    columns.put(row.getString(1), row.getString(2));
                }
            }
        }
        return columns;
    }

    /** The place to read from could not be found out. */
    private static final class Unavailable extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Unavailable(SQLException cause) {
            super("the database: SQLSTATE " + cause.getSQLState(), cause);
        }
    }

    private final class Rebalance implements ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;

        Rebalance(KafkaConsumer<byte[], byte[]> consumer) {
            this.consumer = consumer;
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            try (Connection connection = database.getConnection();
                    PreparedStatement query = connection.prepareStatement(
                            "SELECT next_offset FROM pipeline.offsets WHERE topic = ? AND partition = ?")) {
                for (TopicPartition partition : partitions) {
                    query.setString(1, partition.topic());
                    query.setInt(2, partition.partition());
                    try (ResultSet row = query.executeQuery()) {
                        if (row.next()) {
                            consumer.seek(partition, row.getLong(1));
                        } else {
                            consumer.seekToBeginning(List.of(partition));
                        }
                    }
                }
            } catch (SQLException e) {
                throw new Unavailable(e);
            }
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}
    }
}
