package io.elder.writeback;

import static io.elder.writeback.Stores.key;

import io.elder.schemas.ResourceKey;
import io.elder.writeback.State.Group;
import io.elder.writeback.State.Identity;
import io.elder.writeback.State.Member;
import io.elder.writeback.State.Presence;
import io.elder.writeback.State.Row;
import io.elder.writeback.State.Transaction;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.streams.KeyValue;

/** The memberships: what keeps the indexes beside them true, and what a change of one leads to. */
final class Members {
    private static final String GROUP = "group";
    private static final String IDENTITY = "identity";
    private static final String INDEXED = "indexed";

    private final Stores stores;
    private boolean isIndexed;

    Members(Stores stores) {
        this.stores = stores;
    }

    Member find(String memberKey) {
        Member member = stores.members().get(memberKey);
        return member == null ? new Member() : member;
    }

    void save(String memberKey, Member member) {
        Member old = stores.members().get(memberKey);
        long was = old != null && old.counts() ? 1 : 0;
        long is = member.counts() ? 1 : 0;
        if (was != is) {
            String group = groupOf(memberKey);
            stores.sizes().put(group, Math.max(0, size(group) + is - was));
        }
        boolean isWanted = member.intent == Presence.PRESENT;
        if (isWanted != (old != null && old.intent == Presence.PRESENT)) {
            stores.wanted().put(memberKey, isWanted ? "" : null);
        }
        stores.members().put(memberKey, member);
    }

    /** How many members a group is believed to have. */
    long size(String groupKey) {
        Long size = stores.sizes().get(groupKey);
        return size == null ? 0 : size;
    }

    static String groupOf(String memberKey) {
        return memberKey.substring(0, memberKey.lastIndexOf(Stores.NUL));
    }

    static String providerOf(String memberKey) {
        return memberKey.substring(0, memberKey.indexOf(Stores.NUL));
    }

    static String memberOf(String memberKey) {
        return memberKey.substring(memberKey.lastIndexOf(Stores.NUL) + 1);
    }

    static String groupIdOf(String groupKey) {
        return groupKey.substring(groupKey.indexOf(Stores.NUL) + 1);
    }

    /** What a row's group and identity are called at the provider; empty if that is not known, or none of write-back's business. */
    Optional<String> memberKey(Row row) {
        Group group = stores.groups().get(Integer.toString(row.group()));
        Identity identity = stores.identities().get(Integer.toString(row.identity()));
        if (group == null || identity == null || !group.isSynced()) {
            return Optional.empty();
        }
        return memberId(identity, group.provider()).map(member -> key(group.provider(), group.id(), member));
    }

    static Optional<String> memberId(Identity identity, String provider) {
        if (identity.sourceKey() != null) {
            ResourceKey key = ResourceKey.parse(identity.sourceKey().replaceFirst("#.*", ""));
            return key.provider().equals(provider) ? Optional.of(key.id()) : Optional.empty();
        }
        String given = identity.authProviderId();
        if (given == null || given.isBlank()) {
            return Optional.empty();
        }
        // As the sink writes it: provider, perhaps account, id.
        if (given.startsWith(provider + ":")) {
            return Optional.of(given.substring(given.lastIndexOf(':') + 1));
        }
        return given.indexOf(':') < 0 ? Optional.of(given) : Optional.empty();
    }

    /** Keeps a group of Elder's where those are found that stand for the same at the provider. */
    void save(String id, Group group) {
        Group old = stores.groups().get(id);
        if (old != null && !old.id().isEmpty()) {
            stores.namesakes().delete(key(GROUP, old.provider(), old.id(), id));
        }
        stores.groups().put(id, group);
        index(id, group);
    }

    /** The same for an identity. */
    void save(String id, Identity identity) {
        Identity old = stores.identities().get(id);
        if (old != null) {
            names(id, old).forEach(stores.namesakes()::delete);
        }
        stores.identities().put(id, identity);
        index(id, identity);
    }

    /** Once, for what was kept before there was this index. */
    void index() {
        if (!isIndexed && stores.notes().get(INDEXED) == null) {
            Stores.list(stores.groups().all()).forEach(entry -> index(entry.key, entry.value));
            Stores.list(stores.identities().all()).forEach(entry -> index(entry.key, entry.value));
            stores.notes().put(INDEXED, "yes");
        }
        isIndexed = true;
    }

