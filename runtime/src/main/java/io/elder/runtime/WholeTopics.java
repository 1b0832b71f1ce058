package io.elder.runtime;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;

/** Reads topics from their beginning to where they end now. */
public final class WholeTopics {
    private static final Duration POLL = Duration.ofMillis(200);

    private WholeTopics() {}

    /** What is done with a record; may fail in a way of its own. */
    @FunctionalInterface
    public interface Each<K, V, E extends Exception> {
        void take(ConsumerRecord<K, V> record) throws E;
    }

    /** @param consumer joins no group, and is the caller's to close */
    public static <K, V, E extends Exception> void read(
            Consumer<K, V> consumer, Collection<String> topics, Each<K, V, E> each) throws E {
        List<TopicPartition> partitions = topics.stream()
                .flatMap(topic -> consumer.partitionsFor(topic).stream())
                .map(info -> new TopicPartition(info.topic(), info.partition()))
                .toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
            for (ConsumerRecord<K, V> record : consumer.poll(POLL)) {
                each.take(record);
            }
        }
    }
}
