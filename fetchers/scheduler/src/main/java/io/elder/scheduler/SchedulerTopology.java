package io.elder.scheduler;

import io.elder.schemas.RunId;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.Task;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.RecordContext;
import org.apache.kafka.streams.processor.StreamPartitioner;
import org.apache.kafka.streams.processor.TopicNameExtractor;
import org.apache.kafka.streams.state.Stores;

/**
 * Jobs and run events in, tasks and run events out. Both inputs are partitioned by job ({@link RunId#partition}), so that
 * one processor sees everything about a job, and there is at most one run of it however many schedulers there are.
 */
public final class SchedulerTopology {
    static final String STORE = "jobs";
    static final String TASKS = "tasks";
    static final String EVENTS = "run-events";
    static final String DEADLETTERS = "deadletters";

    private SchedulerTopology() {}

    /** Told of every finished run, for metrics. */
    @FunctionalInterface
    public interface RunListener {
        void finished(String provider, boolean isConnector, String status, int failedScopes, Duration took);
    }

    /**
     * What the topology depends on.
     *
     * @param serdes how the schema registry is reached
     * @param partitions how many partitions both inputs have
     * @param processStart when this process was started, for {@code SYNC_ON_STARTUP}
     */
    public record Inputs(
            Topics topics,
            SchedulerSettings settings,
            Map<String, Object> serdes,
            int partitions,
            Instant processStart,
            RunListener listener) {}

    public static Topology topology(Inputs inputs) {
        Topics topics = inputs.topics();
        AvroDeserializer<RunEvent> events = new AvroDeserializer<>(RunEvent.class);
        events.configure(inputs.serdes(), false);
        AvroSerializer<SpecificRecord> avro = new AvroSerializer<>();
        avro.configure(inputs.serdes(), false);

        StreamPartitioner<String, RunEvent> byJob = (topic, key, event, partitions) ->
                Optional.of(Set.of(RunId.partition(RunId.parse(event.getRunId()).jobKey(), partitions)));

        Topology topology = new Topology();
        // Values are read in the processor: what can't be read becomes a dead letter, and the stream goes on.
        topology.addSource(
                "job-changes",
                new StringDeserializer(),
                new ByteArrayDeserializer(),
                topics.cdc("discovery_jobs").name());
        topology.addSource(
                "runs",
                new StringDeserializer(),
                new ByteArrayDeserializer(),
                topics.runs().name());
        topology.addProcessor("scheduler", () -> new JobProcessor(inputs, events), "job-changes", "runs");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(STORE), Serdes.String(), Serdes.ByteArray()),
                "scheduler");
        topology.addSink(TASKS, new TasksOfProvider(topics), new StringSerializer(), avro::serialize, "scheduler");
        topology.addSink(EVENTS, topics.runs().name(), new StringSerializer(), avro::serialize, byJob, "scheduler");
        topology.addSink(
                DEADLETTERS,
                topics.deadletter().name(),
                new StringSerializer(),
                new ByteArraySerializer(),
                "scheduler");
        return topology;
    }

    /** A class rather than a lambda, so that the described topology is the same in every process. */
    private record TasksOfProvider(Topics topics) implements TopicNameExtractor<String, Task> {
        @Override
        public String extract(String key, Task task, RecordContext context) {
            return topics.tasks(task.getProvider()).name();
        }

        @Override
        public String toString() {
            return topics.tasks("<provider>").name();
        }
    }
}
