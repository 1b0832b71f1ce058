package io.elder.embedded.servers;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.server.common.MetadataVersion;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Kafka broker in this JVM: one KRaft node that is broker and controller, listening on the loopback interface. Data
 * stay in its directory, so it goes on where it was after a stop and after a kill.
 */
public final class EmbeddedBroker implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(EmbeddedBroker.class);
    private static final int NODE = 1;

    private final DirectoryLock lock;
    private final KafkaRaftServer server;
    private final int port;

    private EmbeddedBroker(DirectoryLock lock, KafkaRaftServer server, int port) {
        this.lock = lock;
        this.server = server;
        this.port = port;
    }

    /** Starts a broker on this directory, formatting it if it is new. Port 0 is a free port. */
    public static EmbeddedBroker start(Path directory, int port) {
        return start(directory, port, Map.of());
    }

    /** As {@link #start(Path, int)}, with broker settings laid over ours. */
    public static EmbeddedBroker start(Path directory, int port, Map<String, String> overrides) {
        DirectoryLock lock = DirectoryLock.acquire(directory, "Kafka broker");
        try {
            int brokerPort = Ports.claim(port, "Kafka broker", "EMBEDDED_KAFKA_PORT");
            int controllerPort = Ports.claim(0, "Kafka controller", "EMBEDDED_KAFKA_PORT");
            Path log = directory.resolve("log");
            format(log);
            Properties settings = settings(log, brokerPort, controllerPort);
            settings.putAll(overrides);
            long started = System.nanoTime();
            KafkaRaftServer server = new KafkaRaftServer(KafkaConfig.fromProps(settings, false), Time.SYSTEM);
            server.startup();
            LOG.info(
                    "Kafka broker on 127.0.0.1:{} started in {} ms",
                    brokerPort,
                    (System.nanoTime() - started) / 1_000_000);
            return new EmbeddedBroker(lock, server, brokerPort);
        } catch (RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    public String bootstrapServers() {
        return "127.0.0.1:" + port;
    }

    public int port() {
        return port;
    }

    @Override
    public void close() {
        server.shutdown();
        server.awaitShutdown();
        lock.close();
    }

    private static void format(Path log) {
        if (Files.exists(log.resolve("meta.properties"))) {
            return;
        }
        try {
            Files.createDirectories(log);
            new Formatter()
                    .setPrintStream(new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8))
                    .setClusterId(Uuid.randomUuid().toString())
                    .setNodeId(NODE)
                    .addDirectory(log.toString())
                    .setMetadataLogDirectory(log.toString())
                    .setControllerListenerName("CONTROLLER")
                    .setReleaseVersion(MetadataVersion.LATEST_PRODUCTION)
                    .run();
        } catch (IOException e) {
            throw new ServerStartException("Kafka broker: cannot write to " + log + ": " + e.getMessage(), e);
        } catch (Exception e) {
            throw new ServerStartException("Kafka broker: cannot format " + log + ": " + e.getMessage(), e);
        }
    }

    private static Properties settings(Path log, int brokerPort, int controllerPort) {
        Properties p = new Properties();
        p.put("process.roles", "broker,controller");
        p.put("node.id", String.valueOf(NODE));
        p.put("controller.quorum.voters", NODE + "@127.0.0.1:" + controllerPort);
        p.put("controller.listener.names", "CONTROLLER");
        p.put("listeners", "PLAINTEXT://127.0.0.1:" + brokerPort + ",CONTROLLER://127.0.0.1:" + controllerPort);
        p.put("advertised.listeners", "PLAINTEXT://127.0.0.1:" + brokerPort);
        p.put("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
        p.put("log.dirs", log.toString());
        p.put("auto.create.topics.enable", "false");
        p.put("num.partitions", "4");
        p.put("default.replication.factor", "1");
        p.put("min.insync.replicas", "1");

        // One node: every internal topic has one replica, and few partitions keep files and start-up small.
        p.put("offsets.topic.replication.factor", "1");
        p.put("offsets.topic.num.partitions", "8");
        p.put("transaction.state.log.replication.factor", "1");
        p.put("transaction.state.log.min.isr", "1");
        p.put("transaction.state.log.num.partitions", "8");
        p.put("share.coordinator.state.topic.replication.factor", "1");
        p.put("share.coordinator.state.topic.min.isr", "1");
        p.put("share.coordinator.state.topic.num.partitions", "1");

        // A consumer that was killed is replaced in seconds, and its open transaction does not hold up readers.
        p.put("group.initial.rebalance.delay.ms", "0");
        p.put("group.min.session.timeout.ms", "1000");
        p.put("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500");
        // After a kill the new broker waits for the old registration to expire. Shorter, and a pause of the JVM would
        // fence a healthy broker.
        p.put("broker.session.timeout.ms", "3000");
        p.put("broker.heartbeat.interval.ms", "500");

        // Small: this broker shares a laptop with its clients.
        p.put("log.segment.bytes", String.valueOf(64 << 20));
        p.put("log.index.size.max.bytes", String.valueOf(1 << 20));
        p.put("log.cleaner.dedupe.buffer.size", String.valueOf(16 << 20));
        p.put("log.cleaner.threads", "1");
        p.put("num.network.threads", "2");
        p.put("num.io.threads", "4");
        p.put("background.threads", "2");
        p.put("num.recovery.threads.per.data.dir", "2");
        p.put("metadata.log.max.record.bytes.between.snapshots", String.valueOf(4 << 20));
        p.put("metadata.log.segment.bytes", String.valueOf(16 << 20));
        return p;
    }
}
