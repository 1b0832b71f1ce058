package io.elder.bench;

import io.elder.estate.Directory;
import io.elder.estate.SimulatedOkta;
import io.elder.estate.Site;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Semaphore;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Memberships of an Okta org, which people change in Elder's table and at Okta while it is read again and again. Who decides
 * is known: of what was ever decided in Elder, Elder; of everything else, Okta.
 */
final class FaultMembers implements AutoCloseable {
    private static final int GROUPS = 12;
    private static final int USERS = 80;
    private static final int MEMBERS = 24;
    private static final int CHANGES_IN_A_ROUND = 16;
    private static final long POLL_MILLIS = 100;
    private static final Duration WHILE = Duration.ofSeconds(4);
    private static final Duration SETTLE = Duration.ofMinutes(6);

    /** A change of one membership, and how many calls of ours may have changed something when all is over. */
    private enum Kind {
        ADDED_IN_ELDER(false, 1, 1),
        ADDED_IN_ELDER_FOR_A_WHILE(false, 0, 2),
        DELETED_IN_ELDER(true, 1, 1),
        EXPIRED_IN_ELDER(true, 1, 1),
        ADDED_AT_OKTA(false, 0, 0),
        REMOVED_AT_OKTA(true, 0, 0),
        ADDED_AT_BOTH(false, 0, 1),
        REMOVED_AT_BOTH(true, 0, 1),
        /** Against what was decided in Elder: it is undone. */
        CONTRADICTED_AT_OKTA(null, 1, 1);

        private final Boolean needsMember;
        private final int fewest;
        private final int most;

        Kind(Boolean needsMember, int fewest, int most) {
            this.needsMember = needsMember;
            this.fewest = fewest;
            this.most = most;
        }
    }

    private record Planned(String pair, Kind kind) {}

    /** Whether a person, as the one at whose table this is, is in a group. */
    private static final String LIVE = "select g.provider_group_id || '/' || i.auth_provider_id"
            + " from identity_group_memberships m join identities i on i.id = m.identity_id"
            + " join identity_groups g on g.id = m.group_id"
            + " where g.provider = 'okta' and g.provider_group_id like '00g0%' and m.deleted_at is null"
            + " and (m.expires_at is null or m.expires_at::timestamptz > now())";

    private static final String PAIR = " from identities i, identity_groups g"
            + " where i.source_key like 'okta/%' and g.provider = 'okta' and g.provider_group_id = ? and i.auth_provider_id = ?";

    private final Random random;
    private final FaultySite site;
    private final Consumer<String> say;
    private final Directory directory = new Directory();
    private final SimulatedOkta okta;
    private final CrookedFront front;
    private final Link toOkta;
    private final NavigableSet<String> expected = new TreeSet<>();
    private final NavigableSet<String> touched = new TreeSet<>();
    private final Map<String, Boolean> decided = new HashMap<>();
    private final Map<Kind, Integer> made = new TreeMap<>();
    private final List<String> differences = new ArrayList<>();
    private long calls;
    private long effective;
    private long fewest;
    private long most;
    private int rounds;

    /** Held by whoever wants nothing changed in Elder for a while. */
    private final Semaphore mayChange = new Semaphore(1);

    FaultMembers(FaultySite site, long seed, Consumer<String> say) throws IOException {
        this.random = new Random(seed);
        this.site = site;
        this.say = say;
        for (int u = 0; u < USERS; u++) {
            directory.put(new Directory.User("00u%03d".formatted(u), "user%03d@example.org".formatted(u)));
        }
        for (int g = 0; g < GROUPS; g++) {
            String group = "00g%03d".formatted(g);
            directory.put(new Directory.Group(group, "team " + g));
            for (int u = 0; u < MEMBERS; u++) {
                String user = "00u%03d".formatted((g * 7 + u) % USERS);
                directory.join(group, user);
                expected.add(group + "/" + user);
            }
        }
        okta = new SimulatedOkta(directory);
        // People change and read without a limit that is meant for a minute of a real org.
        okta.limit(1_000_000);
        front = new CrookedFront(okta.url());
        toOkta = Link.to(front.port());
        directory.takeChanges();
    }

    /** Nothing is changed in Elder until {@link #goOn}. */
    void pause() throws InterruptedException {
        mayChange.acquire();
    }

    void goOn() {
        mayChange.release();
    }

