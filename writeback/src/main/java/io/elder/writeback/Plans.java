package io.elder.writeback;

import static io.elder.writeback.Stores.key;

import io.elder.schemas.ScopeKey;
import io.elder.schemas.avro.CallDone;
import io.elder.schemas.avro.HeldItems;
import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.HeldSummary;
import io.elder.schemas.avro.PlannedChange;
import io.elder.schemas.avro.WritebackCommand;
import io.elder.schemas.avro.WritebackPlan;
import io.elder.schemas.avro.WritebackResult;
import io.elder.writeback.State.Identity;
import io.elder.writeback.State.Item;
import io.elder.writeback.State.Member;
import io.elder.writeback.State.Plan;
import io.elder.writeback.State.Presence;
import io.elder.writeback.State.Transaction;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes plans of the changes that wait, judges each before its first call, and keeps those that await a person. */
final class Plans {
    static final String HELD = "held";
    private static final String OKTA = "okta";
    private static final int CHANGES_PER_RECORD = 500;
    private static final Logger LOG = LoggerFactory.getLogger(Plans.class);

    /** One change is complete when it stands; nothing says whether a second of its transaction is on its way. */
    private static final Duration SETTLE = Duration.ofMillis(200);

    private final WritebackSettings settings;
    private final Stores stores;
    private final Members members;
    private final ProcessorContext<String, Object> context;
    private final Tally tally;

    Plans(
            WritebackSettings settings,
            Stores stores,
            Members members,
            ProcessorContext<String, Object> context,
            Tally tally) {
        this.settings = settings;
        this.stores = stores;
        this.members = members;
        this.context = context;
        this.tally = tally;
    }

    /** A database that is further behind than this is a backlog, and its changes are collected as they are heard of. */
    private static final Duration LIVE = Duration.ofSeconds(2);

    /**
     * A change that is due, and the transaction that it came with.
     *
     * @param suspicion why its transaction is held; empty if it is not
     */
    private record Due(String memberKey, Member member, String transaction, String suspicion) {
        boolean isRemoval() {
            return member.intent == Presence.ABSENT;
        }
    }

    void tick(long now) {
        List<KeyValue<String, Transaction>> due = new ArrayList<>();
        List<KeyValue<String, Transaction>> settled = new ArrayList<>();
        for (KeyValue<String, Transaction> entry :
                Stores.list(stores.transactions().all())) {
            if (isSettled(entry.value, now)) {
                (isCollected(entry.value, now) ? due : settled).add(entry);
            }
        }
        if (due.isEmpty()) {
            return;
        }
        Map<String, List<Due>> byProvider = new TreeMap<>();
        Set<String> groups = new HashSet<>();
        for (KeyValue<String, Transaction> transaction : due) {
            for (Due one : changes(transaction)) {
                groups.add(Members.groupOf(one.memberKey));
                byProvider
                        .computeIfAbsent(Members.providerOf(one.memberKey), unused -> new ArrayList<>())
                        .add(one);
            }
            stores.transactions().delete(transaction.key);
        }
        // What else is known of these groups belongs to the same plan.
        for (KeyValue<String, Transaction> transaction : settled) {
            for (Due one : changes(transaction)) {
                if (groups.contains(Members.groupOf(one.memberKey))) {
                    byProvider
                            .computeIfAbsent(Members.providerOf(one.memberKey), unused -> new ArrayList<>())
                            .add(one);
                }
            }
        }
        byProvider.forEach((provider, changes) -> judge(provider, changes, now));
    }

    /** Whether no more of it is to be expected. */
    private boolean isSettled(Transaction transaction, long now) {
        boolean isSingle = transaction.changes() <= 1 && transaction.suspicion().isEmpty();
        return now - transaction.last() >= (isSingle ? SETTLE : settings.quarantine()).toMillis();
    }

    /** Whether the window is over. What the way from the database took counts, so that nobody waits for both. */
    private boolean isCollected(Transaction transaction, long now) {
        long lag = transaction.first() - transaction.since();
        long from = lag > 0 && lag < LIVE.toMillis() ? transaction.since() : transaction.first();
        return now - from >= settings.window().toMillis();
    }

    private List<Due> changes(KeyValue<String, Transaction> transaction) {
        String suspicion = suspicion(transaction.value);
        List<Due> changes = new ArrayList<>();
        for (KeyValue<String, String> entry : Stores.below(stores.waiting(), transaction.key)) {
            String memberKey = Stores.rest(entry.key, transaction.key);
            changes.add(new Due(memberKey, members.find(memberKey), transaction.key, suspicion));
        }
        return changes;
    }

