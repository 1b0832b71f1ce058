package io.elder.console;

import io.elder.runtime.KafkaClients;
import io.elder.runtime.TopicCreation;
import io.elder.schemas.ElderTable;
import io.elder.schemas.Topic;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.HeldPlan;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.sql.DataSource;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Makes the pipeline derive the inventory anew from the raw topics. The normalizer and the sink must be stopped; when they
 * start again they find an empty past. Rows that are kept keep their ids, because they are found by {@code source_key}.
 */
public final class Rebuild {
    static final List<String> STAGES = List.of("normalizer", "sink");

    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(60);
    private static final long SESSION = TimeUnit.SECONDS.toNanos(12);
    private static final long TAIL = 1000;
    private static final long LOOK = TimeUnit.MILLISECONDS.toNanos(500);
    private static final int BAR = 30;

    private final KafkaClients kafka;
    private final DataSource database;
    private final Path stateDirectory;

    /** @param stateDirectory the normalizer's {@code STATE_DIR} */
    public Rebuild(KafkaClients kafka, DataSource database, Path stateDirectory) {
        this.kafka = kafka;
        this.database = database;
        this.stateDirectory = stateDirectory;
    }

    /**
     * How far the rebuild is.
     *
     * @param rawTotal records to replay, control records included
     * @param sinkRemaining records of {@code inventory} that are not in the database yet, what the normalizer has told itself
     *     and not read, such as verdicts, and rows that do not refer yet to what is there
     */
    public record Progress(long rawDone, long rawTotal, long sinkRemaining) {
        public boolean normalized() {
            return rawDone >= rawTotal;
        }

        public boolean done() {
            return normalized() && sinkRemaining == 0;
        }

        long percent() {
            return rawTotal == 0 ? 100 : rawDone * 100 / rawTotal;
        }

        String text() {
            return percent() + "% " + rawDone + " of " + rawTotal + " raw records, " + sinkRemaining + " rows to write";
        }

        String bar() {
            int filled = (int) (percent() * BAR / 100);
            return "[" + "#".repeat(filled) + ".".repeat(BAR - filled) + "] " + text();
        }
    }

    /**
     * Shows the progress until everything is rebuilt: a bar where a person watches, else a line whenever a tenth more is
     * done.
     *
     * @param isWanted asked before each look; whoever waits may have given up
     * @return whether it is rebuilt
     */
    public boolean watch(Terminal terminal, BooleanSupplier isWanted) throws SQLException {
        int quiet = 0;
        long told = -1;
        while (isWanted.getAsBoolean()) {
            Progress progress = progress();
            // Twice in a row: the normalizer's last output may not have been there at the first look.
            quiet = progress.done() ? quiet + 1 : 0;
            terminal.progress(progress.bar());
            if (!terminal.interactive() && (quiet == 2 || progress.percent() / 10 > told)) {
                terminal.say("rebuild: " + progress.text());
                told = progress.percent() / 10;
            }
            if (quiet == 2) {
                terminal.progressDone();
                terminal.line("rebuilt");
                return true;
            }
            LockSupport.parkNanos(LOOK);
            if (Thread.currentThread().isInterrupted()) {
                return false;
            }
        }
        return false;
    }

    /** The stages that still run, and would undo or be undone by a reset. */
    public List<String> running() {
        try (Admin admin = Site.admin(kafka)) {
            List<String> running = new ArrayList<>();
            for (String stage : STAGES) {
                try {
                    ConsumerGroupDescription group =
                            Kafka.answer(admin.describeConsumerGroups(List.of(kafka.group(stage)))
                                    .describedGroups()
                                    .get(kafka.group(stage)));
                    if (!group.members().isEmpty()) {
                        running.add(stage);
                    }
                } catch (GroupIdNotFoundException e) {
                    // It has never run here.
                }
            }
            return running;
        }
    }

