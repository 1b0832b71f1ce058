package io.elder.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.elder.embedded.servers.EmbeddedDatabase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.yaml.snakeyaml.Yaml;

/**
 * Every service of docker-compose.yml as a process, with the command line and the environment that it has there; on a cluster
 * where each logs in as itself and may do what {@code ./elder topics acls} says.
 */
class RolesAsComposedTest {
    private static final Pattern VARIABLE = Pattern.compile("\\$\\{(\\w+)(?:(:?[-?])([^}]*))?}");

    /** What an operator writes into .env. */
    private static final Map<String, String> DOT_ENV = Map.of(
            "ELDER_WORKER_PASSWORD",
            "worker-pw",
            "ELDER_CONSOLE_PASSWORD",
            "console-pw",
            "ELDER_CDC_PASSWORD",
            "cdc-pw",
            "POSTGRES_PASSWORD",
            "owner-pw",
            "CONSOLE_TOKEN",
            "composed-console-token");

    @TempDir
    static Path folder;

    @Test
    @Tag("long")
    void oneJobRunsThroughAllServices() throws Exception {
        Path home = layOut();
        Map<String, Map<String, Object>> services = services();
        try (RegistryServer registry = new RegistryServer("/apis/ccompat/v7");
                FaultDirectory directory = new FaultDirectory(200, 7);
                Servers servers =
                        Servers.empty(folder, EmbeddedDatabase.Durability.FAST, Map.of(), AskingBroker.settings());
                Connection connection = servers.connect();
                RoleProcesses processes = new RoleProcesses(folder, image())) {
            // As the postgres image makes its first user from POSTGRES_USER.
            execute(connection, "create role elder superuser login password 'owner-pw'");
            Map<String, String> addresses = Map.of(
                    "kafka:9092", servers.broker().bootstrapServers(),
                    "postgres:5432", "127.0.0.1:" + servers.database().port(),
                    "registry:8081", "127.0.0.1:" + registry.port());
            for (Map.Entry<String, Map<String, Object>> service : services.entrySet()) {
                if (!"elder-worker".equals(service.getValue().get("image"))) {
                    continue;
                }
                List<String> command = command(service.getValue(), home);
                Map<String, String> environment = environment(service.getValue(), addresses);
                if (service.getKey().equals("prepare")) {
                    environment.putAll(AskingBroker.login(AskingBroker.ADMIN));
                    assertThat(processes.run("prepare", command, environment))
                            .as(() -> read(processes.log("prepare")))
                            .isZero();
                    List<String> acls = List.of(home.resolve("elder").toString(), "topics", "acls", "--create");
                    assertThat(processes.run("acls", acls, environment))
                            .as(() -> read(processes.log("acls")))
                            .isZero();
                } else {
                    environment.putAll(AskingBroker.login(user(service.getKey())));
                    // In containers all can have the same port.
                    environment.put("CONSOLE_PORT", Integer.toString(RoleProcesses.freePort()));
                    processes.start(service.getKey(), command, environment);
                }
            }
            processes.awaitHealthy(Duration.ofMinutes(2));
            execute(
                    connection,
                    "insert into discovery_jobs (name, provider, config_json, schedule_interval, enabled) values ('composed',"
                            + " 'ldap', '{\"server\": \"127.0.0.1\", \"port\": " + directory.port()
                            + ", \"base_dn\": \"" + FaultDirectory.BASE + "\", \"bind_dn\": \"" + FaultDirectory.READER
                            + "\", \"bind_password\": \"" + FaultDirectory.PASSWORD + "\"}', 0, true)");
            await().atMost(Duration.ofSeconds(90))
                    .pollInterval(Duration.ofMillis(200))
                    .until(() -> text(connection, "select count(*) from pipeline.runs where visible_at is not null")
                            .equals("1"));
            assertThat(text(connection, "select status || coalesce(': ' || error, '') from pipeline.runs"))
                    .isEqualTo("completed");
            FaultOracle oracle = new FaultOracle();
            assertThat(oracle.compare(connection, directory.expected().tables()))
                    .isEmpty();
            assertThat(
                            text(
                                    connection,
                                    "select string_agg(distinct usename, ',') from pg_stat_activity where datname = 'elder' and application_name like '%sink%'"))
                    .isEqualTo("elder_worker");
            assertThat(registry.subjectsWith("")).isNotEmpty();
            for (String service : services.keySet()) {
                Path log = processes.log(service);
                assertThat(Files.exists(log) ? read(log) : "").as(service).doesNotContain("AuthorizationException");
            }
            assertThat(AskingBroker.whoMayWrite(servers.broker().bootstrapServers(), "elder.inventory"))
                    .containsExactlyInAnyOrder("elder-normalizer", "elder-operator");
            assertThat(AskingBroker.whoMayWrite(servers.broker().bootstrapServers(), "elder.raw.okta"))
                    .containsExactlyInAnyOrder("elder-fetcher-okta", "elder-operator");
            assertThat(AskingBroker.whoMayWrite(servers.broker().bootstrapServers(), "elder.tasks.okta"))
                    .containsExactlyInAnyOrder("elder-scheduler", "elder-operator");
            assertThat(AskingBroker.whoMayWrite(servers.broker().bootstrapServers(), "elder.writeback.plans"))
                    .containsExactlyInAnyOrder("elder-writeback", "elder-operator");
            assertThat(AskingBroker.whoMayWrite(servers.broker().bootstrapServers(), "elder.cdc.discovery_jobs"))
                    .containsExactlyInAnyOrder("elder-cdc", "elder-operator");
            // An oracle that can't say no proves nothing, here or in a campaign.
            execute(connection, "update identities set email = 'x@y.test' where id = (select min(id) from identities)");
            execute(
                    connection,
                    "update entities set metadata = '{}' where id = (select min(id) from entities where source_key is not null)");
            execute(
                    connection,
                    "delete from identity_group_memberships where id = (select min(id) from identity_group_memberships)");
            execute(
                    connection,
                    "update dependencies set deleted_at = now() where id = (select min(id) from dependencies)");
            assertThat(oracle.compare(connection, directory.expected().tables()))
                    .satisfiesExactlyInAnyOrder(
                            one -> assertThat(one).startsWith("identities: other columns: 1,"),
                            one -> assertThat(one).startsWith("entities: other columns: 1,"),
                            one -> assertThat(one).startsWith("identity_group_memberships: missing: 1,"),
                            one -> assertThat(one)
                                    .startsWith("identity_group_memberships: gone instead of deleted softly: 1,"),
                            one -> assertThat(one).startsWith("dependencies: missing: 1,"));
        }
    }