    /** Nobody who changes something writes down beside it how everything is already; a restored backup does. */
    private String suspicion(Transaction transaction) {
        if (!transaction.suspicion().isEmpty()) {
            return transaction.suspicion();
        }
        return transaction.restated() > settings.budgetMin()
                ? transaction.restated() + " rows were written that changed nothing (expected: at most "
                        + settings.budgetMin() + "; is this a backup?)"
                : "";
    }

    /** A member whose removal is held, or was about to be judged with many others, has its row again. */
    void cameBack(String provider, long now) {
        long[] before = backs(provider);
        long count = now - before[1] <= settings.quarantine().toMillis() ? before[0] + 1 : 1;
        stores.notes().put(key("back", provider), count + " " + now);
    }

    /** How many have come back one soon after the other, and when the last did. */
    private long[] backs(String provider) {
        String note = stores.notes().get(key("back", provider));
        if (note == null) {
            return new long[] {0, 0};
        }
        String[] parts = note.split(" ");
        return new long[] {Long.parseLong(parts[0]), Long.parseLong(parts[1])};
    }

    /** Whether rows that had vanished are being put back now, one by one. */
    private boolean isBeingRestored(String provider, long now) {
        long[] backs = backs(provider);
        return backs[0] > settings.budgetMin()
                && now - backs[1]
                        <= settings.quarantine().plus(settings.window()).toMillis();
    }

    private void judge(String provider, List<Due> due, long now) {
        List<Due> changes = new ArrayList<>();
        for (Due one : due) {
            members.leave(one.memberKey, one.member);
            if (isSynced(one.member) && !isGranted(one.memberKey, one.member)) {
                changes.add(one);
            } else {
                // Its group was switched off, which may have been before, and is heard of from another partition.
                members.forget(one.memberKey, one.member);
            }
        }
        if (changes.isEmpty()) {
            return;
        }
        Optional<String> closed = closed(provider);
        if (closed.isPresent()) {
            hold(provider, closed.get(), true, changes, 0, now);
            return;
        }
        if (isBeingRestored(provider, now)) {
            hold(provider, "rows that had vanished are put back: is this a backup?", true, changes, 0, now);
            return;
        }
        Map<String, List<Due>> byGroup = new TreeMap<>();
        for (Due one : changes) {
            byGroup.computeIfAbsent(Members.groupOf(one.memberKey), unused -> new ArrayList<>())
                    .add(one);
        }
        long removals = changes.stream().filter(Due::isRemoval).count();
        Map<String, String> refused = new LinkedHashMap<>();
        long budget = settings.budgetRun();
        if (removals > settings.budgetRun()) {
            String reason = removals + " removals at once (expected: at most " + settings.budgetRun() + ")";
            byGroup.keySet().forEach(group -> refused.put(group, reason));
        } else {
            for (Map.Entry<String, List<Due>> entry : byGroup.entrySet()) {
                why(entry.getKey(), entry.getValue()).ifPresent(reason -> refused.put(entry.getKey(), reason));
            }
            spread(byGroup, refused);
        }
        List<Due> kept = new ArrayList<>();
        for (Map.Entry<String, List<Due>> entry : byGroup.entrySet()) {
            List<Due> rest = new ArrayList<>();
            String held = stores.notes().get(key("held", entry.getKey()));
            if (refused.containsKey(entry.getKey())) {
                kept.addAll(entry.getValue());
            } else {
                for (Due one : entry.getValue()) {
                    if (!one.member.mustHold.isEmpty()) {
                        hold(provider, one.member.mustHold, true, List.of(one), 0, now);
                    } else if (held != null && one.isRemoval()) {
                        // The rest of what was held a moment ago.
                        append(held, List.of(one), now);
                    } else {
                        rest.add(one);
                    }
                }
            }
            emit(provider, entry.getKey(), rest, "", null, now);
        }
        if (!kept.isEmpty()) {
            String first = refused.values().iterator().next();
            String reason = refused.size() == 1 ? first : first + ", and " + (refused.size() - 1) + " more groups";
            hold(provider, reason, false, kept, budget, now);
        }
    }

    private boolean isSynced(Member member) {
        State.Group group = stores.groups().get(Integer.toString(member.group));
        return group == null || group.isSynced();
    }

    /** Whether a removal would take away what a row of Elder grants. */
    private boolean isGranted(String memberKey, Member member) {
        return member.intent == Presence.ABSENT
                && !member.isUndoing
                && members.isGranted(memberKey, member, member.changedAt);
    }

