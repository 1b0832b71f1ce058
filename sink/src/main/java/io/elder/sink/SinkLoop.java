package io.elder.sink;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Component;
import io.elder.runtime.Health;
import io.elder.schemas.Topics;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
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
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
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
    static final String STAGE = "sink";
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

    private final SinkSettings settings;
    private final Topics topics;
    private final MeterRegistry meters;
    private final Timer visible;
    private final AtomicBoolean stopping = new AtomicBoolean();
    private final AtomicLong rowsWritten = new AtomicLong();
    private final Map<TopicPartition, Long> expected = new HashMap<>();
    private final Set<TopicPartition> unpositioned = new HashSet<>();
    private final Set<TopicPartition> assigned = new HashSet<>();
    private final Thread thread;
    private final String name;
    private volatile String trouble = "starting";
    private volatile ElderShape shape;
    private volatile KafkaConsumer<byte[], byte[]> consumer;
    private HikariDataSource database;
    private KafkaProducer<byte[], byte[]> producer;
    private Delivery delivery;
    private int inventoryPartitions;
    private boolean rebalanced;
    private boolean joined;
    private Instant settledAt = Instant.EPOCH;

    public SinkLoop(SinkSettings settings, MeterRegistry meters) {
        this(settings, meters, STAGE);
    }

    /** @param name of this one among those of the process */
    SinkLoop(SinkSettings settings, MeterRegistry meters, String name) {
        this.name = name;
        this.thread = new Thread(this::run, name);
        this.settings = settings;
        this.topics = settings.kafka().topics();
        this.meters = meters;
        this.visible = Timer.builder("elder_change_to_visible")
                .description("From a record's entry in the topic inventory to its commit in PostgreSQL")
                .publishPercentiles(0.5, 0.99)
                .register(meters);
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
        database = settings.database().pool(name, 2);
        Map<String, Object> producing = settings.kafka().producer(name);
        delivery = null;
        producer = new KafkaProducer<>(producing, new ByteArraySerializer(), new ByteArraySerializer());
        Map<String, Object> consuming = settings.kafka().consumer(STAGE);
        consuming.put("client.id", settings.kafka().group(name));
        consuming.put("max.poll.records", settings.batchSize());
        consuming.putIfAbsent("fetch.max.wait.ms", 100);
        KafkaConsumer<byte[], byte[]> opened =
                new KafkaConsumer<>(consuming, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer = opened;
        expected.clear();
        assigned.clear();
        unpositioned.clear();
        joined = false;
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
                joined = true;
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
            // With more loops than partitions some have none: they stand by, and are well.
            if (joined && unpositioned.isEmpty()) {
                trouble = null;
            }
            if (!assigned.isEmpty() && Instant.now().isAfter(settledAt.plus(settings.settleInterval()))) {
                Delivery.Outcome outcome = new Delivery.Outcome();
                if (untilDone("waiting rows", true, (connection, careful) -> {
                    outcome.clear();
                    delivery.settle(connection, careful, outcome);
                })) {
                    count(outcome);
                }
                settledAt = Instant.now();
            }
            return;
        }
        Delivery.Outcome outcome = new Delivery.Outcome();
        if (untilDone("batch", true, (connection, careful) -> {
            outcome.clear();
            fence(connection, records);
            delivery.write(connection, records, careful, outcome);
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
                delivery = null;
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
        if (inventoryPartitions == 0) {
            inventoryPartitions =
                    consumer.partitionsFor(topics.inventory().name()).size();
        }
        if (delivery == null) {
            ElderShape found = ElderShape.detect(connection);
            shape = found;
            delivery = new Delivery(settings, found, inventoryPartitions, producer);
            LOG.info("the database has shape {}", found);
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
                update.addBatch();
            }
            int[] moved = update.executeBatch();
            for (int i = 0; i < moved.length; i++) {
                if (moved[i] != 1) {
                    TopicPartition partition = partitions.get(i);
                    throw new FencedException(partition + " is not at " + expected.get(partition) + " any more");
                }
            }
        }
    }

    private static long next(ConsumerRecords<byte[], byte[]> records, TopicPartition partition) {
        return records.records(partition).getLast().offset() + 1;
    }

    private void count(Delivery.Outcome outcome) {
        outcome.rows().forEach((what, count) -> {
            int slash = what.indexOf('/');
            Counter.builder("elder_sink_rows")
                    .description("Rows by table and what was done to them")
                    .tag("table", what.substring(0, slash))
                    .tag("operation", what.substring(slash + 1))
                    .register(meters)
                    .increment(count);
            rowsWritten.addAndGet(count);
        });
        for (Delivery.Refused one : outcome.refused()) {
            meters.counter("elder_deadletters", "stage", STAGE).increment();
            LOG.warn(
                    "dead letter: {} {}@{}: {}",
                    one.source().topic(),
                    one.source().partition(),
                    one.source().offset(),
                    one.message());
        }
        long now = System.currentTimeMillis();
        outcome.timestamps().forEach(timestamp -> visible.record(Duration.ofMillis(Math.max(0, now - timestamp))));
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
