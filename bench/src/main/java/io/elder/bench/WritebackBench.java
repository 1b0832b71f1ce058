package io.elder.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.embedded.Pipeline;
import io.elder.estate.Directory;
import io.elder.estate.SimulatedOkta;
import io.elder.estate.Site;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * From the commit of a change in {@code identity_group_memberships} to the arrival of its call at the provider; all roles in this
 * process, as {@code ./elder up} runs them.
 */
@Command(
        name = "writeback",
        mixinStandardHelpOptions = true,
        description =
                "From the commit of a membership in Elder to the call at its provider, alone and during full syncs.")
final class WritebackBench implements Callable<Integer> {
    private static final double BAR_MILLIS = 1000;
    private static final int WARM_UP_SECONDS = 45;
    private static final Duration LOST = Duration.ofSeconds(60);
    private static final Duration STUCK = Duration.ofMinutes(5);
    private static final String DATABASE = "elder";

    @Option(names = "--rate", defaultValue = "50", description = "changes a second (default: ${DEFAULT-VALUE})")
    private int rate;

    @Option(names = "--runs", defaultValue = "5", description = "of each kind (default: ${DEFAULT-VALUE})")
    private int runs;

    @Option(names = "--seconds", defaultValue = "20", description = "each (default: ${DEFAULT-VALUE})")
    private int seconds;

    @Option(names = "--groups", defaultValue = "200", description = "of the org (default: ${DEFAULT-VALUE})")
    private int groups;

    @Option(names = "--users", defaultValue = "500", description = "of the org (default: ${DEFAULT-VALUE})")
    private int users;

    @Option(names = "--members", defaultValue = "50", description = "of each group (default: ${DEFAULT-VALUE})")
    private int members;

    @Option(
            names = "--limit",
            defaultValue = "200",
            description =
                    "calls a second that the provider takes, of which write-back has 30 %% (default: ${DEFAULT-VALUE})")
    private int limit;

    @Option(names = "--results", description = "where results go (default: bench/results)")
    private Path results;

    private final PrintStream out;

    /** When the call of {@code group/user} came. */
    private final Map<String, Long> arrived = new ConcurrentHashMap<>();

    private int next;

    WritebackBench() {
        this(System.out);
    }

    WritebackBench(PrintStream out) {
        this.out = out;
    }

    @Override
    public Integer call() throws Exception {
        Path folder = Files.createTempDirectory("elder-bench");
        Directory directory = directory();
        Report report = new Report("writeback", out);
        BarChart chart = new BarChart("Commit in Elder to call at the provider", "milliseconds");
        List<List<String>> rows = new ArrayList<>(List.of(List.of(
                rate + " changes/s, medians of " + runs, "changes", "syncs", "p50", "p90", "p99", "p99 of each")));
        try (SimulatedOkta okta = new SimulatedOkta(directory)) {
            okta.limit(Integer.MAX_VALUE);
            okta.door().watch(this::arrives);
            for (boolean isSyncing : new boolean[] {false, true}) {
                try (Metrics metrics = new Metrics();
                        Pipeline pipeline = new Pipeline(folder, settings(okta, isSyncing), metrics)) {
                    pipeline.start();
                    try (Connection connection = pipeline.database().connect(DATABASE)) {
                        await(
                                "the first sync",
                                connection,
                                "SELECT count(*) FROM identity_group_memberships WHERE source_key IS NOT NULL",
                                (long) groups * members);
                        execute(connection, "UPDATE identity_groups SET sync_enabled = true WHERE provider = 'okta'");
                        rows.add(measure(isSyncing, connection, report, chart));
                    }
                }
            }
        } finally {
            CdcBench.delete(folder);
        }
        report.figures().put("rate", rate).put("memberships", groups * members).put("calls_per_second", limit);
        report.table(
                "From the commit to the call; each sync reads " + Report.whole((double) groups * members)
                        + " memberships of " + groups + " groups, " + limit + " calls/s for both",
                rows);
        report.write(results == null ? RoleProcesses.home().resolve("bench/results") : results, chart);
        return report.isWithin() ? 0 : 1;
    }

    private Directory directory() {
        Directory directory = new Directory();
        for (int user = 0; user < users; user++) {
            directory.put(new Directory.User(user(user), "user" + user));
        }
        for (int group = 0; group < groups; group++) {
            directory.put(new Directory.Group(group(group), "team " + group));
            for (int member = 0; member < members; member++) {
                directory.join(group(group), user(member));
            }
        }
        return directory;
    }

    private static String group(int number) {
        return String.format("00g%05d", number);
    }

    private static String user(int number) {
        return String.format("00u%05d", number);
    }

    private Settings settings(SimulatedOkta okta, boolean isSyncing) {
        Map<String, String> settings = new HashMap<>(okta.settings());
        settings.put("OKTA_RATE_LIMIT", Integer.toString(limit));
        settings.put("OKTA_SYNC_INTERVAL", isSyncing ? "5s" : "1d");
        settings.put("OKTA_WRITE_BACK_ENABLED", "true");
        settings.put("WRITEBACK_CONFIRMED", "okta");
        settings.put("CONSOLE_PORT", "0");
        return Settings.of(settings);
    }

