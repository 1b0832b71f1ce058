package io.elder.scheduler;

import io.elder.runtime.Component;
import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.schemas.Topics;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The scheduler process: waits for its topics, then runs the topology. */
public final class Scheduler implements Component {
    private static final Logger LOG = LoggerFactory.getLogger(Scheduler.class);
    private static final Duration COMMIT_INTERVAL = Duration.ofMillis(20);
    private static final Duration PAUSE_AFTER_FAILURE = Duration.ofSeconds(1);

    private final SchedulerSettings settings;
    private final KafkaClients kafka;
    private final Metrics metrics;
    private final Instant processStart = Instant.now();
    private final Map<String, AtomicLong> lastSyncs = new ConcurrentHashMap<>();
    private final Thread starter = new Thread(this::startStreams, "scheduler-start");
    private volatile KafkaStreams streams;
    private volatile String trouble = "starting";

    public Scheduler(SchedulerSettings settings, KafkaClients kafka, Metrics metrics) {
        this.settings = settings;
        this.kafka = kafka;
        this.metrics = metrics;
    }

    @Override
    public void start() {
        starter.start();
    }

    private void startStreams() {
        try {
            int partitions = awaitPartitions();
            Properties properties = new Properties();
            properties.putAll(kafka.streams("scheduler", settings.stateDirectory(), COMMIT_INTERVAL));
            synchronized (this) {
                if (Thread.currentThread().isInterrupted()) {
                    return;
                }
                KafkaStreams started = new KafkaStreams(
                        SchedulerTopology.topology(new SchedulerTopology.Inputs(
                                kafka.topics(), settings, kafka.common(), partitions, processStart, this::finished)),
                        properties);
                started.setUncaughtExceptionHandler(this::afterFailure);
                started.start();
                streams = started;
            }
        } catch (InterruptedException e) {
            LOG.debug("stopped before the topics were there", e);
        }
    }

    private StreamThreadExceptionResponse afterFailure(Throwable failure) {
        LOG.error("starting over after a failure", failure);
        try {
            Thread.sleep(PAUSE_AFTER_FAILURE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return StreamThreadExceptionResponse.REPLACE_THREAD;
    }

    /** Both inputs must be partitioned alike; else jobs and the events of their runs would not meet. */
    private int awaitPartitions() throws InterruptedException {
        Topics topics = kafka.topics();
        String jobs = topics.cdc("discovery_jobs").name();
        String runs = topics.runs().name();
        while (true) {
            try (Admin admin = Admin.create(kafka.common())) {
                Map<String, TopicDescription> found = admin.describeTopics(List.of(jobs, runs))
                        .allTopicNames()
                        .get();
                int partitions = found.get(runs).partitions().size();
                int others = found.get(jobs).partitions().size();
                if (partitions == others) {
                    return partitions;
                }
                trouble = jobs + ": " + others + " partitions (expected: " + partitions + ", as many as " + runs + ")";
            } catch (ExecutionException e) {
                trouble = "Kafka: " + e.getCause().getMessage();
            } catch (KafkaException e) {
                trouble = "Kafka: " + e.getMessage();
            }
            LOG.warn("waiting: {}", trouble);
            Thread.sleep(PAUSE_AFTER_FAILURE);
        }
    }

    private void finished(String provider, boolean isConnector, String status, int failedScopes, Duration took) {
        MeterRegistry registry = metrics.registry();
        String outcome = status.equals("completed") ? "success" : status;
        boolean isFailed = status.equals("failed");
        // Dashboards know these by either name.
        for (String prefix : List.of("worker", "connector")) {
            registry.counter(prefix + "_sync_total", "connector", provider, "status", outcome)
                    .increment();
            registry.timer(prefix + "_sync_duration", "connector", provider).record(took);
            registry.counter(prefix + "_sync_errors_total", "connector", provider)
                    .increment(isFailed ? Math.max(1, failedScopes) : failedScopes);
            if (!isFailed) {
                lastSyncs
                        .computeIfAbsent(
                                prefix + provider,
                                unused -> registry.gauge(
                                        prefix + "_last_sync_timestamp",
                                        List.of(Tag.of("connector", provider)),
                                        new AtomicLong()))
                        .set(Instant.now().getEpochSecond());
            }
        }
        if (!isConnector) {
            registry.counter("worker_discovery_jobs_executed_total", "provider", provider, "status", outcome)
                    .increment();
        }
    }

    @Override
    public Health health() {
        KafkaStreams running = streams;
        if (running == null) {
            return Health.notReady("scheduler: " + trouble);
        }
        return running.state() == KafkaStreams.State.RUNNING
                ? Health.OK
                : Health.notReady("scheduler: " + running.state());
    }

    @Override
    public Map<String, Object> status() {
        return Map.of(
                "connectors",
                settings.connectors().entrySet().stream()
                        .map(entry -> Map.of(
                                "name",
                                entry.getKey(),
                                "interval_seconds",
                                entry.getValue().toSeconds()))
                        .toList(),
                "sync_on_startup",
                settings.syncOnStartup());
    }

    @Override
    public void close() {
        starter.interrupt();
        synchronized (this) {
            KafkaStreams running = streams;
            if (running != null) {
                // Else the others wait for the session to time out before they take over.
                running.close(CloseOptions.timeout(Duration.ofSeconds(20))
                        .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
            }
        }
    }
}
