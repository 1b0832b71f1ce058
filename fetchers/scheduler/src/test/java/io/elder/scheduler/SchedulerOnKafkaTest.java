package io.elder.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.elder.embedded.servers.EmbeddedBroker;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.schemas.RunId;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.Task;
import io.elder.schemas.serde.AvroDeserializer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SchedulerOnKafkaTest {
    private static final int JOBS = 20;

    @TempDir
    Path directory;

    @Test
    void twoSchedulersStartEveryJobAndConnectorOnce() throws Exception {
        try (EmbeddedBroker broker = EmbeddedBroker.start(directory.resolve("kafka"), 0);
                Metrics metrics = new Metrics()) {
            Map<String, String> values =
                    Map.of("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrapServers(), "LDAP_ENABLED", "true");
            KafkaClients kafka = new KafkaClients(Settings.of(values));
            Topics topics = kafka.topics();
            try (Admin admin = Admin.create(kafka.common())) {
                admin.createTopics(topics.all().stream()
                                .map(topic -> new NewTopic(topic.name(), 3, (short) 1))
                                .toList())
                        .all()
                        .get();
            }
            List<String> runs = new ArrayList<>();
            AvroDeserializer<Task> tasks = new AvroDeserializer<>();
            tasks.configure(kafka.common(), false);
            try (Scheduler one = scheduler("one", values, kafka, metrics);
                    Scheduler two = scheduler("two", values, kafka, metrics);
                    KafkaConsumer<String, Task> consumer =
                            new KafkaConsumer<>(kafka.consumer("test"), new StringDeserializer(), tasks)) {
                one.start();
                two.start();
                consumer.subscribe(List.of(topics.tasks("ldap").name()));
                try (KafkaProducer<String, byte[]> producer = new KafkaProducer<>(
                        kafka.producer("test"), new StringSerializer(), new ByteArraySerializer())) {
                    for (int id = 1; id <= JOBS; id++) {
                        String change = "{\"op\": \"c\", \"after\": {\"id\": " + id
                                + ", \"provider\": \"ldap\", \"schedule_interval\": 0, \"enabled\": true}}";
                        producer.send(new ProducerRecord<>(
                                        topics.cdc("discovery_jobs").name(),
                                        Integer.toString(id),
                                        change.getBytes(StandardCharsets.UTF_8)))
                                .get();
                    }
                }
                await().atMost(Duration.ofSeconds(90)).until(() -> {
                    consumer.poll(Duration.ofMillis(200))
                            .forEach(task -> runs.add(task.value().getRunId()));
                    return runs.size() >= JOBS + 1;
                });
                consumer.poll(Duration.ofSeconds(3))
                        .forEach(task -> runs.add(task.value().getRunId()));
                assertThat(one.health().reasons()).isEmpty();
                assertThat(two.health().reasons()).isEmpty();
            }
            TreeSet<String> jobs = new TreeSet<>();
            runs.forEach(run -> jobs.add(RunId.parse(run).jobKey()));
            assertThat(jobs).hasSize(JOBS + 1).contains("connector:ldap", "1", "20");
            assertThat(runs).hasSize(JOBS + 1);
        }
    }

    private Scheduler scheduler(String name, Map<String, String> values, KafkaClients kafka, Metrics metrics) {
        SchedulerSettings settings = SchedulerSettings.from(Settings.of(values)
                .with(Map.of("STATE_DIR", directory.resolve(name).toString())));
        return new Scheduler(settings, kafka, metrics);
    }
}
