package io.elder.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.connect.cli.ConnectStandalone;
import org.apache.kafka.connect.runtime.Connect;
import org.apache.kafka.connect.runtime.Herder;
import org.apache.kafka.connect.runtime.rest.entities.ConnectorInfo;
import org.apache.kafka.connect.runtime.rest.entities.ConnectorStateInfo;
import org.apache.kafka.connect.runtime.standalone.StandaloneHerder;

/**
 * Debezium's JDBC sink connector in a Connect worker in this process. It can't look ids up, so its rows come with ids, and its
 * tables are without foreign keys: both spare it work.
 */
final class DebeziumSink implements SinkPeer {
    private static final Duration STUCK = Duration.ofMinutes(2);

    private final String name;
    private final Worker worker;
    private final Map<String, String> more;

    /** @param more settings of the connector */
    DebeziumSink(String name, Worker worker, Map<String, String> more) {
        this.name = name;
        this.worker = worker;
        this.more = Map.copyOf(more);
    }

    /** As somebody sets it who has read its documentation. */
    static Map<String, String> tuned() {
        return Map.of(
                "dialect.postgres.unnest.insert.enabled", "true",
                "use.reduction.buffer", "true",
                "batch.size", "5000",
                "consumer.override.max.poll.records", "5000",
                "consumer.override.fetch.min.bytes", "100000",
                "consumer.override.fetch.max.wait.ms", "100");
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public double run(SinkFeed feed, Target target) throws Exception {
        List<String> topics = feed.tables();
        return worker.run(feed, topics, target, more);
    }

    /** A standalone Connect worker, with the connector in a plugin folder of its own: its libraries are older than ours. */
    static final class Worker implements AutoCloseable {
        private final Servers servers;
        private final Connect<StandaloneHerder> connect;
        private int connectors;

        Worker(Servers servers, Path folder) throws IOException {
            this.servers = servers;
            Path plugins = folder.resolve("plugins");
            Path connector = Files.createDirectories(plugins.resolve("debezium-jdbc"));
            for (Path jar : jars()) {
                Files.createSymbolicLink(connector.resolve(jar.getFileName()), jar);
            }
            Map<String, String> settings = new HashMap<>();
            settings.put("bootstrap.servers", servers.broker().bootstrapServers());
            settings.put("plugin.path", plugins.toString());
            settings.put("plugin.discovery", "hybrid_warn");
            settings.put(
                    "offset.storage.file.filename",
                    folder.resolve("connect-offsets").toString());
            // Progress is seen by the offsets.
            settings.put("offset.flush.interval.ms", "200");
            settings.put("key.converter", "org.apache.kafka.connect.storage.StringConverter");
            settings.put("value.converter", FlatConverter.class.getName());
            settings.put("listeners", "http://127.0.0.1:0");
            this.connect = new ConnectStandalone().startConnect(settings);
        }

        /** The build lists them, see bench/debezium-jdbc/pom.xml. */
        static List<Path> jars() throws IOException {
            Path list = RoleProcesses.home().resolve("bench/debezium-jdbc/target/dependencies");
            if (!Files.exists(list)) {
                throw new IllegalStateException("Debezium's JDBC sink is not there (expected: " + list + ")");
            }
            return List.of(Files.readString(list).strip().split(java.io.File.pathSeparator)).stream()
                    .map(Path::of)
                    .toList();
        }

        double run(SinkFeed feed, List<String> topics, Target target, Map<String, String> more) throws Exception {
            String connector = "debezium-" + ++connectors;
            Map<String, String> config = new HashMap<>();
            config.put("name", connector);
            config.put("connector.class", "io.debezium.connector.jdbc.JdbcSinkConnector");
            config.put("tasks.max", "1");
            config.put("topics", String.join(",", topics));
            config.put("consumer.override.auto.offset.reset", "earliest");
            config.put("connection.url", target.jdbcUrl());
            config.put("connection.username", "postgres");
            config.put("connection.password", "none");
            config.put("insert.mode", "upsert");
            config.put("primary.key.mode", "record_value");
            config.put("primary.key.fields", "source_key");
            config.put("schema.evolution", "none");
            config.put("transforms", "table");
            config.put("transforms.table.type", "org.apache.kafka.connect.transforms.RegexRouter");
            config.put("transforms.table.regex", ".*\\.(.*)");
            config.put("transforms.table.replacement", "$1");
            config.putAll(more);
            Pace pace = new Pace(feed.records());
            this.<Herder.Created<ConnectorInfo>>await(
                    callback -> connect.herder().putConnectorConfig(connector, config, false, callback));
            try (Admin admin = Admin.create(servers.kafka().common())) {
                long until = System.nanoTime() + STUCK.toNanos();
                long before = 0;
                while (!pace.isDone()) {
                    long now = 0;
                    Map<TopicPartition, OffsetAndMetadata> offsets = admin.listConsumerGroupOffsets(
                                    "connect-" + connector)
                            .partitionsToOffsetAndMetadata()
                            .get();
                    for (OffsetAndMetadata offset : offsets.values()) {
                        now += offset == null ? 0 : offset.offset();
                    }
                    pace.reached(now);
                    if (now > before) {
                        before = now;
                        until = System.nanoTime() + STUCK.toNanos();
                    }
                    check(connector);
                    if (System.nanoTime() > until) {
                        throw new IllegalStateException(connector + " is stuck at " + now + " of " + feed.records());
                    }
                    Thread.sleep(20);
                }
            } finally {
                this.<Herder.Created<ConnectorInfo>>await(
                        callback -> connect.herder().deleteConnectorConfig(connector, callback));
            }
            return pace.perSecond();
        }

        private void check(String connector) {
            ConnectorStateInfo state = connect.herder().connectorStatus(connector);
            for (ConnectorStateInfo.TaskState task : state.tasks()) {
                if (task.state().equals("FAILED")) {
                    throw new IllegalStateException(connector + " failed: " + task.trace());
                }
            }
        }

        /** What the herder calls back with. */
        private interface Asking<T> {
            void ask(org.apache.kafka.connect.util.Callback<T> callback);
        }

        private <T> T await(Asking<T> asking) throws InterruptedException, ExecutionException, TimeoutException {
            CompletableFuture<T> answer = new CompletableFuture<>();
            asking.ask((failure, result) -> {
                if (failure == null) {
                    answer.complete(result);
                } else {
                    answer.completeExceptionally(failure);
                }
            });
            return answer.get(60, TimeUnit.SECONDS);
        }

        @Override
        public void close() {
            connect.stop();
            connect.awaitStop();
        }
    }
}
