package io.elder.normalizer;

import io.elder.normalizer.state.Decision;
import io.elder.normalizer.state.OpenPlan;
import io.elder.normalizer.state.PartitionReport;
import io.elder.normalizer.state.PendingSeal;
import io.elder.normalizer.state.ScopeState;
import io.elder.normalizer.state.SeenLast;
import io.elder.schemas.RunId;
import io.elder.schemas.avro.HeldCommand;
import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.HeldSummary;
import io.elder.schemas.avro.ScopeEvent;
import io.elder.schemas.avro.SealReport;
import io.elder.schemas.avro.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.apache.avro.Schema;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/** Decides on the deletions of a scope, once every raw partition has reported, and keeps the plans that await a person. */
final class Judge implements Processor<byte[], byte[], Object, Object> {
    static final String SCOPES = "scope-states";
    static final String PLANS = "open-plans";

    /** Scope, NUL, run, NUL, attempt to the reports of its partitions, until all have reported. */
    static final String PENDING = "pending-seals";

    static final String SUPERSEDED = "superseded by newer run";

    /** In the place of a run, in reports on what a scope that is retired has. */
    static final String RETIRED = "retired";

    /** What ends a plan, and the state that it then has. */
    private static final Map<String, String> STATES =
            Map.of("release", "released", "reject", "rejected", "expire", "expired");

    private static final Duration EXPIRY_CHECK = Duration.ofMinutes(1);
    private static final Duration FORGETTING = Duration.ofHours(1);

    /** Reports that never became whole: the fetcher died between two seals, and another attempt took over. */
    private static final Duration FORGET_PENDING = Duration.ofDays(1);

    private final NormalizerSettings settings;
    private final Deserializer<ScopeEvent> events;
    private final Tally tally;
    private ProcessorContext<Object, Object> context;
    private KeyValueStore<String, ScopeState> scopes;
    private KeyValueStore<String, PendingSeal> pending;
    private KeyValueStore<String, OpenPlan> plans;
    private KeyValueStore<String, Decision> decisions;
    private Letters letters;
    private Commits commits;

    Judge(NormalizerSettings settings, Deserializer<ScopeEvent> events, Tally tally) {
        this.settings = settings;
        this.events = events;
        this.tally = tally;
    }

    static StateSerde<ScopeState> scopeStates() {
        return new StateSerde<>(ScopeState.getClassSchema(), older("ScopeState-1.avsc"), older("ScopeState-2.avsc"));
    }

