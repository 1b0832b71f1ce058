package io.elder.writeback;

import static io.elder.writeback.Stores.key;

import io.elder.schemas.ResourceKey;
import io.elder.schemas.ScopeKey;
import io.elder.schemas.avro.CallDone;
import io.elder.schemas.avro.GroupRow;
import io.elder.schemas.avro.IdentityRow;
import io.elder.schemas.avro.MemberSeen;
import io.elder.schemas.avro.MembershipRow;
import io.elder.schemas.avro.MembershipsTruncated;
import io.elder.schemas.avro.ScopeRead;
import io.elder.schemas.avro.WritebackCommand;
import io.elder.schemas.avro.WritebackEvent;
import io.elder.writeback.State.Group;
import io.elder.writeback.State.Identity;
import io.elder.writeback.State.Member;
import io.elder.writeback.State.Presence;
import io.elder.writeback.State.Row;
import io.elder.writeback.WritebackSettings.Conflict;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps intent, applied and observed of every membership, and says what has to be done at the providers. There is one, for
 * all providers: what it judges are bursts over many groups.
 */
final class Planner implements Processor<byte[], byte[], String, Object> {
    private static final Logger LOG = LoggerFactory.getLogger(Planner.class);
    static final Duration TICK = Duration.ofMillis(50);
    private static final Duration FIRST_RETRY = Duration.ofSeconds(10);
    private static final Duration LAST_RETRY = Duration.ofMinutes(15);

    /** What was heard of last is older than this, and more came a moment ago: there is more to hear of. */
    private static final Duration BEHIND = Duration.ofSeconds(2);

    private static final Duration MOMENT = Duration.ofSeconds(1);
    private static final Duration FORGET = Duration.ofDays(30);
    private static final Duration LATE = Duration.ofHours(1);
    private static final String PERSON = "person";
    private static final String SNAPSHOT = "snapshot";
    private static final String TRUNCATED = "truncated";

    private final WritebackSettings settings;
    private final Deserializer<WritebackEvent> events;
    private final Tally tally;
    private ProcessorContext<String, Object> context;
    private Stores stores;
    private Members members;
    private Plans plans;
    private long nextTidying;
    private long heardAt;
    private long heardOf;

    Planner(WritebackSettings settings, Deserializer<WritebackEvent> events, Tally tally) {
        this.settings = settings;
        this.events = events;
        this.tally = tally;
    }

    @Override
    public void init(ProcessorContext<String, Object> started) {
        context = started;
        stores = Stores.of(started);
        heardAt = started.currentSystemTimeMs();
        members = new Members(stores);
        plans = new Plans(settings, stores, members, started, tally);
        started.schedule(TICK, PunctuationType.WALL_CLOCK_TIME, this::tick);
    }

    @Override
    public void process(Record<byte[], byte[]> in) {
        heardAt = context.currentSystemTimeMs();
        heardOf = in.timestamp();
        members.index();
        WritebackEvent event;
        try {
            event = events.deserialize("", in.value());
        } catch (SerializationException e) {
            LOG.error("an event that nobody can read is left out: {}", e.getMessage());
            tally.unreadable();
            return;
        }
        long at = event.getAt().toEpochMilli();
        switch (event.getBody()) {
            case GroupRow row -> group(row, at);
            case IdentityRow row -> identity(row);
            case MembershipRow row -> membership(row, at);
            case MembershipsTruncated truncated -> truncated(truncated, at);
            case MemberSeen seen -> seen(seen, at);
            case ScopeRead read -> read(read, at);
            case CallDone done -> done(done, at);
            case WritebackCommand command -> plans.command(command, context.currentSystemTimeMs());
            default ->
                throw new IllegalStateException(
                        "event: " + event.getBody().getClass() + " (expected: one of the schema's)");
        }
    }