    /** Why the changes of one group can't be made without a person. */
    private Optional<String> why(String groupKey, List<Due> changes) {
        Optional<String> suspicion = changes.stream()
                .map(Due::suspicion)
                .filter(why -> !why.isEmpty())
                .findFirst();
        if (suspicion.isPresent()) {
            return suspicion;
        }
        String id = Members.groupIdOf(groupKey);
        String name = Optional.ofNullable(stores.groups().get(Integer.toString(changes.getFirst().member.group)))
                .map(State.Group::name)
                .orElse(id);
        if (settings.isProtected(name, id)) {
            return Optional.of("group " + name + " is protected");
        }
        long size = members.size(groupKey);
        long removals = changes.stream().filter(Due::isRemoval).count();
        long adds = changes.stream()
                .filter(one -> !one.isRemoval() && !one.member.counts())
                .count();
        if (removals > settings.budget(size)) {
            return Optional.of("group " + name + ": " + removals + " of " + size + " members (expected: at most "
                    + settings.budget(size) + ")");
        }
        if (removals > 0 && size - removals + adds <= 0 && settings.keepsGroupsFromEmptying()) {
            return Optional.of("group " + name + " would be left empty");
        }
        return Optional.empty();
    }

    /** What came with a refused group's changes in one transaction is refused with them, whatever group it is of. */
    private static void spread(Map<String, List<Due>> byGroup, Map<String, String> refused) {
        Set<String> tainted = new HashSet<>();
        boolean isGrowing = !refused.isEmpty();
        while (isGrowing) {
            isGrowing = false;
            for (String group : refused.keySet()) {
                for (Due one : byGroup.get(group)) {
                    isGrowing |= tainted.add(one.transaction);
                }
            }
            for (Map.Entry<String, List<Due>> entry : byGroup.entrySet()) {
                boolean isTainted = !refused.containsKey(entry.getKey())
                        && entry.getValue().stream().anyMatch(one -> tainted.contains(one.transaction));
                if (isTainted) {
                    refused.put(entry.getKey(), "changed together with another group");
                    isGrowing = true;
                }
            }
        }
    }

    /** Why nothing may be written to a provider now. */
    Optional<String> closed(String provider) {
        String reason = settings.closed().get(provider);
        if (reason != null) {
            return Optional.of(provider + ": " + reason);
        }
        if (settings.dryRun()) {
            return Optional.of(provider + ": dry run (WRITEBACK_DRY_RUN)");
        }
        String word = stores.notes().get(key("confirmed", provider));
        boolean isConfirmed = word == null ? settings.confirmed().contains(provider) : word.equals("yes");
        return isConfirmed
                ? Optional.empty()
                : Optional.of(provider + ": dry run until ./elder writeback enable " + provider);
    }

    /** @param planId empty for a new plan */
    private void emit(String provider, String groupKey, List<Due> changes, String planId, String by, long now) {
        if (changes.isEmpty()) {
            return;
        }
        String id = planId.isEmpty() ? newPlan(groupKey, now) : planId;
        int removals = 0;
        List<PlannedChange> planned = new ArrayList<>();
        for (Due one : changes) {
            Member member = one.member;
            String operation = member.intent.operation();
            removals += one.isRemoval() ? 1 : 0;
            member.flight = id;
            member.held = "";
            member.mustHold = "";
            members.save(one.memberKey, member);
            stores.items().put(key(id, one.memberKey), new Item(operation, ""));
            planned.add(new PlannedChange(
                    operation,
                    Members.memberOf(one.memberKey),
                    members.rows(one.memberKey, member),
                    null,
                    Instant.ofEpochMilli(member.changedAt)));
        }
        if (planId.isEmpty()) {
            stores.plans().put(id, new Plan(provider, "applied", "", now, 0, planned.size(), removals, 0, 0, by));
        }
        send(provider, groupKey, changes.getFirst().member, planned, id, by, now);
        tally.planned(provider, planned.size());
    }

    private void send(
            String provider, String groupKey, Member any, List<PlannedChange> planned, String id, String by, long now) {
        String group = Members.groupIdOf(groupKey);
        State.Group row = stores.groups().get(Integer.toString(any.group));
        for (int from = 0; from < planned.size(); from += CHANGES_PER_RECORD) {
            WritebackPlan plan = new WritebackPlan(
                    id,
                    provider,
                    group,
                    row == null ? null : row.name(),
                    Instant.ofEpochMilli(now),
                    by,
                    List.copyOf(planned.subList(from, Math.min(planned.size(), from + CHANGES_PER_RECORD))));
            context.forward(new Record<>(provider + "/" + group, plan, now), PlannerTopology.PLANS);
        }
    }

