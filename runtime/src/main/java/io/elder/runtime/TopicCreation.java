package io.elder.runtime;

import io.elder.schemas.Topic;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.TopicExistsException;

/** Creates the pipeline's topics as their constants describe them; nothing relies on the broker's auto-creation. */
public final class TopicCreation {
    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final Duration LOOK = Duration.ofMillis(50);

    private TopicCreation() {}

    /**
     * Creates what is missing and leaves what is there as it is.
     *
     * @return the topics that were created
     */
    public static List<Topic<?>> createMissing(KafkaClients kafka) {
        try (Admin admin = Admin.create(kafka.common())) {
            Set<String> present = admin.listTopics().names().get();
            List<Topic<?>> missing = kafka.topics().all().stream()
                    .filter(topic -> !present.contains(topic.name()))
                    .toList();
            create(admin, missing.stream().map(topic -> planned(kafka, topic)).toList());
            return missing;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof TopicExistsException) {
                // Somebody else created one in between; the rest is not there yet.
                return createMissing(kafka);
            }
            throw new IllegalStateException(
                    "topics could not be created: " + e.getCause().getMessage(), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while creating topics", e);
        }
    }

    /**
     * Creates topics whose numbers of partitions are given, and waits until each partition takes records. One that has no
     * leader yet may refuse the first records of a producer and take the next: from then on it refuses the first for good,
     * and the producer gives them up after minutes (KAFKA-15591).
     *
     * @throws ExecutionException with {@link TopicExistsException} as its cause if one is there; the others are created
     */
    public static void create(Admin admin, Collection<NewTopic> topics)
            throws InterruptedException, ExecutionException {
        admin.createTopics(topics).all().get();
        Map<TopicPartition, OffsetSpec> partitions = new HashMap<>();
        for (NewTopic topic : topics) {
            for (int partition = 0; partition < topic.numPartitions(); partition++) {
                partitions.put(new TopicPartition(topic.name(), partition), OffsetSpec.latest());
            }
        }
        long patience = System.nanoTime() + PATIENCE.toNanos();
        while (!areLed(admin, partitions)) {
            if (System.nanoTime() > patience) {
                throw new IllegalStateException("topics are created, but after " + PATIENCE.toSeconds()
                        + " s some partitions have no leader (expected: each of " + partitions.size() + " has)");
            }
            Thread.sleep(LOOK);
        }
    }

    private static boolean areLed(Admin admin, Map<TopicPartition, OffsetSpec> partitions)
            throws InterruptedException, ExecutionException {
        try {
            // Answered by the leaders only.
            admin.listOffsets(partitions).all().get();
            return true;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RetriableException) {
                return false;
            }
            if (e.getCause() instanceof AuthorizationException) {
                // Whoever may create topics need not be allowed to look at them.
                return true;
            }
            throw e;
        }
    }

    private static NewTopic planned(KafkaClients kafka, Topic<?> topic) {
        Optional<Short> replication =
                kafka.replicationFactor() < 1 ? Optional.empty() : Optional.of((short) kafka.replicationFactor());
        return new NewTopic(topic.name(), Optional.of(kafka.partitions()), replication).configs(topic.configuration());
    }
}
