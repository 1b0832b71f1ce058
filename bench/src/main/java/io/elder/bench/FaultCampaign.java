package io.elder.bench;

import com.unboundid.ldap.sdk.LDAPException;
import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.schemas.ElderTable;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;

/**
 * Kills roles at random moments while a directory is changed and read again and again. Whenever a run is visible, kills or
 * not, the tables must equal the directory.
 */
final class FaultCampaign {
    /** The fewest with which a closed branch is more than may be deleted at once. */
    static final int LEAST_RECORDS = 1000;

    private static final Duration UP = Duration.ofMinutes(3);
    private static final Duration SYNC = Duration.ofMinutes(10);
    private static final long POLL_MILLIS = 50;
    private static final String RUNS =
            "select run_id, status, coalesce(error, ''), discovered, created, updated, deleted,"
                    + " extract(epoch from visible_at - started_at) from pipeline.runs"
                    + " where visible_at is not null order by started_at";

    /** What a sync is to find; they follow each other in this order, from CHANGES on again and again. */
    enum Round {
        FIRST("first sync", "completed"),
        CHANGES("changes", "completed"),
        /** Too much is gone to be true: it must be held. */
        MASS_DELETION("mass deletion", "partial"),
        RETURN("return of the deleted", "completed"),
        /** Nothing changed, and nothing may be written. */
        QUIET("quiet sync", "completed");

        private final String title;
        private final String status;

        Round(String title, String status) {
            this.title = title;
            this.status = status;
        }

        @Override
        public String toString() {
            return title;
        }

        private Round next() {
            return switch (this) {
                case FIRST, RETURN -> CHANGES;
                case CHANGES -> MASS_DELETION;
                case MASS_DELETION -> RETURN;
                case QUIET -> throw new IllegalStateException("nothing follows the quiet sync");
            };
        }
    }

    private record Run(
            String id,
            String status,
            String error,
            long discovered,
            long created,
            long updated,
            long deleted,
            double seconds) {}

    private final Path folder;
    private final int records;
    private final int kills;
    private final long seed;
    private final Duration gap;
    private final PrintStream out;
    private final FaultReport report;
    private final FaultOracle oracle = new FaultOracle();
    private final Map<String, Long> recovering = new ConcurrentHashMap<>();
    private final long begin = System.nanoTime();
    private volatile String phase = Round.FIRST.toString();
    private volatile int asked;
    private volatile boolean isQuiet;
    private volatile Exception driverFailure;
    private FaultDirectory.Expected expected;
    private int syncs;

    /** @param gap the longest time between a role's recovery and the next kill */
    FaultCampaign(Path folder, int records, int kills, long seed, Duration gap, PrintStream out) {
        this.folder = folder;
        this.records = records;
        this.kills = kills;
        this.seed = seed;
        this.gap = gap;
        this.out = out;
        this.report = new FaultReport(records, kills, seed);
    }

    FaultReport run() throws Exception {
        out.printf(Locale.ROOT, "%d records, %d kills, seed %d; logs are in %s%n", records, kills, seed, folder);
        try (FaultDirectory directory = new FaultDirectory(records, seed);
                Servers servers = Servers.prepared(folder, EmbeddedDatabase.Durability.FAST);
                RoleProcesses roles = new RoleProcesses(folder, environment(servers));
                Connection connection = servers.connect()) {
            for (String role : RoleProcesses.ROLES) {
                roles.start(role);
            }
            roles.awaitHealthy(UP);
            say("all roles are healthy");
            expected = directory.expected();
            int job = createJob(connection, directory.port());
            Thread driver = Thread.ofPlatform().name("syncs").start(() -> drive(servers, directory, job));
            try {
                kill(roles);
            } finally {
                isQuiet = true;
                driver.join();
            }
            if (driverFailure != null) {
                throw driverFailure;
            }
            roles.awaitHealthy(UP);
            say("the last kill is over; once more, undisturbed");
            sync(connection, Round.QUIET, job);
            last(connection, servers, job);
            report.finish(seconds());
            return report;
        }
    }