    /** What the roles are told of it. */
    Map<String, String> environment() {
        Map<String, String> environment = new LinkedHashMap<>(okta.settings());
        environment.put("OKTA_DOMAIN", "http://127.0.0.1:" + toOkta.port());
        environment.put("OKTA_SYNC_INTERVAL", "4s");
        environment.put("OKTA_RATE_LIMIT", "200");
        environment.put("OKTA_WRITE_BACK_ENABLED", "true");
        environment.put("WRITEBACK_CONFIRMED", "okta");
        // A held plan is another test's matter: here every change must arrive.
        environment.put("WRITEBACK_BUDGET_MIN", "1000");
        environment.put("WRITEBACK_BUDGET_RUN", "10000");
        return environment;
    }

    Link toOkta() {
        return toOkta;
    }

    SimulatedOkta okta() {
        return okta;
    }

    CrookedFront front() {
        return front;
    }

    /** How many groups are read in one sync. */
    static int groups() {
        // And the one that everybody is in, which is Okta's own.
        return GROUPS + 1;
    }

    /** Empty if every promise was kept. */
    List<String> differences() {
        return differences;
    }

    int rounds() {
        return rounds;
    }

    /** How often each kind of change was made. */
    Map<String, Integer> made() {
        Map<String, Integer> byName = new LinkedHashMap<>();
        made.forEach(
                (kind, times) -> byName.put(kind.name().toLowerCase(Locale.ROOT).replace('_', ' '), times));
        return byName;
    }

    /** Calls of write-back, with those that were repeated and changed nothing. */
    long calls() {
        return calls;
    }

    /** Calls that changed something. */
    long effective() {
        return effective;
    }

    /** How many calls must, and how many may have changed something. */
    String expectedEffective() {
        return fewest == most ? Long.toString(fewest) : fewest + " to " + most;
    }

    @Override
    public void close() throws IOException {
        toOkta.close();
        front.close();
        okta.close();
    }

    /** Waits for the first sync and opens the groups to write-back. */
    void prepare() throws SQLException, InterruptedException {
        await("the first sync of Okta", () -> live().equals(expected));
        FaultCampaign.ask(site, connection -> {
            try (PreparedStatement update =
                    connection.prepareStatement("update identity_groups set sync_enabled = true where provider = 'okta'"
                            + " and provider_group_id like '00g0%'")) {
                return update.executeUpdate();
            }
        });
    }

    /** Changes, and what must come of them; until it is quiet, and once more then. */
    void drive(BooleanSupplier isQuiet) throws SQLException, InterruptedException {
        boolean wasQuiet;
        do {
            wasQuiet = isQuiet.getAsBoolean();
            round();
        } while (!wasQuiet && differences.isEmpty());
        if (differences.isEmpty()) {
            marked();
        }
    }

    private void round() throws SQLException, InterruptedException {
        rounds++;
        okta.door().forget();
        Map<String, Planned> plan = new LinkedHashMap<>();
        Map<String, Integer> mine = new HashMap<>();
        while (plan.size() < CHANGES_IN_A_ROUND) {
            String pair = any();
            plan.computeIfAbsent(pair, unused -> planned(pair));
        }
        for (Planned each : plan.values()) {
            Thread.sleep(random.nextInt(800));
            mayChange.acquire();
            try {
                take(each, mine);
            } finally {
                mayChange.release();
            }
            touched.add(each.pair());
            made.merge(each.kind(), 1, Integer::sum);
        }
        Instant since = Instant.now();
        try {
            boolean stands = false;
            while (!stands) {
                await("round " + rounds, () -> atOkta().equals(expected) && live().equals(expected));
                int before = syncs();
                await("a sync after round " + rounds, () -> syncs() > before + 1);
                stands = atOkta().equals(expected) && live().equals(expected);
            }
        } catch (IllegalStateException e) {
            differences.add("round " + rounds + ": " + e.getMessage());
            compare("Okta", atOkta());
            compare("Elder", live());
            plan.values().forEach(each -> differences.add("round " + rounds + " planned " + each));
        }
        count(plan, mine);
        List<String> twins = texts("select g.provider_group_id || '/' || i.auth_provider_id || ' ' || count(*)"
                + " from identity_group_memberships m join identities i on i.id = m.identity_id"
                + " join identity_groups g on g.id = m.group_id where g.provider = 'okta' and m.deleted_at is null"
                + " and (m.expires_at is null or m.expires_at::timestamptz > now())"
                + " group by g.provider_group_id, i.auth_provider_id having count(*) > 1");
        FaultOracle.note(differences, "round " + rounds + ": memberships with two live rows", twins);
        say.accept(String.format(
                Locale.ROOT,
                "memberships, round %d: %d changes, settled after %.1f s: %s",
                rounds,
                plan.size(),
                Duration.between(since, Instant.now()).toMillis() / 1e3,
                differences.isEmpty() ? "equal" : differences.size() + " DIFFERENCES"));
    }