    private void group(GroupRow row, long at) {
        String id = Integer.toString(row.getId());
        Group old = stores.groups().get(id);
        if (row.getDeleted()) {
            // Its memberships are deleted beside it, and may be heard of later: what it was called is still needed.
            return;
        }
        boolean isOurs = row.getProvider() != null
                && WritebackSettings.PROVIDERS.contains(row.getProvider())
                && row.getProviderGroupId() != null
                && !row.getProviderGroupId().isBlank();
        Group now = new Group(
                isOurs ? row.getProvider() : "",
                isOurs ? row.getProviderGroupId() : "",
                row.getName(),
                isOurs && row.getSyncEnabled(),
                row.getSourceKey());
        if (now.equals(old)) {
            return;
        }
        members.save(id, now);
        // Rows that were there before a group was switched on are how things are; those that came after it, though they
        // may have been heard of before, are changes.
        boolean isSwitchedOn = old != null && !old.isSynced() && now.isSynced();
        boolean isSwitchedOff = old != null && old.isSynced() && !(now.isSynced() && now.isSameAs(old));
        if (isSwitchedOff || isSwitchedOn) {
            forgetIntents(row.getId(), isSwitchedOff ? old : now, at);
        }
        if (old == null || isSwitchedOn) {
            for (KeyValue<String, String> entry : Stores.below(stores.rowsOfPair(), id)) {
                resolve(Stores.parts(entry.key)[2], old == null ? Long.MIN_VALUE : row.getPosition());
            }
        }
    }

    /**
     * What is done to a group that is off, in Elder and at the provider, is nobody's business here: no decision of before
     * may be held against it later. What was said after the switch, and heard of first, stands.
     */
    private void forgetIntents(int id, Group group, long at) {
        for (KeyValue<String, Member> entry : Stores.below(stores.members(), key(group.provider(), group.id()))) {
            Member member = entry.value;
            if (member.group == id && member.intent != Presence.UNKNOWN && member.saidAt <= at) {
                members.forget(entry.key, member);
            }
        }
    }

    private void identity(IdentityRow row) {
        String id = Integer.toString(row.getId());
        if (row.getDeleted()) {
            return;
        }
        Identity old = stores.identities().get(id);
        Identity now = new Identity(row.getAuthProviderId(), row.getSourceKey(), row.getVillageId());
        if (now.equals(old)) {
            return;
        }
        members.save(id, now);
        for (KeyValue<String, String> entry : Stores.below(stores.rowsOfIdentity(), id)) {
            resolve(Stores.parts(entry.key)[1], Long.MIN_VALUE);
        }
        plans.profile(now, old, context.currentSystemTimeMs());
    }

    /** Looks again at a row whose group or identity was unknown, or not write-back's business. */
    private void resolve(String id, long after) {
        Row row = stores.rows().get(id);
        if (row == null || !row.isOpen()) {
            return;
        }
        if (row.isOlderThan(after)) {
            // How things were when its group was switched on: not to be looked at again with its user's next change.
            if (row.isLive()) {
                stores.rows().put(id, row.settled());
            } else {
                forget(id, row);
            }
            return;
        }
        if (members.memberKey(row).isEmpty()) {
            return;
        }
        if (row.isLive()) {
            stores.rows().put(id, row.settled());
            granted(row.settled(), "row-" + id, context.currentSystemTimeMs());
        } else {
            forget(id, row);
            revoked(row, "row-" + id, context.currentSystemTimeMs());
        }
    }

    private void forget(String id, Row row) {
        unindex(id, row);
        stores.rows().delete(id);
    }

