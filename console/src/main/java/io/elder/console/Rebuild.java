package io.elder.console;

import io.elder.runtime.KafkaClients;
import io.elder.schemas.Topic;
import io.elder.schemas.Topics;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import javax.sql.DataSource;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.TopicExistsException;

/**
 * Makes the pipeline derive the inventory anew from the raw topics. The normalizer and the sink must be stopped; when they
 * start again they find an empty past. Rows that are kept keep their ids, because they are found by {@code source_key}.
 */
public final class Rebuild {
    static final List<String> STAGES = List.of("normalizer", "sink");

    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(60);

    private final KafkaClients kafka;
    private final DataSource database;

    public Rebuild(KafkaClients kafka, DataSource database) {
        this.kafka = kafka;
        this.database = database;
    }

    /**
     * How far the rebuild is.
     *
     * @param rawTotal records to replay, control records included
     * @param sinkRemaining records of {@code inventory} that are not in the database yet
     */
    public record Progress(long rawDone, long rawTotal, long sinkRemaining) {
        public boolean normalized() {
            return rawDone >= rawTotal;
        }
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

    /**
     * Forgets what was derived: the normalizer's state and position, the topics that it writes, the sink's position in
     * them, and with {@code empty} the rows of the inventory. Can be run again if it was interrupted.
     *
     * @param say is told each step
     */
    public void reset(boolean empty, Consumer<String> say) throws SQLException {
        List<String> running = running();
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
            List<Topic<?>> derived = List.of(topics.scopes(), topics.verdicts(), topics.held(), topics.inventory());
            Set<String> present = Kafka.answer(admin.listTopics().names());
            String application = kafka.group("normalizer") + "-";
            Set<String> outdated = present.stream()
                    .filter(name ->
                            derived.stream().anyMatch(topic -> topic.name().equals(name))
                                    || (name.startsWith(application)
                                            && (name.endsWith("-changelog") || name.endsWith("-repartition"))))
                    .collect(Collectors.toSet());
            Kafka.answer(admin.deleteTopics(outdated).all());
            createWhenGone(admin, derived);
            say.accept("derived topics emptied: " + outdated.stream().sorted().collect(Collectors.joining(", ")));
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
            Map<TopicPartition, Long> starts = offsets(admin, raw, OffsetSpec.earliest());
            Map<TopicPartition, Long> ends = offsets(admin, raw, OffsetSpec.latest());
            Map<TopicPartition, OffsetAndMetadata> committed;
            try {
                committed = Kafka.answer(admin.listConsumerGroupOffsets(kafka.group("normalizer"))
                        .partitionsToOffsetAndMetadata());
            } catch (GroupIdNotFoundException e) {
                committed = Map.of();
            }
            long done = 0;
            long total = 0;
            for (Map.Entry<TopicPartition, Long> end : ends.entrySet()) {
                long start = starts.get(end.getKey());
                OffsetAndMetadata position = committed.get(end.getKey());
                total += end.getValue() - start;
                done += position == null ? 0 : Math.max(0, Math.min(position.offset(), end.getValue()) - start);
            }
            return new Progress(done, total, sinkRemaining());
        }
    }

    /** Counted by reading on from where the sink is: an end offset counts the marks of transactions too. */
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
        long[] remaining = {0};
        TopicReader reader = new TopicReader(kafka);
        try (Admin admin = Site.admin(kafka)) {
            for (TopicPartition partition :
                    offsets(admin, List.of(inventory), OffsetSpec.latest()).keySet()) {
                reader.readFrom(
                        partition,
                        positions.getOrDefault(partition.partition(), 0L),
                        new org.apache.kafka.common.serialization.ByteArrayDeserializer(),
                        record -> remaining[0]++);
            }
        }
        return remaining[0];
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

    /** A topic's deletion is acknowledged before its name is free again. */
    private void createWhenGone(Admin admin, List<Topic<?>> topics) {
        long patience = System.nanoTime() + PATIENCE;
        for (Topic<?> topic : topics) {
            while (true) {
                try {
                    TopicsCommand.create(admin, kafka, List.of(topic));
                    break;
                } catch (TopicExistsException e) {
                    if (System.nanoTime() > patience) {
                        throw new CommandFailed("topic " + topic.name() + " is still being deleted after a minute", e);
                    }
                    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(200));
                }
            }
        }
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
        }
    }
}
