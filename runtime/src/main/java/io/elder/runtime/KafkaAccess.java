package io.elder.runtime;

import io.elder.schemas.Topic;
import io.elder.schemas.Topics;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/**
 * What each role may do on a cluster that asks for permission: what it needs, and no more. To describe comes with reading and
 * writing. See {@code docs/kafka.md}.
 */
public final class KafkaAccess {
    private static final Set<AclOperation> READ = Set.of(AclOperation.READ);
    private static final Set<AclOperation> WRITE = Set.of(AclOperation.WRITE);
    private static final Set<AclOperation> READ_AND_WRITE = Set.of(AclOperation.READ, AclOperation.WRITE);

    /** For topics that a client makes for itself. */
    private static final Set<AclOperation> OWN = Set.of(
            AclOperation.CREATE,
            AclOperation.DELETE,
            AclOperation.DESCRIBE_CONFIGS,
            AclOperation.READ,
            AclOperation.WRITE);

    /** One line of a role's permissions. */
    public record Permission(ResourceType resource, PatternType pattern, String name, Set<AclOperation> operations) {
        /** For a principal such as {@code User:elder-sink}, from any host. */
        public Stream<AclBinding> bindings(String principal) {
            return operations.stream()
                    .map(operation -> new AclBinding(
                            new ResourcePattern(resource, name, pattern),
                            new AccessControlEntry(principal, "*", operation, AclPermissionType.ALLOW)));
        }
    }

    private final KafkaClients kafka;
    private final Topics topics;

    private KafkaAccess(KafkaClients kafka) {
        this.kafka = kafka;
        this.topics = kafka.topics();
    }

    /** By role, the permissions; {@code operator} is the console and the command line. */
    public static Map<String, List<Permission>> of(KafkaClients kafka) {
        KafkaAccess access = new KafkaAccess(kafka);
        Map<String, List<Permission>> roles = new LinkedHashMap<>();
        roles.put("cdc", access.cdc());
        roles.put("scheduler", access.scheduler());
        Topics.PROVIDERS.forEach(provider -> roles.put("fetcher-" + provider, access.fetcher(provider)));
        roles.put("normalizer", access.normalizer());
        roles.put("sink", access.sink());
        roles.put("writeback", access.writeback());
        roles.put("operator", access.operator());
        return roles;
    }

    /** Kafka Connect keeps its state in three topics, and fences producers of tasks that have moved. */
    private List<Permission> cdc() {
        return List.of(
                below(ResourceType.TOPIC, topics.prefix() + "cdc.", READ_AND_WRITE),
                below(ResourceType.TOPIC, topics.prefix() + "connect-", OWN),
                one(ResourceType.GROUP, kafka.group("connect"), READ),
                below(ResourceType.GROUP, kafka.group("cdc-"), READ),
                below(ResourceType.TRANSACTIONAL_ID, kafka.group("connect"), WRITE),
                one(ResourceType.TRANSACTIONAL_ID, "connect-cluster-" + kafka.group("connect"), WRITE),
                below(ResourceType.TRANSACTIONAL_ID, kafka.group("cdc-"), WRITE));
    }

    private List<Permission> scheduler() {
        List<Permission> all = streams("scheduler");
        all.addAll(on(READ, List.of(topics.cdc("discovery_jobs"))));
        all.addAll(on(READ_AND_WRITE, List.of(topics.runs())));
        all.addAll(on(WRITE, each(topics::tasks)));
        all.addAll(on(WRITE, List.of(topics.deadletter())));
        return all;
    }

    private List<Permission> fetcher(String provider) {
        List<Permission> all = on(READ, List.of(topics.tasks(provider)));
        all.addAll(on(WRITE, List.of(topics.raw(provider), topics.runs(), topics.deadletter())));
        all.add(one(ResourceType.GROUP, kafka.group("fetcher-" + provider), READ));
        return all;
    }

    private List<Permission> normalizer() {
        List<Permission> all = streams("normalizer");
        all.addAll(on(READ, each(topics::raw)));
        all.addAll(
                on(READ_AND_WRITE, List.of(topics.scopes(), topics.decisions(), topics.persons(), topics.verdicts())));
        all.addAll(on(WRITE, List.of(topics.inventory(), topics.held(), topics.deadletter())));
        return all;
    }

    private List<Permission> sink() {
        List<Permission> all = on(READ, List.of(topics.inventory(), topics.runs()));
        all.addAll(on(WRITE, List.of(topics.deadletter())));
        all.add(one(ResourceType.GROUP, kafka.group("sink"), READ));
        return all;
    }

    private List<Permission> writeback() {
        List<Permission> all = streams("writeback");
        all.addAll(on(
                READ,
                List.of(
                        topics.cdc("identity_groups"),
                        topics.cdc("identities"),
                        topics.cdc("identity_group_memberships"),
                        topics.inventory(),
                        topics.raw("authentik"),
                        topics.raw("ldap"),
                        topics.raw("okta"))));
        all.addAll(on(
                READ_AND_WRITE, List.of(topics.writebackEvents(), topics.writebackPlans(), topics.writebackResults())));
        all.addAll(on(WRITE, List.of(topics.held(), topics.deadletter())));
        return all;
    }

    /** Reads everything, puts dead letters back where they came from, decides on held plans, and may make a rebuild. */
    private List<Permission> operator() {
        return List.of(
                below(ResourceType.TOPIC, topics.prefix(), OWN),
                below(ResourceType.TOPIC, kafka.group(""), OWN),
                below(
                        ResourceType.GROUP,
                        kafka.group(""),
                        Set.of(AclOperation.READ, AclOperation.DESCRIBE, AclOperation.DELETE)),
                below(ResourceType.TRANSACTIONAL_ID, kafka.group("cli-"), WRITE));
    }

    /** A Streams application with exactly-once processing: its group, its transactions, and the topics of its state. */
    private List<Permission> streams(String stage) {
        String application = kafka.group(stage);
        return new ArrayList<>(List.of(
                below(ResourceType.GROUP, application, READ),
                below(ResourceType.TRANSACTIONAL_ID, application, WRITE),
                below(ResourceType.TOPIC, application + "-", OWN)));
    }

    private static List<Topic<?>> each(Function<String, Topic<?>> topicOf) {
        return Topics.PROVIDERS.stream().<Topic<?>>map(topicOf).toList();
    }

    private static List<Permission> on(Set<AclOperation> operations, Collection<? extends Topic<?>> some) {
        List<Permission> all = new ArrayList<>();
        some.forEach(topic -> all.add(one(ResourceType.TOPIC, topic.name(), operations)));
        return all;
    }

    private static Permission one(ResourceType type, String name, Set<AclOperation> operations) {
        return new Permission(type, PatternType.LITERAL, name, operations);
    }

    private static Permission below(ResourceType type, String prefix, Set<AclOperation> operations) {
        return new Permission(type, PatternType.PREFIXED, prefix, operations);
    }
}
