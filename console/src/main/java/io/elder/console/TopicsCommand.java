package io.elder.console;

import io.elder.runtime.KafkaAccess;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.TopicCreation;
import io.elder.schemas.Topic;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.resource.PatternType;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "topics", mixinStandardHelpOptions = true, description = "The pipeline's Kafka topics.")
final class TopicsCommand {
    private static final String ROLE = "{role}";
    private static final String PRINCIPAL = "User:elder-" + ROLE;

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

    @Command(
            name = "acls",
            mixinStandardHelpOptions = true,
            description =
                    "What each role may do on a cluster with ACLs; the console and the command line are the operator.")
    int acls(
            @Option(
                            names = "--principal",
                            defaultValue = PRINCIPAL,
                            description = "who a role is (default: ${DEFAULT-VALUE})")
                    String principal,
            @Option(names = "--create", description = "also adds them to the cluster, as one who may") boolean create) {
        if (!principal.contains(ROLE) || principal.indexOf(':') < 1) {
            throw new BadInput("--principal: " + principal + " (expected: such as " + PRINCIPAL + ")");
        }
        KafkaClients kafka = site.kafka();
        List<List<String>> rows = new ArrayList<>();
        List<AclBinding> bindings = new ArrayList<>();
        KafkaAccess.of(kafka).forEach((role, permissions) -> {
            String who = principal.replace(ROLE, role);
            for (KafkaAccess.Permission permission : permissions) {
                rows.add(List.of(
                        who,
                        permission.resource().name().toLowerCase(Locale.ROOT),
                        permission.name() + (permission.pattern() == PatternType.PREFIXED ? "*" : ""),
                        permission.operations().stream()
                                .map(operation -> operation.name().toLowerCase(Locale.ROOT))
                                .sorted()
                                .collect(Collectors.joining(", "))));
                permission.bindings(who).forEach(bindings::add);
            }
        });
        terminal.rows(List.of("principal", "resource", "name", "may"), rows);
        if (create) {
            try (Admin admin = Site.admin(kafka)) {
                Kafka.answer(admin.createAcls(bindings).all());
            }
            terminal.line(bindings.size() + " permissions are there now");
        }
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