    /** One of those that were touched before, a present one, or just any. */
    private String any() {
        List<String> some = List.copyOf(
                switch (random.nextInt(3)) {
                    case 0 -> touched;
                    case 1 -> expected;
                    default -> Set.<String>of();
                });
        return some.isEmpty()
                ? "00g%03d/00u%03d".formatted(random.nextInt(GROUPS), random.nextInt(USERS))
                : some.get(random.nextInt(some.size()));
    }

    /** What happens to a membership, so that what must come of it is known. */
    private Planned planned(String pair) {
        boolean isMember = expected.contains(pair);
        if (decided.containsKey(pair) && random.nextInt(3) == 0) {
            return new Planned(pair, Kind.CONTRADICTED_AT_OKTA);
        }
        List<Kind> possible = new ArrayList<>();
        for (Kind kind : Kind.values()) {
            boolean isOktas = kind == Kind.ADDED_AT_OKTA || kind == Kind.REMOVED_AT_OKTA;
            if (kind.needsMember != null && kind.needsMember == isMember && !(isOktas && decided.containsKey(pair))) {
                possible.add(kind);
            }
        }
        return new Planned(pair, possible.get(random.nextInt(possible.size())));
    }

    private void take(Planned planned, Map<String, Integer> mine) throws SQLException, InterruptedException {
        String pair = planned.pair();
        boolean willBe = planned.kind().needsMember == null
                ? expected.contains(pair)
                : !planned.kind().needsMember && planned.kind() != Kind.ADDED_IN_ELDER_FOR_A_WHILE;
        switch (planned.kind()) {
            case ADDED_IN_ELDER -> insert(pair, null);
            case ADDED_IN_ELDER_FOR_A_WHILE -> insert(pair, Instant.now().plus(WHILE));
            case DELETED_IN_ELDER -> delete(pair);
            case EXPIRED_IN_ELDER -> expire(pair);
            case ADDED_AT_OKTA, REMOVED_AT_OKTA -> edit(pair, willBe, mine);
            case CONTRADICTED_AT_OKTA -> edit(pair, !willBe, mine);
            case ADDED_AT_BOTH -> {
                insert(pair, null);
                edit(pair, true, mine);
            }
            case REMOVED_AT_BOTH -> {
                delete(pair);
                edit(pair, false, mine);
            }
        }
        boolean isElders =
                switch (planned.kind()) {
                    case ADDED_AT_OKTA, REMOVED_AT_OKTA -> false;
                    default -> true;
                };
        if (isElders) {
            decided.put(pair, willBe);
        }
        if (willBe) {
            expected.add(pair);
        } else {
            expected.remove(pair);
        }
    }

    private void edit(String pair, boolean isIn, Map<String, Integer> mine) {
        String[] parts = pair.split("/");
        boolean changed = isIn ? directory.join(parts[0], parts[1]) : directory.leave(parts[0], parts[1]);
        if (changed) {
            mine.merge(pair, 1, Integer::sum);
        }
    }

    private void insert(String pair, Instant expiresAt) throws SQLException, InterruptedException {
        // Once, even if the answer is lost with the connection.
        update(
                pair,
                "insert into identity_group_memberships (identity_id, group_id, expires_at) select i.id, g.id, "
                        + (expiresAt == null ? "null" : "'" + expiresAt + "'") + PAIR
                        + " and not exists (select from identity_group_memberships m where m.identity_id = i.id"
                        + " and m.group_id = g.id and m.deleted_at is null"
                        + " and (m.expires_at is null or m.expires_at::timestamptz > now()))");
    }

    private void delete(String pair) throws SQLException, InterruptedException {
        update(
                pair,
                "delete from identity_group_memberships where deleted_at is null and (identity_id, group_id) in"
                        + " (select i.id, g.id" + PAIR + ")");
    }

    private void expire(String pair) throws SQLException, InterruptedException {
        update(
                pair,
                "update identity_group_memberships set expires_at = '" + Instant.now()
                        + "' where deleted_at is null and (expires_at is null or expires_at::timestamptz > now())"
                        + " and (identity_id, group_id) in (select i.id, g.id" + PAIR + ")");
    }

