package io.elder.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.elder.embedded.servers.EmbeddedBroker;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.FetchTask;
import io.elder.schemas.avro.PlanTask;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RawResource;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.RunPlanned;
import io.elder.schemas.avro.ScopeSealed;
import io.elder.schemas.avro.Seal;
import io.elder.schemas.avro.Task;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FetcherOnKafkaTest {
    private static final int PARTITIONS = 3;
    private static final int OBJECTS = 1000;

    @TempDir
    Path directory;

    private final AtomicInteger reads = new AtomicInteger();
    private int errors;
    private KafkaClients kafka;
    private Topics topics;

    @Test
    void threeFetchersReadAScopeOnceAndSealEveryPartitionWithItsCount() throws Exception {
        fetch(3);
        assertThat(reads.get()).isEqualTo(1);
    }

    @Test
    void aTaskThatBreaksWithAnErrorIsDoneAgain() throws Exception {
        errors = 1;
        fetch(1);
        assertThat(reads.get()).isEqualTo(2);
    }

    private void fetch(int processes) throws Exception {
        try (EmbeddedBroker broker = EmbeddedBroker.start(directory, 0)) {
            Settings settings = Settings.of(Map.of("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrapServers()));
            kafka = new KafkaClients(settings);
            topics = kafka.topics();
            createTopics();
            List<Fetcher> fetchers = new ArrayList<>();
            for (int i = 0; i < processes; i++) {
                fetchers.add(new Fetcher(FetcherSettings.from(settings), kafka, new Metrics(), List.of(new Flock())));
            }
            fetchers.forEach(Fetcher::start);
            try {
                send("9.run", new PlanTask());
                RunPlanned plan = (RunPlanned) await().atMost(Duration.ofSeconds(60))
                        .until(() -> events(RunPlanned.class), found -> !found.isEmpty())
                        .get(0)
                        .getBody();
                assertThat(plan.getTasks()).hasSize(1);
                send(
                        "flock/farm/-/sheep",
                        new FetchTask(
                                "farm", "-", "sheep", plan.getTasks().get(0).getScopes()));
                ScopeSealed sealed = (ScopeSealed) await().atMost(Duration.ofSeconds(60))
                        .until(() -> events(ScopeSealed.class), found -> !found.isEmpty())
                        .get(0)
                        .getBody();
                assertThat(sealed.getCount()).isEqualTo(OBJECTS);
                assertSealsMatch(sealed.getAttempt());
                await().atMost(Duration.ofSeconds(20)).until(() -> committed() == 4);
                assertThat(this.<SpecificRecord>read(topics.deadletter().name()))
                        .hasSize(2);
                fetchers.forEach(
                        fetcher -> assertThat(fetcher.health().reasons()).isEmpty());
            } finally {
                fetchers.forEach(Fetcher::close);
            }
        }
    }

    private void assertSealsMatch(String attempt) {
        Map<Integer, Long> counts = new HashMap<>();
        Map<Integer, Seal> seals = new HashMap<>();
        for (ConsumerRecord<String, RawRecord> record :
                this.<RawRecord>read(topics.raw("flock").name())) {
            assertThat(record.value().getAttempt()).isEqualTo(attempt);
            if (record.value().getBody() instanceof Seal seal) {
                seals.put(record.partition(), seal);
            } else {
                assertThat(record.key()).isEqualTo(((RawResource) record.value().getBody()).getKey());
                assertThat(seals).as("nothing follows a seal").doesNotContainKey(record.partition());
                counts.merge(record.partition(), 1L, Long::sum);
            }
        }
        assertThat(seals).hasSize(PARTITIONS);
        seals.forEach((partition, seal) -> {
            assertThat(seal.getPartition()).isEqualTo(partition);
            assertThat(seal.getPartitions()).isEqualTo(PARTITIONS);
            assertThat(seal.getTotal()).isEqualTo(OBJECTS);
            assertThat(seal.getCount()).isEqualTo(counts.get(partition));
        });
    }

    private void createTopics() throws ExecutionException, InterruptedException {
        try (Admin admin = Admin.create(kafka.common())) {
            admin.createTopics(List.of(
                            new NewTopic(topics.tasks("flock").name(), PARTITIONS, (short) 1),
                            new NewTopic(topics.raw("flock").name(), PARTITIONS, (short) 1),
                            new NewTopic(topics.runs().name(), PARTITIONS, (short) 1),
                            new NewTopic(topics.deadletter().name(), PARTITIONS, (short) 1)))
                    .all()
                    .get();
        }
    }

    private void send(String key, Object body) throws ExecutionException, InterruptedException {
        AvroSerializer<SpecificRecord> values = new AvroSerializer<>();
        values.configure(kafka.common(), false);
        Instant now = Instant.ofEpochMilli(System.currentTimeMillis());
        try (KafkaProducer<String, SpecificRecord> producer =
                new KafkaProducer<>(kafka.producer("test"), new StringSerializer(), values)) {
            // What is no task is in nobody's way.
            producer.send(new ProducerRecord<>(topics.tasks("flock").name(), key, null))
                    .get();
            producer.send(new ProducerRecord<>(
                            topics.tasks("flock").name(),
                            key,
                            new Task("9.run", null, "flock", now, now.plusSeconds(120), body)))
                    .get();
        }
    }

    private long committed() throws ExecutionException, InterruptedException {
        try (Admin admin = Admin.create(kafka.common())) {
            return admin
                    .listConsumerGroupOffsets(kafka.group("fetcher-flock"))
                    .partitionsToOffsetAndMetadata()
                    .get()
                    .values()
                    .stream()
                    .mapToLong(OffsetAndMetadata::offset)
                    .sum();
        }
    }

    private List<RunEvent> events(Class<?> type) {
        return this.<RunEvent>read(topics.runs().name()).stream()
                .map(ConsumerRecord::value)
                .filter(event -> type.isInstance(event.getBody()))
                .toList();
    }

    private <T extends SpecificRecord> List<ConsumerRecord<String, T>> read(String topic) {
        AvroDeserializer<T> values = new AvroDeserializer<>();
        values.configure(kafka.common(), false);
        List<ConsumerRecord<String, T>> all = new ArrayList<>();
        try (KafkaConsumer<String, T> consumer =
                new KafkaConsumer<>(kafka.consumer("test"), new StringDeserializer(), values)) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(each -> new TopicPartition(topic, each.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            long end = consumer.endOffsets(partitions).values().stream()
                    .mapToLong(Long::longValue)
                    .sum();
            while (all.size() < end) {
                consumer.poll(Duration.ofMillis(100)).forEach(all::add);
            }
        }
        return all;
    }

    /** A thousand sheep. */
    private final class Flock implements Provider<AutoCloseable> {
        @Override
        public String name() {
            return "flock";
        }

        @Override
        public String title() {
            return "Flock";
        }

        @Override
        public AutoCloseable connect(Settings settings) {
            return () -> {};
        }

        @Override
        public List<Partition> partitions(AutoCloseable client, Requests requests) {
            return List.of(Partition.of("farm"));
        }

        @Override
        public List<Resource<AutoCloseable>> resources() {
            return List.of(Resource.root("sheep", "id", (client, where, out) -> {
                if (reads.incrementAndGet() <= errors) {
                    throw new StackOverflowError();
                }
                for (int i = 0; i < OBJECTS; i++) {
                    out.accept(JsonNodeFactory.instance.objectNode().put("id", "sheep-" + i));
                }
            }));
        }

        @Override
        public Verdict classify(Throwable failure) {
            return new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure.getMessage()));
        }
    }
}