    private static Map<String, String> environment(Servers servers) {
        Map<String, String> environment = new LinkedHashMap<>(servers.environment());
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

    /** Changes and syncs, until the last kill is done; ends with a directory that is as it should be. */
    private void drive(Servers servers, FaultDirectory directory, int job) {
        try (Connection connection = servers.connect()) {
            Round round = Round.FIRST;
            sync(connection, round, job);
            boolean wasHeld = false;
            while (!isQuiet || !wasHeld || round == Round.MASS_DELETION) {
                round = round.next();
                change(directory, round);
                sync(connection, round, job);
                wasHeld |= round == Round.MASS_DELETION;
            }
        } catch (SQLException | LDAPException | InterruptedException | RuntimeException e) {
            driverFailure = e;
        }
    }

    private void change(FaultDirectory directory, Round round) throws LDAPException {
        FaultDirectory.Expected before = expected;
        switch (round) {
            case CHANGES -> directory.change();
            case MASS_DELETION -> directory.closeBranch();
            case RETURN -> directory.reopenBranch();
            default -> throw new IllegalArgumentException(round + " (expected: a round that changes something)");
        }
        expected = directory.expected();
        if (round == Round.MASS_DELETION) {
            expected = held(before, expected);
        }
    }

    /** As the directory is now, with everybody who was there before and every membership. */
    private static FaultDirectory.Expected held(FaultDirectory.Expected before, FaultDirectory.Expected now) {
        Map<ElderTable, NavigableMap<String, String>> tables = new EnumMap<>(ElderTable.class);
        now.tables().forEach((table, rows) -> {
            NavigableMap<String, String> all = new TreeMap<>();
            // One unit is within the budget: it goes.
            if (table != ElderTable.ORGANIZATIONS) {
                all.putAll(before.tables().get(table));
            }
            all.putAll(rows);
            tables.put(table, all);
        });
        return new FaultDirectory.Expected(tables, now.resources());
    }

    /** Queues a run, unless it is the first, which comes by itself; waits until it is visible; and looks. */
    private void sync(Connection connection, Round round, int job) throws SQLException, InterruptedException {
        phase = round.toString();
        asked = syncs + 1;
        if (round != Round.FIRST) {
            try (Statement update = connection.createStatement()) {
                update.execute("update discovery_jobs set next_run_at = now() where id = " + job);
            }
        }
        Run run = awaitRun(connection, round);
        phase = "between syncs";
        List<String> differences = oracle.compare(connection, expected.tables());
        if (!run.status().equals(round.status)) {
            differences.add("status: " + run.status() + " " + run.error() + " (expected: " + round.status + ")");
        }
        if (run.discovered() != expected.resources()) {
            differences.add(run.discovered() + " resources discovered (expected: " + expected.resources() + ")");
        }
        if (round == Round.QUIET && run.created() + run.updated() + run.deleted() > 0) {
            differences.add(run.created() + " rows created, " + run.updated() + " updated, " + run.deleted()
                    + " deleted (expected: none)");
        }
        say(String.format(
                Locale.ROOT,
                "sync %d (%s): %d resources in %.1f s, %d rows created, %d updated, %d deleted: %s",
                syncs,
                round,
                run.discovered(),
                run.seconds(),
                run.created(),
                run.updated(),
                run.deleted(),
                differences.isEmpty() ? "equal" : differences.size() + " DIFFERENCES"));
        differences.forEach(difference -> out.println("  " + difference));
        report.sync(syncs, round, run.status(), run.seconds(), differences);
    }

    private Run awaitRun(Connection connection, Round round) throws SQLException, InterruptedException {
        long end = System.nanoTime() + SYNC.toNanos();
        while (true) {
            List<Run> runs = runs(connection);
            if (runs.size() > syncs) {
                syncs++;
                return runs.get(syncs - 1);
            }
            if (System.nanoTime() > end) {
                throw new IllegalStateException("sync " + (syncs + 1) + " (" + round + ") is not visible after "
                        + SYNC.toMinutes() + " min; logs are in " + folder);
            }
            Thread.sleep(POLL_MILLIS);
        }
    }

    private static List<Run> runs(Connection connection) throws SQLException {
        List<Run> runs = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(RUNS)) {
            while (row.next()) {
                runs.add(new Run(
                        row.getString(1),
                        row.getString(2),
                        row.getString(3),
                        row.getLong(4),
                        row.getLong(5),
                        row.getLong(6),
                        row.getLong(7),
                        row.getDouble(8)));
            }
        }
        return runs;
    }

