package io.elder.console;

import io.elder.runtime.KafkaClients;
import io.elder.runtime.TopicCreation;
import io.elder.schemas.Topic;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "topics", mixinStandardHelpOptions = true, description = "The pipeline's Kafka topics.")
final class TopicsCommand {
    private final Site site;
    private final Terminal terminal;

    TopicsCommand(Site site, Terminal terminal) {
        this.site = site;
        this.terminal = terminal;
    }

    @Command(
            name = "create",
            mixinStandardHelpOptions = true,
            description = "Creates the topics that are missing, with TOPIC_PARTITIONS and TOPIC_REPLICATION_FACTOR.")
    int create(@Option(names = "--dry-run", description = "prints them, and asks no cluster") boolean dryRun) {
        KafkaClients kafka = site.kafka();
        if (dryRun) {
            print(kafka, topic -> "not asked");
            return 0;
        }
        Set<String> created;
        try {
            created =
                    TopicCreation.createMissing(kafka).stream().map(Topic::name).collect(Collectors.toSet());
        } catch (IllegalStateException e) {
            throw new CommandFailed(e.getMessage(), e);
        }
        print(kafka, topic -> created.contains(topic) ? "new" : "there already");
        return 0;
    }

    private void print(KafkaClients kafka, UnaryOperator<String> state) {
        List<List<String>> rows = kafka.topics().all().stream()
                .map(topic -> List.of(
                        topic.name(),
                        Integer.toString(kafka.partitions()),
                        topic.configuration().toString().replaceAll("[{}]", ""),
                        state.apply(topic.name())))
                .toList();
        terminal.rows(List.of("topic", "partitions", "settings", "state"), rows);
    }
}