    private String newPlan(String of, long now) {
        String counter = stores.notes().get("plans");
        long number = counter == null ? 1 : Long.parseLong(counter) + 1;
        stores.notes().put("plans", Long.toString(number));
        return UUID.nameUUIDFromBytes((of + " " + now + " " + number).getBytes(StandardCharsets.UTF_8))
                .toString();
    }

    /** @param isKeptOpen whether later changes for the same reason join the plan */
    private void hold(String provider, String reason, boolean isKeptOpen, List<Due> changes, long budget, long now) {
        String note = key("open", provider, reason);
        String open = isKeptOpen ? stores.notes().get(note) : null;
        Plan plan = open == null ? null : stores.plans().get(open);
        String id = open;
        if (plan == null || !plan.state().equals(HELD)) {
            id = newPlan(provider + reason, now);
            stores.plans()
                    .put(
                            id,
                            new Plan(
                                    provider,
                                    HELD,
                                    reason,
                                    now,
                                    now + settings.heldExpiry().toMillis(),
                                    0,
                                    0,
                                    budget,
                                    0,
                                    null));
            if (isKeptOpen) {
                stores.notes().put(note, id);
            }
            LOG.warn("plan {} is held: {}", id, reason);
        }
        append(id, changes, now);
        if (!isKeptOpen) {
            for (Due one : changes) {
                stores.notes().put(key("held", Members.groupOf(one.memberKey)), id);
            }
        }
    }

    private void append(String id, List<Due> changes, long now) {
        Plan plan = stores.plans().get(id);
        List<String> shown = new ArrayList<>();
        int removals = 0;
        int parts = plan.parts();
        for (Due one : changes) {
            Member member = one.member;
            member.held = id;
            members.save(one.memberKey, member);
            stores.items().put(key(id, one.memberKey), new Item(member.intent.operation(), ""));
            removals += one.isRemoval() ? 1 : 0;
            shown.add(member.intent.operation() + " " + one.memberKey.replace(Stores.NUL, "/"));
            if (shown.size() == 4 * CHANGES_PER_RECORD) {
                items(id, plan, parts++, shown, now);
                shown = new ArrayList<>();
            }
        }
        if (!shown.isEmpty()) {
            items(id, plan, parts++, shown, now);
        }
        Plan grown = new Plan(
                plan.provider(),
                plan.state(),
                plan.reason(),
                plan.at(),
                plan.expiresAt(),
                plan.changes() + changes.size(),
                plan.removals() + removals,
                plan.budget(),
                parts,
                plan.by());
        stores.plans().put(id, grown);
        summary(id, grown, now);
        tally.held(plan.provider(), changes.size());
    }

    private static String scope(String id, Plan plan) {
        return new ScopeKey("writeback", plan.provider(), id, "membership").toString();
    }

    private void items(String id, Plan plan, int part, List<String> shown, long now) {
        context.forward(
                new Record<>(
                        scope(id, plan) + "#0#" + part,
                        held(id, plan, new HeldItems(0, part, List.copyOf(shown))),
                        now),
                PlannerTopology.HELD);
    }

    private void summary(String id, Plan plan, long now) {
        HeldSummary summary = new HeldSummary(
                plan.state(), (long) plan.changes(), (long) plan.removals(), plan.budget(), plan.by(), plan.reason());
        context.forward(new Record<>(scope(id, plan), held(id, plan, summary), now), PlannerTopology.HELD);
    }

    private static HeldPlan held(String id, Plan plan, Object body) {
        return new HeldPlan(
                id,
                scope(id, plan),
                "",
                plan.provider(),
                "writeback",
                Instant.ofEpochMilli(plan.at()),
                Instant.ofEpochMilli(plan.expiresAt()),
                body);
    }

    void command(WritebackCommand command, long now) {
        String subject = command.getSubject();
        switch (command.getAction()) {
            case "enable", "disable" -> {
                boolean isEnabled = command.getAction().equals("enable");
                stores.notes().put(key("confirmed", subject), isEnabled ? "yes" : "no");
                announce(subject, command.getAction(), command.getBy(), now);
            }
            case "release" -> release(subject, command.getBy(), now);
            case "reject" -> reject(subject, "rejected", command.getBy(), now);
            case "undo" -> undo(subject, command.getBy(), now);
            default ->
                LOG.warn("command: {} (expected: release, reject, undo, enable or disable)", command.getAction());
        }
    }