    private static Schema older(String file) {
        try (InputStream schema = ScopeState.class.getResourceAsStream(file)) {
            return new Schema.Parser().parse(schema);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void init(ProcessorContext<Object, Object> started) {
        context = started;
        scopes = started.getStateStore(SCOPES);
        pending = started.getStateStore(PENDING);
        plans = started.getStateStore(PLANS);
        decisions = started.getStateStore(Decisions.STORE);
        letters = new Letters(started, NormalizerTopology.DEADLETTER_SCOPES, tally);
        started.schedule(EXPIRY_CHECK, PunctuationType.WALL_CLOCK_TIME, this::expire);
        started.schedule(FORGETTING, PunctuationType.WALL_CLOCK_TIME, this::forget);
        commits = new Commits(started, settings.commitInterval());
    }

    @Override
    public void process(Record<byte[], byte[]> in) {
        commits.processed(in);
        ScopeEvent event = letters.read(in, events);
        if (event == null) {
            return;
        }
        if (event.getBody() instanceof HeldCommand command) {
            command(in, event.getScope(), command);
        } else {
            report(event.getScope(), (SealReport) event.getBody(), in.timestamp());
        }
    }

    private void report(String scope, SealReport report, long now) {
        ScopeState state = scopes.get(scope);
        if (state == null) {
            state = new ScopeState(Long.MIN_VALUE, "", 0L, 0L, 0L);
        }
        if (state.getDecidedRun().equals(report.getRunId())) {
            return; // another attempt of a run that is settled, or the same report again
        }
        String attempt = scope + Stores.NUL + report.getRunId() + Stores.NUL + report.getAttempt();
        PendingSeal known = pending.get(attempt);
        List<PartitionReport> reports = new ArrayList<>(known == null ? List.of() : known.getReports());
        if (reports.stream().noneMatch(one -> one.getRawPartition() == report.getRawPartition())) {
            reports.add(kept(report));
        }
        if (reports.size() < report.getRawPartitions()) {
            long since = known == null ? context.currentSystemTimeMs() : known.getSince();
            pending.put(attempt, new PendingSeal(since, report.getObservedAt().toEpochMilli(), reports));
            return;
        }
        pending.delete(attempt);
        if (report.getRunId().equals(RETIRED)) {
            holdRetired(scope, state, report, reports, now);
        } else {
            scopes.put(scope, decide(scope, state, report, reports, now));
        }
    }

    private static PartitionReport kept(SealReport report) {
        return new PartitionReport(
                report.getRawPartition(),
                report.getExpected(),
                report.getArrived(),
                report.getLive(),
                report.getVanished(),
                report.getDeletedBefore().toEpochMilli(),
                report.getLastSeen().stream()
                        .map(run -> new SeenLast(run.getAt().toEpochMilli(), run.getVanished()))
                        .toList());
    }

    /**
     * Only what a later run has overtaken: in a rebuild a partition may be days of records ahead of another, and the pipeline
     * may stand still between them for as long.
     */
    private void forget(long now) {
        try (KeyValueIterator<String, PendingSeal> all = pending.all()) {
            while (all.hasNext()) {
                KeyValue<String, PendingSeal> seal = all.next();
                ScopeState state = scopes.get(seal.key.substring(0, seal.key.indexOf(Stores.NUL)));
                if (seal.value.getSince() < now - FORGET_PENDING.toMillis()
                        && state != null
                        && seal.value.getObservedAt() < state.getDecidedAt()) {
                    pending.delete(seal.key);
                }
            }
        }
    }

    /** What is decided on the scope from now on: as before, unless the seal stands, its deletions carried out or held. */
    private ScopeState decide(
            String scope, ScopeState state, SealReport report, List<PartitionReport> reports, long now) {
        long at = report.getObservedAt().toEpochMilli();
        if (at < state.getDecidedAt()) {
            fail(scope, report, SUPERSEDED, now);
            return state;
        }
        Optional<PartitionReport> wrong = reports.stream()
                .filter(one -> one.getArrived() != one.getExpected())
                .findFirst();
        if (wrong.isPresent()) {
            fail(
                    scope,
                    report,
                    "raw partition " + wrong.get().getRawPartition() + ": "
                            + wrong.get().getArrived() + " records arrived (expected: "
                            + wrong.get().getExpected() + ")",
                    now);
            // Its first records may have left the raw topic since it was retired.
            return retireAgain(scope, state, report, now);
        }
        state = decideAgain(scope, state);
        Found found = Found.of(reports, state);
        long budget = settings.budget(found.live);
        supersede(scope, now);
        Optional<String> conflict =
                found.vanished == 0 ? Optional.empty() : conflict(state.getDecidedRun(), report.getRunId());
        if (found.vanished <= budget && conflict.isEmpty()) {
            tally.scope(report.getProvider(), "sealed");
            verdict(scope, report, "delete", null, null, now);
            return retireAgain(scope, new ScopeState(at, report.getRunId(), at, 0L, 0L), report, now);
        }
        String planId = UUID.nameUUIDFromBytes(
                        (scope + " " + report.getRunId() + " " + report.getAttempt()).getBytes(StandardCharsets.UTF_8))
                .toString();
        tally.scope(report.getProvider(), "held");
        hold(scope, report.getRunId(), report, planId, found, budget, conflict.orElse(null), now);
        verdict(
                scope,
                report,
                "hold",
                planId,
                conflict.map(why -> why + "; ").orElse("") + found.vanished + " of " + found.live
                        + " resources vanished (expected: at most " + budget + ")",
                now);
        ScopeState held = ScopeState.newBuilder(state)
                .setDecidedAt(at)
                .setDecidedRun(report.getRunId())
                .build();
        return retireAgain(scope, decideAgain(scope, held), report, now);
    }

    /** What all partitions of the scope have together. */
    private record Found(long live, long vanished) {
        /**
         * Where runs follow each other faster than verdicts are carried out, a partition still has what an earlier run has had
         * deleted: that goes without this run, and is not counted. What a person let go is no more than what was shown.
         */
        static Found of(List<PartitionReport> reports, ScopeState state) {
            long deleted = going(reports, 0, state.getDeletedBefore());
            long released = going(reports, state.getDeletedBefore(), state.getReleasedBefore());
            long going = deleted + Math.min(released, state.getReleasedAtMost());
            return new Found(
                    reports.stream().mapToLong(PartitionReport::getLive).sum() - going,
                    reports.stream().mapToLong(PartitionReport::getVanished).sum() - going);
        }
    }

    /** What was seen last from one time to another, where nothing so late was deleted yet. */
    private static long going(List<PartitionReport> reports, long from, long until) {
        return reports.stream()
                .filter(report -> report.getDeletedBefore() < until)
                .flatMap(report -> report.getLastSeen().stream())
                .filter(seen -> seen.getAt() >= from && seen.getAt() < until)
                .mapToLong(SeenLast::getVanished)
                .sum();
    }

    private void hold(
            String scope,
            String runId,
            SealReport report,
            String planId,
            Found found,
            long budget,
            String reason,
            long now) {
        OpenPlan plan = new OpenPlan(
                planId,
                runId,
                report.getAttempt(),
                report.getProvider(),
                report.getKind(),
                report.getObservedAt().toEpochMilli(),
                now,
                now + settings.heldExpiry().toMillis(),
                found.live,
                found.vanished,
                budget,
                report.getRawPartitions());
        plans.put(scope, plan);
        summary(scope, plan, "held", null, reason, now);
    }

    private void supersede(String scope, long now) {
        OpenPlan earlier = plans.get(scope);
        if (earlier != null) {
            plans.delete(scope);
            summary(scope, earlier, "superseded", null, null, now);
        }
    }

    /** What one job reads is no proof against what another has read: each would delete the other's rows, run by run. */
    private static Optional<String> conflict(String lastRun, String run) {
        // Not parsed: a run id of another form must not stop what follows.
        String last = RunId.jobKeyOf(lastRun);
        String now = RunId.jobKeyOf(run);
        return last.isEmpty() || last.equals(now)
                ? Optional.empty()
                : Optional.of("the scope was last read by job " + last
                        + ": two jobs must not share a scope (expected: job " + now
                        + "; if it has replaced the other, its next run deletes, or the release of this plan)");
    }

    private void fail(String scope, SealReport report, String reason, long now) {
        tally.scope(report.getProvider(), "failed");
        verdict(scope, report, "fail", null, reason, now);
    }

    private void command(Record<byte[], byte[]> in, String scope, HeldCommand command) {
        OpenPlan plan = plans.get(scope);
        String action = command.getAction();
        if (action.equals("retire")) {
            retire(in, scope, command);
        } else if (!action.equals("release") && !action.equals("reject")) {
            String problem = "action: " + action + " (expected: release, reject or retire)";
            letters.send(in, new IllegalArgumentException(problem), problem);
        } else if (plan == null || !plan.getPlanId().equals(command.getPlanId())) {
            String problem = "plan of " + scope + ": " + command.getPlanId() + " (expected: "
                    + (plan == null ? "none is held" : plan.getPlanId()) + ")";
            letters.send(in, new IllegalArgumentException(problem), problem);
        } else if (plan.getExpiresAt() <= in.timestamp()) {
            close(scope, plan, "expire", null, in.timestamp());
        } else {
            scopes.put(scope, carryOut(scope, scopes.get(scope), plan, action, command.getBy(), in.timestamp()));
            ScopeEvent decision =
                    new ScopeEvent(scope, Instant.ofEpochMilli(in.timestamp()), Decisions.of(command, plan));
            context.forward(new Record<Object, Object>(scope, decision, in.timestamp()), NormalizerTopology.DECIDED);
        }
    }

    private ScopeState carryOut(
            String scope, ScopeState state, OpenPlan plan, String action, String by, long decidedAt) {
        close(scope, plan, action, by, decidedAt);
        return action.equals("release") && plan.getObservedAt() > state.getDeletedBefore()
                ? ScopeState.newBuilder(state)
                        .setReleasedBefore(plan.getObservedAt())
                        .setReleasedAtMost(plan.getDeletions())
                        .build()
                : state;
    }

    /**
     * In a rebuild, what people decided is there before the run that it is about, or soon after. Its verdict has the time of the
     * plan: one of a later time would hold up those of other scopes until the raw records are as late.
     */
    private ScopeState decideAgain(String scope, ScopeState state) {
        OpenPlan plan = plans.get(scope);
        Decision decision = plan == null ? null : decisions.delete(scope + Stores.NUL + plan.getPlanId());
        return decision == null
                ? state
                : carryOut(scope, state, plan, decision.getAction(), decision.getBy(), plan.getAt());
    }

    /** What a person let go of a scope that nobody read any more, after this run of it, goes in a rebuild too. */
    private ScopeState retireAgain(String scope, ScopeState state, SealReport report, long now) {
        for (KeyValue<String, Decision> entry : Stores.entries(decisions, scope + Stores.NUL)) {
            Decision decision = entry.value;
            if (!decision.getRetiredAfter().equals(report.getRunId())
                    || !decision.getAction().equals("release")) {
                continue;
            }
            supersede(scope, now);
            long until = report.getObservedAt().toEpochMilli() + 1;
            String plan = decision.getPlanId();
            verdict(
                    scope,
                    report.getRunId(),
                    plan,
                    until,
                    "retired",
                    plan,
                    "by " + decision.getBy(),
                    report.getRawPartitions(),
                    now);
            return ScopeState.newBuilder(state).setDeletedBefore(until).build();
        }
        return state;
    }

    /**
     * Nobody reads the scope any more, so no seal will ever tell what vanished: all of it awaits a person's word, once every
     * partition has listed what it has.
     */
    private void retire(Record<byte[], byte[]> in, String scope, HeldCommand command) {
        ScopeState state = scopes.get(scope);
        if (state == null || state.getDecidedRun().isEmpty() || command.getPartitions() < 1) {
            String problem = command.getPartitions() < 1
                    ? "partitions: " + command.getPartitions() + " (expected: those of the topic of verdicts)"
                    : "scope: " + scope + " (expected: one that a run has sealed)";
            letters.send(in, new IllegalArgumentException(problem), problem);
            return;
        }
        supersede(scope, in.timestamp());
        verdict(
                scope,
                state.getDecidedRun(),
                command.getPlanId(),
                // What was seen after the last run that was decided on stays.
                state.getDecidedAt() + 1,
                "retire",
                command.getPlanId(),
                "asked for by " + command.getBy(),
                command.getPartitions(),
                in.timestamp());
    }

    private void holdRetired(
            String scope, ScopeState state, SealReport report, List<PartitionReport> reports, long now) {
        if (report.getObservedAt().toEpochMilli() <= state.getDecidedAt()) {
            return; // somebody has read it meanwhile
        }
        supersede(scope, now);
        hold(
                scope,
                state.getDecidedRun(),
                report,
                report.getAttempt(),
                Found.of(reports, state),
                0,
                "the scope is to be retired",
                now);
    }

    private void expire(long now) {
        for (KeyValue<String, OpenPlan> plan : Stores.entries(plans, "")) {
            ScopeState before = scopes.get(plan.key);
            ScopeState after = decideAgain(plan.key, before);
            if (!after.equals(before)) {
                scopes.put(plan.key, after);
            }
            if (plan.value.getExpiresAt() <= now && plans.get(plan.key) != null) {
                close(plan.key, plan.value, "expire", null, plan.value.getAt());
            }
        }
    }

    private void close(String scope, OpenPlan plan, String outcome, String by, long now) {
        plans.delete(scope);
        summary(scope, plan, STATES.get(outcome), by, null, now);
        verdict(
                scope,
                plan.getRunId(),
                plan.getAttempt(),
                plan.getObservedAt(),
                outcome,
                plan.getPlanId(),
                by == null ? null : "by " + by,
                plan.getRawPartitions(),
                now);
    }

    private void verdict(String scope, SealReport report, String outcome, String planId, String reason, long now) {
        verdict(
                scope,
                report.getRunId(),
                report.getAttempt(),
                report.getObservedAt().toEpochMilli(),
                outcome,
                planId,
                reason,
                report.getRawPartitions(),
                now);
    }

    private void verdict(
            String scope,
            String runId,
            String attempt,
            long observedAt,
            String outcome,
            String planId,
            String reason,
            int rawPartitions,
            long now) {
        Verdict verdict = new Verdict(
                scope,
                runId,
                attempt,
                Instant.ofEpochMilli(observedAt),
                outcome,
                planId,
                reason,
                rawPartitions,
                null,
                null,
                0L);
        context.forward(new Record<Object, Object>(scope, verdict, now), NormalizerTopology.VERDICTS);
    }

    private void summary(String scope, OpenPlan plan, String state, String by, String reason, long now) {
        HeldPlan held = new HeldPlan(
                plan.getPlanId(),
                scope,
                plan.getRunId(),
                plan.getProvider(),
                plan.getKind(),
                Instant.ofEpochMilli(plan.getAt()),
                Instant.ofEpochMilli(plan.getExpiresAt()),
                new HeldSummary(state, plan.getLive(), plan.getDeletions(), plan.getBudget(), by, reason));
        context.forward(new Record<Object, Object>(scope, held, now), NormalizerTopology.HELD_SUMMARIES);
    }
}
