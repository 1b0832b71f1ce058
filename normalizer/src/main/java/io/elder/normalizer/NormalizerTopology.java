package io.elder.normalizer;

import io.elder.normalizer.state.Arrival;
import io.elder.normalizer.state.Decision;
import io.elder.normalizer.state.HeldKeys;
import io.elder.normalizer.state.OpenPlan;
import io.elder.normalizer.state.PendingSeal;
import io.elder.normalizer.state.Person;
import io.elder.normalizer.state.ResourceState;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.ScopeEvent;
import io.elder.schemas.avro.ScopeMark;
import io.elder.schemas.avro.Verdict;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.StreamPartitioner;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;

/** Raw records in, inventory out; see {@code DESIGN.md}. */
public final class NormalizerTopology {
    static final String INVENTORY = "inventory";
    static final String PERSONS = "persons-out";
    static final String INVENTORY_LINKS = "inventory-links";
    static final String REPORTS = "seal-reports";
    static final String HELD_ITEMS = "held-items";
    static final String HELD_SUMMARIES = "held-summaries";
    static final String DECIDED = "decided";
    static final String VERDICTS = "verdicts-out";
    static final String VERDICTS_REST = "verdicts-rest";
    static final String DEADLETTER = "deadletter";
    static final String DEADLETTER_SCOPES = "deadletter-scopes";
    static final String DEADLETTER_PERSONS = "deadletter-persons";
    private static final String OBSERVATIONS = "observations";
    private static final String CARRIED_OUT = "verdicts-carried-out";
    private static final String JUDGE = "judge";
    private static final String DECISIONS = "decisions-known";
    private static final String SAME_PERSON = "same-person";

    private NormalizerTopology() {}