    private void update(String pair, String sql) throws SQLException, InterruptedException {
        String[] parts = pair.split("/");
        FaultCampaign.ask(site, connection -> {
            try (PreparedStatement update = connection.prepareStatement(sql)) {
                update.setString(1, parts[0]);
                update.setString(2, parts[1]);
                return update.executeUpdate();
            }
        });
    }

    private void count(Map<String, Planned> plan, Map<String, Integer> mine) {
        Map<String, Integer> changed = new TreeMap<>();
        directory.takeChanges().forEach(change -> changed.merge(change.group() + "/" + change.user(), 1, Integer::sum));
        mine.forEach((pair, times) -> changed.merge(pair, -times, Integer::sum));
        List<String> wrong = new ArrayList<>();
        for (Planned each : plan.values()) {
            int times = changed.getOrDefault(each.pair(), 0);
            fewest += each.kind().fewest;
            most += each.kind().most;
            if (times < each.kind().fewest || times > each.kind().most) {
                wrong.add(each + ": " + times + " effective calls (expected: " + each.kind().fewest
                        + (each.kind().most > each.kind().fewest ? " to " + each.kind().most : "") + ")");
            }
        }
        changed.forEach((pair, times) -> {
            effective += times;
            if (times != 0 && !plan.containsKey(pair)) {
                wrong.add(pair + ": " + times + " effective calls (expected: none, as nobody changed it)");
            }
        });
        Set<String> undecided = new TreeSet<>();
        for (Site.Call call : okta.door().writes()) {
            calls++;
            String pair = call.path().replaceAll(".*/groups/([^/]+)/users/([^/]+)", "$1/$2");
            if (!decided.containsKey(pair)) {
                undecided.add(call.method() + " " + pair);
            }
        }
        FaultOracle.note(differences, "round " + rounds + ": calls", wrong);
        FaultOracle.note(
                differences, "round " + rounds + ": calls for what nobody decided in Elder", List.copyOf(undecided));
    }

    /** Every membership that Elder decided on says that it is at the provider. */
    private void marked() throws SQLException, InterruptedException {
        List<String> unmarked = new ArrayList<>(texts(LIVE + " and m.provider_synced is not true"));
        unmarked.removeIf(pair -> !decided.containsKey(pair));
        FaultOracle.note(differences, "memberships decided in Elder that are not marked as synced", unmarked);
    }

    private void compare(String where, Set<String> found) {
        List<String> missing = new ArrayList<>(expected);
        missing.removeAll(found);
        List<String> surplus = new ArrayList<>(found);
        surplus.removeAll(expected);
        FaultOracle.note(differences, "memberships missing in " + where, missing);
        FaultOracle.note(differences, "memberships in " + where + " that must not be", surplus);
    }

    private NavigableSet<String> atOkta() {
        NavigableSet<String> pairs = new TreeSet<>();
        directory
                .groups()
                .keySet()
                .forEach(group -> directory.membersOf(group).keySet().forEach(user -> pairs.add(group + "/" + user)));
        return pairs;
    }

    private NavigableSet<String> live() throws SQLException, InterruptedException {
        return new TreeSet<>(texts(LIVE));
    }

    /** How many syncs were seen whole. */
    private int syncs() throws SQLException, InterruptedException {
        return Integer.parseInt(texts("select count(*) from pipeline.runs where provider = 'okta'"
                        + " and visible_at is not null and status = 'completed'")
                .getFirst());
    }

    private List<String> texts(String sql) throws SQLException, InterruptedException {
        return FaultCampaign.ask(site, connection -> texts(connection, sql));
    }

    private static List<String> texts(Connection connection, String sql) throws SQLException {
        List<String> texts = new ArrayList<>();
        try (PreparedStatement query = connection.prepareStatement(sql);
                ResultSet row = query.executeQuery()) {
            while (row.next()) {
                texts.add(row.getString(1));
            }
        }
        return Collections.unmodifiableList(texts);
    }

    private interface Claim {
        boolean holds() throws SQLException, InterruptedException;
    }

    private static void await(String what, Claim claim) throws SQLException, InterruptedException {
        long end = System.nanoTime() + SETTLE.toNanos();
        while (!claim.holds()) {
            if (System.nanoTime() > end) {
                throw new IllegalStateException(what + " is not over after " + SETTLE.toMinutes() + " min");
            }
            Thread.sleep(POLL_MILLIS);
        }
    }
}
