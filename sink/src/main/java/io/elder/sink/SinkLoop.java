package io.elder.sink;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Component;
import io.elder.runtime.Health;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.RunFinished;
import io.elder.schemas.avro.ScopeMark;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import io.elder.schemas.serde.DeadLetter;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes batches from {@code inventory} and {@code runs} into PostgreSQL. Rows and offsets are committed together, and the
 * offsets are compared before they are set: a sink that lost its partitions without knowing can commit nothing.
 */
public final class SinkLoop implements Component {
    private static final Logger LOG = LoggerFactory.getLogger(SinkLoop.class);
    private static final String STAGE = "sink";
    private static final Duration POLL = Duration.ofMillis(100);
    private static final Duration SHORTEST_RETRY = Duration.ofMillis(100);
    private static final int ANSWER_WITHIN_MILLIS = 120_000;
    private static final Executor ON_THIS_THREAD = Runnable::run;

    /** Another sink moved these offsets: this one's view is stale. */
    private static final class FencedException extends Exception {
        private static final long serialVersionUID = 1L;

        FencedException(String message) {
            super(message);
        }
    }

    @FunctionalInterface
    private interface Writing {
        void run() throws SQLException;
    }

    /**
     * What the book of runs is told.
     *
     * @param closes whether the run may be closable afterwards
     */
    private record Entry(String run, boolean closes, ConsumerRecord<byte[], byte[]> source, Writing write) {}

    private record Refused(ConsumerRecord<byte[], byte[]> source, String errorClass, String message) {}

    /** What a transaction did, counted once it is committed. */
    private static final class Outcome {
        private final Map<String, Integer> rows = new TreeMap<>();
        private final List<Refused> refused = new ArrayList<>();
        private final List<Long> timestamps = new ArrayList<>();

        void clear() {
            rows.clear();
            refused.clear();
            timestamps.clear();
        }

        void add(InventoryWriter.Written written) {
            written.rows().forEach((what, count) -> rows.merge(what, count, Integer::sum));
        }
    }

    private final SinkSettings settings;
    private final Topics topics;
    private final MeterRegistry meters;
    private final Timer visible;
    private final AvroDeserializer<InventoryRecord> inventoryDeserializer = new AvroDeserializer<>();
    private final AvroDeserializer<RunEvent> runDeserializer = new AvroDeserializer<>();
    private final AvroSerializer<InventoryRecord> inventorySerializer = new AvroSerializer<>();
    private final AtomicBoolean stopping = new AtomicBoolean();
    private final AtomicLong rowsWritten = new AtomicLong();
    private final Map<TopicPartition, Long> expected = new HashMap<>();
    private final Set<TopicPartition> unpositioned = new HashSet<>();
    private final Set<TopicPartition> assigned = new HashSet<>();
    private final Thread thread = new Thread(this::run, STAGE);
    private volatile String trouble = "starting";
    private volatile ElderShape shape;
    private volatile KafkaConsumer<byte[], byte[]> consumer;
    private HikariDataSource database;
    private KafkaProducer<byte[], byte[]> producer;
    private InventoryWriter writer;
    private RunLedger ledger;
    private int inventoryPartitions;
    private boolean rebalanced;
    private Instant settledAt = Instant.EPOCH;

    public SinkLoop(SinkSettings settings, MeterRegistry meters) {
        this.settings = settings;
        this.topics = settings.kafka().topics();
        this.meters = meters;
        this.visible = Timer.builder("elder_change_to_visible")
                .description("From a record's entry in the topic inventory to its commit in PostgreSQL")
                .publishPercentiles(0.5, 0.99)
                .register(meters);
        inventoryDeserializer.configure(settings.kafka().common(), false);
        inventorySerializer.configure(settings.kafka().common(), false);
        runDeserializer.configure(settings.kafka().common(), false);
    }

    @Override
    public void start() {
        thread.start();
    }

    @Override
    public Health health() {
        if (!thread.isAlive()) {
            return Health.notReady("sink: not running");
        }
        String reason = trouble;
        return reason == null ? Health.OK : Health.notReady("sink: " + reason);
    }

    @Override
    public Map<String, Object> status() {
        Map<String, Object> status = new LinkedHashMap<>();
        ElderShape found = shape;
        status.put("databaseShape", found == null ? "not known yet" : found.name());
        status.put("rowsWritten", rowsWritten.get());
        return status;
    }