    /** Says whether changes of a provider are made or held, where that is not what was said last. */
    void announce(long now) {
        for (String provider : WritebackSettings.PROVIDERS) {
            if (!closed(provider).orElse("open").equals(stores.notes().get(key("said", provider)))) {
                announce(provider, "start", null, now);
            }
        }
    }

    private void announce(String provider, String operation, String by, long now) {
        Optional<String> closed = closed(provider);
        stores.notes().put(key("said", provider), closed.orElse("open"));
        WritebackResult said = new WritebackResult(
                "",
                provider,
                "",
                "",
                operation,
                closed.isEmpty() ? "open" : "closed",
                closed.orElse(null),
                Instant.ofEpochMilli(now),
                List.of(),
                by);
        result(provider, said, now);
    }

    private void release(String id, String by, long now) {
        Plan plan = stores.plans().get(id);
        if (plan == null || !plan.state().equals(HELD)) {
            return;
        }
        Optional<String> closed = closed(plan.provider());
        if (closed.isPresent()) {
            summary(
                    id,
                    new Plan(
                            plan.provider(),
                            HELD,
                            "not released: " + closed.get(),
                            plan.at(),
                            plan.expiresAt(),
                            plan.changes(),
                            plan.removals(),
                            plan.budget(),
                            plan.parts(),
                            null),
                    now);
            return;
        }
        Map<String, List<Due>> byGroup = new TreeMap<>();
        for (KeyValue<String, Item> entry : Stores.below(stores.items(), id)) {
            String memberKey = Stores.rest(entry.key, id);
            Member member = members.find(memberKey);
            boolean isAsShown = member.held.equals(id)
                    && member.intent == Presence.after(entry.value.operation())
                    && member.state() != member.intent
                    && isSynced(member)
                    && !isGranted(memberKey, member);
            if (isAsShown) {
                byGroup.computeIfAbsent(Members.groupOf(memberKey), unused -> new ArrayList<>())
                        .add(new Due(memberKey, member, "", ""));
            } else {
                moved(id, memberKey, member, entry.value.operation(), by, now);
            }
        }
        close(id, plan.became("released", by), now);
        byGroup.forEach((group, changes) -> emit(plan.provider(), group, changes, id, by, now));
    }

    private void moved(String id, String memberKey, Member member, String operation, String by, long now) {
        stores.items().put(key(id, memberKey), new Item(operation, Outcome.MOVED));
        if (member.held.equals(id)) {
            member.held = "";
            members.save(memberKey, member);
        }
        result(memberKey, id, operation, Outcome.MOVED, "its state has moved since the plan was made", member, by, now);
    }

    /** The changes of the plan are not made, and nobody's intent any more. */
    private void reject(String id, String state, String by, long now) {
        Plan plan = stores.plans().get(id);
        if (plan == null || !plan.state().equals(HELD)) {
            return;
        }
        for (KeyValue<String, Item> entry : Stores.below(stores.items(), id)) {
            String memberKey = Stores.rest(entry.key, id);
            Member member = members.find(memberKey);
            stores.items().put(entry.key, new Item(entry.value.operation(), state));
            if (member.held.equals(id)) {
                member.held = "";
                member.mustHold = "";
                member.intent = Presence.UNKNOWN;
                members.save(memberKey, member);
            }
        }
        close(id, plan.became(state, by), now);
    }

    private void close(String id, Plan plan, long now) {
        stores.plans().put(id, plan);
        summary(id, plan, now);
        for (int part = 0; part < plan.parts(); part++) {
            context.forward(new Record<>(scope(id, plan) + "#0#" + part, null, now), PlannerTopology.HELD);
        }
        for (KeyValue<String, String> note : Stores.below(stores.notes(), "held")) {
            if (note.value.equals(id)) {
                stores.notes().delete(note.key);
            }
        }
    }