    /** A stage that was stopped just now, or killed, is a member of its group until its session ends. */
    private List<String> stillRunning(Consumer<String> say) {
        long patience = System.nanoTime() + SESSION;
        List<String> running = running();
        if (!running.isEmpty()) {
            say.accept("waiting for " + String.join(" and ", running) + " to be gone");
        }
        while (!running.isEmpty() && System.nanoTime() < patience) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(500));
            running = running();
        }
        return running;
    }

    /**
     * Forgets what was derived: the normalizer's state and position, the topics that it writes, the sink's position in
     * them, and with {@code empty} the rows of the inventory. Can be run again if it was interrupted.
     *
     * @param say is told each step
     */
    public void reset(boolean empty, Consumer<String> say) throws SQLException, IOException {
        List<String> running = stillRunning(say);
        if (!running.isEmpty()) {
            throw new CommandFailed(String.join(" and ", running) + " still run (expected: stopped; stop them, then run"
                    + " elder rebuild again and start them when it says so)");
        }
        // Positions last: until they are gone an interrupted reset leaves a pipeline that merely goes on.
        try (Admin admin = Site.admin(kafka)) {
            if (empty) {
                emptyInventory(say);
            }
            Topics topics = kafka.topics();
            List<Topic<?>> derived = List.of(topics.scopes(), topics.verdicts(), topics.persons(), topics.inventory());
            Set<String> present = Kafka.answer(admin.listTopics().names());
            String application = kafka.group("normalizer") + "-";
            Set<String> outdated = present.stream()
                    .filter(name ->
                            derived.stream().anyMatch(topic -> topic.name().equals(name))
                                    || (name.startsWith(application)
                                            && (name.endsWith("-changelog") || name.endsWith("-repartition"))))
                    .collect(Collectors.toSet());
            Kafka.answer(admin.deleteTopics(outdated).all());
            createWhenGone(admin, outdated);
            forgetPlans();
            say.accept("derived topics emptied: " + outdated.stream().sorted().collect(Collectors.joining(", ")));
            forgetState(say);
            forgetGroup(admin, kafka.group("normalizer"));
            forgetSink(topics.inventory().name());
            say.accept("positions reset: the normalizer to the beginning, the sink to the beginning of "
                    + topics.inventory().name());
        }
    }

    public Progress progress() throws SQLException {
        try (Admin admin = Site.admin(kafka)) {
            List<String> raw = Topics.PROVIDERS.stream()
                    .map(provider -> kafka.topics().raw(provider).name())
                    .toList();
            Map<TopicPartition, OffsetAndMetadata> committed;
            try {
                committed = Kafka.answer(admin.listConsumerGroupOffsets(kafka.group("normalizer"))
                        .partitionsToOffsetAndMetadata());
            } catch (GroupIdNotFoundException e) {
                committed = Map.of();
            }
            Read ofRaw = read(admin, raw, committed);
            Topics topics = kafka.topics();
            Read ofIts = read(
                    admin,
                    Stream.of(topics.scopes(), topics.decisions(), topics.verdicts(), topics.persons())
                            .map(Topic::name)
                            .toList(),
                    committed);
            long remaining = ofIts.total() - ofIts.done() + sinkRemaining();
            return new Progress(ofRaw.done(), ofRaw.total(), remaining > 0 ? remaining : unsettled());
        }
    }

    /** How many records topics have, and how many of them the normalizer has read. */
    private record Read(long done, long total) {}

    private Read read(Admin admin, List<String> topics, Map<TopicPartition, OffsetAndMetadata> committed) {
        Map<TopicPartition, Long> starts = offsets(admin, topics, OffsetSpec.earliest());
        long done = 0;
        long total = 0;
        for (Map.Entry<TopicPartition, Long> end :
                offsets(admin, topics, OffsetSpec.latest()).entrySet()) {
            long start = starts.get(end.getKey());
            OffsetAndMetadata position = committed.get(end.getKey());
            total += end.getValue() - start;
            long read = position == null ? start : Math.clamp(position.offset(), start, end.getValue());
            // What is left may be no more than the marks of transactions, which nobody is given.
            boolean tail = end.getValue() > read && end.getValue() - read <= TAIL;
            done += (tail && records(end.getKey(), read) == 0 ? end.getValue() : read) - start;
        }
        return new Read(done, total);
    }

    private long sinkRemaining() throws SQLException {
        String inventory = kafka.topics().inventory().name();
        Map<Integer, Long> positions = new HashMap<>();
        try (Connection connection = database.getConnection();
                PreparedStatement statement = connection.prepareStatement(
                        "SELECT partition, next_offset FROM pipeline.offsets WHERE topic = ?")) {
            statement.setString(1, inventory);
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    positions.put(rows.getInt(1), rows.getLong(2));
                }
            }
        }
        long remaining = 0;
        try (Admin admin = Site.admin(kafka)) {
            for (Map.Entry<TopicPartition, Long> end :
                    offsets(admin, List.of(inventory), OffsetSpec.latest()).entrySet()) {
                long from = positions.getOrDefault(end.getKey().partition(), 0L);
                // Near the end only records count, lest the marks of transactions are waited for.
                remaining += end.getValue() - from > TAIL ? end.getValue() - from : records(end.getKey(), from);
            }
        }
        return remaining;
    }

    /**
     * Two transactions of the sink do not see each other: what one wrote for a row of the other is put together when the
     * sink settles, seconds after it has written all.
     */
    private long unsettled() throws SQLException {
        String isThere = Stream.of(ElderTable.values())
                .map(table -> "EXISTS (SELECT FROM " + table.sqlName() + " t WHERE t.source_key = w.key)")
                .collect(Collectors.joining(" OR "));
        try (Connection connection = database.getConnection();
                PreparedStatement statement = connection.prepareStatement("SELECT count(*) FROM ("
                        + "SELECT target_key AS key FROM pipeline.pending_links"
                        + " UNION ALL SELECT unnest(missing) FROM pipeline.pending_rows) w WHERE " + isThere);
                ResultSet row = statement.executeQuery()) {
            row.next();
            return row.getLong(1);
        }
    }

    /** Counted by reading: an end offset counts the marks of transactions too. */
    private long records(TopicPartition partition, long from) {
        long[] count = {0};
        new TopicReader(kafka).readFrom(partition, from, new ByteArrayDeserializer(), record -> count[0]++);
        return count[0];
    }

    private static Map<TopicPartition, Long> offsets(Admin admin, List<String> topics, OffsetSpec which) {
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        Kafka.answer(admin.describeTopics(topics).allTopicNames()).forEach((name, topic) -> topic.partitions()
                .forEach(partition -> asked.put(new TopicPartition(name, partition.partition()), which)));
        Map<TopicPartition, Long> offsets = new HashMap<>();
        Kafka.answer(admin.listOffsets(asked).all())
                .forEach((partition, found) -> offsets.put(partition, found.offset()));
        return offsets;
    }

    private void emptyInventory(Consumer<String> say) throws SQLException {
        long deleted = 0;
        long kept = 0;
        try (Connection connection = database.getConnection();
                PreparedStatement statement =
                        connection.prepareStatement("SELECT deleted, kept FROM pipeline.empty_inventory()");
                ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                deleted += rows.getLong(1);
                kept += rows.getLong(2);
            }
        } catch (SQLException e) {
            String state = String.valueOf(e.getSQLState());
            if (state.equals("42501")) {
                throw new CommandFailed(
                        "emptying the inventory needs the rights of the tables' owner (expected: DATABASE_OWNER_URL)",
                        e);
            }
            if (state.equals("3F000") || state.equals("42883")) {
                throw new CommandFailed("the database is not migrated (expected: ./elder migrate)", e);
            }
            throw e;
        }
        say.accept("inventory emptied: " + deleted + " rows deleted, " + kept
                + " kept because rows of others refer to them");
    }

    /** Plans of deletions come again; those of write-back stay, as its planner still has them. */
    private void forgetPlans() {
        String topic = kafka.topics().held().name();
        Map<String, HeldPlan> plans = new TopicReader(kafka).latest(topic, HeldPlan.class);
        Map<String, Object> settings = Site.impatient(kafka.producer(kafka.group("cli")));
        try (KafkaProducer<String, byte[]> producer =
                new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            plans.forEach((key, plan) -> {
                if (!plan.getKind().equals("writeback")) {
                    sent.add(producer.send(new ProducerRecord<>(topic, key, null)));
                }
            });
            sent.forEach(Kafka::answer);
        }
    }

    /** A deletion is acknowledged before every broker knows of it, and what seems to be there is not created. */
    private void createWhenGone(Admin admin, Set<String> deleted) {
        long patience = System.nanoTime() + PATIENCE;
        while (Kafka.answer(admin.listTopics().names()).stream().anyMatch(deleted::contains)) {
            if (System.nanoTime() > patience) {
                throw new CommandFailed("the derived topics are still being deleted after a minute");
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(200));
        }
        TopicCreation.createMissing(kafka);
    }

    /** A state store older than its changelog would be taken for the truth. */
    private void forgetState(Consumer<String> say) throws IOException {
        Path state = stateDirectory.resolve(kafka.group("normalizer"));
        if (!Files.isDirectory(state)) {
            say.accept("no state of a normalizer at " + state
                    + "; delete that of normalizers on other machines before they start");
            return;
        }
        Files.walkFileTree(state, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, IOException failure) throws IOException {
                if (failure != null) {
                    throw failure;
                }
                Files.delete(folder);
                return FileVisitResult.CONTINUE;
            }
        });
        say.accept("state of the normalizer deleted: " + state);
    }

    private static void forgetGroup(Admin admin, String group) {
        try {
            Kafka.answer(admin.deleteConsumerGroups(List.of(group)).all());
        } catch (GroupIdNotFoundException e) {
            // It has never run here: nothing to forget.
        } catch (KafkaException e) {
            throw new CommandFailed("the positions of " + group + " could not be reset: " + e.getMessage(), e);
        }
    }

    private void forgetSink(String inventory) throws SQLException {
        try (Connection connection = database.getConnection()) {
            try (PreparedStatement statement =
                    connection.prepareStatement("DELETE FROM pipeline.offsets WHERE topic = ?")) {
                statement.setString(1, inventory);
                statement.executeUpdate();
            }
            // Every mark comes again: counted on top of the old ones they would close scopes too early.
            try (PreparedStatement statement = connection.prepareStatement("DELETE FROM pipeline.scope_progress")) {
                statement.executeUpdate();
            }
        }
    }
}
