package io.elder.bench;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * Users of a broker that asks for a password (SASL/PLAIN).
 *
 * @param admin the broker's own user
 * @param passwords by user
 */
record BrokerUsers(String admin, Map<String, String> passwords) {
    /** The users of these names and the administrator, with passwords made from their names. */
    static BrokerUsers of(String admin, Iterable<String> users, UnaryOperator<String> password) {
        Map<String, String> passwords = new LinkedHashMap<>();
        passwords.put(admin, password.apply(admin));
        users.forEach(user -> passwords.put(user, password.apply(user)));
        return new BrokerUsers(admin, passwords);
    }

    /** What the broker is told. */
    Map<String, String> settings() {
        StringBuilder users = new StringBuilder();
        passwords.forEach((user, password) -> users.append(" user_")
                .append(user)
                .append("=\"")
                .append(password)
                .append('"'));
        return Map.of(
                "listener.security.protocol.map",
                "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
                "inter.broker.listener.name",
                "PLAINTEXT",
                "sasl.enabled.mechanisms",
                "PLAIN",
                "sasl.mechanism.inter.broker.protocol",
                "PLAIN",
                "listener.name.plaintext.plain.sasl.jaas.config",
                module(admin, users.toString()));
    }

    /** What a client is told. */
    Map<String, String> login(String user) {
        return Map.of(
                "KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT",
                "KAFKA_SASL_MECHANISM", "PLAIN",
                "KAFKA_SASL_JAAS_CONFIG", module(user, ""));
    }

    private String module(String user, String more) {
        return "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"" + user + "\" password=\""
                + passwords.get(user) + "\"" + more + ";";
    }
}