    /** By default, as {@code ./elder topics acls} prints them. */
    private static String user(String service) {
        return service.equals("console") ? "elder-operator" : "elder-" + service.replace("google-", "google_");
    }

    /** As the Dockerfile does. */
    private static Path layOut() throws IOException, InterruptedException {
        Path out = folder.resolve("opt-elder");
        Path log = folder.resolve("lay-out.log");
        int code = new ProcessBuilder(
                        RoleProcesses.home().resolve("deploy/lay-out.sh").toString(), out.toString())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start()
                .waitFor();
        assertThat(code).as(() -> read(log)).isZero();
        return out;
    }

    /** What the Dockerfile sets. */
    private static Map<String, String> image() {
        return Map.of("ELDER_JAVA_HOME", System.getProperty("java.home"), "LOG_FORMAT", "text");
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Map<String, Object>> services() throws IOException {
        Map<String, Object> file =
                new Yaml().load(Files.readString(RoleProcesses.home().resolve("docker-compose.yml")));
        Map<String, Map<String, Object>> services =
                new LinkedHashMap<>((Map<String, Map<String, Object>>) file.get("services"));
        assertThat(services)
                .containsKeys(
                        "prepare", "cdc", "scheduler", "fetcher-gcp", "fetcher-ldap", "normalizer", "sink", "console");
        return services;
    }

    private static List<String> command(Map<String, Object> service, Path home) {
        List<String> command = new ArrayList<>();
        for (Object word : (List<?>) service.getOrDefault("entrypoint", List.of("/opt/elder/elder"))) {
            command.add(word.toString().replace("/opt/elder", home.toString()));
        }
        for (Object word : (List<?>) service.getOrDefault("command", List.of())) {
            command.add(word.toString());
        }
        return command;
    }

    private static Map<String, String> environment(Map<String, Object> service, Map<String, String> addresses) {
        Map<String, String> environment = new LinkedHashMap<>(DOT_ENV);
        ((Map<?, ?>) service.get("environment")).forEach((name, value) -> {
            String text = VARIABLE.matcher(value.toString()).replaceAll(RolesAsComposedTest::substitute);
            for (Map.Entry<String, String> address : addresses.entrySet()) {
                text = text.replace(address.getKey(), address.getValue());
            }
            environment.put(name.toString(), text);
        });
        return environment;
    }

    private static String substitute(java.util.regex.MatchResult variable) {
        String value = DOT_ENV.get(variable.group(1));
        if (value == null && variable.group(2) != null && variable.group(2).endsWith("-")) {
            value = variable.group(3);
        }
        assertThat(value)
                .as("variable " + variable.group(1) + " of docker-compose.yml")
                .isNotNull();
        return Matcher.quoteReplacement(value);
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.execute();
        }
    }

    private static String text(Connection connection, String sql) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql);
                ResultSet row = statement.executeQuery()) {
            row.next();
            return row.getString(1);
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