    private void membership(MembershipRow event, long at) {
        String id = Integer.toString(event.getId());
        Row old = stores.rows().get(id);
        if (old != null && old.isNewerThan(event.getPosition(), at)) {
            return;
        }
        if (old == null && wasTruncated(event, at)) {
            return;
        }
        if (event.getGroupId() == 0 && (old == null || !old.isLive())) {
            // The tombstone that follows a removal says nothing more.
            return;
        }
        int group = event.getGroupId() == 0 ? old.group() : event.getGroupId();
        int identity = event.getGroupId() == 0 ? old.identity() : event.getIdentityId();
        Long expiresAt =
                event.getExpiresAt() == null ? null : event.getExpiresAt().toEpochMilli();
        boolean isExpired = expiresAt != null && expiresAt <= context.currentSystemTimeMs();
        String origin = event.getBySink() ? Row.SINK : event.getSnapshot() ? SNAPSHOT : PERSON;
        Row now = new Row(
                group,
                identity,
                event.getLive() && !isExpired,
                expiresAt,
                event.getPosition(),
                false,
                origin,
                at,
                at,
                0);
        boolean hasMoved = old != null && (old.group() != group || old.identity() != identity);
        boolean wasLive = old != null && old.isLive();
        if (wasLive && now.isLive() && !hasMoved) {
            now = now.following(old);
        }
        if (hasMoved) {
            unindex(id, old);
        }
        if (now.isLive()) {
            stores.rowsOfPair().put(key(group, identity, id), "");
            stores.rowsOfIdentity().put(key(identity, id), "");
            if (expiresAt != null) {
                stores.expiries().put(key(Stores.time(expiresAt), id), "");
            }
        } else {
            unindex(id, now);
        }
        if (event.getLive()) {
            stores.rows().put(id, now);
        } else {
            // A row that is gone for good must not be kept for ever; the one late event that matters has its pair.
            stores.rows().delete(id);
        }
        // An import is no word of a person's; that time ran out, which a person set, is one whoever wrote the row last.
        boolean hasExpired = !hasMoved && event.getLive() && isExpired;
        if (wasLive && (hasMoved || !now.isLive()) && (origin.equals(PERSON) || hasExpired)) {
            if (!hasMoved && members.memberKey(old).isEmpty()) {
                keep(id, now.open());
            } else {
                // The sink's transaction says nothing of a time that ran out.
                boolean isPersons = origin.equals(PERSON);
                revoked(old, isPersons ? event.getTransaction() : "expiry-" + expiresAt, isPersons ? at : expiresAt);
            }
        }
        if (!wasLive && event.getLive() && isExpired && origin.equals(PERSON) && expiresAt > at) {
            // Heard of too late to be granted; that it ended was decided all the same.
            revoked(now, event.getTransaction(), at);
        }
        if (now.isLive() && (hasMoved || !wasLive)) {
            if (members.memberKey(now).isEmpty()) {
                stores.rows().put(id, now.open());
            } else {
                granted(now, event.getTransaction(), at);
            }
        }
    }

    /** Whether a truncation that was heard of first has done away with it: they come from different partitions. */
    private boolean wasTruncated(MembershipRow event, long at) {
        String note = stores.notes().get(TRUNCATED);
        if (note == null || event.getPosition() == 0) {
            return false;
        }
        String[] truncated = note.split(" ");
        return event.getPosition() < Long.parseLong(truncated[0]) && at <= Long.parseLong(truncated[1]);
    }

    /** A removal, for as long as it may take to hear of its user, or that its group had been switched on before. */
    private void keep(String id, Row gone) {
        stores.rows().put(id, gone);
        stores.rowsOfPair().put(key(gone.group(), gone.identity(), id), "");
        stores.rowsOfIdentity().put(key(gone.identity(), id), "");
        stores.expiries().put(key(Stores.time(context.currentSystemTimeMs() + LATE.toMillis()), id), "");
    }

    private void unindex(String id, Row row) {
        stores.rowsOfPair().delete(key(row.group(), row.identity(), id));
        stores.rowsOfIdentity().delete(key(row.identity(), id));
    }

    /** Somebody, or something, put a row there. */
    private void granted(Row row, String transaction, long at) {
        Optional<String> found = members.memberKey(row);
        if (found.isEmpty()) {
            return;
        }
        Member member = members.find(found.get());
        member.group = row.group();
        member.identity = row.identity();
        member.hasNewRow = !member.flight.isEmpty();
        switch (row.origin()) {
            case PERSON -> want(found.get(), member, Presence.PRESENT, transaction, at);
            case SNAPSHOT -> {
                member.isBaseline = true;
                if (member.intent == Presence.ABSENT && !member.held.isEmpty()) {
                    // A removal that was held, and that nothing calls for any more.
                    member.intent = Presence.UNKNOWN;
                    member.held = "";
                    members.save(found.get(), member);
                } else if (member.intent == Presence.ABSENT && member.isIdle()) {
                    // Removed here once, and back without a change: a backup was restored.
                    member.mustHold = "the row is back in a snapshot of the table";
                    want(found.get(), member, Presence.PRESENT, SNAPSHOT, at);
                } else {
                    members.save(found.get(), member);
                }
            }
            default -> {
                // An import is no intent; in a person's transaction it is a row of a backup, which once was imported.
                members.save(found.get(), member);
                confirm(found.get(), member);
                members.restated(found.get(), transaction, at, context.currentSystemTimeMs());
            }
        }
    }