    private void arrives(Site.Call call) {
        if (!call.method().equals("GET")) {
            String[] parts = call.path().split("/");
            arrived.putIfAbsent(parts[4] + "/" + parts[6], System.nanoTime());
        }
    }

    private List<String> measure(boolean isSyncing, Connection connection, Report report, BarChart chart)
            throws SQLException, InterruptedException {
        changes(connection, rate, WARM_UP_SECONDS);
        long before = syncs(connection);
        List<double[]> each = new ArrayList<>();
        for (int run = 0; run < runs; run++) {
            each.add(changes(connection, rate, seconds));
        }
        long syncs = syncs(connection) - before;
        if (isSyncing == (syncs == 0)) {
            throw new IllegalStateException(syncs + " syncs were over while " + (isSyncing ? "" : "no ")
                    + "syncs were asked for (expected: " + (isSyncing ? "some" : "none") + ")");
        }
        double p50 = median(each, 50);
        double p90 = median(each, 90);
        double p99 = median(each, 99);
        long changes = each.stream().mapToLong(millis -> millis.length).sum();
        List<Long> p99s = each.stream()
                .map(millis -> Math.round(CdcBench.percentile(millis, 99)))
                .toList();
        String what = isSyncing ? "a full sync every 5 s" : "nothing else";
        chart.group(what).bar("p50", p50).bar("p99", p99);
        ObjectNode figures = report.figures().withObject("latency").withObject(isSyncing ? "syncing" : "alone");
        figures.put("changes", changes)
                .put("syncs", syncs)
                .put("p50_ms", p50)
                .put("p90_ms", p90)
                .put("p99_ms", p99);
        p99s.forEach(figures.putArray("p99_ms_of_each")::add);
        report.bar(what + ": p99 in ms", p99, false, BAR_MILLIS);
        return List.of(
                what,
                Report.whole((double) changes),
                Report.whole((double) syncs),
                Report.whole(p50) + " ms",
                Report.whole(p90) + " ms",
                Report.whole(p99) + " ms",
                String.join(", ", p99s.stream().map(String::valueOf).toList()));
    }

    private static double median(List<double[]> runs, int percentile) {
        return Report.median(runs.stream()
                .map(millis -> CdcBench.percentile(millis, percentile))
                .toList());
    }

    /** Makes changes at a rate, each a transaction; how long each took to its call in milliseconds, sorted. */
    private double[] changes(Connection connection, int perSecond, int forSeconds)
            throws SQLException, InterruptedException {
        Map<String, Long> committed = new LinkedHashMap<>();
        long begun = System.nanoTime();
        try (PreparedStatement insert = connection.prepareStatement(
                        "INSERT INTO identity_group_memberships (group_id, identity_id) SELECT g.id, i.id"
                                + " FROM identity_groups g, identities i"
                                + " WHERE g.provider_group_id = ? AND i.auth_provider_id = ?");
                PreparedStatement delete = connection.prepareStatement("DELETE FROM identity_group_memberships"
                        + " WHERE group_id = (SELECT id FROM identity_groups WHERE provider_group_id = ?)"
                        + " AND identity_id = (SELECT id FROM identities WHERE auth_provider_id = ?)")) {
            for (int i = 0; i < perSecond * forSeconds; i++) {
                // Every fourth takes one away; nobody is changed twice, and no group loses many.
                int number = next++;
                boolean isRemoval = number % 4 == 3 && number / groups < members / 2;
                String group = group(number % groups);
                String user = user(isRemoval ? number / groups : members + number / groups);
                long due = begun + i * 1_000_000_000L / perSecond;
                while (System.nanoTime() < due) {
                    LockSupport.parkNanos(due - System.nanoTime());
                }
                PreparedStatement change = isRemoval ? delete : insert;
                change.setString(1, group);
                change.setString(2, user);
                if (change.executeUpdate() != 1) {
                    throw new IllegalStateException(group + "/" + user + ": no such group, user or row");
                }
                committed.put(group + "/" + user, System.nanoTime());
            }
        }
        double[] millis = new double[committed.size()];
        long end = System.nanoTime() + LOST.toNanos();
        int i = 0;
        for (Map.Entry<String, Long> change : committed.entrySet()) {
            Long seen = arrived.get(change.getKey());
            while (seen == null) {
                if (System.nanoTime() > end) {
                    throw new IllegalStateException(
                            change.getKey() + ": no call within " + LOST.toSeconds() + " s (expected: one per change)");
                }
                Thread.sleep(5);
                seen = arrived.get(change.getKey());
            }
            millis[i++] = Math.max(0, (seen - change.getValue()) / 1e6);
        }
        Arrays.sort(millis);
        return millis;
    }

    private static long syncs(Connection connection) throws SQLException {
        return number(connection, "SELECT count(*) FROM pipeline.runs WHERE visible_at IS NOT NULL");
    }

    private static void await(String what, Connection connection, String query, long expected)
            throws SQLException, InterruptedException {
        long end = System.nanoTime() + STUCK.toNanos();
        while (number(connection, query) < expected) {
            if (System.nanoTime() > end) {
                throw new IllegalStateException(
                        what + ": " + number(connection, query) + " (expected: " + expected + ")");
            }
            Thread.sleep(200);
        }
    }

    private static long number(Connection connection, String query) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(query)) {
            row.next();
            return row.getLong(1);
        }
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }
}
