package io.elder.writeback;

import java.time.Duration;

/** What the planner remembers. */
final class State {
    /** A run that began less than this after a call may have read what was before it. */
    static final Duration MARGIN = Duration.ofSeconds(2);

    private State() {}

    /** A member is there, is not, or nobody knows. */
    enum Presence {
        UNKNOWN,
        PRESENT,
        ABSENT;

        Presence inverse() {
            return this == PRESENT ? ABSENT : PRESENT;
        }

        String operation() {
            return this == PRESENT ? "add" : "remove";
        }

        static Presence after(String operation) {
            return operation.equals("add") ? PRESENT : ABSENT;
        }
    }

    /** A row of {@code identity_groups}. */
    record Group(String provider, String id, String name, boolean isSynced, String sourceKey) {
        /** State as JSON leaves out what is empty. */
        Group {
            provider = provider == null ? "" : provider;
            id = id == null ? "" : id;
        }

        boolean isSameAs(Group other) {
            return provider.equals(other.provider) && id.equals(other.id);
        }
    }

    /** A row of {@code identities}. It is kept when the row goes: its memberships may be told of later. */
    record Identity(String authProviderId, String sourceKey, String villageId) {}

    /**
     * A row of {@code identity_group_memberships}.
     *
     * @param isLive grants the membership; false once it has expired
     * @param isOpen what it means could not be said yet: its group or identity is unknown, or not synced
     * @param origin who put it there, whoever wrote it last
     * @param at when it was written
     * @param grantedAt when it was put there
     * @param since where in the database's log the word is that is open still; 0 if it is where the row is
     */
    record Row(
            int group,
            int identity,
            boolean isLive,
            Long expiresAt,
            long position,
            boolean isOpen,
            String origin,
            long at,
            long grantedAt,
            long since) {
        /** What a sync brought. */
        static final String SINK = "sink";

        boolean isImport() {
            return SINK.equals(origin);
        }

        Row settled() {
            return with(isLive, false);
        }

        Row dead() {
            return with(false, false);
        }

        Row open() {
            return with(isLive, true);
        }

        private Row with(boolean live, boolean open) {
            return new Row(group, identity, live, expiresAt, position, open, origin, at, grantedAt, since);
        }

        /** A new version of a row that grants the same still: it stays whose it was, and an open word was said when it was. */
        Row following(Row old) {
            long said = old.isOpen ? old.said() : 0;
            return new Row(
                    group, identity, isLive, expiresAt, position, old.isOpen, old.origin, at, old.grantedAt, said);
        }

        private long said() {
            return since > 0 ? since : position;
        }

        /** Whether what it means was said before this place in the log. */
        boolean isOlderThan(long place) {
            return said() < place;
        }

        /** Positions begin anew in a database that was restored elsewhere; time does not. */
        boolean isNewerThan(long otherPosition, long otherAt) {
            return otherPosition > 0 && otherPosition < position && otherAt <= at;
        }
    }

    /**
     * Changes of one transaction that wait to be judged.
     *
     * @param since when the first was made
     * @param first when the first was heard of
     * @param last when the last was heard of
     * @param restated how many of them say what was so already
     * @param suspicion why it is held whatever it holds; empty if nothing is wrong with it
     */
    record Transaction(long since, long first, long last, int changes, int restated, String suspicion) {
        /** State as JSON leaves out what is empty. */
        Transaction {
            suspicion = suspicion == null ? "" : suspicion;
        }

        static Transaction first(long madeAt, long now) {
            return new Transaction(madeAt, now, now, 0, 0, "");
        }

        Transaction and(boolean isRestated, long now) {
            return new Transaction(since, first, now, changes + 1, restated + (isRestated ? 1 : 0), suspicion);
        }

        Transaction suspected(String why, long now) {
            return new Transaction(since, first, now, changes, restated, why);
        }
    }

    /**
     * A plan that awaits a person, or was carried out.
     *
     * @param state held, released, rejected, expired, applied or undone
     */
    record Plan(
            String provider,
            String state,
            String reason,
            long at,
            long expiresAt,
            int changes,
            int removals,
            long budget,
            int parts,
            String by) {
        /** State as JSON leaves out what is empty. */
        Plan {
            reason = reason == null ? "" : reason;
        }

        Plan became(String other, String who) {
            return new Plan(provider, other, reason, at, expiresAt, changes, removals, budget, parts, who);
        }
    }

    /** One change of a plan and what came of it; no outcome while it is under way. */
    record Item(String operation, String outcome) {
        /** State as JSON leaves out what is empty. */
        Item {
            outcome = outcome == null ? "" : outcome;
        }
    }

    /** Intent, applied and observed of one membership. */
    static final class Member {
        /** What a person in Elder decided; unknown if nobody did. */
        Presence intent = Presence.UNKNOWN;

        Presence applied = Presence.UNKNOWN;
        long appliedAt;
        Presence observed = Presence.UNKNOWN;
        long observedAt;
        /** A call may or may not have worked. */
        long doubtAt;
        /** Elder had a row when write-back first looked: good for counting, no proof. */
        boolean isBaseline;

        /** The transaction whose change waits to be judged. */
        String waiting = "";
        /** The plan that is being carried out. */
        String flight = "";
        /** The plan that awaits a person. */
        String held = "";

        /** A row was put there while a call was under way, whose result names the rows that were there before. */
        boolean hasNewRow;

        String mustHold = "";
        long changedAt;

        /** When the intent was said, by the clock of the database. */
        long saidAt;

        /** The intent undoes a plan: what Elder's rows grant is no reason against it. */
        boolean isUndoing;

        /** When it was heard of that the provider says otherwise; 0 if it does not, or that was seen to. */
        long contradictedAt;

        /** Since when people have decided on it, one after the other: what syncs put there since is an import, no word. */
        long ownedSince;

        /** When the planner heard of the intent: what it heard before that of a run, it may have forgotten. */
        long decidedAt;

        int failures;
        int group;
        int identity;

        /** How it is at the provider, by the newest evidence. */
        Presence state() {
            if (doubtAt > 0) {
                return Presence.UNKNOWN;
            }
            return observedAt > appliedAt + MARGIN.toMillis() ? observed : applied;
        }

        boolean counts() {
            Presence state = state();
            return state == Presence.PRESENT
                    || (state == Presence.UNKNOWN && (isBaseline || observed == Presence.PRESENT));
        }

        boolean isIdle() {
            return waiting.isEmpty() && flight.isEmpty() && held.isEmpty();
        }
    }
}
