package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.awaitility.core.ConditionTimeoutException;

/**
 * People who change memberships in Elder, and others who change them at the provider, both at random; and an oracle, which
 * knows who has to be where in the end and how many calls that takes.
 */
final class MembershipChurn {
    /** Who decides on a membership. */
    private enum Kind {
        /** Elder alone, one thing after the other: each change is one call. */
        ELDER,
        /** The provider alone: no call, ever. */
        PROVIDER,
        /** Elder, and then somebody changes it at the provider: which is one call to change it back. */
        CONTESTED,
        /** Elder, without waiting for what came of the last change: at most a call each. */
        RESTLESS
    }

    private static final Duration PATIENCE = Duration.ofMinutes(3);

    /** A run that began sooner after a call may have read what was before it; so may one that is told of twice. */
    private static final Duration REST = Duration.ofSeconds(4);

    private final String provider;
    private final WatchedProvider watched;
    private final Connection database;
    private final Random random;
    private final List<Pair> pairs = new ArrayList<>();
    private final Map<String, Integer> done = new TreeMap<>();

    private static final class Pair {
        private final String name;
        private final Kind kind;
        private final int group;
        private final int identity;
        private boolean isIn;
        /** A person has decided on it. */
        private boolean isDecided;

        private Instant expiry;
        private Instant changedAt = Instant.EPOCH;
        private int calls;
        /** Of these, those for what may have expired before it was heard of: then there are none. */
        private int fleeting;

        private int decisions;
        private final List<String> story = new ArrayList<>();

        Pair(String name, Kind kind, int group, int identity, boolean isIn) {
            this.name = name;
            this.kind = kind;
            this.group = group;
            this.identity = identity;
            this.isIn = isIn;
        }
    }

    /** All pairs of the groups and users that the database has of a provider by now; their groups are switched on. */
    MembershipChurn(String provider, WatchedProvider watched, Connection database, long seed) throws SQLException {
        this.provider = provider;
        this.watched = watched;
        this.database = database;
        this.random = new Random(seed);
        Map<String, Integer> groups = ids("select provider_group_id, id from identity_groups where deleted_at is null"
                + " and provider_group_id is not null and provider = '" + provider + "'");
        Map<String, Integer> users = ids("select auth_provider_id, id from identities where deleted_at is null"
                + " and source_key like '" + provider + "/%' and username not like '%ak-outpost%'");
        Kind[] kinds = {Kind.ELDER, Kind.ELDER, Kind.ELDER, Kind.PROVIDER, Kind.CONTESTED, Kind.RESTLESS};
        groups.forEach((group, groupId) -> users.forEach((user, userId) -> {
            String name = group + "/" + user;
            pairs.add(new Pair(name, kinds[random.nextInt(kinds.length)], groupId, userId, watched.has(name)));
        }));
        execute("update identity_groups set sync_enabled = true where provider = '" + provider + "'");
    }

    private Map<String, Integer> ids(String query) throws SQLException {
        Map<String, Integer> ids = new HashMap<>();
        try (Statement statement = database.createStatement();
                ResultSet row = statement.executeQuery(query)) {
            while (row.next()) {
                String name = row.getString(1);
                ids.put(name.substring(name.lastIndexOf(':') + 1), row.getInt(2));
            }
        }
        return ids;
    }

    /** One more change, by somebody somewhere. */
    void step() throws Exception {
        for (int tries = 0; tries < 1000; tries++) {
            if (change(pairs.get(random.nextInt(pairs.size())))) {
                return;
            }
        }
        throw new IllegalStateException("all " + pairs.size() + " memberships are busy (expected: some at rest)");
    }

