package io.elder.normalizer;

import io.elder.normalizer.mapping.Mappings;
import io.elder.normalizer.mapping.Output;
import io.elder.normalizer.mapping.RejectedRecord;
import io.elder.normalizer.state.Arrival;
import io.elder.normalizer.state.Claim;
import io.elder.normalizer.state.OutputState;
import io.elder.normalizer.state.ResourceState;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.LastSeen;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RawResource;
import io.elder.schemas.avro.ScopeEvent;
import io.elder.schemas.avro.Seal;
import io.elder.schemas.avro.SealReport;
import io.elder.schemas.serde.DeadLetter;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;

/** Turns the raw records of one partition into what changed in the inventory, and its seals into reports. */
final class Observations implements Processor<byte[], byte[], Object, Object> {
    /** Hourly, as a process that is restarted every day would never reach a daily one; so many at once, to stay in the transaction's time. */
    private static final Duration PURGE_INTERVAL = Duration.ofHours(1);

    private static final int PURGE_BATCH = 5000;

    private final NormalizerSettings settings;
    private final Deserializer<RawRecord> records;
    private final Tally tally;
    private ProcessorContext<Object, Object> context;
    private Stores stores;
    private Letters letters;
    private Rows rows;
    private Commits commits;

    Observations(NormalizerSettings settings, Deserializer<RawRecord> records, Tally tally) {
        this.settings = settings;
        this.records = records;
        this.tally = tally;
    }

    @Override
    public void init(ProcessorContext<Object, Object> started) {
        context = started;
        stores = Stores.of(started);
        letters = new Letters(started, NormalizerTopology.DEADLETTER, tally);
        rows = new Rows(started);
        started.schedule(PURGE_INTERVAL, PunctuationType.WALL_CLOCK_TIME, this::purge);
        commits = new Commits(started, settings.commitInterval());
    }

    @Override
    public void process(Record<byte[], byte[]> in) {
        commits.processed(in);
        RawRecord raw = letters.read(in, records);
        if (raw == null) {
            return;
        }
        // The broker stamped a retried record when it was retried, not when it was fetched in time.
        boolean retried = in.headers().lastHeader(DeadLetter.RETRIED) != null;
        if (!retried && in.timestamp() > raw.getDeadline().toEpochMilli()) {
            tally.skipped(raw.getProvider(), Tally.Skipped.FENCED);
            return;
        }
        if (raw.getBody() instanceof Seal seal) {
            report(raw, seal, in.timestamp());
        } else {
            if (!retried) {
                count(raw);
            }
            observe(in, raw, (RawResource) raw.getBody());
        }
    }

    /**
     * Once for each record of the attempt: one that is retried was counted when it came first. If nobody could read it
     * then it was not, and is not: one count too few fails the seal, one too many would let it stand without proof.
     */
    private void count(RawRecord raw) {
        String attempt = raw.getScope() + Stores.NUL + raw.getAttempt();
        Arrival arrived = stores.arrivals().get(attempt);
        stores.arrivals()
                .put(
                        attempt,
                        new Arrival(
                                arrived == null ? 1 : arrived.getCount() + 1,
                                raw.getObservedAt().toEpochMilli(),
                                raw.getDeadline().toEpochMilli()));
    }

    private void observe(Record<byte[], byte[]> in, RawRecord raw, RawResource resource) {
        String key = resource.getKey();
        long at = raw.getObservedAt().toEpochMilli();
        ResourceState known = stores.resource(key);
        List<Claim> claims = claims(known, raw.getScope(), at);
        if (known != null && at < known.getObservedAt()) {
            tally.skipped(raw.getProvider(), Tally.Skipped.OLDER);
            stores.put(key, known, new ResourceState(known.getObservedAt(), claims, known.getOutputs()));
            return;
        }
        List<OutputState> before = known == null ? List.of() : known.getOutputs();
        List<OutputState> after = before;
        try {
            after = merge(raw, key, before, map(key, resource.getPayload()), in.timestamp());
        } catch (RejectedRecord | IllegalArgumentException e) {
            // It was seen, so it did not vanish: its rows stay as they were last understood.
            letters.send(in, e, raw.getProvider() + " " + raw.getKind() + " " + key + ": " + e.getMessage());
        }
        stores.put(key, known, new ResourceState(at, claims, after));
    }

    /** Mappings are pure functions: whatever one throws is about this record, and must not stop those behind it. */
    private static List<Output> map(String key, String payload) {
        try {
            return Mappings.map(key, payload);
        } catch (RejectedRecord | IllegalArgumentException e) {
            throw e;
        } catch (RuntimeException e) {
            throw new IllegalArgumentException(
                    "the mapping broke off: " + e.getClass().getSimpleName(), e);
        }
    }

    private static List<Claim> claims(ResourceState known, String scope, long at) {
        if (known == null) {
            return List.of(new Claim(scope, at));
        }
        long latest = at;
        for (Claim claim : known.getClaims()) {
            if (claim.getScope().equals(scope)) {
                latest = Math.max(latest, claim.getObservedAt());
            }
        }
        List<Claim> claims = new ArrayList<>(Stores.without(known.getClaims(), scope));
        claims.add(new Claim(scope, latest));
        return claims;
    }

