package io.elder.cdc;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Component;
import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.TopicCreation;
import io.elder.runtime.WholeTopics;
import io.elder.schemas.Topics;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the captured tables again and again and publishes what changed, as Debezium would, for databases without logical
 * decoding. What was published before is read back from the topics at the start, so a restart repeats nothing and sees
 * deletions of the time between. Of several such processes one works, the holder of a lock in the database.
 */
public final class JobPoller implements Component {
    private static final Logger LOG = LoggerFactory.getLogger(JobPoller.class);
    /** Any number that nobody else locks: "elder" in ASCII, and a version. */
    private static final long LOCK = 0x656c_6465_7201L;

    /** Debezium writes all six digits, zeros too. */
    private static final DateTimeFormatter MICROSECONDS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSSX");

    private static final ObjectMapper JSON = new ObjectMapper();

    private final CdcSettings settings;
    private final KafkaClients kafka;
    private final HikariDataSource pool;
    private final Thread thread;
    private volatile Health health = Health.notReady("cdc: the tables have not been read yet");
    private volatile boolean stopping;
    private volatile boolean leading;

    public JobPoller(CdcSettings settings, KafkaClients kafka, Metrics metrics) {
        this.settings = settings;
        this.kafka = kafka;
        this.pool = settings.database().pool("cdc-poll", 1);
        this.thread = Thread.ofPlatform().name("cdc-poll").unstarted(this::work);
        metrics.registry().gauge("cdc_poll_leading", this, poller -> poller.leading ? 1 : 0);
    }

    @Override
    public void start() {
        thread.start();
    }

    @Override
    public Health health() {
        return health;
    }

    @Override
    public Map<String, Object> status() {
        return Map.of(
                "source",
                "poll",
                "leading",
                leading,
                "interval",
                settings.pollInterval().toString());
    }