    private boolean change(Pair pair) throws Exception {
        Instant now = Instant.now();
        if (pair.expiry != null && !pair.expiry.isAfter(now)) {
            pair.isIn = false;
            pair.expiry = null;
            pair.changedAt = now;
        }
        switch (pair.kind) {
            case PROVIDER -> {
                pair.isIn = !pair.isIn;
                watched.edit(pair.name, pair.isIn);
                count(pair, "provider edit");
                return true;
            }
            case RESTLESS -> {
                return decide(pair, now);
            }
            default -> {
                boolean isAtRest = pair.expiry == null
                        && watched.has(pair.name) == pair.isIn
                        && now.isAfter(pair.changedAt.plus(REST));
                if (!isAtRest) {
                    return false;
                }
                if (pair.kind == Kind.CONTESTED && pair.isDecided && random.nextBoolean()) {
                    watched.edit(pair.name, !pair.isIn);
                    pair.changedAt = now;
                    pair.calls++;
                    count(pair, "contested edit");
                    return true;
                }
                return decide(pair, now);
            }
        }
    }

    private boolean decide(Pair pair, Instant now) throws SQLException {
        boolean mayExpire = pair.kind != Kind.RESTLESS && random.nextInt(4) == 0;
        if (!pair.isIn) {
            return add(pair, mayExpire ? now.plusMillis(3000 + random.nextInt(3000)) : null, now);
        }
        if (!delete(pair)) {
            return false;
        }
        count(pair, "remove");
        decided(pair, false, now);
        return true;
    }

    private boolean add(Pair pair, Instant expiry, Instant now) throws SQLException {
        if (!insert(pair, expiry)) {
            return false;
        }
        pair.expiry = expiry;
        if (expiry != null) {
            pair.calls++;
            pair.fleeting += 2;
        }
        count(pair, expiry == null ? "add" : "add that expires");
        decided(pair, true, now);
        return true;
    }

    private static void decided(Pair pair, boolean isIn, Instant now) {
        pair.isIn = isIn;
        pair.isDecided = true;
        pair.changedAt = now;
        pair.calls++;
        pair.decisions++;
    }

    private void count(Pair pair, String what) {
        done.merge(what, 1, Integer::sum);
        pair.story.add(Instant.now() + " " + what);
    }

    String provider() {
        return provider;
    }

    /** Adds a member to whom nothing was done yet; {@code group/member}. */
    String addUntouched() throws SQLException {
        for (Pair pair : pairs) {
            if (pair.kind != Kind.PROVIDER && !pair.isIn && !pair.isDecided && add(pair, null, Instant.now())) {
                return pair.name;
            }
        }
        throw new IllegalStateException("all of " + pairs.size() + " memberships have been touched");
    }

    private boolean delete(Pair pair) throws SQLException {
        try (PreparedStatement delete = database.prepareStatement(
                "delete from identity_group_memberships where group_id = ? and identity_id = ?"
                        + " and deleted_at is null")) {
            delete.setInt(1, pair.group);
            delete.setInt(2, pair.identity);
            return delete.executeUpdate() > 0;
        }
    }

    private boolean insert(Pair pair, Instant expiry) throws SQLException {
        try (PreparedStatement insert = database.prepareStatement(
                "insert into identity_group_memberships (group_id, identity_id, expires_at) values (?, ?, ?)")) {
            insert.setInt(1, pair.group);
            insert.setInt(2, pair.identity);
            insert.setString(3, expiry == null ? null : expiry.toString());
            return insert.executeUpdate() == 1;
        }
    }