    @Override
    public void close() {
        stopping.set(true);
        KafkaConsumer<byte[], byte[]> running = consumer;
        if (running != null) {
            running.wakeup();
        }
        try {
            thread.join(Duration.ofSeconds(20));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        Duration wait = SHORTEST_RETRY;
        while (!stopping.get()) {
            try {
                open();
                wait = SHORTEST_RETRY;
                while (!stopping.get()) {
                    step();
                }
            } catch (WakeupException | InterruptException e) {
                LOG.debug("woken up", e);
            } catch (RuntimeException e) {
                // Kafka, the registry or a defect: whatever it is, nothing was committed, and another try may do.
                trouble = e.getClass().getSimpleName() + ": " + e.getMessage();
                LOG.warn("starting again: {}", e.getMessage(), e);
            } finally {
                closeClients();
            }
            if (!stopping.get()) {
                sleep(wait);
                wait = longer(wait);
            }
        }
    }

    private void open() {
        database = settings.database().pool(STAGE, 2);
        Map<String, Object> producing = settings.kafka().producer(STAGE);
        producer = new KafkaProducer<>(producing, new ByteArraySerializer(), new ByteArraySerializer());
        Map<String, Object> consuming = settings.kafka().consumer(STAGE);
        consuming.put("max.poll.records", settings.batchSize());
        consuming.putIfAbsent("fetch.max.wait.ms", 100);
        KafkaConsumer<byte[], byte[]> opened =
                new KafkaConsumer<>(consuming, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer = opened;
        expected.clear();
        assigned.clear();
        unpositioned.clear();
        opened.subscribe(List.of(topics.inventory().name(), topics.runs().name()), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                rebalanced = true;
                assigned.removeAll(partitions);
                unpositioned.removeAll(partitions);
                partitions.forEach(expected::remove);
            }

            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                rebalanced = true;
                assigned.addAll(partitions);
                unpositioned.addAll(partitions);
                // Nothing may be read from where Kafka thinks we are: the offsets are in PostgreSQL.
                opened.pause(partitions);
            }
        });
    }

    private void closeClients() {
        KafkaConsumer<byte[], byte[]> open = consumer;
        consumer = null;
        try {
            if (open != null) {
                open.close();
            }
            if (producer != null) {
                producer.close(Duration.ofSeconds(5));
            }
        } catch (KafkaException e) {
            LOG.warn("closing Kafka's clients: {}", e.getMessage());
        }
        if (database != null) {
            database.close();
        }
    }

    private void step() {
        if (!unpositioned.isEmpty() && !untilDone("positions", false, this::position)) {
            return;
        }
        rebalanced = false;
        ConsumerRecords<byte[], byte[]> records = consumer.poll(POLL);
        if (rebalanced && !unpositioned.isEmpty()) {
            // Partitions that stayed may have given records; they are read again.
            unpositioned.addAll(assigned);
            consumer.pause(assigned);
            return;
        }
        if (records.isEmpty()) {
            if (unpositioned.isEmpty() && shape != null) {
                trouble = null;
            }
            if (!assigned.isEmpty() && Instant.now().isAfter(settledAt.plus(settings.settleInterval()))) {
                untilDone("waiting rows", true, this::settle);
                settledAt = Instant.now();
            }
            return;
        }
        Outcome outcome = new Outcome();
        if (untilDone("batch", true, (connection, careful) -> {
            outcome.clear();
            write(connection, records, careful, outcome);
        })) {
            for (TopicPartition partition : records.partitions()) {
                expected.put(partition, next(records, partition));
            }
            meters.counter("elder_sink_batches").increment();
            count(outcome);
            trouble = null;
        }
    }

    @FunctionalInterface
    private interface Work {
        void in(Connection connection, boolean careful) throws SQLException, FencedException;
    }

    /**
     * Does the work in one transaction, again and again until the database takes it.
     *
     * @return false if the partitions changed hands meanwhile: the work is no longer ours
     */
    private boolean untilDone(String what, boolean mayBisect, Work work) {
        Duration wait = SHORTEST_RETRY;
        boolean careful = false;
        while (!stopping.get()) {
            rebalanced = false;
            try (Connection connection = database.getConnection()) {
                connection.setAutoCommit(false);
                connection.setNetworkTimeout(ON_THIS_THREAD, ANSWER_WITHIN_MILLIS);
                try {
                    prepare(connection);
                    work.in(connection, careful);
                    connection.commit();
                    return true;
                } catch (SQLException | FencedException | RuntimeException e) {
                    rollback(connection);
                    throw e;
                }
            } catch (FencedException e) {
                LOG.warn("another sink has these partitions: {}", e.getMessage());
                reposition();
                return false;
            } catch (SQLException e) {
                if (mayBisect && !careful && DatabaseTrouble.isTheRow(e)) {
                    LOG.info("{}: a row is refused, looking for it: {}", what, DatabaseTrouble.describe(e));
                    careful = true;
                    continue;
                }
                waitForDatabase(what + ": " + DatabaseTrouble.describe(e));
            } catch (IllegalStateException e) {
                // The tables are not as they must be: somebody is migrating, or has to.
                waitForDatabase(what + ": " + e.getMessage());
                writer = null;
            }
            careful = false;
            if (!pauseFor(wait)) {
                return false;
            }
            wait = longer(wait);
        }
        return false;
    }

    private void waitForDatabase(String reason) {
        if (!("database: " + reason).equals(trouble)) {
            LOG.warn("the database does not take it, trying again for as long as it takes: {}", reason);
        }
        trouble = "database: " + reason;
        meters.counter("elder_sink_database_retries").increment();
    }

    /** Stays a member of the group while the database is waited for. */
    private boolean pauseFor(Duration wait) {
        consumer.pause(consumer.assignment());
        Instant until =
                Instant.now().plusMillis(ThreadLocalRandom.current().nextLong(wait.toMillis() / 2, wait.toMillis()));
        while (!stopping.get() && Instant.now().isBefore(until)) {
            if (!consumer.poll(Duration.ofMillis(50)).isEmpty()) {
                // Records of paused partitions are not given; those that are came with a new assignment.
                rebalanced = true;
            }
        }
        if (rebalanced) {
            reposition();
            return false;
        }
        Set<TopicPartition> ready = new HashSet<>(consumer.assignment());
        ready.removeAll(unpositioned);
        consumer.resume(ready);
        return true;
    }

    private void reposition() {
        unpositioned.clear();
        unpositioned.addAll(consumer.assignment());
        assigned.clear();
        assigned.addAll(unpositioned);
        consumer.pause(unpositioned);
    }

    private void prepare(Connection connection) throws SQLException {
        InventoryWriter.prepare(connection);
        if (writer == null) {
            ElderShape found = ElderShape.detect(connection);
            shape = found;
            writer = new InventoryWriter(found, settings.rules());
            ledger = new RunLedger(found);
            LOG.info("the database has shape {}", found);
        }
        if (inventoryPartitions == 0) {
            inventoryPartitions =
                    consumer.partitionsFor(topics.inventory().name()).size();
        }
    }

    /** Goes to where the last committed batch ended. */
    private void position(Connection connection, boolean careful) throws SQLException {
        Map<TopicPartition, Long> found = new HashMap<>();
        try (PreparedStatement query =
                        connection.prepareStatement("SELECT topic, partition, next_offset FROM pipeline.offsets");
                ResultSet row = query.executeQuery()) {
            while (row.next()) {
                found.put(new TopicPartition(row.getString(1), row.getInt(2)), row.getLong(3));
            }
        }
        Set<TopicPartition> positioned = new HashSet<>(unpositioned);
        positioned.retainAll(consumer.assignment());
        for (TopicPartition partition : positioned) {
            Long next = found.get(partition);
            if (next == null) {
                consumer.seekToBeginning(List.of(partition));
                try (PreparedStatement insert = connection.prepareStatement(
                        "INSERT INTO pipeline.offsets (topic, partition, next_offset) VALUES (?, ?, 0) ON CONFLICT DO NOTHING")) {
                    insert.setString(1, partition.topic());
                    insert.setInt(2, partition.partition());
                    insert.executeUpdate();
                }
                next = 0L;
            } else {
                consumer.seek(partition, next);
            }
            expected.put(partition, next);
        }
        unpositioned.clear();
        consumer.resume(positioned);
    }

    private void write(Connection connection, ConsumerRecords<byte[], byte[]> records, boolean careful, Outcome outcome)
            throws SQLException, FencedException {
        fence(connection, records);
        Map<String, ConsumerRecord<byte[], byte[]>> sources = new HashMap<>();
        List<InventoryWriter.Incoming> incoming = new ArrayList<>();
        List<Entry> marks = new ArrayList<>();
        List<Entry> events = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            try {
                if (record.topic().equals(topics.runs().name())) {
                    if (record.value() != null) {
                        RunEvent event = runDeserializer.deserialize(record.topic(), record.value());
                        boolean ends = event.getBody() instanceof RunFinished;
                        events.add(new Entry(event.getRunId(), ends, record, () -> ledger.event(connection, event)));
                    }
                    continue;
                }
                InventoryRecord read = record.value() == null
                        ? null
                        : inventoryDeserializer.deserialize(record.topic(), record.value());
                if (read != null && read.getBody() instanceof ScopeMark mark) {
                    marks.add(new Entry(
                            read.getRunId(),
                            true,
                            record,
                            () -> ledger.mark(connection, read, mark, record.partition(), inventoryPartitions)));
                } else if (record.key() != null) {
                    String key = new String(record.key(), StandardCharsets.UTF_8);
                    incoming.add(new InventoryWriter.Incoming(key, read, record.partition(), record.offset()));
                    sources.put(record.partition() + "/" + record.offset(), record);
                }
            } catch (SerializationException e) {
                outcome.refused.add(new Refused(record, e.getClass().getName(), e.getMessage()));
            }
        }
        InventoryWriter.Written written = writer.write(connection, incoming, careful);
        outcome.add(written);
        addRefused(outcome, written, sources);

        List<Entry> entries = new ArrayList<>(marks);
        entries.addAll(events);
        Map<String, ConsumerRecord<byte[], byte[]>> touched = note(connection, entries, careful, outcome);
        List<String> closable = ledger.closable(connection, touched.keySet());
        if (!closable.isEmpty()) {
            InventoryWriter.Written settled = writer.settle(connection, careful);
            outcome.add(settled);
            addRefused(outcome, settled, sources);
            for (String run : closable) {
                close(connection, run, touched.get(run), careful, outcome);
            }
            supersede(connection, careful);
        }
        bury(outcome.refused);
        sources.values().forEach(source -> outcome.timestamps.add(source.timestamp()));
    }

    /** Enters marks and events into the book of runs. Returns the runs that may be closable now, and what made them so. */
    private Map<String, ConsumerRecord<byte[], byte[]>> note(
            Connection connection, List<Entry> entries, boolean careful, Outcome outcome) throws SQLException {
        Map<String, ConsumerRecord<byte[], byte[]>> touched = new TreeMap<>();
        if (!careful) {
            entries.stream().filter(Entry::closes).forEach(entry -> touched.put(entry.run(), entry.source()));
            ledger.ensure(connection, touched.keySet());
            for (Entry entry : entries) {
                entry.write().run();
            }
            return touched;
        }
        for (Entry entry : entries) {
            Optional<SQLException> refusal = attempt(connection, true, () -> {
                if (entry.closes()) {
                    ledger.ensure(connection, Set.of(entry.run()));
                }
                entry.write().run();
            });
            if (refusal.isPresent()) {
                outcome.refused.add(refused(entry.source(), refusal.get()));
            } else if (entry.closes()) {
                touched.put(entry.run(), entry.source());
            }
        }
        return touched;
    }

    /** Closes a run, with as much of its result as this database takes. */
    private void close(
            Connection connection, String run, ConsumerRecord<byte[], byte[]> source, boolean careful, Outcome outcome)
            throws SQLException {
        Optional<SQLException> refusal = attempt(connection, careful, () -> ledger.close(connection, run));
        if (refusal.isEmpty()) {
            return;
        }
        String reason = "the result was refused: " + DatabaseTrouble.describe(refusal.get());
        outcome.refused.add(refused(source, refusal.get()));
        if (attempt(connection, true, () -> ledger.closeWithoutHistory(connection, run, reason))
                .isPresent()) {
            ledger.abandon(connection, run, reason);
        }
    }

    private void supersede(Connection connection, boolean careful) throws SQLException {
        attempt(connection, careful, () -> ledger.supersede(connection))
                .ifPresent(e -> LOG.warn("runs that were superseded stay open: {}", DatabaseTrouble.describe(e)));
    }

    /** Returns what PostgreSQL refuses, undone, if careful; else it is thrown, and the whole batch is tried carefully. */
    private static Optional<SQLException> attempt(Connection connection, boolean careful, Writing writing)
            throws SQLException {
        if (!careful) {
            writing.run();
            return Optional.empty();
        }
        Savepoint before = connection.setSavepoint();
        try {
            writing.run();
            connection.releaseSavepoint(before);
            return Optional.empty();
        } catch (SQLException e) {
            if (!DatabaseTrouble.isTheRow(e)) {
                throw e;
            }
            connection.rollback(before);
            return Optional.of(e);
        }
    }

    private static Refused refused(ConsumerRecord<byte[], byte[]> source, SQLException e) {
        return new Refused(source, e.getClass().getName(), DatabaseTrouble.describe(e));
    }

    private void settle(Connection connection, boolean careful) throws SQLException {
        Outcome outcome = new Outcome();
        InventoryWriter.Written settled = writer.settle(connection, careful);
        addRefused(outcome, settled, Map.of());
        bury(outcome.refused);
        supersede(connection, careful);
    }

    /** Moves the offsets on, provided that they are where this sink left them. */
    private void fence(Connection connection, ConsumerRecords<byte[], byte[]> records)
            throws SQLException, FencedException {
        String sql =
                "UPDATE pipeline.offsets SET next_offset = ? WHERE topic = ? AND partition = ? AND next_offset = ?";
        List<TopicPartition> partitions = new ArrayList<>(records.partitions());
        // In one order, so that two sinks that overlap for a moment wait instead of deadlocking.
        partitions.sort(Comparator.comparing(TopicPartition::topic).thenComparing(TopicPartition::partition));
        try (PreparedStatement update = connection.prepareStatement(sql)) {
            for (TopicPartition partition : partitions) {
                Long from = expected.get(partition);
                update.setLong(1, next(records, partition));
                update.setString(2, partition.topic());
                update.setInt(3, partition.partition());
                update.setLong(4, from == null ? -1 : from);
                if (update.executeUpdate() != 1) {
                    throw new FencedException(partition + " is not at " + from + " any more");
                }
            }
        }
    }

    private static long next(ConsumerRecords<byte[], byte[]> records, TopicPartition partition) {
        return records.records(partition).getLast().offset() + 1;
    }

    private void addRefused(
            Outcome outcome, InventoryWriter.Written written, Map<String, ConsumerRecord<byte[], byte[]>> sources) {
        for (InventoryWriter.Refusal refusal : written.refusals()) {
            ConsumerRecord<byte[], byte[]> source = sources.get(refusal.partition() + "/" + refusal.offset());
            if (source == null) {
                // It had been waiting for another row; its bytes are no longer at hand, its content is.
                source = new ConsumerRecord<>(
                        topics.inventory().name(),
                        refusal.partition(),
                        refusal.offset(),
                        refusal.record().getKey().getBytes(StandardCharsets.UTF_8),
                        inventorySerializer.serialize(topics.inventory().name(), refusal.record()));
            }
            outcome.refused.add(new Refused(source, refusal.errorClass(), refusal.message()));
        }
    }

    /** Before the commit: a dead letter may be sent twice, but never lost. */
    private void bury(List<Refused> refused) {
        if (refused.isEmpty()) {
            return;
        }
        Instant now = Instant.now();
        Map<Refused, Future<RecordMetadata>> sent = new LinkedHashMap<>();
        for (Refused one : refused) {
            ConsumerRecord<byte[], byte[]> source = one.source();
            sent.put(
                    one,
                    producer.send(DeadLetter.of(
                            topics.deadletter().name(),
                            source.key(),
                            source.value(),
                            DeadLetter.headers(
                                    STAGE,
                                    source.topic(),
                                    source.partition(),
                                    source.offset(),
                                    one.errorClass(),
                                    one.message(),
                                    now))));
        }
        try {
            for (Future<RecordMetadata> one : sent.values()) {
                one.get();
            }
        } catch (InterruptedException e) {
            throw new InterruptException(e);
        } catch (ExecutionException e) {
            throw new KafkaException("a dead letter could not be sent", e.getCause());
        }
    }

    private void count(Outcome outcome) {
        outcome.rows.forEach((what, count) -> {
            int slash = what.indexOf('/');
            Counter.builder("elder_sink_rows")
                    .description("Rows by table and what was done to them")
                    .tag("table", what.substring(0, slash))
                    .tag("operation", what.substring(slash + 1))
                    .register(meters)
                    .increment(count);
            rowsWritten.addAndGet(count);
        });
        for (Refused one : outcome.refused) {
            meters.counter("elder_deadletters", "stage", STAGE).increment();
            LOG.warn(
                    "dead letter: {} {}@{}: {}",
                    one.source().topic(),
                    one.source().partition(),
                    one.source().offset(),
                    one.message());
        }
        long now = System.currentTimeMillis();
        outcome.timestamps.forEach(timestamp -> visible.record(Duration.ofMillis(Math.max(0, now - timestamp))));
    }

    private static void rollback(Connection connection) {
        try {
            connection.rollback();
        } catch (SQLException e) {
            LOG.debug("the connection is gone", e);
        }
    }

    private Duration longer(Duration wait) {
        Duration twice = wait.multipliedBy(2);
        return twice.compareTo(settings.retryAtMost()) > 0 ? settings.retryAtMost() : twice;
    }

    private static void sleep(Duration wait) {
        try {
            Thread.sleep(wait);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