    @Override
    public void close() {
        stopping = true;
        thread.interrupt();
        try {
            thread.join(Duration.ofSeconds(30));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        pool.close();
    }

    private void work() {
        long pause = 1000;
        while (!stopping) {
            try (Connection connection = pool.getConnection()) {
                if (lock(connection)) {
                    lead(connection);
                    pause = 1000;
                } else {
                    health = Health.OK;
                    pause = Math.min(settings.pollInterval().toMillis(), 5000);
                }
            } catch (InterruptedException e) {
                return;
            } catch (SQLException | IOException | ExecutionException | KafkaException e) {
                if (stopping) {
                    return;
                }
                health = Health.notReady("cdc: the tables cannot be read or published: " + e.getMessage());
                LOG.warn("cdc: the tables cannot be read or published; trying again in {} ms", pause, e);
                pause = Math.min(pause * 2, 30_000);
            } finally {
                leading = false;
            }
            try {
                Thread.sleep(pause);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    /** Polls for as long as connection, and with it the lock, lasts. */
    private void lead(Connection connection)
            throws SQLException, IOException, InterruptedException, ExecutionException {
        createTopics();
        // Takes over from a predecessor that may still be sending: its transactions are fenced.
        Map<String, Object> producerSettings = kafka.producer(kafka.group("cdc-poll"));
        producerSettings.put("transactional.id", kafka.group("cdc-poll"));
        try (var producer = new KafkaProducer<>(producerSettings, new StringSerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            Map<String, Map<String, ObjectNode>> published = published();
            leading = true;
            while (!stopping) {
                for (String table : Topics.CAPTURED_TABLES) {
                    poll(connection, table, published.get(table), producer);
                }
                health = Health.OK;
                Thread.sleep(settings.pollInterval());
            }
        } finally {
            unlock(connection);
        }
    }

    private void poll(
            Connection connection,
            String table,
            Map<String, ObjectNode> published,
            KafkaProducer<String, byte[]> producer)
            throws SQLException, IOException {
        Map<String, ObjectNode> rows = read(connection, table);
        String topic = kafka.topics().cdc(table).name();
        boolean first = published.isEmpty();
        List<ProducerRecord<String, byte[]>> changes = new ArrayList<>();
        rows.forEach((id, row) -> {
            ObjectNode before = published.get(id);
            if (!row.equals(before)) {
                String operation = first ? "r" : before == null ? "c" : "u";
                changes.add(new ProducerRecord<>(topic, id, event(table, operation, null, row)));
            }
        });
        published.forEach((id, row) -> {
            if (!rows.containsKey(id)) {
                ObjectNode key = JSON.createObjectNode();
                key.set("id", row.get("id"));
                changes.add(new ProducerRecord<>(topic, id, event(table, "d", key, null)));
                changes.add(new ProducerRecord<>(topic, id, null));
            }
        });
        if (changes.isEmpty()) {
            return;
        }
        producer.beginTransaction();
        for (ProducerRecord<String, byte[]> change : changes) {
            // The commit throws if any of them failed.
            var unused = producer.send(change);
        }
        producer.commitTransaction();
        published.clear();
        published.putAll(rows);
        LOG.info("cdc: {} changes of {} published", changes.size(), table);
    }

    private static byte[] event(String table, String operation, ObjectNode before, ObjectNode after) {
        long now = Instant.now().toEpochMilli();
        ObjectNode event = JSON.createObjectNode();
        event.set("before", before == null ? JsonNodeFactory.instance.nullNode() : before);
        event.set("after", after == null ? JsonNodeFactory.instance.nullNode() : after);
        event.putObject("source")
                .put("connector", "poll")
                .put("name", "elder-worker")
                .put("ts_ms", now)
                .put("schema", "public")
                .put("table", table);
        event.put("op", operation);
        event.put("ts_ms", now);
        return event.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static Map<String, ObjectNode> read(Connection connection, String table) throws SQLException {
        List<String> columns = new ArrayList<>();
        try (ResultSet found = connection.getMetaData().getColumns(null, "public", table, "%")) {
            while (found.next()) {
                columns.add(found.getString("COLUMN_NAME"));
            }
        }
        columns.retainAll(CapturedColumns.of(table));
        Map<String, ObjectNode> rows = new LinkedHashMap<>();
        if (!columns.contains("id")) {
            throw new SQLException("table public." + table + " has no column id (expected: Elder's table)");
        }
        try (var statement = connection.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT " + String.join(", ", columns) + " FROM public." + table + " ORDER BY id")) {
            ResultSetMetaData types = row.getMetaData();
            while (row.next()) {
                ObjectNode values = JSON.createObjectNode();
                for (int i = 1; i <= columns.size(); i++) {
                    values.set(columns.get(i - 1), value(row, i, types.getColumnTypeName(i)));
                }
                rows.put(row.getString("id"), values);
            }
        }
        return rows;
    }

    /** A value as Debezium writes it. */
    private static JsonNode value(ResultSet row, int column, String type) throws SQLException {
        JsonNodeFactory json = JsonNodeFactory.instance;
        if (row.getObject(column) == null) {
            return json.nullNode();
        }
        return switch (type) {
            case "serial", "int2", "int4" -> json.numberNode(row.getInt(column));
            case "bigserial", "int8" -> json.numberNode(row.getLong(column));
            case "bool" -> json.booleanNode(row.getBoolean(column));
            case "timestamptz" ->
                json.textNode(MICROSECONDS.format(
                        row.getObject(column, OffsetDateTime.class).withOffsetSameInstant(ZoneOffset.UTC)));
            case "timestamp" ->
                json.textNode(MICROSECONDS.format(
                        row.getObject(column, LocalDateTime.class).atOffset(ZoneOffset.UTC)));
            default -> json.textNode(row.getString(column));
        };
    }

    /** The rows as the topics have them. */
    private Map<String, Map<String, ObjectNode>> published() throws IOException {
        Map<String, Map<String, ObjectNode>> published = new HashMap<>();
        Map<String, String> tables = new HashMap<>();
        for (String table : Topics.CAPTURED_TABLES) {
            published.put(table, new LinkedHashMap<>());
            tables.put(kafka.topics().cdc(table).name(), table);
        }
        Map<String, Object> consumerSettings = kafka.consumer("cdc-poll");
        consumerSettings.put("auto.offset.reset", "earliest");
        try (var consumer =
                new KafkaConsumer<>(consumerSettings, new StringDeserializer(), new ByteArrayDeserializer())) {
            WholeTopics.read(consumer, tables.keySet(), record -> {
                Map<String, ObjectNode> rows = published.get(tables.get(record.topic()));
                Optional<ObjectNode> after = after(record.value());
                if (after.isPresent()) {
                    rows.put(record.key(), after.get());
                } else {
                    rows.remove(record.key());
                }
            });
        }
        return published;
    }

    private static Optional<ObjectNode> after(byte[] value) throws IOException {
        return value != null && JSON.readTree(value).get("after") instanceof ObjectNode after
                ? Optional.of(after)
                : Optional.empty();
    }

    private void createTopics() throws InterruptedException, ExecutionException {
        try (Admin admin = Admin.create(kafka.common())) {
            for (String table : Topics.CAPTURED_TABLES) {
                var topic = kafka.topics().cdc(table);
                try {
                    TopicCreation.create(
                            admin,
                            List.of(new NewTopic(topic.name(), kafka.partitions(), (short) kafka.replicationFactor())
                                    .configs(topic.configuration())));
                } catch (ExecutionException e) {
                    if (!(e.getCause() instanceof TopicExistsException)) {
                        throw e;
                    }
                }
            }
        }
    }

    private static boolean lock(Connection connection) throws SQLException {
        try (var statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT pg_try_advisory_lock(" + LOCK + ")")) {
            row.next();
            return row.getBoolean(1);
        }
    }

    private static void unlock(Connection connection) {
        try (var statement = connection.createStatement()) {
            statement.execute("SELECT pg_advisory_unlock(" + LOCK + ")");
        } catch (SQLException gone) {
            // With its connection the lock is gone, too.
            LOG.debug("cdc: the lock went with its connection", gone);
        }
    }
}
