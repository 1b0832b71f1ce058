package io.elder.runtime;

import io.elder.schemas.Topic;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.errors.TopicExistsException;

/** Creates the pipeline's topics as their constants describe them; nothing relies on the broker's auto-creation. */
public final class TopicCreation {
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
            admin.createTopics(
                            missing.stream().map(topic -> planned(kafka, topic)).toList())
                    .all()
                    .get();
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

    private static NewTopic planned(KafkaClients kafka, Topic<?> topic) {
        Optional<Short> replication =
                kafka.replicationFactor() < 1 ? Optional.empty() : Optional.of((short) kafka.replicationFactor());
        return new NewTopic(topic.name(), Optional.of(kafka.partitions()), replication).configs(topic.configuration());
    }
}
