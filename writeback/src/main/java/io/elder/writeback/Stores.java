package io.elder.writeback;

import io.elder.writeback.State.Group;
import io.elder.writeback.State.Identity;
import io.elder.writeback.State.Item;
import io.elder.writeback.State.Member;
import io.elder.writeback.State.Plan;
import io.elder.writeback.State.Row;
import io.elder.writeback.State.Transaction;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Function;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;

/**
 * The planner's state; NUL separates the parts of a key.
 *
 * @param rows row id to the row
 * @param rowsOfPair group, identity, row id: which rows grant one membership
 * @param rowsOfIdentity identity, row id
 * @param namesakes group or identity, provider, its id there, id in Elder: what stands for the same at the provider
 * @param expiries time (16 hex digits), row id
 * @param members provider, group, member: intent, applied, observed
 * @param sizes provider, group to how many members it is believed to have
 * @param links resource key of a membership that was seen to its member key
 * @param wanted member keys whose presence a person decided on
 * @param transactions provider, transaction to how far it is
 * @param waiting provider, transaction, member key
 * @param retries time (16 hex digits), member key
 * @param plans plan id to the plan
 * @param items plan id, member key to the change
 * @param reads scope, run's time to the sources that were heard to their end
 * @param notes single facts: confirmed providers, counters, open plans by what keeps them
 */
record Stores(
        KeyValueStore<String, Group> groups,
        KeyValueStore<String, Identity> identities,
        KeyValueStore<String, Row> rows,
        KeyValueStore<String, String> rowsOfPair,
        KeyValueStore<String, String> rowsOfIdentity,
        KeyValueStore<String, String> namesakes,
        KeyValueStore<String, String> expiries,
        KeyValueStore<String, Member> members,
        KeyValueStore<String, Long> sizes,
        KeyValueStore<String, String> links,
        KeyValueStore<String, String> wanted,
        KeyValueStore<String, Transaction> transactions,
        KeyValueStore<String, String> waiting,
        KeyValueStore<String, String> retries,
        KeyValueStore<String, Plan> plans,
        KeyValueStore<String, Item> items,
        KeyValueStore<String, String> reads,
        KeyValueStore<String, String> notes) {
    static final String NUL = "\u0000";

    static Stores of(ProcessorContext<String, Object> context) {
        return new Stores(
                context.getStateStore("writeback-groups"),
                context.getStateStore("writeback-identities"),
                context.getStateStore("writeback-rows"),
                context.getStateStore("writeback-rows-of-pair"),
                context.getStateStore("writeback-rows-of-identity"),
                context.getStateStore("writeback-namesakes"),
                context.getStateStore("writeback-expiries"),
                context.getStateStore("writeback-members"),
                context.getStateStore("writeback-sizes"),
                context.getStateStore("writeback-links"),
                context.getStateStore("writeback-wanted"),
                context.getStateStore("writeback-transactions"),
                context.getStateStore("writeback-waiting"),
                context.getStateStore("writeback-retries"),
                context.getStateStore("writeback-plans"),
                context.getStateStore("writeback-items"),
                context.getStateStore("writeback-reads"),
                context.getStateStore("writeback-notes"));
    }

    /** @param kept where a store of a name lies */
    static List<StoreBuilder<?>> builders(Function<String, KeyValueBytesStoreSupplier> kept) {
        List<StoreBuilder<?>> builders = new ArrayList<>();
        builders.add(store(kept, "groups", new JsonState<>(Group.class)));
        builders.add(store(kept, "identities", new JsonState<>(Identity.class)));
        builders.add(store(kept, "rows", new JsonState<>(Row.class)));
        builders.add(store(kept, "members", new JsonState<>(Member.class)));
        builders.add(store(kept, "sizes", Serdes.Long()));
        builders.add(store(kept, "transactions", new JsonState<>(Transaction.class)));
        builders.add(store(kept, "plans", new JsonState<>(Plan.class)));
        builders.add(store(kept, "items", new JsonState<>(Item.class)));
        for (String name : List.of(
                "rows-of-pair",
                "rows-of-identity",
                "namesakes",
                "expiries",
                "links",
                "wanted",
                "waiting",
                "retries",
                "reads",
                "notes")) {
            builders.add(store(kept, name, Serdes.String()));
        }
        return builders;
    }

    private static <V> StoreBuilder<KeyValueStore<String, V>> store(
            Function<String, KeyValueBytesStoreSupplier> kept, String name, Serde<V> values) {
        return org.apache.kafka.streams.state.Stores.keyValueStoreBuilder(
                        kept.apply("writeback-" + name), Serdes.String(), values)
                .withCachingDisabled();
    }

    static String key(Object... parts) {
        StringBuilder key = new StringBuilder();
        for (Object part : parts) {
            key.append(key.isEmpty() ? "" : NUL).append(part);
        }
        return key.toString();
    }

    /** In the order of time. */
    static String time(long at) {
        return HexFormat.of().toHexDigits(at);
    }

    static String[] parts(String key) {
        return key.split(NUL, -1);
    }

    /** What follows the first parts of a key. */
    static String rest(String key, String prefix) {
        return key.substring(prefix.length() + 1);
    }

    /** All entries below a key, as a list: what follows may change the store. */
    static <V> List<KeyValue<String, V>> below(KeyValueStore<String, V> store, String key) {
        return list(store.prefixScan(key + NUL, new StringSerializer()));
    }

    /** All entries whose key begins with a time up to this one. */
    static <V> List<KeyValue<String, V>> due(KeyValueStore<String, V> store, long now) {
        return list(store.range(null, time(now + 1)));
    }

    static <V> List<KeyValue<String, V>> list(KeyValueIterator<String, V> iterator) {
        List<KeyValue<String, V>> entries = new ArrayList<>();
        try (iterator) {
            iterator.forEachRemaining(entries::add);
        }
        return entries;
    }
}
