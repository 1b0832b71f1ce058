package io.elder.normalizer;

import io.elder.normalizer.state.Arrival;
import io.elder.normalizer.state.Claim;
import io.elder.normalizer.state.HeldKeys;
import io.elder.normalizer.state.OutputState;
import io.elder.normalizer.state.ResourceState;
import io.elder.schemas.ScopeKey;
import io.elder.schemas.avro.HeldItems;
import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.ScopeEvent;
import io.elder.schemas.avro.ScopeMark;
import io.elder.schemas.avro.SealReport;
import io.elder.schemas.avro.Verdict;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;

/** Carries out verdicts in one raw partition: deletions, or the list of what is held, and then the mark. */
final class Verdicts implements Processor<byte[], byte[], Object, Object> {
    static final int KEYS_PER_PART = 1000;

    /** A release of more is more than one transaction: one may take ten seconds. */
    static final int RELEASED_AT_ONCE = 10_000;

    /** So is this; larger, as the mark comes after the last of them, and after that of a newer run that is decided on meanwhile. */
    static final int DELETED_AT_ONCE = 50_000;

    private final NormalizerSettings settings;
    private final Deserializer<Verdict> verdicts;
    private final Tally tally;
    private ProcessorContext<Object, Object> context;
    private Stores stores;
    private Letters letters;
    private Rows rows;
    private Commits commits;

    Verdicts(NormalizerSettings settings, Deserializer<Verdict> verdicts, Tally tally) {
        this.settings = settings;
        this.verdicts = verdicts;
        this.tally = tally;
    }

    @Override
    public void init(ProcessorContext<Object, Object> started) {
        context = started;
        stores = Stores.of(started);
        letters = new Letters(started, NormalizerTopology.DEADLETTER, tally);
        rows = new Rows(started);
        commits = new Commits(started, settings.commitInterval());
    }

    @Override
    public void process(Record<byte[], byte[]> in) {
        commits.processed(in);
        Verdict verdict = letters.read(in, verdicts);
        if (verdict == null) {
            return;
        }
        long now = in.timestamp();
        switch (verdict.getOutcome()) {
            case "delete", "retired" -> delete(verdict, now);
            case "hold" -> {
                dropPlans(verdict.getScope(), now);
                mark(verdict, "held", 0, hold(verdict, undisputed(verdict), now), now);
            }
            case "retire" -> {
                dropPlans(verdict.getScope(), now);
                // The claims on what others see too end with the rest: nothing will end them later.
                report(verdict, hold(verdict, unseen(verdict, false, Integer.MAX_VALUE), now), now);
            }
            case "fail" -> mark(verdict, "failed", 0, 0, now);
            case "release" -> release(verdict, now);
            case "reject", "expire" -> dropPlans(verdict.getScope(), now);
            default -> {
                String problem = "outcome: " + verdict.getOutcome()
                        + " (expected: delete, hold, fail, retire, retired, release, reject or expire)";
                letters.send(in, new IllegalArgumentException(problem), problem);
            }
        }
    }

    private void delete(Verdict verdict, long now) {
        String scope = verdict.getScope();
        if (verdict.getPartition() == null) {
            dropPlans(scope, now);
        }
        List<String> keys = unseen(verdict, true, DELETED_AT_ONCE);
        long deleted = verdict.getDeleted() + end(verdict, keys, now);
        if (keys.size() == DELETED_AT_ONCE) {
            leave(Verdict.newBuilder(verdict).setAfter(keys.getLast()).setDeleted(deleted), now);
            return;
        }
        noteDeleted(verdict);
        if (verdict.getOutcome().equals("delete")) {
            mark(verdict, "sealed", deleted, 0, now);
        }
    }