    private void kill(RoleProcesses roles) throws IOException, InterruptedException {
        Random random = new Random(seed);
        List<String> deck = new ArrayList<>();
        int sync = 0;
        int inSync = 0;
        for (int i = 1; i <= kills && driverFailure == null; i++) {
            // Else a small campaign would spend all of them on the first sync, where nothing is deleted.
            while (inSync >= Math.max(2, kills / 8) && asked == sync && driverFailure == null) {
                note(roles);
                Thread.sleep(POLL_MILLIS);
            }
            long next = System.nanoTime() + random.nextLong(gap.toNanos());
            while (System.nanoTime() < next) {
                note(roles);
                Thread.sleep(POLL_MILLIS);
            }
            inSync = asked == sync ? inSync + 1 : 1;
            sync = asked;
            if (deck.isEmpty()) {
                // In random order, and each as often as any other.
                deck.addAll(RoleProcesses.ROLES);
                Collections.shuffle(deck, random);
            }
            String role = deck.removeLast();
            String during = phase;
            roles.killAndRestart(role);
            recovering.put(role, System.nanoTime());
            report.kill(role, during);
            say(String.format(Locale.ROOT, "kill %d/%d: %s, during: %s", i, kills, role, during));
            // Some die while they or others are still coming up.
            boolean awaitsRecovery = i == kills || random.nextInt(10) < 7;
            long end = System.nanoTime() + UP.toNanos();
            while (awaitsRecovery && !recovering.isEmpty()) {
                if (System.nanoTime() > end) {
                    throw new IllegalStateException(recovering.keySet() + ": not healthy " + UP.toSeconds()
                            + " s after kill -9; logs are in " + folder);
                }
                note(roles);
                Thread.sleep(POLL_MILLIS);
            }
        }
    }

    private void note(RoleProcesses roles) {
        recovering.forEach((role, at) -> {
            if (roles.isHealthy(role)) {
                report.recovery(role, (System.nanoTime() - at) / 1e9);
                recovering.remove(role);
            }
        });
    }

    private void last(Connection connection, Servers servers, int job)
            throws SQLException, InterruptedException, ExecutionException {
        for (ElderTable table : FaultOracle.TABLES) {
            report.rows(table.sqlName(), oracle.counts(table));
        }
        List<String> differences = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("select (select count(*) from pipeline.runs),"
                        + " (select status || ' ' || coalesce(last_error, '') from discovery_jobs where id = " + job
                        + ")")) {
            row.next();
            if (row.getInt(1) != syncs) {
                differences.add(row.getInt(1) + " runs (expected: " + syncs + ", one for each time that it was asked)");
            }
            if (!"completed".equals(row.getString(2).strip())) {
                differences.add("the job's status: " + row.getString(2) + " (expected: completed)");
            }
        }
        long letters = deadLetters(servers);
        if (letters > 0) {
            differences.add(letters + " dead letters (expected: none)");
        }
        differences.forEach(report::difference);
    }

    private static long deadLetters(Servers servers) throws InterruptedException, ExecutionException {
        String topic = servers.kafka().topics().deadletter().name();
        try (Admin admin = Admin.create(servers.kafka().common())) {
            Map<TopicPartition, OffsetSpec> partitions = new LinkedHashMap<>();
            admin.describeTopics(List.of(topic))
                    .allTopicNames()
                    .get()
                    .get(topic)
                    .partitions()
                    .forEach(info -> partitions.put(new TopicPartition(topic, info.partition()), OffsetSpec.latest()));
            return admin.listOffsets(partitions).all().get().values().stream()
                    .mapToLong(found -> found.offset())
                    .sum();
        }
    }

    private double seconds() {
        return (System.nanoTime() - begin) / 1e9;
    }

    /** Two threads speak. */
    private synchronized void say(String text) {
        out.printf(Locale.ROOT, "%5.0f s  %s%n", seconds(), text);
    }
}
