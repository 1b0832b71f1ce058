package io.elder.schemas;

import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.ScopeEvent;
import io.elder.schemas.avro.Task;
import io.elder.schemas.avro.Verdict;
import io.elder.schemas.avro.WritebackEvent;
import io.elder.schemas.avro.WritebackPlan;
import io.elder.schemas.avro.WritebackResult;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Every topic of the pipeline, by its full name.
 *
 * <p>All topics have the same number of partitions: {@code cdc.discovery_jobs} and {@code runs} are co-partitioned by job,
 * the raw topics and {@code verdicts} by resource, {@code scopes} and {@code decisions} by scope.
 *
 * @param prefix what every name starts with, e.g. {@code elder.}
 * @param rawRetention how long raw records are kept: as far back as a rebuild can reach
 */
public record Topics(String prefix, Duration rawRetention) {
    /** The tables whose changes are captured. */
    public static final List<String> CAPTURED_TABLES =
            List.of("discovery_jobs", "identity_group_memberships", "identity_groups", "identities");

    /** The providers that have topics. */
    public static final List<String> PROVIDERS = List.of(
            "authentik",
            "aws",
            "azure",
            "fleetdm",
            "gcp",
            "google_workspace",
            "iboss",
            "kubernetes",
            "ldap",
            "lxd",
            "okta",
            "vcenter");

    private static final Duration DAY = Duration.ofDays(1);

    public Topics(String prefix) {
        this(prefix, DAY.multipliedBy(90));
    }

    /** Changes of a captured table: Debezium's envelope as JSON, keyed by row id. */
    public Topic<byte[]> cdc(String table) {
        return Topic.compacted(prefix + "cdc." + table, byte[].class);
    }

    public Topic<Task> tasks(String provider) {
        return Topic.keptFor(DAY.multipliedBy(7), prefix + "tasks." + provider, Task.class);
    }

    public Topic<RunEvent> runs() {
        return Topic.keptFor(DAY.multipliedBy(90), prefix + "runs", RunEvent.class);
    }

    /** The log. The broker stamps the time of appending, which fences records of runs that are over. */
    public Topic<RawRecord> raw(String provider) {
        return Topic.keptFor(rawRetention, prefix + "raw." + provider, RawRecord.class)
                .with("message.timestamp.type", "LogAppendTime");
    }

    public Topic<InventoryRecord> inventory() {
        return Topic.compacted(prefix + "inventory", InventoryRecord.class);
    }

    public Topic<ScopeEvent> scopes() {
        return Topic.keptFor(DAY.multipliedBy(90), prefix + "scopes", ScopeEvent.class);
    }

    /** What people decided on held plans, and was carried out: as the raw topics, not derived from anything, and kept as long. */
    public Topic<ScopeEvent> decisions() {
        return Topic.keptFor(rawRetention, prefix + "decisions", ScopeEvent.class);
    }

    public Topic<Verdict> verdicts() {
        return Topic.keptFor(DAY.multipliedBy(90), prefix + "verdicts", Verdict.class);
    }

    /** Identities by their verified e-mail address: those of one person meet here. */
    public Topic<InventoryRecord> persons() {
        return Topic.keptFor(DAY.multipliedBy(7), prefix + "persons", InventoryRecord.class);
    }

    public Topic<HeldPlan> held() {
        return Topic.compacted(prefix + "held", HeldPlan.class);
    }

    /** What write-back's planner hears: all of it in partition 0, so that it has one order. */
    public Topic<WritebackEvent> writebackEvents() {
        return Topic.keptFor(DAY.multipliedBy(7), prefix + "writeback.events", WritebackEvent.class);
    }

    /** Changes to be made at providers, by group. */
    public Topic<WritebackPlan> writebackPlans() {
        return Topic.keptFor(DAY.multipliedBy(90), prefix + "writeback.plans", WritebackPlan.class);
    }

    /** What came of the last change of each membership. */
    public Topic<WritebackResult> writebackResults() {
        return Topic.compacted(prefix + "writeback.results", WritebackResult.class);
    }

    /** What could not be processed, as it was, with headers that say where it came from and why; see {@code DeadLetter}. */
    public Topic<byte[]> deadletter() {
        return Topic.keptFor(DAY.multipliedBy(90), prefix + "deadletter", byte[].class);
    }

    /** All of them, in the order in which they are created. */
    public List<Topic<?>> all() {
        List<Topic<?>> all = new ArrayList<>();
        CAPTURED_TABLES.forEach(table -> all.add(cdc(table)));
        PROVIDERS.forEach(provider -> all.add(tasks(provider)));
        PROVIDERS.forEach(provider -> all.add(raw(provider)));
        all.addAll(List.of(runs(), inventory(), scopes(), decisions(), verdicts(), persons(), held(), deadletter()));
        all.addAll(List.of(writebackEvents(), writebackPlans(), writebackResults()));
        return List.copyOf(all);
    }
}