    /** Somebody took a row away, or its time ran out. */
    private void revoked(Row row, String transaction, long at) {
        Optional<String> found = members.memberKey(row);
        if (found.isEmpty()) {
            return;
        }
        Member member = members.find(found.get());
        member.group = row.group();
        member.identity = row.identity();
        if (!members.isGranted(found.get(), member, at)) {
            want(found.get(), member, Presence.ABSENT, transaction, at);
        }
    }

    private void want(String memberKey, Member member, Presence intent, String transaction, long at) {
        boolean isTakenBack = !member.waiting.isEmpty()
                && member.flight.isEmpty()
                && member.state() == Presence.UNKNOWN
                && member.doubtAt == 0
                && member.intent != intent;
        long now = context.currentSystemTimeMs();
        boolean isBack = intent == Presence.PRESENT
                && member.intent == Presence.ABSENT
                && (!member.held.isEmpty() || members.company(member) > settings.budgetMin());
        if (isBack) {
            plans.cameBack(Members.providerOf(memberKey), now);
        }
        if (member.intent == Presence.UNKNOWN) {
            member.ownedSince = at;
        }
        member.intent = intent;
        member.changedAt = at;
        member.saidAt = at;
        member.isUndoing = false;
        member.decidedAt = now;
        member.failures = 0;
        member.contradictedAt = 0;
        member.held = "";
        if (!transaction.equals(SNAPSHOT)) {
            member.mustHold = "";
        }
        if (isTakenBack) {
            // Nothing had been done yet, so there is nothing to do; what was decided last stands all the same.
            members.leave(memberKey, member);
            members.save(memberKey, member);
        } else {
            act(memberKey, member, transaction);
        }
        if (member.flight.isEmpty() && member.waiting.isEmpty()) {
            members.restated(memberKey, transaction, at, now);
        }
    }

    /** Sees to it that a member becomes what was decided: now, or when the call that is under way has ended. */
    private void act(String memberKey, Member member, String transaction) {
        if (member.flight.isEmpty()) {
            if (member.intent == Presence.UNKNOWN || member.state() == member.intent) {
                members.leave(memberKey, member);
                confirm(memberKey, member);
            } else {
                members.await(memberKey, member, transaction, member.changedAt, context.currentSystemTimeMs());
            }
        }
        members.save(memberKey, member);
    }

    /** The rows of a member whom a person wants, and who is there without a call of ours, are told so. */
    private void confirm(String memberKey, Member member) {
        if (member.intent == Presence.PRESENT && member.isIdle() && member.state() == Presence.PRESENT) {
            plans.already(memberKey, member, context.currentSystemTimeMs());
        }
    }

    private void truncated(MembershipsTruncated event, long at) {
        for (String provider : WritebackSettings.PROVIDERS) {
            members.suspect(
                    provider, event.getTransaction(), "the table was truncated", at, context.currentSystemTimeMs());
        }
        stores.notes().put(TRUNCATED, event.getPosition() + " " + at);
        for (KeyValue<String, Row> entry : Stores.list(stores.rows().all())) {
            Row row = entry.value;
            if (!row.isNewerThan(event.getPosition(), at)) {
                unindex(entry.key, row);
                stores.rows().delete(entry.key);
            }
        }
        // In a second turn, when no row grants anything any more.
        for (KeyValue<String, Member> entry : Stores.list(stores.members().all())) {
            Member member = entry.value;
            boolean wasThere = member.intent == Presence.PRESENT || member.counts();
            if (wasThere && member.group != 0 && !members.isGranted(entry.key, member, at)) {
                want(entry.key, member, Presence.ABSENT, event.getTransaction(), at);
            }
        }
    }

    private void seen(MemberSeen seen, long at) {
        String memberKey;
        if (seen.getGroup() == null || seen.getIdentity() == null) {
            memberKey = stores.links().get(seen.getKey());
            if (memberKey == null) {
                return;
            }
            Member known = members.find(memberKey);
            if (known.intent == Presence.UNKNOWN && known.state() == Presence.PRESENT) {
                // What every sync says of almost everybody: nobody decided on them, and nothing is new.
                return;
            }
        } else {
            ResourceKey group = ResourceKey.parse(seen.getGroup());
            ResourceKey identity = ResourceKey.parse(seen.getIdentity());
            memberKey = key(group.provider(), group.id(), identity.id());
            if (!memberKey.equals(stores.links().get(seen.getKey()))) {
                stores.links().put(seen.getKey(), memberKey);
            }
        }
        observe(memberKey, members.find(memberKey), seen.getPresent() ? Presence.PRESENT : Presence.ABSENT, at);
    }

