package io.elder.console;

import io.elder.runtime.KafkaClients;
import io.elder.schemas.serde.AvroDeserializer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;

/** Reads a topic from its beginning to where it ends now, as a bystander: no group, nothing committed. */
final class TopicReader {
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(60);

    private final KafkaClients kafka;

    TopicReader(KafkaClients kafka) {
        this.kafka = kafka;
    }

    <V> void read(String topic, Deserializer<V> values, Consumer<ConsumerRecord<byte[], V>> each) {
        try (KafkaConsumer<byte[], V> consumer = consumer(values)) {
            List<TopicPartition> partitions = partitions(consumer, topic);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            drain(consumer, consumer.endOffsets(partitions), each);
        }
    }

    /** The newest record of each key of a compacted topic. */
    <V extends SpecificRecord> Map<String, V> latest(String topic, Class<V> type) {
        AvroDeserializer<V> values = new AvroDeserializer<>(type);
        values.configure(kafka.common(), false);
        Map<String, V> latest = new TreeMap<>();
        read(topic, values, record -> {
            String key = new String(record.key(), StandardCharsets.UTF_8);
            if (record.value() == null) {
                latest.remove(key);
            } else {
                latest.put(key, record.value());
            }
        });
        return latest;
    }

    /** Reads one partition from an offset on. */
    <V> void readFrom(
            TopicPartition partition, long offset, Deserializer<V> values, Consumer<ConsumerRecord<byte[], V>> each) {
        try (KafkaConsumer<byte[], V> consumer = consumer(values)) {
            consumer.assign(List.of(partition));
            Map<TopicPartition, Long> ends = consumer.endOffsets(List.of(partition));
            long first = consumer.beginningOffsets(List.of(partition)).get(partition);
            consumer.seek(partition, Math.min(Math.max(offset, first), ends.get(partition)));
            drain(consumer, ends, each);
        }
    }

    static <V> List<TopicPartition> partitions(KafkaConsumer<byte[], V> consumer, String topic) {
        List<PartitionInfo> known = consumer.partitionsFor(topic);
        if (known == null || known.isEmpty()) {
            throw new CommandFailed("topic " + topic + " does not exist (expected: created by ./elder topics create)");
        }
        List<TopicPartition> partitions = new ArrayList<>();
        known.forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
        return partitions;
    }

    private <V> KafkaConsumer<byte[], V> consumer(Deserializer<V> values) {
        Map<String, Object> settings = new HashMap<>(Site.impatient(kafka.common()));
        settings.put("client.id", kafka.group("cli"));
        settings.put("isolation.level", "read_committed");
        settings.put("enable.auto.commit", false);
        settings.put("allow.auto.create.topics", false);
        settings.put("auto.offset.reset", "earliest");
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), values);
    }

    private static <V> void drain(
            KafkaConsumer<byte[], V> consumer,
            Map<TopicPartition, Long> ends,
            Consumer<ConsumerRecord<byte[], V>> each) {
        long lastProgress = System.nanoTime();
        while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
            var records = consumer.poll(Duration.ofMillis(200));
            records.forEach(each);
            if (!records.isEmpty()) {
                lastProgress = System.nanoTime();
            } else if (System.nanoTime() - lastProgress > PATIENCE) {
                throw new CommandFailed("the broker sent nothing for a minute before the topic's end");
            }
        }
    }
}