    private void undo(String id, String by, long now) {
        Plan plan = stores.plans().get(id);
        if (plan == null || closed(plan.provider()).isPresent()) {
            LOG.warn(
                    "plan {} can't be undone: {}",
                    id,
                    plan == null ? "unknown" : closed(plan.provider()).get());
            return;
        }
        Map<String, List<Due>> byGroup = new TreeMap<>();
        String undone = UUID.nameUUIDFromBytes(("undo " + id).getBytes(StandardCharsets.UTF_8))
                .toString();
        for (KeyValue<String, Item> entry : Stores.below(stores.items(), id)) {
            if (!entry.value.outcome().equals(Outcome.APPLIED)) {
                continue;
            }
            String memberKey = Stores.rest(entry.key, id);
            Member member = members.find(memberKey);
            Presence made = Presence.after(entry.value.operation());
            if (member.isIdle() && member.state() == made && isSynced(member)) {
                member.intent = made.inverse();
                member.changedAt = now;
                member.saidAt = now;
                member.isUndoing = true;
                member.decidedAt = now;
                byGroup.computeIfAbsent(Members.groupOf(memberKey), unused -> new ArrayList<>())
                        .add(new Due(memberKey, member, "", ""));
            } else {
                result(
                        memberKey,
                        undone,
                        made.inverse().operation(),
                        Outcome.MOVED,
                        "its state has moved since",
                        member,
                        by,
                        now);
            }
        }
        int changes = byGroup.values().stream().mapToInt(List::size).sum();
        stores.plans().put(undone, new Plan(plan.provider(), "applied", "undoes " + id, now, 0, changes, 0, 0, 0, by));
        byGroup.forEach((group, dues) -> emit(plan.provider(), group, dues, undone, by, now));
    }

    void outcome(String id, String memberKey, String outcome) {
        Item item = stores.items().get(key(id, memberKey));
        if (item != null) {
            stores.items().put(key(id, memberKey), new Item(item.operation(), outcome));
        }
    }

    /** A person wants what the provider has: no call, but the row is told. */
    void already(String memberKey, Member member, long now) {
        result(memberKey, "", "add", Outcome.ALREADY, null, member, null, now);
    }

    private void result(
            String memberKey,
            String id,
            String operation,
            String outcome,
            String message,
            Member member,
            String by,
            long now) {
        String[] parts = Stores.parts(memberKey);
        result(
                parts[0] + "/" + parts[1] + "/" + parts[2],
                new WritebackResult(
                        id,
                        parts[0],
                        parts[1],
                        parts[2],
                        operation,
                        outcome,
                        message,
                        Instant.ofEpochMilli(now),
                        members.rows(memberKey, member),
                        by),
                now);
    }

    private void result(String resultKey, WritebackResult result, long now) {
        context.forward(new Record<>(resultKey, result, now), PlannerTopology.RESULTS);
    }

    /** Elder's page of a person, told to Okta once it is known. */
    void profile(Identity identity, Identity old, long now) {
        Optional<String> user = Members.memberId(identity, OKTA);
        if (user.isEmpty() || identity.sourceKey() == null || settings.webUrl().isEmpty()) {
            return;
        }
        if (identity.villageId() == null
                || identity.villageId().isBlank()
                || closed(OKTA).isPresent()) {
            return;
        }
        if (old != null && identity.villageId().equals(old.villageId())) {
            return;
        }
        String link = settings.webUrl().get() + "/profile/" + identity.villageId();
        String note = key("profile", user.get());
        if (link.equals(stores.notes().get(note))) {
            return;
        }
        stores.notes().put(note, link);
        String id = newPlan(user.get(), now);
        PlannedChange change = new PlannedChange("profile", user.get(), List.of(), link, Instant.ofEpochMilli(now));
        WritebackPlan plan = new WritebackPlan(id, OKTA, "", null, Instant.ofEpochMilli(now), null, List.of(change));
        context.forward(new Record<>(OKTA + "/" + user.get(), plan, now), PlannerTopology.PLANS);
    }

    /** A link that could not be written is written when the person's row next changes. */
    void profileDone(CallDone done) {
        if (!done.getOutcome().equals(Outcome.APPLIED)) {
            stores.notes().delete(key("profile", done.getMemberId()));
        }
    }

    /** Ends plans that nobody decided on, and forgets those that are long over. */
    void tidy(long now, Duration forget) {
        Map<String, Plan> all = new HashMap<>();
        Stores.list(stores.plans().all()).forEach(entry -> all.put(entry.key, entry.value));
        all.forEach((id, plan) -> {
            if (plan.state().equals(HELD) && plan.expiresAt() <= now) {
                reject(id, "expired", null, now);
            } else if (!plan.state().equals(HELD) && plan.at() + forget.toMillis() <= now) {
                Stores.below(stores.items(), id).forEach(item -> stores.items().delete(item.key));
                stores.plans().delete(id);
            }
        });
    }
}
