package io.elder.embedded.servers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedBrokerTest {
    @TempDir
    Path directory;

    @Test
    void aRestartKeepsTopicsAndRecords() throws Exception {
        try (EmbeddedBroker broker = EmbeddedBroker.start(directory, 0)) {
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
                admin.createTopics(List.of(new NewTopic("kept", 1, (short) 1)))
                        .all()
                        .get();
            }
            try (var producer = new KafkaProducer<>(
                    Map.<String, Object>of("bootstrap.servers", broker.bootstrapServers(), "transactional.id", "t"),
                    new StringSerializer(),
                    new StringSerializer())) {
                producer.initTransactions();
                producer.beginTransaction();
                producer.send(new ProducerRecord<>("kept", "key", "value")).get();
                producer.commitTransaction();
            }
        }
        try (EmbeddedBroker broker = EmbeddedBroker.start(directory, 0);
                var consumer = new KafkaConsumer<>(
                        Map.<String, Object>of(
                                "bootstrap.servers",
                                broker.bootstrapServers(),
                                "isolation.level",
                                "read_committed",
                                "auto.offset.reset",
                                "earliest"),
                        new StringDeserializer(),
                        new StringDeserializer())) {
            consumer.assign(List.of(new TopicPartition("kept", 0)));
            assertThat(consumer.poll(Duration.ofSeconds(20)).records("kept"))
                    .singleElement()
                    .satisfies(record -> assertThat(record.value()).isEqualTo("value"));
        }
    }

    @Test
    void aTakenPortIsOneClearLine() {
        try (EmbeddedBroker broker = EmbeddedBroker.start(directory.resolve("a"), 0)) {
            assertThatThrownBy(() -> EmbeddedBroker.start(directory.resolve("b"), broker.port()))
                    .isInstanceOf(ServerStartException.class)
                    .hasMessageStartingWith("Kafka broker: port " + broker.port()
                            + " is taken by another process (expected: a free port")
                    .message()
                    .doesNotContain("\n");
        }
    }

    @Test
    void aDirectoryInUseIsRefused() {
        try (EmbeddedBroker broker = EmbeddedBroker.start(directory, 0)) {
            assertThat(broker.bootstrapServers()).startsWith("127.0.0.1:");
            assertThatThrownBy(() -> EmbeddedBroker.start(directory, 0))
                    .isInstanceOf(ServerStartException.class)
                    .hasMessageContaining("is in use by another running process");
        }
    }
}
