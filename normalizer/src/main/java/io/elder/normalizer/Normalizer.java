package io.elder.normalizer;

import io.elder.runtime.Component;
import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The normalizer as a process runs it. */
public final class Normalizer implements Component {
    private static final Logger LOG = LoggerFactory.getLogger(Normalizer.class);

    /** For the counts of arrivals, see {@link NormalizerTopology}: an entry for each attempt under way. */
    private static final long CACHE_BYTES = 4L << 20;

    private final KafkaStreams streams;
    private volatile String lastFailure = "";

    public Normalizer(Settings settings, Metrics metrics) {
        KafkaClients kafka = new KafkaClients(settings);
        NormalizerSettings own = NormalizerSettings.from(settings);
        settings.check();
        streams = new KafkaStreams(
                NormalizerTopology.topology(
                        new TopicsAndSettings(kafka.topics(), own, kafka.common(), metrics.registry())),
                properties(kafka, own));
        streams.setUncaughtExceptionHandler(failure -> {
            lastFailure = String.valueOf(failure.getMessage());
            LOG.error("a stream thread failed and is replaced", failure);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
    }

    /** How Streams runs the topology. */
    public static Properties properties(KafkaClients kafka, NormalizerSettings own) {
        Properties properties = new Properties();
        properties.putAll(kafka.streams("normalizer", own.stateDirectory(), Commits.longest(own.commitInterval())));
        properties.put("num.stream.threads", own.threads());
        properties.put("rocksdb.config.setter", BoundedRocksDb.class);
        // Streams polls between tasks; see the measured settings of the stack.
        properties.put("poll.ms", 10L);
        properties.put("topology.optimization", "none");
        // Nothing is visible before the commit, which sends what lingers: sending earlier, in small pieces, helps
        // nobody.
        properties.put(
                "producer.linger.ms", Commits.longest(own.commitInterval()).toMillis());
        properties.put("producer.batch.size", 64 << 10);
        properties.put("statestore.cache.max.bytes", CACHE_BYTES);
        return properties;
    }

    @Override
    public void start() {
        streams.start();
    }

    @Override
    public Health health() {
        KafkaStreams.State state = streams.state();
        return state == KafkaStreams.State.RUNNING
                ? Health.OK
                : Health.notReady(
                        "streams: " + state + (lastFailure.isEmpty() ? "" : ", last failure: " + lastFailure));
    }

    @Override
    public Map<String, Object> status() {
        return Map.of("streams", streams.state().toString(), "last_failure", lastFailure);
    }

    @Override
    public void close() {
        streams.close(Duration.ofSeconds(20));
    }
}
