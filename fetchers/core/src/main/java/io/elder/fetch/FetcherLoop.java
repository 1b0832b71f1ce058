package io.elder.fetch;

import io.elder.runtime.Health;
import io.elder.schemas.avro.Task;
import io.elder.schemas.serde.AvroDeserializer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes tasks of one provider from Kafka and has them done, a few at a time. An offset is committed when its task and all
 * before it are done: what a process leaves unfinished is done by another.
 */
final class FetcherLoop implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FetcherLoop.class);
    private static final Duration POLL = Duration.ofMillis(100);
    private static final Duration PAUSE_AFTER_FAILURE = Duration.ofSeconds(2);

    /** What breaks again and again works in between. */
    private static final Duration DEFECT_TOLD_FOR = Duration.ofMinutes(1);

    private static final Duration LONGEST_PAUSE = Duration.ofMinutes(1);

    private final String provider;
    private final String topic;
    private final Map<String, Object> consumerSettings;
    private final AvroDeserializer<Task> tasks = new AvroDeserializer<>(Task.class);
    private final TaskRunner<?> runner;
    private final Semaphore slots;
    private final DeadTasks deadTasks;
    private final Thread thread;
    private final AtomicInteger running = new AtomicInteger();
    private volatile boolean isStopping;
    private volatile String trouble = "not connected to Kafka yet";
    private Instant defectiveUntil = Instant.MIN;

    /** Touched by the loop's thread only. */
    private final Map<TopicPartition, Progress> assigned = new HashMap<>();

    private final Deque<Work> waiting = new ArrayDeque<>();

    /** Where a task that nobody can read goes. */
    @FunctionalInterface
    interface DeadTasks {
        void bury(ConsumerRecord<byte[], byte[]> record, SerializationException failure);
    }

    /** @param slots one per task that may be under way, shared by the loops of all providers of a process */
    FetcherLoop(
            String provider,
            String topic,
            Map<String, Object> consumerSettings,
            TaskRunner<?> runner,
            Semaphore slots,
            DeadTasks deadTasks) {
        this.provider = provider;
        this.topic = topic;
        this.consumerSettings = new HashMap<>(consumerSettings);
        this.runner = runner;
        this.slots = slots;
        this.deadTasks = deadTasks;
        this.tasks.configure(consumerSettings, false);
        // Only what can be started soon is taken from other fetchers.
        this.consumerSettings.put("max.poll.records", 10);
        this.consumerSettings.put(
                "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
        this.thread = new Thread(this::loop, "fetcher-" + provider);
    }

    void start() {
        thread.start();
    }

    Health health() {
        String now = thread.isAlive() ? trouble : "not running";
        return now == null ? Health.OK : Health.notReady(provider + ": " + now);
    }

    int running() {
        return running.get();
    }

    @Override
    public void close() {
        isStopping = true;
        try {
            thread.join(Duration.ofSeconds(20));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        runner.close();
    }

    private void loop() {
        while (!isStopping) {
            try (Consumer<byte[], byte[]> consumer =
                    new KafkaConsumer<>(consumerSettings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                consumer.subscribe(List.of(topic), new Rebalance(consumer));
                while (!isStopping) {
                    turn(consumer);
                }
                abandon(assigned.keySet());
                commit(consumer);
            } catch (RuntimeException e) {
                // A defect, too, must not end the thread: nothing would be taken any more.
                if (e instanceof KafkaException) {
                    trouble = "Kafka: " + e.getMessage();
                } else {
                    trouble = "a defect: " + e;
                    defectiveUntil = Instant.now().plus(DEFECT_TOLD_FOR);
                }
                LOG.error("{}: starting over in {}", provider, PAUSE_AFTER_FAILURE, e);
                abandon(assigned.keySet());
                pauseAfterFailure();
            } finally {
                assigned.clear();
                waiting.clear();
            }
        }
    }

    private void turn(Consumer<byte[], byte[]> consumer) {
        // Polling goes on while everything is busy: it is the sign of life.
        if (waiting.isEmpty()) {
            consumer.resume(consumer.paused());
        } else {
            consumer.pause(consumer.assignment());
        }
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
            TopicPartition partition = new TopicPartition(record.topic(), record.partition());
            Progress progress = assigned.get(partition);
            if (progress == null) {
                continue;
            }
            progress.taken(record.offset());
            try {
                Task task = tasks.deserialize(record.topic(), record.value());
                if (task == null) {
                    throw new SerializationException("a record without a value (expected: a task)");
                }
                waiting.add(new Work(progress, record.offset(), task));
            } catch (SerializationException e) {
                deadTasks.bury(record, e);
                progress.done(record.offset());
            }
        }
        if (Instant.now().isAfter(defectiveUntil)) {
            trouble = null;
        }
        while (!waiting.isEmpty() && slots.tryAcquire()) {
            start(waiting.remove());
        }
        commit(consumer);
    }

    private void start(Work work) {
        running.incrementAndGet();
        Thread.ofVirtual().name("task-" + work.task.getRunId()).start(() -> {
            try {
                work.run();
            } finally {
                running.decrementAndGet();
                slots.release();
            }
        });
    }

    private void commit(Consumer<byte[], byte[]> consumer) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        assigned.forEach((partition, progress) ->
                progress.toCommit().ifPresent(offset -> offsets.put(partition, new OffsetAndMetadata(offset))));
        if (offsets.isEmpty()) {
            return;
        }
        try {
            consumer.commitSync(offsets, Duration.ofSeconds(10));
            offsets.forEach((partition, offset) -> assigned.get(partition).committed(offset.offset()));
        } catch (RebalanceInProgressException e) {
            LOG.debug("{}: committing after the rebalance", provider, e);
        } catch (CommitFailedException e) {
            // The group has gone on without us; the tasks are done again elsewhere, which is harmless.
            LOG.warn("{}: not committed: {}", provider, e.getMessage());
        } catch (WakeupException | InterruptException e) {
            throw e;
        } catch (KafkaException e) {
            LOG.warn("{}: not committed, trying again: {}", provider, e.getMessage());
        }
    }

    private void abandon(Collection<TopicPartition> partitions) {
        for (TopicPartition partition : partitions) {
            Progress progress = assigned.get(partition);
            if (progress != null) {
                progress.abandon();
            }
        }
        for (Iterator<Work> all = waiting.iterator(); all.hasNext(); ) {
            if (all.next().progress.isAbandoned.get()) {
                all.remove();
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

    private final class Rebalance implements ConsumerRebalanceListener {
        private final Consumer<byte[], byte[]> consumer;

        Rebalance(Consumer<byte[], byte[]> consumer) {
            this.consumer = consumer;
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            partitions.forEach(partition -> assigned.put(partition, new Progress()));
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            commit(consumer);
            onPartitionsLost(partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            abandon(partitions);
            partitions.forEach(assigned::remove);
        }
    }

    /** How far a partition's tasks are done. */
    static final class Progress {
        private final AtomicBoolean isAbandoned = new AtomicBoolean();
        private final NavigableMap<Long, Boolean> offsets = new TreeMap<>();
        private final Set<Thread> threads = new HashSet<>();
        private long next = -1;
        private long committed = -1;

        synchronized void taken(long offset) {
            offsets.put(offset, false);
        }

        synchronized void done(long offset) {
            offsets.put(offset, true);
        }

        /** What can be committed and is not: the offset after the last of those that are done without a gap. */
        synchronized OptionalLong toCommit() {
            while (!offsets.isEmpty() && offsets.firstEntry().getValue()) {
                next = offsets.pollFirstEntry().getKey() + 1;
            }
            return next > committed ? OptionalLong.of(next) : OptionalLong.empty();
        }

        synchronized void committed(long offset) {
            committed = offset;
        }

        synchronized void begin() {
            threads.add(Thread.currentThread());
            if (isAbandoned.get()) {
                Thread.currentThread().interrupt();
            }
        }

        synchronized void end() {
            threads.remove(Thread.currentThread());
        }

        synchronized void abandon() {
            isAbandoned.set(true);
            threads.forEach(Thread::interrupt);
        }
    }

    private static Throwable innermost(Throwable failure) {
        Throwable cause = failure;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }

    private static Duration longer(Duration pause) {
        Duration twice = pause.multipliedBy(2);
        return twice.compareTo(LONGEST_PAUSE) < 0 ? twice : LONGEST_PAUSE;
    }

    private final class Work {
        private final Progress progress;
        private final long offset;
        private final Task task;

        Work(Progress progress, long offset, Task task) {
            this.progress = progress;
            this.offset = offset;
            this.task = task;
        }

        void run() {
            progress.begin();
            try {
                for (Duration pause = PAUSE_AFTER_FAILURE; !progress.isAbandoned.get(); pause = longer(pause)) {
                    try {
                        runner.run(task, progress.isAbandoned::get);
                        progress.done(offset);
                        return;
                    } catch (InterruptException e) {
                        throw e;
                    } catch (PublishException e) {
                        LOG.error("run {}: doing the task again in {}", task.getRunId(), pause, e);
                        Thread.sleep(pause);
                    } catch (RuntimeException | Error e) {
                        // A defect, a class that is not there, a recursion without end. Its message may quote anything,
                        // so it is not logged; where it was thrown is.
                        Throwable cause = innermost(e);
                        LOG.error(
                                "run {}: doing the task again in {}: {} at {}",
                                task.getRunId(),
                                pause,
                                cause.getClass().getName(),
                                cause.getStackTrace());
                        Thread.sleep(pause);
                    }
                }
            } catch (InterruptedException | InterruptException e) {
                LOG.info("run {}: task left to another fetcher", task.getRunId());
            } finally {
                progress.end();
            }
        }
    }
}