    /** Once everything has settled: the provider, Elder's rows and the oracle agree, and no call was in vain. */
    void assertSettled(boolean isWithoutTrouble) throws SQLException {
        Set<String> expected = new TreeSet<>();
        Set<String> restless = new TreeSet<>();
        for (Pair pair : pairs) {
            if (pair.isIn && pair.expiry == null) {
                expected.add(pair.name);
            }
            if (pair.kind == Kind.RESTLESS) {
                restless.add(pair.name);
            }
        }
        try {
            await().atMost(PATIENCE).untilAsserted(() -> assertSame(watched.members(), expected, provider));
            await().atMost(PATIENCE).untilAsserted(() -> assertSame(rows(), expected, "Elder's rows"));
        } catch (ConditionTimeoutException e) {
            throw new AssertionError(e.getMessage() + stories(expected), e);
        }
        int missed = 0;
        for (Pair pair : pairs) {
            if (!restless.contains(pair.name)) {
                int effective = watched.effective(pair.name);
                missed += pair.calls - effective;
                assertThat(effective)
                        .as("%s, %s: calls that changed it, of %s", pair.name, pair.kind, story(pair))
                        .isBetween(pair.calls - pair.fleeting, pair.calls)
                        .matches(found -> (pair.calls - found) % 2 == 0, "an add without its removal");
            } else {
                assertThat(watched.effective(pair.name)).as(pair.name).isLessThanOrEqualTo(pair.decisions);
            }
        }
        assertThat(watched.wrong()).as("calls that the vendor does not know").isEmpty();
        if (isWithoutTrouble) {
            // What had expired before it was heard of is taken away, wherever it is.
            assertThat(watched.idle())
                    .as("calls that changed nothing, but for memberships that had expired")
                    .hasSizeLessThanOrEqualTo(missed / 2);
            assertThat(watched.writes())
                    .isEqualTo(watched.effective() + watched.idle().size());
        }
        System.out.printf(
                "MEASURED write-back, %s: %s; %d calls of Elder's, of which %d changed something; %d not needed, as it had"
                        + " expired before; %d members%n",
                provider, done, watched.writes(), watched.effective(), missed, expected.size());
    }

    private List<String> story(Pair pair) {
        List<String> story = new ArrayList<>(pair.story);
        story.addAll(watched.story(pair.name));
        Collections.sort(story);
        return story;
    }

    /** All that happened to the memberships that are not as they should be. */
    private String stories(Set<String> expected) throws SQLException {
        StringBuilder stories = new StringBuilder();
        append(
                stories,
                "\nsync ",
                "select p.scope || ' of ' || coalesce(r.started_at::text, 'unknown') || ': ' || coalesce(p.outcome, 'open')"
                        + " || coalesce(', ' || p.reason, '') from pipeline.scope_progress p"
                        + " join pipeline.runs r using (run_id) where p.scope like '" + provider
                        + "/%member%' order by r.started_at desc limit 10");
        for (Pair pair : pairs) {
            boolean isIn = expected.contains(pair.name);
            if (isIn == watched.has(pair.name) && isIn == rows().contains(pair.name)) {
                continue;
            }
            stories.append("\n")
                    .append(pair.name)
                    .append(", ")
                    .append(pair.kind)
                    .append(":\n  ")
                    .append(String.join("\n  ", story(pair)));
            append(
                    stories,
                    "\n  row ",
                    "select to_jsonb(m)::text from identity_group_memberships m where group_id = " + pair.group
                            + " and identity_id = " + pair.identity);
        }
        return stories.toString();
    }

    private void append(StringBuilder stories, String what, String query) throws SQLException {
        try (Statement statement = database.createStatement();
                ResultSet row = statement.executeQuery(query)) {
            while (row.next()) {
                stories.append(what).append(row.getString(1));
            }
        }
    }

    private static void assertSame(Set<String> found, Set<String> expected, String where) {
        Set<String> missing = new TreeSet<>(expected);
        missing.removeAll(found);
        Set<String> extra = new TreeSet<>(found);
        extra.removeAll(expected);
        assertThat(missing).as("%s: missing", where).isEmpty();
        assertThat(extra).as("%s: there without a reason", where).isEmpty();
    }

    /** Memberships that Elder has now. */
    private Set<String> rows() throws SQLException {
        Set<String> rows = new TreeSet<>();
        try (Statement statement = database.createStatement();
                ResultSet row = statement.executeQuery("select g.provider_group_id, i.auth_provider_id"
                        + " from identity_group_memberships m join identity_groups g on g.id = m.group_id"
                        + " join identities i on i.id = m.identity_id where g.provider = '" + provider + "'"
                        + " and m.deleted_at is null"
                        + " and (m.expires_at is null or m.expires_at::timestamptz > now())")) {
            while (row.next()) {
                String user = row.getString(2);
                rows.add(row.getString(1) + "/" + user.substring(user.lastIndexOf(':') + 1));
            }
        }
        return rows;
    }

    private void execute(String sql) throws SQLException {
        try (Statement statement = database.createStatement()) {
            statement.execute(sql);
        }
    }
}
