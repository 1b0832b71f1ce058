package io.elder.bench;

import com.unboundid.ldap.sdk.LDAPException;
import io.elder.embedded.servers.EmbeddedDatabase;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Kills roles at random moments while a directory is read again and again, and compares the tables with the directory once
 * it is quiet.
 */
final class FaultCampaign {
    private static final Duration UP = Duration.ofMinutes(3);
    private static final Duration SYNC = Duration.ofMinutes(10);
    private static final int SHOWN = 5;

    /** The live rows, written as {@link FaultDirectory#expected} writes them. */
    private static final Map<String, String> LIVE = live();

    private final Path folder;
    private final int records;
    private final int kills;
    private final long seed;
    private final Duration gap;
    private final PrintStream out;
    private final Map<String, List<Long>> healthyAfter = new TreeMap<>();
    private final Map<String, Integer> killed = new TreeMap<>();
    private final List<String> differences = new ArrayList<>();
    private volatile boolean isQuiet;
    private volatile Exception driverFailure;
    private int syncs;

    /** @param gap the longest time between a role's recovery and the next kill */
    FaultCampaign(Path folder, int records, int kills, long seed, Duration gap, PrintStream out) {
        this.folder = folder;
        this.records = records;
        this.kills = kills;
        this.seed = seed;
        this.gap = gap;
        this.out = out;
    }

    /** Runs it; what the tables say otherwise than the directory, empty if nothing. */
    List<String> run() throws Exception {
        Instant begin = Instant.now();
        try (FaultDirectory directory = new FaultDirectory(records, seed);
                Servers servers = Servers.prepared(folder, EmbeddedDatabase.Durability.FAST);
                RoleProcesses roles = new RoleProcesses(folder, environment(servers));
                Connection connection = servers.connect()) {
            for (String role : RoleProcesses.ROLES) {
                roles.start(role);
                killed.put(role, 0);
            }
            roles.awaitHealthy(UP);
            out.printf(Locale.ROOT, "all roles healthy after %d s; logs are in %s%n", since(begin), folder);
            int job = createJob(connection, directory.port());
            Thread driver = Thread.ofPlatform().name("syncs").start(() -> drive(servers, directory, job));
            kill(roles);
            isQuiet = true;
            driver.join();
            if (driverFailure != null) {
                throw driverFailure;
            }
            roles.awaitHealthy(UP);
            out.printf(Locale.ROOT, "last kill and last change done after %d s%n", since(begin));
            awaitNoRun(connection);
            Map<String, Long> known = sourceKeys(connection);
            quietSync(connection, job);
            compare(connection, directory, known, job);
            table(begin);
            return differences;
        }
    }

    private static Map<String, String> environment(Servers servers) {
        Map<String, String> environment = new LinkedHashMap<>(servers.environment());
        // What is deleted here is meant to be.
        environment.put("DELETE_BUDGET_PERCENT", "100");
        environment.put("DISCOVERY_JOB_TIMEOUT", "20m");
        return environment;
    }