    /** The outputs as they are now: the very same list if nothing has changed. */
    private List<OutputState> merge(
            RawRecord raw, String key, List<OutputState> before, List<Output> outputs, long timestamp) {
        long at = raw.getObservedAt().toEpochMilli();
        Map<String, OutputState> left = new LinkedHashMap<>();
        before.forEach(output -> left.put(output.getKey(), output));
        List<OutputState> after = new ArrayList<>();
        boolean changed = false;
        for (Output output : outputs) {
            OutputState last = left.remove(output.key());
            if (last != null
                    && last.getDeletedAt() == null
                    && last.getContentHash() == output.row().getContentHash()
                    && at - last.getRefreshedAt() < settings.lastSeenRefresh().toMillis()) {
                after.add(last);
                continue;
            }
            changed = true;
            if (last != null && last.getDeletedAt() != null) {
                stores.graves().delete(Stores.grave(last.getDeletedAt(), key));
            }
            after.add(new OutputState(
                    output.key(),
                    output.row().getContentHash(),
                    null,
                    at,
                    ByteBuffer.wrap(Stores.ROWS.bytes(output.row()))));
            InventoryRecord row = new InventoryRecord(
                    output.key(), raw.getScope(), raw.getRunId(), raw.getObservedAt(), output.row());
            rows.send(last, row, timestamp);
        }
        for (OutputState gone : left.values()) {
            if (gone.getDeletedAt() != null) {
                after.add(gone);
                continue;
            }
            changed = true;
            after.add(Stores.deleted(gone, at));
            stores.graves().put(Stores.grave(at, key), Stores.NOTHING);
            rows.send(gone, Stores.deletion(gone, raw.getScope(), raw.getRunId(), at), timestamp);
        }
        if (!changed) {
            tally.skipped(raw.getProvider(), Tally.Skipped.UNCHANGED);
            return before;
        }
        // Two outputs deleted at one instant share a grave: the one that stays dead needs it back.
        for (OutputState output : after) {
            if (output.getDeletedAt() != null) {
                stores.graves().put(Stores.grave(output.getDeletedAt(), key), Stores.NOTHING);
            }
        }
        return after;
    }

    private void report(RawRecord raw, Seal seal, long timestamp) {
        long at = raw.getObservedAt().toEpochMilli();
        int prefix = raw.getScope().length() + 1;
        long live = 0;
        long vanished = 0;
        Map<Instant, Long> lastSeen = new TreeMap<>();
        try (KeyValueIterator<String, Long> all = stores.seenIn(raw.getScope(), "")) {
            while (all.hasNext()) {
                KeyValue<String, Long> entry = all.next();
                if (entry.value <= 0) {
                    continue;
                }
                live++;
                if (entry.value < at && stores.isClaimedOnce(entry.key.substring(prefix))) {
                    vanished++;
                    lastSeen.merge(Instant.ofEpochMilli(entry.value), 1L, Long::sum);
                }
            }
        }
        Arrival arrived = stores.arrivals().get(raw.getScope() + Stores.NUL + raw.getAttempt());
        Long deletedBefore = stores.deletedBefore().get(raw.getScope());
        SealReport report = SealReport.newBuilder()
                .setRunId(raw.getRunId())
                .setAttempt(raw.getAttempt())
                .setProvider(raw.getProvider())
                .setKind(raw.getKind())
                .setObservedAt(raw.getObservedAt())
                .setRawPartition(seal.getPartition())
                .setRawPartitions(seal.getPartitions())
                .setExpected(seal.getCount())
                .setArrived(arrived == null ? 0 : arrived.getCount())
                .setLive(live)
                .setVanished(vanished)
                .setDeletedBefore(Instant.ofEpochMilli(deletedBefore == null ? 0 : deletedBefore))
                .setLastSeen(lastSeen.entrySet().stream()
                        .map(run -> new LastSeen(run.getKey(), run.getValue()))
                        .toList())
                .build();
        ScopeEvent event = new ScopeEvent(raw.getScope(), Instant.ofEpochMilli(timestamp), report);
        context.forward(new Record<Object, Object>(raw.getScope(), event, timestamp), NormalizerTopology.REPORTS);
    }

    private void purge(long now) {
        long until = now - settings.purgeAfter().toMillis();
        if (until <= 0) {
            return;
        }
        List<String> due = new ArrayList<>();
        try (KeyValueIterator<String, byte[]> graves =
                stores.graves().range(Stores.grave(0, ""), Stores.grave(until, ""))) {
            while (graves.hasNext() && due.size() < PURGE_BATCH) {
                due.add(graves.next().key);
            }
        }
        for (String grave : due) {
            stores.graves().delete(grave);
            String key = grave.substring(17);
            ResourceState resource = stores.resource(key);
            if (resource == null) {
                continue;
            }
            List<OutputState> kept = new ArrayList<>();
            for (OutputState output : resource.getOutputs()) {
                if (output.getDeletedAt() == null || output.getDeletedAt() >= until) {
                    kept.add(output);
                } else {
                    rows.purge(output, now);
                }
            }
            if (kept.isEmpty() && resource.getClaims().isEmpty()) {
                stores.resources().delete(key);
            } else {
                stores.put(key, resource, new ResourceState(resource.getObservedAt(), resource.getClaims(), kept));
            }
        }
        // By the records' own time: in a rebuild those that are being counted are weeks old.
        long stale = context.currentStreamTimeMs() - Duration.ofDays(1).toMillis();
        for (KeyValue<String, Arrival> arrival : Stores.entries(stores.arrivals(), "")) {
            if (arrival.value.getDeadline() < stale) {
                stores.arrivals().delete(arrival.key);
            }
        }
    }
}
