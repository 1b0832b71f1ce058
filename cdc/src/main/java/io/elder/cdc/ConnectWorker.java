package io.elder.cdc;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Component;
import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.connect.cli.ConnectDistributed;
import org.apache.kafka.connect.errors.NotFoundException;
import org.apache.kafka.connect.runtime.Connect;
import org.apache.kafka.connect.runtime.Herder;
import org.apache.kafka.connect.runtime.RestartRequest;
import org.apache.kafka.connect.runtime.distributed.DistributedHerder;
import org.apache.kafka.connect.runtime.distributed.NotLeaderException;
import org.apache.kafka.connect.runtime.rest.entities.ConnectorInfo;
import org.apache.kafka.connect.runtime.rest.entities.ConnectorStateInfo;
import org.apache.kafka.connect.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Kafka Connect worker in this JVM that runs Debezium's PostgreSQL connector with exactly-once delivery. Several such
 * processes form one Connect cluster: one of them runs the task, the others stand by.
 */
public final class ConnectWorker implements Component {
    private static final Logger LOG = LoggerFactory.getLogger(ConnectWorker.class);
    private static final Duration CHECK = Duration.ofMillis(500);
    private static final Duration LONGEST_BACKOFF = Duration.ofSeconds(30);
    /** A restarted task counts as well only after this: it says it is running before it has connected. */
    private static final Duration STABLE = Duration.ofSeconds(3);
    /** Debezium reconnects by itself within this. */
    private static final Duration RECONNECT = Duration.ofSeconds(15);

    private final CdcSettings settings;
    private final KafkaClients kafka;
    private final HikariDataSource pool;
    private final String credentials;
    private final AtomicLong behind = new AtomicLong(-1);
    private final Thread supervisor;

    private volatile Health health = Health.notReady("cdc: starting");
    private volatile Connect<DistributedHerder> connect;
    // Not an interrupt: Connect ends the whole JVM when its start is interrupted.
    private final CountDownLatch stop = new CountDownLatch(1);
    // The rest belongs to the supervisor's thread.
    private boolean configured;
    private long failedAt;
    private long restartAt;
    private long inactiveSince;
    private long lastProbe;
    private int failures;
    private String lastFailure = "";
    private Health database = Health.OK;

    public ConnectWorker(CdcSettings settings, KafkaClients kafka, Metrics metrics) {
        this.settings = settings;
        this.kafka = kafka;
        this.pool = settings.database().pool("cdc", 1);
        this.credentials = DatabaseCredentials.register(settings.database());
        this.supervisor = Thread.ofPlatform().name("cdc-supervisor").unstarted(this::supervise);
        metrics.registry().gauge("cdc_slot_behind_bytes", behind);
    }

    @Override
    public void start() {
        supervisor.start();
    }

    @Override
    public Health health() {
        return health;
    }

    @Override
    public Map<String, Object> status() {
        Map<String, Object> status = new LinkedHashMap<>();
        status.put("source", "debezium");
        status.put("connector", ConnectorConfig.NAME);
        status.put("slot", settings.slot());
        status.put("publication", settings.publication());
        status.put("slot_behind_bytes", behind.get());
        Connect<DistributedHerder> running = connect;
        if (running != null) {
            status.put("rest", running.rest().serverUrl().toString());
        }
        return status;
    }