    private static int createJob(Connection connection, int port) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement(
                "insert into discovery_jobs (name, provider, config_json, schedule_interval, enabled)"
                        + " values ('faults', 'ldap', ?::json, 0, true) returning id")) {
            insert.setString(
                    1,
                    String.format(
                            Locale.ROOT,
                            "{\"server\": \"%s\", \"port\": %d, \"base_dn\": \"%s\", \"bind_dn\": \"%s\", \"bind_password\": \"%s\", \"page_size\": 2000}",
                            FaultDirectory.HOST,
                            port,
                            FaultDirectory.BASE,
                            FaultDirectory.READER,
                            FaultDirectory.PASSWORD));
            try (ResultSet row = insert.executeQuery()) {
                row.next();
                return row.getInt(1);
            }
        }
    }

    /** Changes and syncs, until the last kill is done. */
    private void drive(Servers servers, FaultDirectory directory, int job) {
        try (Connection connection = servers.connect()) {
            long finished = 0;
            while (!isQuiet) {
                long now = number(connection, "select count(*) from pipeline.runs where visible_at is not null");
                if (now > finished) {
                    finished = now;
                    directory.change();
                    queue(connection, job);
                    syncs++;
                }
                Thread.sleep(200);
            }
        } catch (SQLException | LDAPException | InterruptedException | RuntimeException e) {
            driverFailure = e;
        }
    }

    private void kill(RoleProcesses roles) throws IOException, InterruptedException {
        Random random = new Random(seed);
        List<String> deck = new ArrayList<>();
        Map<String, Long> since = new ConcurrentHashMap<>();
        for (int i = 1; i <= kills; i++) {
            Thread.sleep(random.nextLong(gap.toMillis()));
            note(roles, since);
            if (deck.isEmpty()) {
                // In random order, and each as often as any other.
                deck.addAll(RoleProcesses.ROLES);
                Collections.shuffle(deck, random);
            }
            String role = deck.removeLast();
            roles.killAndRestart(role);
            since.put(role, System.nanoTime());
            killed.merge(role, 1, Integer::sum);
            out.printf(Locale.ROOT, "kill %d/%d: %s%n", i, kills, role);
            // Some die while they or others are still coming up.
            boolean awaitsRecovery = i == kills || random.nextInt(10) < 7;
            long end = System.nanoTime() + UP.toNanos();
            while (awaitsRecovery && !since.isEmpty()) {
                if (System.nanoTime() > end) {
                    throw new IllegalStateException(since.keySet() + ": not healthy " + UP.toSeconds()
                            + " s after kill -9; logs are in " + folder);
                }
                note(roles, since);
                Thread.sleep(50);
            }
        }
    }

    private void note(RoleProcesses roles, Map<String, Long> since) {
        since.forEach((role, at) -> {
            if (roles.isHealthy(role)) {
                healthyAfter
                        .computeIfAbsent(role, unused -> new ArrayList<>())
                        .add((System.nanoTime() - at) / 1_000_000);
                since.remove(role);
            }
        });
    }

    private void quietSync(Connection connection, int job) throws SQLException, InterruptedException {
        long before = number(connection, "select count(*) from pipeline.runs where visible_at is not null");
        queue(connection, job);
        Instant end = Instant.now().plus(SYNC);
        while (number(connection, "select count(*) from pipeline.runs where visible_at is not null") == before) {
            if (Instant.now().isAfter(end)) {
                throw new IllegalStateException(
                        "the quiet sync is not visible after " + SYNC.toMinutes() + " min; logs are in " + folder);
            }
            Thread.sleep(100);
        }
        awaitNoRun(connection);
        check(
                connection,
                "the quiet sync",
                "select run_id || ': ' || status || ' ' || coalesce(error, '') from (select * from pipeline.runs order by"
                        + " started_at desc limit 1) newest where status <> 'completed'");
    }

    private void awaitNoRun(Connection connection) throws SQLException, InterruptedException {
        Instant end = Instant.now().plus(SYNC);
        int quiet = 0;
        // A run that was queued meanwhile follows at once: quiet is what stays so.
        while (quiet < 10) {
            boolean busy = number(
                            connection,
                            "select (select count(*) from pipeline.runs where visible_at is null)"
                                    + " + (select count(*) from discovery_jobs where status = 'running'"
                                    + " or next_run_at > coalesce((select max(started_at) from pipeline.runs), '-infinity'))")
                    > 0;
            quiet = busy ? 0 : quiet + 1;
            if (Instant.now().isAfter(end)) {
                throw new IllegalStateException(
                        "a run is not over after " + SYNC.toMinutes() + " min; logs are in " + folder);
            }
            Thread.sleep(100);
        }
    }

    private void compare(Connection connection, FaultDirectory directory, Map<String, Long> known, int job)
            throws SQLException, LDAPException {
        Map<String, NavigableSet<String>> expected = directory.expected();
        for (Map.Entry<String, NavigableSet<String>> table : expected.entrySet()) {
            List<String> rows = texts(connection, LIVE.get(table.getKey()));
            Set<String> present = new TreeSet<>(rows);
            if (rows.size() != present.size()) {
                differences.add(table.getKey() + ": " + (rows.size() - present.size()) + " rows twice");
            }
            Set<String> missing = new TreeSet<>(table.getValue());
            missing.removeAll(present);
            Set<String> surplus = new TreeSet<>(present);
            surplus.removeAll(table.getValue());
            note(table.getKey() + ": missing", List.copyOf(missing));
            note(table.getKey() + ": not in the directory", List.copyOf(surplus));
            out.printf(
                    Locale.ROOT,
                    "%-16s %8d rows, %d in the directory, %d missing, %d too many%n",
                    table.getKey(),
                    present.size(),
                    table.getValue().size(),
                    missing.size(),
                    surplus.size());
        }
        Map<String, Long> now = sourceKeys(connection);
        known.keySet().removeAll(now.keySet());
        note("rows that are gone instead of deleted softly", List.copyOf(known.keySet()));
        now.values().removeIf(count -> count == 1);
        note("a source_key more than once", List.copyOf(now.keySet()));
        check(
                connection,
                "memberships that are deleted and still honoured",
                "select source_key from identity_group_memberships where deleted_at is not null and expires_at is null");
        check(
                connection,
                "deleted and active",
                "select source_key from identities where deleted_at is not null and is_active");
        check(
                connection,
                "runs without exactly one history row",
                "select run_id from pipeline.runs r where (select count(*) from discovery_history h where h.id = r.history_id) <> 1");
        check(
                connection,
                "history rows without a run of their own",
                "select id::text from discovery_history h where (select count(*) from pipeline.runs r where r.history_id = h.id) <> 1");
        check(
                connection,
                "history rows that never ended",
                "select id::text from discovery_history where status = 'running' or completed_at is null");
        check(
                connection,
                "the job",
                "select status || ' ' || coalesce(last_error, '') from discovery_jobs where id = " + job
                        + " and status <> 'completed'");
        out.printf(
                Locale.ROOT,
                "%d runs, by status: %s%n",
                number(connection, "select count(*) from pipeline.runs"),
                texts(connection, "select status || ' ' || count(*) from pipeline.runs group by status order by 1"));
    }

    private void table(Instant begin) {
        out.printf(Locale.ROOT, "%n%-12s %6s %22s %10s%n", "role", "kills", "healthy after, median", "longest");
        killed.forEach((role, count) -> {
            double[] millis = healthyAfter.getOrDefault(role, List.of()).stream()
                    .mapToDouble(Long::doubleValue)
                    .sorted()
                    .toArray();
            out.printf(
                    Locale.ROOT,
                    "%-12s %6d %20.1f s %8.1f s%n",
                    role,
                    count,
                    millis.length == 0 ? 0 : CdcBench.percentile(millis, 50) / 1000,
                    Arrays.stream(millis).max().orElse(0) / 1000);
        });
        out.printf(
                Locale.ROOT,
                "%d records, %d kills, %d rounds of changes, seed %d, %d s: %s%n",
                records,
                kills,
                syncs,
                seed,
                since(begin),
                differences.isEmpty() ? "no difference" : differences.size() + " DIFFERENCES");
        differences.forEach(difference -> out.println("  " + difference));
    }

    private void check(Connection connection, String what, String sql) throws SQLException {
        note(what, texts(connection, sql));
    }

    private void note(String what, List<String> wrong) {
        if (!wrong.isEmpty()) {
            differences.add(what + ": " + wrong.size() + ", e.g. " + wrong.subList(0, Math.min(SHOWN, wrong.size())));
        }
    }

    private static void queue(Connection connection, int job) throws SQLException {
        try (Statement update = connection.createStatement()) {
            update.execute("update discovery_jobs set next_run_at = now() where id = " + job);
        }
    }

    private static Map<String, Long> sourceKeys(Connection connection) throws SQLException {
        Map<String, Long> keys = new TreeMap<>();
        for (String table : List.of(
                "organizations",
                "identities",
                "entities",
                "identity_groups",
                "identity_group_memberships",
                "dependencies")) {
            for (String key : texts(connection, "select source_key from " + table + " where source_key is not null")) {
                keys.merge(table + " " + key, 1L, Long::sum);
            }
        }
        return keys;
    }

    private static long number(Connection connection, String sql) throws SQLException {
        return Long.parseLong(texts(connection, sql).getFirst());
    }

    private static List<String> texts(Connection connection, String sql) throws SQLException {
        List<String> texts = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            while (rows.next()) {
                texts.add(rows.getString(1));
            }
        }
        return texts;
    }

    private static long since(Instant begin) {
        return Duration.between(begin, Instant.now()).toSeconds();
    }

    private static Map<String, String> live() {
        Map<String, String> sql = new LinkedHashMap<>();
        sql.put(
                "identities",
                "select concat_ws('|', source_key, username, email, full_name, is_active::text) from identities"
                        + " where source_key is not null and deleted_at is null");
        sql.put(
                "entities",
                "select concat_ws('|', source_key, name, status) from entities"
                        + " where source_key is not null and deleted_at is null");
        sql.put(
                "identity_groups",
                "select concat_ws('|', source_key, name, ldap_dn) from identity_groups"
                        + " where source_key is not null and deleted_at is null");
        sql.put(
                "memberships",
                "select g.source_key || '|' || i.source_key from identity_group_memberships m"
                        + " left join identity_groups g on g.id = m.group_id left join identities i on i.id = m.identity_id"
                        + " where m.source_key is not null and m.deleted_at is null");
        sql.put(
                "dependencies",
                "select s.source_key || '|' || t.source_key from dependencies d"
                        + " left join identity_groups s on s.id = d.source_id left join identity_groups t on t.id = d.target_id"
                        + " where d.dependency_type = 'member_of' and d.deleted_at is null");
        return sql;
    }
}