    private void observe(String memberKey, Member member, Presence presence, long at) {
        if (at < member.observedAt) {
            return;
        }
        boolean isOld = at <= Math.max(member.appliedAt, member.doubtAt) + State.MARGIN.toMillis();
        boolean wasThere = member.state() == Presence.PRESENT;
        member.observed = presence;
        member.observedAt = at;
        if (!isOld) {
            member.doubtAt = 0;
        }
        boolean isConflict =
                !isOld && member.isIdle() && member.intent != Presence.UNKNOWN && member.intent != presence;
        if (!isConflict) {
            member.contradictedAt = 0;
            // An echo, news of a member that nobody decided on, or of one that is being changed anyway.
            if (member.flight.isEmpty() && !member.waiting.isEmpty() && member.state() == member.intent) {
                members.leave(memberKey, member);
            }
            members.save(memberKey, member);
            if (!wasThere) {
                confirm(memberKey, member);
            }
            return;
        }
        tally.conflict(Members.providerOf(memberKey), settings.conflict());
        member.changedAt = at;
        if (settings.conflict() == Conflict.ACCEPT) {
            member.intent = Presence.UNKNOWN;
            members.save(memberKey, member);
            return;
        }
        if (settings.conflict() == Conflict.HOLD) {
            member.mustHold = "the provider says otherwise";
        }
        // What a person changed before that sync may still be on its way here: change capture can be the slower of the
        // two.
        if (member.contradictedAt == 0) {
            member.contradictedAt = context.currentSystemTimeMs();
        }
        stores.retries().put(key(Stores.time(reactsAt(member)), memberKey), "");
        members.save(memberKey, member);
    }

    /** When something is done about what was changed at the provider. */
    private long reactsAt(Member member) {
        return member.contradictedAt + settings.conflictDelay().toMillis();
    }

    /** Once every partition has said all that it had of a run, who was not seen is not there. */
    private void read(ScopeRead read, long at) {
        String kind = read.getSource().startsWith("raw/") ? "raw " + read.getAttempt() : "inventory";
        String which = key(read.getScope(), Stores.time(at));
        if (stores.reads().get(key(which, "over")) != null) {
            return;
        }
        stores.reads().put(key(which, kind, read.getSource()), Integer.toString(read.getSources()));
        boolean isRaw = false;
        boolean isInventory = false;
        Map<String, Integer> heard = new HashMap<>();
        for (KeyValue<String, String> source : Stores.below(stores.reads(), which)) {
            String of = Stores.parts(source.key)[2];
            boolean isWhole = heard.merge(of, 1, Integer::sum) == Integer.parseInt(source.value);
            isRaw |= isWhole && of.startsWith("raw ");
            isInventory |= isWhole && of.equals("inventory");
        }
        if (!isRaw || !isInventory) {
            return;
        }
        for (KeyValue<String, String> source : Stores.below(stores.reads(), read.getScope())) {
            if (source.key.compareTo(which + Stores.NUL + Character.MAX_VALUE) <= 0) {
                stores.reads().delete(source.key);
            }
        }
        stores.reads().put(key(which, "over"), "");
        ScopeKey scope = ScopeKey.parse(read.getScope());
        for (KeyValue<String, String> entry : Stores.below(stores.wanted(), scope.provider())) {
            Member member = stores.members().get(entry.key);
            // What was heard of a member before it was decided on may have been forgotten: the next run will tell.
            boolean isKnown = member.decidedAt + State.MARGIN.toMillis() < at;
            if (isKnown && member.observedAt < at && isOf(scope, member)) {
                observe(entry.key, member, Presence.ABSENT, at);
            }
        }
    }

    /** Whether the scope would have had the membership: its group and its user are read by the same sync. */
    private boolean isOf(ScopeKey scope, Member member) {
        Group group = stores.groups().get(Integer.toString(member.group));
        Identity identity = stores.identities().get(Integer.toString(member.identity));
        return group != null && identity != null && isOf(scope, group.sourceKey()) && isOf(scope, identity.sourceKey());
    }