    @Override
    public void close() {
        stop.countDown();
        try {
            supervisor.join(Duration.ofSeconds(30));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Connect<DistributedHerder> running = connect;
        if (running != null) {
            running.stop();
            running.awaitStop();
            connect = null;
        }
        pool.close();
        DatabaseCredentials.forget(credentials);
    }

    private void supervise() {
        long pause = 1000;
        while (stop.getCount() > 0) {
            try {
                if (connect == null) {
                    connect = new ConnectDistributed().startConnect(workerConfig());
                }
                check();
                pause = CHECK.toMillis();
            } catch (InterruptedException e) {
                return;
            } catch (RuntimeException e) {
                health = Health.notReady("cdc: Kafka Connect does not start: " + firstLine(e.getMessage()));
                LOG.warn("Kafka Connect does not start; trying again in {} ms", pause, e);
                pause = Math.min(Math.max(1000, pause * 2), LONGEST_BACKOFF.toMillis());
            }
            try {
                pause(Duration.ofMillis(pause));
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private void check() throws InterruptedException {
        DistributedHerder herder = connect.herder();
        if (!configured) {
            configure(herder);
        }
        if (System.nanoTime() - lastProbe > TimeUnit.SECONDS.toNanos(2) || lastProbe == 0) {
            lastProbe = System.nanoTime();
            database = probe();
        }
        if (configured) {
            health = Health.all(connector(herder), database);
        }
    }

    /** Gives Connect the configuration, if it has another one. Any worker may; only the leader can. */
    private void configure(DistributedHerder herder) throws InterruptedException {
        try {
            Map<String, String> wanted = ConnectorConfig.of(
                    settings,
                    kafka.topics(),
                    DatabaseCredentials.USER,
                    DatabaseCredentials.PASSWORD,
                    publicationExists(),
                    kafka.partitions(),
                    kafka.replicationFactor());
            Optional<Map<String, String>> present = currentConfig(herder);
            if (present.isEmpty() || !present.get().equals(wanted)) {
                ConnectWorker.<Herder.Created<ConnectorInfo>>await(
                        callback -> herder.putConnectorConfig(ConnectorConfig.NAME, wanted, true, callback));
                LOG.info("Connector {} configured", ConnectorConfig.NAME);
            }
            configured = true;
            failures = 0;
        } catch (SQLException e) {
            retryConfigure("the database cannot be reached: " + firstLine(e.getMessage()));
        } catch (TimeoutException e) {
            retryConfigure("Kafka Connect does not answer (expected: an answer within 20 s)");
        } catch (ExecutionException e) {
            if (e.getCause() instanceof NotLeaderException) {
                // The leader is one of us and does the same.
                configured = currentConfigQuietly(herder).isPresent();
            } else {
                retryConfigure("the connector's configuration is refused: "
                        + firstLine(e.getCause().getMessage()));
            }
        }
    }

    private void retryConfigure(String reason) throws InterruptedException {
        Duration pause = backoff(++failures);
        health = Health.notReady("cdc: " + reason);
        LOG.warn("cdc: {}; trying again in {} ms", reason, pause.toMillis());
        pause(pause);
    }

    private void pause(Duration duration) throws InterruptedException {
        boolean unused = stop.await(duration.toMillis(), TimeUnit.MILLISECONDS);
    }

    private boolean publicationExists() throws SQLException {
        try (Connection connection = pool.getConnection();
                var find = connection.prepareStatement("SELECT 1 FROM pg_publication WHERE pubname = ?")) {
            find.setString(1, settings.publication());
            try (var found = find.executeQuery()) {
                return found.next();
            }
        }
    }

    private static Optional<Map<String, String>> currentConfig(DistributedHerder herder)
            throws InterruptedException, ExecutionException, TimeoutException {
        try {
            return Optional.of(ConnectWorker.<Map<String, String>>await(
                    callback -> herder.connectorConfig(ConnectorConfig.NAME, callback)));
        } catch (ExecutionException e) {
            if (e.getCause() instanceof NotFoundException) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private static Optional<Map<String, String>> currentConfigQuietly(DistributedHerder herder)
            throws InterruptedException {
        try {
            return currentConfig(herder);
        } catch (ExecutionException | TimeoutException e) {
            return Optional.empty();
        }
    }

    /** The state of connector and task; a failed one is restarted, unless that would hide a loss. */
    private Health connector(DistributedHerder herder) throws InterruptedException {
        ConnectorStateInfo info;
        try {
            info = herder.connectorStatus(ConnectorConfig.NAME);
        } catch (NotFoundException e) {
            return Health.notReady("cdc: the connector is not running yet");
        }
        String trace = failure(info);
        long now = System.nanoTime();
        if (trace != null) {
            lastFailure = firstLine(trace);
            if (isLostPosition(trace)) {
                return Health.notReady(lostSlot());
            }
            if (failedAt == 0 || now >= restartAt) {
                Duration pause = backoff(++failures);
                failedAt = now;
                restartAt = now + pause.toNanos();
                LOG.warn("cdc: the connector failed, restarting it: {}", lastFailure);
                restart(herder);
            }
            return Health.notReady("cdc: the connector failed: " + lastFailure);
        }
        boolean running = "RUNNING".equals(info.connector().state())
                && !info.tasks().isEmpty()
                && info.tasks().stream().allMatch(task -> "RUNNING".equals(task.state()));
        if (!running) {
            return Health.notReady("cdc: the connector is " + info.connector().state() + ", its task "
                    + info.tasks().stream()
                            .map(ConnectorStateInfo.TaskState::state)
                            .toList()
                    + " (expected: RUNNING)");
        }
        if (failedAt != 0) {
            if (now - Math.max(failedAt, restartAt) < STABLE.toNanos()) {
                return Health.notReady("cdc: restarted after: " + lastFailure);
            }
            failedAt = 0;
            failures = 0;
        }
        return Health.OK;
    }

    private static void restart(DistributedHerder herder) throws InterruptedException {
        try {
            ConnectWorker.<ConnectorStateInfo>await(callback ->
                    herder.restartConnectorAndTasks(new RestartRequest(ConnectorConfig.NAME, true, true), callback));
        } catch (ExecutionException | TimeoutException e) {
            // Not the leader, who sees the same failure; or a rebalance is on, and the next check finds it failed
            // still.
            LOG.debug("cdc: restart not done here", e);
        }
    }

    /** Asks PostgreSQL, since Debezium counts as running while it reconnects. */
    private Health probe() {
        try (Connection connection = pool.getConnection()) {
            Optional<SlotState> slot = SlotState.find(connection, settings.slot());
            behind.set(slot.map(SlotState::behindBytes).orElse(-1L));
            if (slot.isPresent() && slot.get().isLost()) {
                return Health.notReady(lostSlot());
            }
            if (slot.isPresent() && slot.get().active()) {
                inactiveSince = 0;
                return Health.OK;
            }
            if (inactiveSince == 0) {
                inactiveSince = System.nanoTime();
            }
            if (System.nanoTime() - inactiveSince < RECONNECT.toNanos()) {
                return Health.OK;
            }
            return Health.notReady(
                    slot.isPresent()
                            ? "cdc: nobody reads the replication slot " + settings.slot()
                            : "cdc: the replication slot " + settings.slot() + " does not exist");
        } catch (SQLException e) {
            return Health.notReady("cdc: the database cannot be reached: " + firstLine(e.getMessage()));
        }
    }

    private String lostSlot() {
        return "cdc: the replication slot " + settings.slot()
                + " no longer has the changes since the last one read: changes are missing. Read the tables again with"
                + " CDC_SNAPSHOT_MODE=when_needed (docs/cdc.md, \"A lost slot\")";
    }

    /** What Debezium says when the WAL it wants is gone. */
    private static boolean isLostPosition(String trace) {
        return trace.contains("no longer available on the server")
                || trace.contains("Last recorded offset is no longer available")
                || trace.contains("can no longer get changes from replication slot")
                || trace.contains("can no longer access replication slot");
    }

    private static String failure(ConnectorStateInfo info) {
        if ("FAILED".equals(info.connector().state())) {
            return String.valueOf(info.connector().trace());
        }
        return info.tasks().stream()
                .filter(task -> "FAILED".equals(task.state()))
                .map(task -> String.valueOf(task.trace()))
                .findFirst()
                .orElse(null);
    }

    private static Duration backoff(int failures) {
        return Duration.ofMillis(Math.min(1000L << Math.min(failures - 1, 10), LONGEST_BACKOFF.toMillis()));
    }

    private static String firstLine(String text) {
        return text == null ? "unknown" : text.lines().findFirst().orElse("unknown");
    }

    @FunctionalInterface
    private interface Request<T> {
        void send(Callback<T> callback);
    }

    private static <T> T await(Request<T> request) throws InterruptedException, ExecutionException, TimeoutException {
        CompletableFuture<T> answer = new CompletableFuture<>();
        request.send((error, result) -> {
            if (error == null) {
                answer.complete(result);
            } else {
                answer.completeExceptionally(error);
            }
        });
        return answer.get(20, TimeUnit.SECONDS);
    }

    Map<String, String> workerConfig() {
        String prefix = kafka.topics().prefix();
        Map<String, String> w = new LinkedHashMap<>();
        kafka.common().forEach((name, value) -> {
            if (!name.startsWith("schema.registry.")
                    && !name.startsWith("basic.auth.")
                    && !name.equals("auto.register.schemas")) {
                // For the worker's own clients, and for those of the connector.
                for (String client : List.of("", "producer.", "consumer.", "admin.")) {
                    w.put(client + name, String.valueOf(value));
                }
            }
        });
        w.put("group.id", kafka.group("connect"));
        w.put("config.storage.topic", prefix + "connect-configs");
        w.put("offset.storage.topic", prefix + "connect-offsets");
        w.put("status.storage.topic", prefix + "connect-status");
        String replication = String.valueOf(kafka.replicationFactor());
        w.put("config.storage.replication.factor", replication);
        w.put("offset.storage.replication.factor", replication);
        w.put("status.storage.replication.factor", replication);
        w.put("offset.storage.partitions", "1");
        w.put("status.storage.partitions", "1");
        w.put("key.converter", "org.apache.kafka.connect.storage.StringConverter");
        w.put("value.converter", "org.apache.kafka.connect.json.JsonConverter");
        w.put("value.converter.schemas.enable", "false");
        w.put("exactly.once.source.support", "enabled");
        w.put("connector.client.config.override.policy", "All");
        w.put("plugin.discovery", "service_load");
        w.put("config.providers", "elder");
        w.put("config.providers.elder.class", DatabaseCredentials.class.getName());
        w.put("config.providers.elder.param.number", credentials);
        // A dead worker's successor reads the offsets to the end, which the dead one's open transaction holds up.
        w.put("session.timeout.ms", String.valueOf(settings.sessionTimeout().toMillis()));
        w.put(
                "heartbeat.interval.ms",
                String.valueOf(Math.max(300, settings.sessionTimeout().toMillis() / 4)));
        w.put(
                "producer.transaction.timeout.ms",
                String.valueOf(settings.transactionTimeout().toMillis()));
        w.put("scheduled.rebalance.max.delay.ms", "0");
        w.put("task.shutdown.graceful.timeout.ms", "5000");
        // Workers on several hosts speak to each other there; the API itself knows no log-in.
        w.put("listeners", "http://" + settings.restHost() + ":" + settings.restPort());
        w.put("admin.listeners", "");
        return w;
    }
}
