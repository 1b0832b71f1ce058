package io.elder.console;

import io.elder.runtime.KafkaClients;
import io.elder.schemas.Topic;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "topics", description = "The pipeline's Kafka topics.")
final class TopicsCommand {
    private final Site site;
    private final Terminal terminal;

    TopicsCommand(Site site, Terminal terminal) {
        this.site = site;
        this.terminal = terminal;
    }

    @Command(
            name = "create",
            description = "Creates the topics that are missing, with TOPIC_PARTITIONS and TOPIC_REPLICATION_FACTOR.")
    int create(@Option(names = "--dry-run", description = "prints them, and asks no cluster") boolean dryRun)
            throws Exception {
        KafkaClients kafka = site.kafka();
        if (dryRun) {
            print(kafka, Set.of());
            return 0;
        }
        try (Admin admin = Site.admin(kafka)) {
            Set<String> present = Kafka.answer(admin.listTopics().names());
            create(
                    admin,
                    kafka,
                    kafka.topics().all().stream()
                            .filter(topic -> !present.contains(topic.name()))
                            .toList());
            print(kafka, present);
        }
        return 0;
    }

    /** Creates these topics, as their constants have them. */
    static void create(Admin admin, KafkaClients kafka, List<Topic<?>> topics) {
        List<NewTopic> wanted = new ArrayList<>();
        Optional<Short> replication =
                kafka.replicationFactor() < 1 ? Optional.empty() : Optional.of((short) kafka.replicationFactor());
        topics.forEach(topic -> wanted.add(new NewTopic(topic.name(), Optional.of(kafka.partitions()), replication)
                .configs(topic.configuration())));
        if (!wanted.isEmpty()) {
            Kafka.answer(admin.createTopics(wanted).all());
        }
    }

    private void print(KafkaClients kafka, Set<String> present) {
        List<List<String>> rows = kafka.topics().all().stream()
                .map(topic -> List.of(
                        topic.name(),
                        Integer.toString(kafka.partitions()),
                        topic.configuration().toString().replaceAll("[{}]", ""),
                        present.contains(topic.name()) ? "there already" : "new"))
                .toList();
        terminal.rows(List.of("topic", "partitions", "settings", "state"), rows);
    }
}
