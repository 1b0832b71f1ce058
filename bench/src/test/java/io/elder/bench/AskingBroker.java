package io.elder.bench;

import io.elder.runtime.KafkaAccess;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Settings;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.errors.TopicAuthorizationException;

/** A broker that asks who somebody is, and lets nobody do what no ACL allows. */
final class AskingBroker {
    static final String ADMIN = "admin";

    private AskingBroker() {}

    /** What the broker is told; all roles have a password. */
    static Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>(users().settings());
        settings.put("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
        // The broker's own talk with its controller has no name.
        settings.put("super.users", "User:" + ADMIN + ";User:ANONYMOUS");
        return settings;
    }

    /** What a client is told. */
    static Map<String, String> login(String user) {
        return users().login(user);
    }

    /** Who may write to a topic, of all that there are: the broker is asked as each. */
    static List<String> whoMayWrite(String bootstrapServers, String topic)
            throws ExecutionException, InterruptedException {
        List<String> who = new ArrayList<>();
        for (String user : users().passwords().keySet()) {
            if (user.equals(ADMIN)) {
                continue;
            }
            Map<String, String> all = new LinkedHashMap<>(login(user));
            all.put("KAFKA_BOOTSTRAP_SERVERS", bootstrapServers);
            try (Admin admin = Admin.create(new KafkaClients(Settings.of(all)).common())) {
                TopicDescription description = admin.describeTopics(
                                List.of(topic), new DescribeTopicsOptions().includeAuthorizedOperations(true))
                        .allTopicNames()
                        .get()
                        .get(topic);
                if (description.authorizedOperations().contains(AclOperation.WRITE)) {
                    who.add(user);
                }
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof TopicAuthorizationException)) {
                    throw e;
                }
            }
        }
        return who;
    }

    private static BrokerUsers users() {
        List<String> roles = KafkaAccess.of(new KafkaClients(Settings.of(Map.of()))).keySet().stream()
                .map(role -> "elder-" + role)
                .toList();
        return BrokerUsers.of(ADMIN, roles, user -> "of-the-test");
    }
}
