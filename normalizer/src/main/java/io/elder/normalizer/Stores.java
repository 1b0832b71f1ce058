package io.elder.normalizer;

import io.elder.normalizer.state.Arrival;
import io.elder.normalizer.state.Claim;
import io.elder.normalizer.state.HeldKeys;
import io.elder.normalizer.state.OutputState;
import io.elder.normalizer.state.ResourceState;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The state of one raw partition, and the moves that both of its processors make.
 *
 * @param resources resource key to what was known of it when its rows or the scopes that claim it last changed; see {@link #resource}
 * @param scopeIndex scope, NUL, resource key to the last observation there; negative while the resource has no live row
 * @param arrivals scope, NUL, attempt to how many records arrived
 * @param deletedBefore scope to the newest run whose deletions were carried out, or let go by a person
 * @param heldKeys scope, NUL, plan, NUL, part to the resource keys of a held plan
 * @param graves time of deletion (16 hex digits), NUL, resource key: what awaits its purge
 */
record Stores(
        KeyValueStore<String, ResourceState> resources,
        KeyValueStore<String, Long> scopeIndex,
        KeyValueStore<String, Arrival> arrivals,
        KeyValueStore<String, Long> deletedBefore,
        KeyValueStore<String, HeldKeys> heldKeys,
        KeyValueStore<String, byte[]> graves) {
    static final String RESOURCES = "resources";
    static final String SCOPE_INDEX = "scope-index";
    static final String ARRIVALS = "arrivals";
    static final String DELETED_BEFORE = "deleted-before";
    static final String HELD_KEYS = "held-keys";
    static final String GRAVES = "graves";
    static final byte[] NOTHING = new byte[0];

    /** Scopes and resource keys have control characters encoded, so it ends a prefix without doubt. */
    static final String NUL = "\u0000";

    private static final String AFTER_NUL = "\u0001";

    static final StateSerde<Row> ROWS = new StateSerde<>(Row.getClassSchema());

    static Stores of(ProcessorContext<Object, Object> context) {
        return new Stores(
                context.getStateStore(RESOURCES),
                context.getStateStore(SCOPE_INDEX),
                context.getStateStore(ARRIVALS),
                context.getStateStore(DELETED_BEFORE),
                context.getStateStore(HELD_KEYS),
                context.getStateStore(GRAVES));
    }

    /** All entries with a prefix, as a list: what follows may change the store. */
    static <V> List<KeyValue<String, V>> entries(KeyValueStore<String, V> store, String prefix) {
        return entries(store, prefix, Integer.MAX_VALUE);
    }

    /** The first so many of them. */
    static <V> List<KeyValue<String, V>> entries(KeyValueStore<String, V> store, String prefix, int most) {
        List<KeyValue<String, V>> entries = new ArrayList<>();
        // A cache can't scan for a prefix of no length.
        try (KeyValueIterator<String, V> all =
                prefix.isEmpty() ? store.all() : store.prefixScan(prefix, new StringSerializer())) {
            while (all.hasNext() && entries.size() < most) {
                entries.add(all.next());
            }
        }
        return entries;
    }

    /** Resource key, behind the scope and NUL, to its last observation there; of all whose key is greater than this one. */
    KeyValueIterator<String, Long> seenIn(String scope, String after) {
        return scopeIndex.range(scope + NUL + after + NUL, scope + AFTER_NUL);
    }

    static boolean isLive(ResourceState resource) {
        return resource.getOutputs().stream().anyMatch(output -> output.getDeletedAt() == null);
    }

    static String grave(long deletedAt, String key) {
        return String.format("%016x", deletedAt) + NUL + key;
    }

    static List<Claim> without(List<Claim> claims, String scope) {
        return claims.stream().filter(claim -> !claim.getScope().equals(scope)).toList();
    }

    /** What is known of a resource; null if nothing is. When it was last seen may be in the index alone. */
    ResourceState resource(String key) {
        ResourceState kept = resources.get(key);
        if (kept == null) {
            return null;
        }
        long observedAt = kept.getObservedAt();
        List<Claim> claims = new ArrayList<>(kept.getClaims().size());
        for (Claim claim : kept.getClaims()) {
            Long seen = scopeIndex.get(claim.getScope() + NUL + key);
            long at = seen == null ? claim.getObservedAt() : Math.max(claim.getObservedAt(), Math.abs(seen));
            observedAt = Math.max(observedAt, at);
            claims.add(new Claim(claim.getScope(), at));
        }
        return new ResourceState(observedAt, claims, kept.getOutputs());
    }

    /**
     * Keeps the resource and, in every scope that claims it, its time and whether it is live. Where nothing else has changed
     * the index is written alone: most records say what is known, and a row is large.
     *
     * @param known what {@link #resource} returned
     */
    void put(String key, ResourceState known, ResourceState resource) {
        if (known == null
                || known.getOutputs() != resource.getOutputs()
                || !isClaimedBySame(known.getClaims(), resource.getClaims())) {
            resources.put(key, resource);
        }
        boolean live = isLive(resource);
        for (Claim claim : resource.getClaims()) {
            scopeIndex.put(claim.getScope() + NUL + key, live ? claim.getObservedAt() : -claim.getObservedAt());
        }
    }

    /** Only the last claim's end deletes. */
    boolean isClaimedOnce(String key) {
        ResourceState kept = resources.get(key);
        return kept != null && kept.getClaims().size() == 1;
    }

    private static boolean isClaimedBySame(List<Claim> known, List<Claim> claims) {
        return known.size() == claims.size()
                && known.stream().allMatch(one -> claims.stream()
                        .anyMatch(other -> other.getScope().equals(one.getScope())));
    }

    static OutputState deleted(OutputState output, long at) {
        return new OutputState(output.getKey(), output.getContentHash(), at, at, output.getRow());
    }

    /** The row as it was last sent. */
    static Row row(OutputState output) {
        return ROWS.record(array(output.getRow()));
    }

    static InventoryRecord deletion(OutputState output, String scope, String runId, long at) {
        return new InventoryRecord(output.getKey(), scope, runId, Instant.ofEpochMilli(at), gone(row(output)));
    }

    /** The same row, deleted: everything else is as it was last seen. */
    static Row gone(Row last) {
        return new Row(
                last.getTable(),
                true,
                last.getContentHash(),
                last.getValues(),
                last.getReferences(),
                last.getAttributes(),
                last.getTags());
    }

    private static byte[] array(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }
}