    private void index(String id, Group group) {
        if (!group.id().isEmpty()) {
            stores.namesakes().put(key(GROUP, group.provider(), group.id(), id), "");
        }
    }

    private void index(String id, Identity identity) {
        names(id, identity).forEach(name -> stores.namesakes().put(name, ""));
    }

    private static List<String> names(String id, Identity identity) {
        return WritebackSettings.PROVIDERS.stream()
                .flatMap(provider ->
                        memberId(identity, provider).map(name -> key(IDENTITY, provider, name, id)).stream())
                .toList();
    }

    /** Ids of the rows that grant a membership now, by whatever groups and identities of Elder's stand for it. */
    List<Integer> rows(String memberKey, Member member) {
        Set<Integer> rows = new LinkedHashSet<>(rows(member.group, member.identity));
        String[] parts = Stores.parts(memberKey);
        for (int group : namesakes(GROUP, parts[0], parts[1])) {
            for (int identity : namesakes(IDENTITY, parts[0], parts[2])) {
                rows.addAll(rows(group, identity));
            }
        }
        return List.copyOf(rows);
    }

    private List<Integer> namesakes(String what, String provider, String name) {
        return last(Stores.below(stores.namesakes(), key(what, provider, name)));
    }

    private List<Integer> rows(int group, int identity) {
        return last(Stores.below(stores.rowsOfPair(), key(group, identity)));
    }

    /** The last parts of keys, which are ids. */
    private static List<Integer> last(List<KeyValue<String, String>> entries) {
        return entries.stream()
                .map(entry -> Integer.valueOf(entry.key.substring(entry.key.lastIndexOf(Stores.NUL) + 1)))
                .toList();
    }

    /**
     * Whether a row grants it still after a decision against it. What syncs put there after that, or since people decide on
     * this member, is an import and no word: an echo of theirs, or against what they want.
     */
    boolean isGranted(String memberKey, Member member, long decidedAt) {
        long until = member.intent == Presence.UNKNOWN ? decidedAt : Math.min(decidedAt, member.ownedSince);
        return rows(memberKey, member).stream()
                .map(id -> stores.rows().get(Integer.toString(id)))
                .anyMatch(row -> row != null && row.isLive() && (!row.isImport() || row.grantedAt() <= until));
    }

    /** Puts a change where it waits for its transaction to be judged. */
    void await(String memberKey, Member member, String transaction, long madeAt, long now) {
        String of = key(providerOf(memberKey), transaction);
        if (!of.equals(member.waiting)) {
            leave(memberKey, member);
            member.waiting = of;
            stores.waiting().put(key(of, memberKey), "");
            stores.transactions().put(of, transaction(of, madeAt, now).and(false, now));
        }
    }

    /** A transaction said what was so already, or took back what was not done yet. */
    void restated(String memberKey, String transaction, long madeAt, long now) {
        String of = key(providerOf(memberKey), transaction);
        stores.transactions().put(of, transaction(of, madeAt, now).and(true, now));
    }

    /** All that the transaction says, wherever, is held. */
    void suspect(String provider, String transaction, String why, long madeAt, long now) {
        String of = key(provider, transaction);
        stores.transactions().put(of, transaction(of, madeAt, now).suspected(why, now));
    }

    private Transaction transaction(String of, long madeAt, long now) {
        Transaction known = stores.transactions().get(of);
        return known == null ? Transaction.first(madeAt, now) : known;
    }

    /** How many changes came with the one that waits here; none if it does not wait. */
    int company(Member member) {
        Transaction transaction =
                member.waiting.isEmpty() ? null : stores.transactions().get(member.waiting);
        return transaction == null ? 0 : transaction.changes();
    }

    /** Nobody has decided on it any more. */
    void forget(String memberKey, Member member) {
        leave(memberKey, member);
        member.intent = Presence.UNKNOWN;
        member.held = "";
        member.mustHold = "";
        member.contradictedAt = 0;
        member.isUndoing = false;
        save(memberKey, member);
    }

    /** Its change need not be made any more, or is being made. */
    void leave(String memberKey, Member member) {
        if (!member.waiting.isEmpty()) {
            stores.waiting().delete(key(member.waiting, memberKey));
            member.waiting = "";
        }
    }
}
