package io.elder.sink;

import io.elder.schemas.Topics;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.RunFinished;
import io.elder.schemas.avro.ScopeMark;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import io.elder.schemas.serde.DeadLetter;
import io.elder.sink.InventoryWriter.Tally;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.SerializationException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What one transaction does: rows, the book of runs, and dead letters for what the database refuses. */
final class Delivery {
    private static final Logger LOG = LoggerFactory.getLogger(Delivery.class);

    /**
     * What the book of runs is told.
     *
     * @param closes whether the run may be closable afterwards
     */
    private record Entry(String run, boolean closes, ConsumerRecord<byte[], byte[]> source, Savepoints.Step write) {
        void add(Map<String, ConsumerRecord<byte[], byte[]>> touched) {
            if (closes) {
                touched.put(run, source);
            }
        }
    }

    record Refused(ConsumerRecord<byte[], byte[]> source, String errorClass, String message) {}

    /** What a transaction did, counted once it is committed. */
    static final class Outcome {
        private final Map<String, Integer> rows = new TreeMap<>();
        private final List<Refused> refused = new ArrayList<>();
        private final List<Long> timestamps = new ArrayList<>();

        /** By {@code table/operation}. */
        Map<String, Integer> rows() {
            return rows;
        }

        List<Refused> refused() {
            return refused;
        }

        /** When the records that were written came to the topic. */
        List<Long> timestamps() {
            return timestamps;
        }

        void clear() {
            rows.clear();
            refused.clear();
            timestamps.clear();
        }

        private void add(InventoryWriter.Written written) {
            written.rows().forEach((what, count) -> rows.merge(what, count, Integer::sum));
        }
    }

    private final Topics topics;
    private final int inventoryPartitions;
    private final KafkaProducer<byte[], byte[]> producer;
    private final InventoryWriter writer;
    private final RunLedger ledger;
    private final AvroDeserializer<InventoryRecord> inventoryDeserializer =
            new AvroDeserializer<>(InventoryRecord.class);
    private final AvroDeserializer<RunEvent> runDeserializer = new AvroDeserializer<>(RunEvent.class);
    private final AvroSerializer<InventoryRecord> inventorySerializer = new AvroSerializer<>();

    /** @param producer for dead letters; it is not closed here */
    Delivery(SinkSettings settings, ElderShape shape, int inventoryPartitions, KafkaProducer<byte[], byte[]> producer) {
        this.topics = settings.kafka().topics();
        this.inventoryPartitions = inventoryPartitions;
        this.producer = producer;
        this.writer = new InventoryWriter(shape, settings.rules());
        this.ledger = new RunLedger(shape);
        inventoryDeserializer.configure(settings.kafka().common(), false);
        inventorySerializer.configure(settings.kafka().common(), false);
        runDeserializer.configure(settings.kafka().common(), false);
    }

    /** Writes what was read, and closes the runs that are wholly visible with it. */
    void write(Connection connection, ConsumerRecords<byte[], byte[]> records, boolean careful, Outcome outcome)
            throws SQLException {
        Map<String, ConsumerRecord<byte[], byte[]>> sources = new HashMap<>();
        List<InventoryWriter.Incoming> incoming = new ArrayList<>();
        List<RunLedger.Mark> marks = new ArrayList<>();
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
                    marks.add(new RunLedger.Mark(read, mark, record));
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

        Map<String, ConsumerRecord<byte[], byte[]>> touched =
                note(connection, written.runs(), marks, events, careful, outcome);
        List<String> closable = ledger.closable(connection, touched.keySet());
        if (!closable.isEmpty()) {
            InventoryWriter.Written settled = writer.settle(connection, careful);
            outcome.add(settled);
            addRefused(outcome, settled, sources);
            ledger.count(connection, settled.runs());
            for (String run : closable) {
                close(connection, run, touched.get(run), careful, outcome);
            }
            supersede(connection, careful);
            // Last: what is locked for it, another sink may have in hand.
            for (String run : closable) {
                ledger.forgetOlder(connection, run);
            }
        }
        bury(outcome.refused);
        sources.values().forEach(source -> outcome.timestamps.add(source.timestamp()));
    }

    /**
     * Enters what was done, marks and events into the book of runs. Returns the runs that may be closable now, and what made
     * them so.
     */
    private Map<String, ConsumerRecord<byte[], byte[]>> note(
            Connection connection,
            Map<String, Tally> written,
            List<RunLedger.Mark> marks,
            List<Entry> events,
            boolean careful,
            Outcome outcome)
            throws SQLException {
        Map<String, ConsumerRecord<byte[], byte[]>> touched = new TreeMap<>();
        Map<String, Tally> runs = new TreeMap<>(written);
        if (!careful) {
            marks.forEach(mark -> touched.put(mark.run(), mark.source()));
            events.forEach(event -> event.add(touched));
            marks.forEach(mark -> runs.putIfAbsent(mark.run(), Tally.NONE));
            events.forEach(event -> runs.putIfAbsent(event.run(), Tally.NONE));
            ledger.count(connection, runs);
            ledger.mark(connection, marks, inventoryPartitions);
            for (Entry event : events) {
                event.write().run();
            }
            return touched;
        }
        ledger.count(connection, runs);
        List<Entry> entries = new ArrayList<>();
        marks.stream()
                .sorted(RunLedger.Mark.ORDER)
                .forEach(mark -> entries.add(new Entry(
                        mark.run(),
                        true,
                        mark.source(),
                        () -> ledger.mark(connection, List.of(mark), inventoryPartitions))));
        entries.addAll(events);
        for (Entry entry : entries) {
            Optional<SQLException> refusal = Savepoints.refusal(connection, () -> {
                ledger.count(connection, Map.of(entry.run(), Tally.NONE));
                entry.write().run();
            });
            if (refusal.isPresent()) {
                outcome.refused.add(refused(entry.source(), refusal.get()));
            } else {
                entry.add(touched);
            }
        }
        return touched;
    }

    /** Closes a run, with as much of its result as this database takes. */
    private void close(
            Connection connection, String run, ConsumerRecord<byte[], byte[]> source, boolean careful, Outcome outcome)
            throws SQLException {
        Optional<SQLException> refusal = Savepoints.refusal(connection, careful, () -> ledger.close(connection, run));
        if (refusal.isEmpty()) {
            return;
        }
        String reason = "the result was refused: " + DatabaseTrouble.describe(refusal.get());
        outcome.refused.add(refused(source, refusal.get()));
        if (Savepoints.refusal(connection, () -> ledger.closeWithoutHistory(connection, run, reason))
                .isPresent()) {
            ledger.abandon(connection, run, reason);
        }
    }

    private void supersede(Connection connection, boolean careful) throws SQLException {
        Savepoints.refusal(connection, careful, () -> ledger.supersede(connection))
                .ifPresent(e -> LOG.warn("runs that were superseded stay open: {}", DatabaseTrouble.describe(e)));
    }

    private static Refused refused(ConsumerRecord<byte[], byte[]> source, SQLException e) {
        return new Refused(source, e.getClass().getName(), DatabaseTrouble.describe(e));
    }

    /** Writes and links what waited although what it waits for is there. */
    void settle(Connection connection, boolean careful, Outcome outcome) throws SQLException {
        InventoryWriter.Written settled = writer.settle(connection, careful);
        outcome.add(settled);
        addRefused(outcome, settled, Map.of());
        ledger.count(connection, settled.runs());
        bury(outcome.refused);
        supersede(connection, careful);
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
                                    SinkLoop.STAGE,
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
}