    private static boolean isOf(ScopeKey scope, String sourceKey) {
        if (sourceKey == null) {
            return false;
        }
        ResourceKey key = ResourceKey.parse(sourceKey);
        return key.provider().equals(scope.provider()) && key.account().equals(scope.account());
    }

    private void done(CallDone done, long at) {
        if (done.getOperation().equals("profile")) {
            plans.profileDone(done);
            return;
        }
        String memberKey = key(done.getProvider(), done.getGroupId(), done.getMemberId());
        Member member = members.find(memberKey);
        boolean isUnderWay = member.flight.equals(done.getPlanId());
        if (isUnderWay || !done.getOutcome().equals(Outcome.STALE)) {
            plans.outcome(done.getPlanId(), memberKey, done.getOutcome());
        }
        if (!isUnderWay) {
            return;
        }
        Presence wanted = Presence.after(done.getOperation());
        member.flight = "";
        switch (done.getOutcome()) {
            case Outcome.APPLIED -> applied(member, wanted, at);
            case Outcome.GONE -> {
                // No such user or group: whoever is not there is no member. Asking again changes nothing.
                applied(member, Presence.ABSENT, at);
                if (member.intent == wanted) {
                    member.intent = Presence.UNKNOWN;
                }
            }
            case Outcome.REFUSED -> {
                if (member.intent == wanted) {
                    member.intent = Presence.UNKNOWN;
                }
            }
            default -> {
                member.doubtAt = at;
                member.failures++;
                long pause =
                        Math.min(LAST_RETRY.toMillis(), FIRST_RETRY.toMillis() << Math.min(20, member.failures - 1));
                stores.retries().put(key(Stores.time(context.currentSystemTimeMs() + pause), memberKey), "");
                members.save(memberKey, member);
                return;
            }
        }
        if (member.intent != Presence.UNKNOWN && member.intent != member.state()) {
            members.await(
                    memberKey, member, "after-" + done.getPlanId(), member.changedAt, context.currentSystemTimeMs());
        } else if (member.hasNewRow) {
            confirm(memberKey, member);
        }
        member.hasNewRow = false;
        members.save(memberKey, member);
    }

    private static void applied(Member member, Presence presence, long at) {
        member.applied = presence;
        // The clock of whoever read may be ahead; what was heard before the answer to this call, it was made after.
        member.appliedAt = Math.max(at, Math.max(member.appliedAt, member.observedAt));
        member.doubtAt = 0;
        member.failures = 0;
        member.isBaseline = false;
    }

    private void tick(long now) {
        if (now - heardAt < MOMENT.toMillis() && now - heardOf > BEHIND.toMillis()) {
            // After a stop: what is due by the clock may have been taken back by what is still to be heard.
            return;
        }
        for (KeyValue<String, String> entry : Stores.due(stores.expiries(), now)) {
            stores.expiries().delete(entry.key);
            expired(Stores.parts(entry.key)[1], now);
        }
        for (KeyValue<String, String> entry : Stores.due(stores.retries(), now)) {
            stores.retries().delete(entry.key);
            String memberKey = Stores.rest(entry.key, Stores.parts(entry.key)[0]);
            Member member = members.find(memberKey);
            boolean isEarly = member.contradictedAt > 0 && reactsAt(member) > now;
            if (member.isIdle() && !isEarly) {
                member.contradictedAt = 0;
                act(memberKey, member, "retry-" + Stores.parts(entry.key)[0]);
            }
        }
        plans.tick(now);
        if (now >= nextTidying) {
            nextTidying = now + Duration.ofMinutes(1).toMillis();
            plans.tidy(now, FORGET);
            plans.announce(now);
        }
    }

    private void expired(String id, long now) {
        Row row = stores.rows().get(id);
        if (row != null && !row.isLive() && row.isOpen()) {
            forget(id, row);
            return;
        }
        if (row == null || !row.isLive() || row.expiresAt() == null || row.expiresAt() > now) {
            return;
        }
        stores.rows().put(id, row.dead());
        unindex(id, row);
        revoked(row, "expiry-" + now, row.expiresAt());
    }
}
