package io.elder.writeback;

import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.schemas.avro.CallDone;
import io.elder.schemas.avro.PlannedChange;
import io.elder.schemas.avro.WritebackEvent;
import io.elder.schemas.avro.WritebackPlan;
import io.elder.schemas.avro.WritebackResult;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries plans out: those of one group one after the other, those of different groups at the same time. Results and the
 * offsets of their plans are committed together, so a plan whose results are not in the log is carried out again; each call
 * says how it is to be, so that changes nothing more.
 */
final class Applier implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Applier.class);
    private static final Duration POLL = Duration.ofMillis(50);
    private static final Duration PAUSE_AFTER_FAILURE = Duration.ofSeconds(2);
    private static final int MOST_WAITING = 200;
    private static final int MOST_AT_ONCE = 50;

    private final KafkaClients kafka;
    private final Caller caller;
    private final Deserializer<WritebackPlan> plans;
    private final Thread thread;
    private final Map<TopicPartition, Lane> lanes = new HashMap<>();
    private volatile ConsumerGroupMetadata membership;
    private volatile boolean isStopping;
    private volatile String trouble = "not connected to Kafka yet";

    Applier(KafkaClients kafka, Caller caller) {
        this.kafka = kafka;
        this.caller = caller;
        this.plans = PlannerTopology.reader(WritebackPlan.class, kafka.common());
        this.thread = new Thread(this::loop, "writeback-applier");
    }

    void start() {
        thread.start();
    }

    Health health() {
        List<String> reasons = new ArrayList<>();
        String now = thread.getState() == Thread.State.TERMINATED && !isStopping ? "the applier has ended" : trouble;
        if (now != null) {
            reasons.add("writeback: " + now);
        }
        caller.troubles().forEach((provider, message) -> reasons.add(provider + ": " + message));
        return new Health(List.copyOf(reasons));
    }

    @Override
    public void close() {
        isStopping = true;
        try {
            thread.join(Duration.ofSeconds(20));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void loop() {
        while (!isStopping) {
            Map<String, Object> settings = kafka.consumer("writeback-applier");
            try (KafkaConsumer<byte[], byte[]> consumer =
                    new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                consumer.subscribe(List.of(kafka.topics().writebackPlans().name()), new Rebalance());
                while (!isStopping) {
                    turn(consumer);
                }
            } catch (KafkaException e) {
                startOver("Kafka: " + e.getMessage(), e);
            } catch (RuntimeException e) {
                startOver("defect: " + e.getClass().getSimpleName(), e);
            } finally {
                lanes.values().forEach(Lane::close);
                lanes.clear();
            }
        }
    }

    private void turn(KafkaConsumer<byte[], byte[]> consumer) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
            Lane lane = lanes.get(new TopicPartition(record.topic(), record.partition()));
            if (lane != null) {
                lane.waiting.add(record);
            }
        }
        membership = consumer.groupMetadata();
        List<TopicPartition> full = new ArrayList<>();
        List<TopicPartition> free = new ArrayList<>();
        for (Lane lane : lanes.values()) {
            if (lane.failure != null) {
                throw lane.failure instanceof RuntimeException known
                        ? known
                        : new IllegalStateException("lane " + lane.partition, lane.failure);
            }
            // Polling goes on while a lane is busy: it is the sign of life.
            (lane.waiting.size() > MOST_WAITING ? full : free).add(lane.partition);
        }
        consumer.pause(full);
        consumer.resume(free);
        trouble = null;
    }

    private void startOver(String why, RuntimeException failure) {
        trouble = why;
        LOG.error("the applier starts over in {}", PAUSE_AFTER_FAILURE, failure);
        if (isStopping) {
            return;
        }
        try {
            Thread.sleep(PAUSE_AFTER_FAILURE);
        } catch (InterruptedException e) {
            isStopping = true;
        }
    }

    private final class Rebalance implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            partitions.forEach(partition -> {
                Lane lane = new Lane(partition);
                lanes.put(partition, lane);
                lane.start();
            });
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            for (TopicPartition partition : partitions) {
                Lane lane = lanes.remove(partition);
                if (lane != null) {
                    lane.close();
                }
            }
        }
    }

    /** The plans of one partition. */
    private final class Lane implements AutoCloseable {
        private final TopicPartition partition;
        private final BlockingQueue<ConsumerRecord<byte[], byte[]>> waiting = new LinkedBlockingQueue<>();
        private final Thread worker;
        /** What ended it; nothing that is thrown in it may go unnoticed. */
        private volatile Throwable failure;

        Lane(TopicPartition partition) {
            this.partition = partition;
            this.worker = Thread.ofVirtual()
                    .name("writeback-lane-" + partition.partition())
                    .uncaughtExceptionHandler((unused, e) -> failure = e)
                    .unstarted(this::work);
        }

        void start() {
            worker.start();
        }

        @Override
        public void close() {
            worker.interrupt();
            try {
                worker.join(Duration.ofSeconds(10));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        private void work() {
            Map<String, Object> settings = kafka.producer(kafka.group("writeback-applier"));
            // Whoever has the partition next fences this one.
            settings.put("transactional.id", kafka.group("writeback-applier-" + partition.partition()));
            settings.put("transaction.timeout.ms", 10_000);
            Serializer<WritebackResult> results = PlannerTopology.writer(kafka.common());
            Serializer<WritebackEvent> events = PlannerTopology.writer(kafka.common());
            try (KafkaProducer<String, byte[]> producer = new KafkaProducer<>(
                    settings,
                    new StringSerializer(),
                    new org.apache.kafka.common.serialization.ByteArraySerializer())) {
                producer.initTransactions();
                while (!Thread.currentThread().isInterrupted()) {
                    List<ConsumerRecord<byte[], byte[]>> batch = new ArrayList<>();
                    batch.add(waiting.take());
                    waiting.drainTo(batch, MOST_AT_ONCE - 1);
                    List<WritebackResult> done = carryOut(batch);
                    producer.beginTransaction();
                    for (WritebackResult result : done) {
                        tell(producer, results, events, result);
                    }
                    producer.sendOffsetsToTransaction(
                            Map.of(
                                    partition,
                                    new OffsetAndMetadata(batch.getLast().offset() + 1)),
                            membership);
                    producer.commitTransaction();
                }
            } catch (InterruptedException | InterruptException e) {
                LOG.debug("lane {} left to another", partition, e);
            }
        }

        private void tell(
                KafkaProducer<String, byte[]> producer,
                Serializer<WritebackResult> results,
                Serializer<WritebackEvent> events,
                WritebackResult result) {
            String key = result.getProvider() + "/" + result.getGroupId() + "/" + result.getMemberId();
            String topic = kafka.topics().writebackResults().name();
            // A failure is thrown by the commit.
            Future<?> unused;
            if (!result.getOutcome().equals(Outcome.STALE)) {
                unused = producer.send(new ProducerRecord<>(topic, key, results.serialize(topic, result)));
            }
            String heard = kafka.topics().writebackEvents().name();
            CallDone done = new CallDone(
                    result.getPlanId(),
                    result.getProvider(),
                    result.getGroupId(),
                    result.getMemberId(),
                    result.getOperation(),
                    result.getOutcome(),
                    result.getMessage());
            unused = producer.send(new ProducerRecord<>(
                    heard, 0, key, events.serialize(heard, new WritebackEvent(result.getAt(), done))));
        }
    }

    /** Groups at the same time, the plans of one group in their order. */
    private List<WritebackResult> carryOut(List<ConsumerRecord<byte[], byte[]>> batch) throws InterruptedException {
        Map<String, List<WritebackPlan>> byGroup = new LinkedHashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : batch) {
            WritebackPlan plan;
            try {
                plan = plans.deserialize(record.topic(), record.value());
            } catch (org.apache.kafka.common.errors.SerializationException e) {
                LOG.error("a plan that nobody can read is left out: {}", e.getMessage());
                continue;
            }
            byGroup.computeIfAbsent(plan.getProvider() + "/" + plan.getGroupId(), unused -> new ArrayList<>())
                    .add(plan);
        }
        List<WritebackResult> all = new ArrayList<>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<List<WritebackResult>>> groups = new ArrayList<>();
            byGroup.values().forEach(of -> groups.add(threads.submit(() -> carryOutInOrder(of))));
            try {
                for (Future<List<WritebackResult>> group : groups) {
                    all.addAll(group.get());
                }
            } catch (ExecutionException e) {
                threads.shutdownNow();
                if (e.getCause() instanceof InterruptedException) {
                    throw new InterruptedException("a call was interrupted");
                }
                throw e.getCause() instanceof RuntimeException defect ? defect : new IllegalStateException(e);
            } catch (InterruptedException e) {
                threads.shutdownNow();
                throw e;
            }
        }
        return all;
    }

    private List<WritebackResult> carryOutInOrder(List<WritebackPlan> ofGroup) throws InterruptedException {
        List<WritebackResult> results = new ArrayList<>();
        for (WritebackPlan plan : ofGroup) {
            for (PlannedChange change : plan.getChanges()) {
                Caller.Result result = caller.make(plan, change);
                results.add(new WritebackResult(
                        plan.getPlanId(),
                        plan.getProvider(),
                        plan.getGroupId(),
                        change.getMemberId(),
                        change.getOperation(),
                        result.outcome(),
                        result.message(),
                        Instant.now(),
                        change.getRows(),
                        plan.getBy()));
            }
        }
        return results;
    }
}