    private void release(Verdict verdict, long now) {
        String plan = verdict.getScope() + Stores.NUL + verdict.getPlanId() + Stores.NUL;
        int most = RELEASED_AT_ONCE / KEYS_PER_PART;
        List<KeyValue<String, HeldKeys>> parts = Stores.entries(stores.heldKeys(), plan, most);
        for (KeyValue<String, HeldKeys> part : parts) {
            end(verdict, part.value.getKeys(), now);
            drop(verdict.getScope(), part.key, now);
        }
        if (parts.size() == most) {
            leave(Verdict.newBuilder(verdict), now);
        } else {
            noteDeleted(verdict);
        }
    }

    private void noteDeleted(Verdict verdict) {
        Long before = stores.deletedBefore().get(verdict.getScope());
        long at = verdict.getObservedAt().toEpochMilli();
        stores.deletedBefore().put(verdict.getScope(), before == null ? at : Math.max(before, at));
    }

    /** What is left of a verdict comes back to this partition, in a transaction of its own. */
    private void leave(Verdict.Builder rest, long now) {
        rest.setPartition(context.taskId().partition());
        context.forward(
                new Record<Object, Object>(rest.getScope(), rest.build(), now), NormalizerTopology.VERDICTS_REST);
    }

    /** The first resources of the scope that the verdict's run did not see; with all, also those without a live row. */
    private List<String> unseen(Verdict verdict, boolean all, int most) {
        int prefix = verdict.getScope().length() + 1;
        long at = verdict.getObservedAt().toEpochMilli();
        String after = verdict.getAfter() == null ? "" : verdict.getAfter();
        List<String> keys = new ArrayList<>();
        try (KeyValueIterator<String, Long> seen = stores.seenIn(verdict.getScope(), after)) {
            while (seen.hasNext() && keys.size() < most) {
                KeyValue<String, Long> entry = seen.next();
                if (Math.abs(entry.value) < at && (all || entry.value > 0)) {
                    keys.add(entry.key.substring(prefix));
                }
            }
        }
        return keys;
    }

    /** Ends the scope's claim on these resources, unless seen since; a resource without a claim loses its rows. */
    private long end(Verdict verdict, List<String> keys, long now) {
        String scope = verdict.getScope();
        long at = verdict.getObservedAt().toEpochMilli();
        // What a person lets go may have been seen last long ago: it is kept from then on.
        long buried = verdict.getOutcome().equals("delete") ? at : Math.max(at, now);
        long deleted = 0;
        for (String key : keys) {
            ResourceState resource = stores.resource(key);
            if (resource == null || !isClaimedBefore(resource, scope, at)) {
                continue;
            }
            stores.scopeIndex().delete(scope + Stores.NUL + key);
            List<Claim> claims = Stores.without(resource.getClaims(), scope);
            if (!claims.isEmpty()) {
                stores.put(key, resource, new ResourceState(resource.getObservedAt(), claims, resource.getOutputs()));
                continue;
            }
            deleted += Stores.isLive(resource) ? 1 : 0;
            if (resource.getOutputs().isEmpty()) {
                stores.resources().delete(key);
                continue;
            }
            List<OutputState> outputs = new ArrayList<>();
            for (OutputState output : resource.getOutputs()) {
                if (output.getDeletedAt() != null) {
                    outputs.add(output);
                    continue;
                }
                outputs.add(Stores.deleted(output, at));
                stores.graves().put(Stores.grave(buried, key), Stores.NOTHING);
                rows.send(output, Stores.deletion(output, scope, verdict.getRunId(), at), now);
            }
            stores.put(key, resource, new ResourceState(Math.max(at, resource.getObservedAt()), claims, outputs));
        }
        return deleted;
    }

    private static boolean isClaimedBefore(ResourceState resource, String scope, long at) {
        return resource.getClaims().stream()
                .anyMatch(claim -> claim.getScope().equals(scope) && claim.getObservedAt() < at);
    }

    /** Of what the run did not see, what nobody else sees either. */
    private List<String> undisputed(Verdict verdict) {
        return unseen(verdict, false, Integer.MAX_VALUE).stream()
                .filter(stores::isClaimedOnce)
                .toList();
    }

