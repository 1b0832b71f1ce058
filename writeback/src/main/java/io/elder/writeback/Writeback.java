package io.elder.writeback;

import io.elder.runtime.Component;
import io.elder.runtime.Database;
import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import java.time.Clock;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Write-back as a process runs it: the planner, the calls, and what is noted of them. */
public final class Writeback implements Component {
    private static final Logger LOG = LoggerFactory.getLogger(Writeback.class);
    private static final Duration COMMIT_INTERVAL = Duration.ofMillis(50);
    private static final Duration PAUSE_AFTER_FAILURE = Duration.ofSeconds(1);

    private final WritebackSettings settings;
    private final KafkaClients kafka;
    private final Metrics metrics;
    private final Targets targets;
    private final Applier applier;
    private final ResultWriter writer;
    private final Thread starter = new Thread(this::startStreams, "writeback-start");
    private volatile KafkaStreams streams;
    private volatile String trouble = "starting";

    public Writeback(Settings all, Metrics metrics) {
        this.settings = WritebackSettings.from(all);
        this.kafka = new KafkaClients(all);
        this.metrics = metrics;
        Database database = Database.from(all);
        Clock clock = Clock.systemUTC();
        this.targets = Targets.of(all, settings, clock);
        all.check();
        Caller caller = new Caller(
                targets,
                settings.maxRetries(),
                clock,
                Thread::sleep,
                () -> ThreadLocalRandom.current().nextDouble(),
                new Tally(metrics.registry()));
        this.applier = new Applier(kafka, caller);
        this.writer = new ResultWriter(kafka, database.pool("writeback", 2));
    }

    /** Reads what the constructor will read, so that wrong values are noted before anything is started. */
    public static void readSettings(Settings all) {
        Targets.of(all, WritebackSettings.from(all), Clock.systemUTC()).close();
    }

    /** Whether there is something to write to, or to hold back, in a process that runs everything. */
    public static boolean isWanted(Settings all) {
        return WritebackSettings.from(all).closed().size() < WritebackSettings.PROVIDERS.size();
    }

    @Override
    public void start() {
        applier.start();
        writer.start();
        starter.start();
    }

    private void startStreams() {
        try {
            int partitions = awaitTopics();
            Properties properties = new Properties();
            properties.putAll(kafka.streams("writeback", settings.stateDirectory(), COMMIT_INTERVAL));
            properties.put("num.stream.threads", 2);
            properties.put("poll.ms", 10L);
            // What is sent is seen with the commit, which sends what waits: until then it may be collected.
            properties.put("producer.linger.ms", COMMIT_INTERVAL.toMillis());
            properties.put("topology.optimization", "none");
            synchronized (this) {
                if (Thread.currentThread().isInterrupted()) {
                    return;
                }
                KafkaStreams started = new KafkaStreams(
                        PlannerTopology.topology(new PlannerTopology.Parts(
                                kafka.topics(),
                                settings,
                                kafka.common(),
                                partitions,
                                metrics.registry(),
                                org.apache.kafka.streams.state.Stores::persistentKeyValueStore)),
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

    /** How many partitions the inventory has: so many marks make a scope's run whole. */
    private int awaitTopics() throws InterruptedException {
        String inventory = kafka.topics().inventory().name();
        List<String> needed = PlannerTopology.topics(kafka.topics());
        while (true) {
            try (Admin admin = Admin.create(kafka.common())) {
                return admin.describeTopics(needed)
                        .allTopicNames()
                        .get()
                        .get(inventory)
                        .partitions()
                        .size();
            } catch (ExecutionException e) {
                trouble = "Kafka: " + e.getCause().getMessage();
            } catch (KafkaException e) {
                trouble = "Kafka: " + e.getMessage();
            }
            LOG.warn("waiting: {}", trouble);
            Thread.sleep(PAUSE_AFTER_FAILURE);
        }
    }

    @Override
    public Health health() {
        KafkaStreams running = streams;
        Health planner = running == null
                ? Health.notReady("writeback: " + trouble)
                : running.state() == KafkaStreams.State.RUNNING
                        ? Health.OK
                        : Health.notReady("writeback: streams: " + running.state());
        return Health.all(planner, applier.health(), writer.health());
    }

    @Override
    public Map<String, Object> status() {
        Map<String, Object> providers = new LinkedHashMap<>();
        for (String provider : WritebackSettings.PROVIDERS) {
            String closed = settings.closed().get(provider);
            providers.put(provider, closed == null ? "open, once enabled" : closed);
        }
        return Map.of("providers", providers, "dry_run", settings.dryRun());
    }

    @Override
    public void close() {
        starter.interrupt();
        applier.close();
        synchronized (this) {
            KafkaStreams running = streams;
            if (running != null) {
                running.close(CloseOptions.timeout(Duration.ofSeconds(20))
                        .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
            }
        }
        writer.close();
        targets.close();
    }
}