    public static Topology topology(TopicsAndSettings with) {
        Topics topics = with.topics();
        NormalizerSettings settings = with.settings();
        Tally tally = new Tally(with.meters());
        Deserializer<RawRecord> raw = reader(RawRecord.class, with.serdes());
        Deserializer<Verdict> verdicts = reader(Verdict.class, with.serdes());
        Deserializer<InventoryRecord> identities = reader(InventoryRecord.class, with.serdes());
        Deserializer<ScopeEvent> events = reader(ScopeEvent.class, with.serdes());
        Serializer<InventoryRecord> inventory = writer(with.serdes());
        Serializer<ScopeEvent> reports = writer(with.serdes());
        Serializer<HeldPlan> held = writer(with.serdes());
        Serializer<Verdict> decided = writer(with.serdes());
        StringSerializer key = new StringSerializer();
        ByteArrayDeserializer in = new ByteArrayDeserializer();
        ByteArraySerializer asItWas = new ByteArraySerializer();
        String[] rawTopics = Topics.PROVIDERS.stream()
                .map(provider -> topics.raw(provider).name())
                .toArray(String[]::new);
        StreamPartitioner<String, InventoryRecord> marksEverywhere = (topic, k, v, partitions) ->
                v != null && v.getBody() instanceof ScopeMark ? Optional.of(all(partitions)) : Optional.empty();
        StreamPartitioner<String, Verdict> everywhere = (topic, k, v, partitions) -> Optional.of(all(partitions));
        StreamPartitioner<String, Verdict> whereItIsLeft =
                (topic, k, v, partitions) -> Optional.of(Set.of(v.getPartition()));

        return new Topology()
                .addSource("raw", in, in, rawTopics)
                .addSource("verdicts", in, in, topics.verdicts().name())
                .addProcessor(OBSERVATIONS, () -> new Observations(settings, raw, tally), "raw")
                .addProcessor(CARRIED_OUT, () -> new Verdicts(settings, verdicts, tally), "verdicts")
                .addStateStore(
                        store(Stores.RESOURCES, new StateSerde<ResourceState>(ResourceState.getClassSchema())),
                        OBSERVATIONS,
                        CARRIED_OUT)
                .addStateStore(store(Stores.SCOPE_INDEX, Serdes.Long()), OBSERVATIONS, CARRIED_OUT)
                .addStateStore(
                        // Counted with every record, and kept with every commit.
                        store(Stores.ARRIVALS, new StateSerde<Arrival>(Arrival.getClassSchema()))
                                .withCachingEnabled(),
                        OBSERVATIONS,
                        CARRIED_OUT)
                .addStateStore(store(Stores.DELETED_BEFORE, Serdes.Long()), OBSERVATIONS, CARRIED_OUT)
                .addStateStore(
                        store(Stores.HELD_KEYS, new StateSerde<HeldKeys>(HeldKeys.getClassSchema())),
                        OBSERVATIONS,
                        CARRIED_OUT)
                .addStateStore(store(Stores.GRAVES, Serdes.ByteArray()), OBSERVATIONS, CARRIED_OUT)
                .addSink(
                        INVENTORY,
                        topics.inventory().name(),
                        key,
                        inventory,
                        marksEverywhere,
                        OBSERVATIONS,
                        CARRIED_OUT)
                .addSink(PERSONS, topics.persons().name(), key, inventory, OBSERVATIONS, CARRIED_OUT)
                .addSink(REPORTS, topics.scopes().name(), key, reports, OBSERVATIONS, CARRIED_OUT)
                .addSink(HELD_ITEMS, topics.held().name(), key, held, CARRIED_OUT)
                .addSink(VERDICTS_REST, topics.verdicts().name(), key, decided, whereItIsLeft, CARRIED_OUT)
                .addSink(DEADLETTER, topics.deadletter().name(), asItWas, asItWas, OBSERVATIONS, CARRIED_OUT)
                .addSource("scopes", in, in, topics.scopes().name())
                .addSource("decisions", in, in, topics.decisions().name())
                .addProcessor(JUDGE, () -> new Judge(settings, events, tally), "scopes")
                .addProcessor(DECISIONS, () -> new Decisions(events, tally), "decisions")
                .addStateStore(store(Judge.SCOPES, Judge.scopeStates()), JUDGE, DECISIONS)
                .addStateStore(store(Judge.PENDING, new StateSerde<PendingSeal>(PendingSeal.getClassSchema())), JUDGE)
                .addStateStore(
                        store(Judge.PLANS, new StateSerde<OpenPlan>(OpenPlan.getClassSchema())), JUDGE, DECISIONS)
                .addStateStore(
                        store(Decisions.STORE, new StateSerde<Decision>(Decision.getClassSchema())), JUDGE, DECISIONS)
                .addSink(DECIDED, topics.decisions().name(), key, reports, JUDGE)
                .addSink(VERDICTS, topics.verdicts().name(), key, decided, everywhere, JUDGE)
                .addSink(HELD_SUMMARIES, topics.held().name(), key, held, JUDGE)
                .addSink(DEADLETTER_SCOPES, topics.deadletter().name(), asItWas, asItWas, JUDGE, DECISIONS)
                .addSource("persons", in, in, topics.persons().name())
                .addProcessor(SAME_PERSON, () -> new SamePerson(settings, identities, tally), "persons")
                .addStateStore(store(SamePerson.PERSONS, new StateSerde<Person>(Person.getClassSchema())), SAME_PERSON)
                .addSink(INVENTORY_LINKS, topics.inventory().name(), key, inventory, SAME_PERSON)
                .addSink(DEADLETTER_PERSONS, topics.deadletter().name(), asItWas, asItWas, SAME_PERSON);
    }

    private static Set<Integer> all(int partitions) {
        return IntStream.range(0, partitions).boxed().collect(Collectors.toSet());
    }

    private static <V> StoreBuilder<KeyValueStore<String, V>> store(String name, Serde<V> values) {
        return org.apache.kafka.streams.state.Stores.keyValueStoreBuilder(
                        org.apache.kafka.streams.state.Stores.persistentKeyValueStore(name), Serdes.String(), values)
                .withCachingDisabled()
                .withLoggingEnabled(Map.of());
    }

    private static <T extends SpecificRecord> Deserializer<T> reader(Class<T> type, Map<String, Object> configuration) {
        AvroDeserializer<T> reader = new AvroDeserializer<>(type);
        reader.configure(configuration, false);
        return reader;
    }

    private static <T extends SpecificRecord> Serializer<T> writer(Map<String, Object> configuration) {
        AvroSerializer<T> writer = new AvroSerializer<>();
        writer.configure(configuration, false);
        return writer;
    }
}