    private long hold(Verdict verdict, List<String> keys, long now) {
        int partition = context.taskId().partition();
        ScopeKey scope = ScopeKey.parse(verdict.getScope());
        for (int part = 0; part * KEYS_PER_PART < keys.size(); part++) {
            List<String> some = keys.subList(part * KEYS_PER_PART, Math.min(keys.size(), (part + 1) * KEYS_PER_PART));
            stores.heldKeys()
                    .put(
                            verdict.getScope() + Stores.NUL + verdict.getPlanId() + Stores.NUL + part,
                            new HeldKeys(List.copyOf(some)));
            HeldPlan plan = new HeldPlan(
                    verdict.getPlanId(),
                    verdict.getScope(),
                    verdict.getRunId(),
                    scope.provider(),
                    scope.kind(),
                    Instant.ofEpochMilli(now),
                    Instant.ofEpochMilli(now).plus(settings.heldExpiry()),
                    new HeldItems(partition, part, List.copyOf(some)));
            context.forward(
                    new Record<Object, Object>(itemsKey(verdict.getScope(), partition, part), plan, now),
                    NormalizerTopology.HELD_ITEMS);
        }
        return keys.size();
    }

    private void report(Verdict verdict, long listed, long now) {
        ScopeKey scope = ScopeKey.parse(verdict.getScope());
        SealReport report = SealReport.newBuilder()
                .setRunId(Judge.RETIRED)
                .setAttempt(verdict.getPlanId())
                .setProvider(scope.provider())
                .setKind(scope.kind())
                .setObservedAt(verdict.getObservedAt())
                .setRawPartition(context.taskId().partition())
                .setRawPartitions(verdict.getRawPartitions())
                .setExpected(0)
                .setArrived(0)
                .setLive(listed)
                .setVanished(listed)
                .build();
        ScopeEvent event = new ScopeEvent(verdict.getScope(), Instant.ofEpochMilli(now), report);
        context.forward(new Record<Object, Object>(verdict.getScope(), event, now), NormalizerTopology.REPORTS);
    }

    private static String itemsKey(String scope, int partition, int part) {
        return scope + "#" + partition + "#" + part;
    }

    /** A scope has one plan at most: whatever is decided next ends it. */
    private void dropPlans(String scope, long now) {
        for (KeyValue<String, HeldKeys> part : Stores.entries(stores.heldKeys(), scope + Stores.NUL)) {
            drop(scope, part.key, now);
        }
    }

    private void drop(String scope, String part, long now) {
        stores.heldKeys().delete(part);
        int number = Integer.parseInt(part.substring(part.lastIndexOf(Stores.NUL) + 1));
        context.forward(
                new Record<Object, Object>(itemsKey(scope, context.taskId().partition(), number), null, now),
                NormalizerTopology.HELD_ITEMS);
    }

    private void mark(Verdict verdict, String outcome, long deleted, long held, long now) {
        String prefix = verdict.getScope() + Stores.NUL;
        Arrival arrived = stores.arrivals().get(prefix + verdict.getAttempt());
        int partition = context.taskId().partition();
        String key = "mark|" + verdict.getScope() + "|" + partition;
        ScopeMark mark = new ScopeMark(
                partition,
                verdict.getRawPartitions(),
                outcome,
                verdict.getReason(),
                arrived == null ? 0 : arrived.getCount(),
                deleted,
                held);
        context.forward(
                new Record<Object, Object>(
                        key,
                        new InventoryRecord(key, verdict.getScope(), verdict.getRunId(), verdict.getObservedAt(), mark),
                        now),
                NormalizerTopology.INVENTORY);
        // Other attempts of the same run may still be counting.
        for (KeyValue<String, Arrival> other : Stores.entries(stores.arrivals(), prefix)) {
            if (other.value.getObservedAt() < verdict.getObservedAt().toEpochMilli()) {
                stores.arrivals().delete(other.key);
            }
        }
    }
}
