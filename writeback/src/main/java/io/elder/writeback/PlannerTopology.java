package io.elder.writeback;

import io.elder.schemas.Topic;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.WritebackEvent;
import io.elder.schemas.avro.WritebackPlan;
import io.elder.schemas.avro.WritebackResult;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;

/** Changes in, plans out; see {@code DESIGN.md}. */
final class PlannerTopology {
    private static final String EVENTS = "events";
    private static final String DEADLETTER = "deadletter";
    static final String PLANS = "plans";
    static final String RESULTS = "results";
    static final String HELD = "held";
    private static final String INTAKE = "intake";
    private static final String PLANNER = "planner";

    private PlannerTopology() {}

    /**
     * What the topology is made of.
     *
     * @param serdes settings of the Avro serializers
     * @param inventoryPartitions how many marks make a scope's run whole
     * @param stores where a store of a name lies
     */
    record Parts(
            Topics topics,
            WritebackSettings settings,
            Map<String, Object> serdes,
            int inventoryPartitions,
            MeterRegistry meters,
            Function<String, KeyValueBytesStoreSupplier> stores) {}

    static Topology topology(Parts with) {
        Topics topics = with.topics();
        Tally tally = new Tally(with.meters());
        Deserializer<RawRecord> raw = reader(RawRecord.class, with.serdes());
        Deserializer<InventoryRecord> inventory = reader(InventoryRecord.class, with.serdes());
        Deserializer<WritebackEvent> events = reader(WritebackEvent.class, with.serdes());
        Serializer<WritebackEvent> heard = writer(with.serdes());
        Serializer<WritebackPlan> plans = writer(with.serdes());
        Serializer<WritebackResult> results = writer(with.serdes());
        Serializer<HeldPlan> held = writer(with.serdes());
        StringSerializer key = new StringSerializer();
        ByteArrayDeserializer in = new ByteArrayDeserializer();
        ByteArraySerializer asItWas = new ByteArraySerializer();

        Topology topology = new Topology();
        // Tasks of their own: a full sync's backlog is not in the way of what people change.
        Map<String, List<String>> intakes = new LinkedHashMap<>();
        intakes.put("rows", rows(topics));
        intakes.put("syncs", syncs(topics));
        intakes.forEach((intake, from) -> {
            String heardOf = EVENTS + "-of-" + intake;
            String refused = DEADLETTER + "-of-" + intake;
            topology.addSource(intake, in, in, from.toArray(String[]::new))
                    .addProcessor(
                            INTAKE + "-of-" + intake,
                            () -> new Intake(
                                    topics, inventory, raw, with.inventoryPartitions(), tally, heardOf, refused),
                            intake)
                    .addSink(
                            heardOf,
                            topics.writebackEvents().name(),
                            key,
                            heard,
                            (topic, k, v, partitions) -> Optional.of(Set.of(0)),
                            INTAKE + "-of-" + intake)
                    .addSink(refused, topics.deadletter().name(), asItWas, asItWas, INTAKE + "-of-" + intake);
        });
        topology.addSource("heard", in, in, topics.writebackEvents().name())
                .addProcessor(PLANNER, () -> new Planner(with.settings(), events, tally), "heard")
                .addSink(PLANS, topics.writebackPlans().name(), key, plans, PLANNER)
                .addSink(RESULTS, topics.writebackResults().name(), key, results, PLANNER)
                .addSink(HELD, topics.held().name(), key, held, PLANNER);
        Stores.builders(with.stores()).forEach(store -> topology.addStateStore(store, PLANNER));
        return topology;
    }

    private static List<String> rows(Topics topics) {
        return List.of(
                topics.cdc(Intake.GROUPS).name(),
                topics.cdc(Intake.IDENTITIES).name(),
                topics.cdc(Intake.MEMBERSHIPS).name());
    }

    private static List<String> syncs(Topics topics) {
        List<String> syncs = new ArrayList<>();
        WritebackSettings.PROVIDERS.forEach(
                provider -> syncs.add(topics.raw(provider).name()));
        syncs.add(topics.inventory().name());
        return syncs;
    }

    /** All that are read and written. */
    static List<String> topics(Topics topics) {
        List<String> all = new ArrayList<>(rows(topics));
        all.addAll(syncs(topics));
        for (Topic<?> topic : List.of(
                topics.writebackEvents(),
                topics.writebackPlans(),
                topics.writebackResults(),
                topics.held(),
                topics.deadletter())) {
            all.add(topic.name());
        }
        return all;
    }

    static <T extends SpecificRecord> Deserializer<T> reader(Class<T> type, Map<String, Object> configuration) {
        AvroDeserializer<T> reader = new AvroDeserializer<>(type);
        reader.configure(configuration, false);
        return reader;
    }

    static <T extends SpecificRecord> Serializer<T> writer(Map<String, Object> configuration) {
        AvroSerializer<T> writer = new AvroSerializer<>();
        writer.configure(configuration, false);
        return writer;
    }
}
