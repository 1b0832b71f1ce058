package io.elder.bench;

import com.unboundid.ldap.sdk.LDAPException;
import io.elder.estate.SimulatedOkta;
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
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Lets things fail at random moments while a directory is changed and read again and again. Whenever a run is visible, faults
 * or not, the tables must equal the directory.
 */
final class FaultCampaign {
    /** The fewest with which a closed branch is more than may be deleted at once. */
    static final int LEAST_RECORDS = 1000;

    private static final Duration UP = Duration.ofMinutes(3);
    private static final Duration SYNC = Duration.ofMinutes(10);
    private static final long POLL_MILLIS = 50;
    private static final long POISON_MILLIS = 300;
    private static final long MOST_RETAINED = 64L << 20;
    private static final String RUNS =
            "select run_id, status, coalesce(error, ''), discovered, created, updated, deleted,"
                    + " extract(epoch from visible_at - started_at) from pipeline.runs"
                    + " where provider = 'ldap' and visible_at is not null order by started_at";

    /** What is changed and watched while things fail. */
    static final String DIRECTORY = "directory";

    static final String MEMBERS = "members";
    static final String POISON = "poison";
    static final Set<String> PARTS = Set.of(DIRECTORY, MEMBERS, POISON);

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
    private final int faults;
    private final long seed;
    private final Duration gap;
    private final Set<String> kinds;
    private final Set<String> parts;
    private String logLevel = "INFO";
    private final PrintStream out;
    private final FaultReport report;
    private final FaultOracle oracle = new FaultOracle();
    private final Canaries canaries = new Canaries();
    private final Map<String, Long> recovering = new ConcurrentHashMap<>();
    private final long begin = System.nanoTime();
    private volatile String phase = "between syncs";
    private volatile int asked;
    private volatile boolean isQuiet;
    private volatile boolean mayFail;
    private volatile boolean isFailing;
    private volatile Exception driverFailure;
    private FaultDirectory.Expected expected;
    private int syncs;

    /**
     * @param gap the longest time between the recovery from a fault and the next, and of a fault that lasts
     * @param kinds of {@link Fault#KINDS}
     * @param parts of {@link #PARTS}
     */
    FaultCampaign(
            Path folder,
            int records,
            int faults,
            long seed,
            Duration gap,
            Set<String> kinds,
            Set<String> parts,
            PrintStream out) {
        this.folder = folder;
        this.records = records;
        this.faults = faults;
        this.seed = seed;
        this.gap = gap;
        this.kinds = kinds;
        this.parts = parts;
        this.out = out;
        this.report = new FaultReport(records, faults, seed);
    }

    /** How much the roles write to their logs, which are searched for secrets. */
    FaultCampaign logging(String level) {
        logLevel = level;
        return this;
    }

    FaultReport run() throws Exception {
        out.printf(Locale.ROOT, "%d records, %d faults, seed %d; logs are in %s%n", records, faults, seed, folder);
        try (FaultDirectory directory = new FaultDirectory(records, seed);
                FaultySite site = new FaultySite(folder, directory.port(), kinds.contains("disk"), canaries);
                FaultMembers members = new FaultMembers(site, seed, this::say);
                RefusedJobs refused = new RefusedJobs(canaries);
                RoleProcesses roles = new RoleProcesses(folder, environment(members, refused))) {
            if (kinds.contains("disk") && site.disk().isEmpty()) {
                say("SKIPPED: a full disk, as this process may not mount one (expected: root)");
            }
            Optional<Clocks> clocks = clocks();
            for (String role : RoleProcesses.ROLES) {
                Map<String, String> own = new LinkedHashMap<>(site.environment(role));
                if (clocks.isPresent()) {
                    own.putAll(clocks.get().environment(role));
                }
                roles.start(role, own);
            }
            refused.startFetcher(roles, site.environment("fetcher"));
            roles.awaitHealthy(UP);
            say("all roles are healthy");
            ask(site, refused::create);
            List<Thread> drivers = new ArrayList<>();
            int job = 0;
            if (parts.contains(DIRECTORY)) {
                expected = directory.expected();
                job = ask(
                        site,
                        connection -> createJob(connection, site.toDirectory().port()));
                int ours = job;
                drivers.add(driver("syncs", () -> drive(site, directory, refused, ours)));
            }
            if (parts.contains(MEMBERS)) {
                members.prepare();
                say("memberships are open to write-back");
                drivers.add(driver("memberships", () -> members.drive(() -> isQuiet)));
            }
            FaultPoison poison = new FaultPoison(
                    site.kafka(), "ldap", parts.contains(POISON) ? Math.max(2, records / 10_000) : 0, POISON_MILLIS);
            drivers.add(driver("poison", poison::send));
            try {
                Optional<Path> nextSchemas =
                        kinds.contains("upgrade") ? Optional.of(NextSchemas.compile(folder)) : Optional.empty();
                strike(roles, Fault.all(roles, site, members, nextSchemas, new ToldAgain(site, seed), clocks));
                roles.awaitHealthy(UP);
                say("the last fault is over"
                        + (nextSchemas.isEmpty()
                                ? ""
                                : "; records of the next version were written to "
                                        + NextSchemas.writtenTo(site.registry()).size() + " topics"));
            } finally {
                isQuiet = true;
                for (Thread driver : drivers) {
                    driver.join();
                }
            }
            if (driverFailure != null) {
                throw driverFailure;
            }
            if (parts.contains(DIRECTORY)) {
                say("once more, undisturbed");
                sync(site, Round.QUIET, job);
            }
            last(site, job);
            refused(site, refused);
            report.poison(poison.sent());
            poison.differences().forEach(report::difference);
            secrets(site, roles);
            if (parts.contains(MEMBERS)) {
                report.members(members);
            }
            report.finish(seconds());
            return report;
        }
    }

    /** Those of the roles, if they are to be set and can be. */
    private Optional<Clocks> clocks() throws IOException {
        if (!kinds.contains("clock")) {
            return Optional.empty();
        }
        if (parts.contains(MEMBERS)) {
            // Write-back takes what was read by a clock that is ahead for later than what is decided meanwhile.
            say("SKIPPED: clocks that are set, as memberships are written back (expected: --parts=directory,poison)");
            return Optional.empty();
        }
        Optional<Clocks> clocks = Clocks.find(folder.resolve("clocks"));
        if (clocks.isEmpty()) {
            say("SKIPPED: clocks that are set, for want of libfaketime (expected: Debian's package libfaketime)");
        }
        return clocks;
    }

    private Thread driver(String name, Fault.Step work) {
        return Thread.ofPlatform().name(name).start(() -> {
            try {
                work.take();
            } catch (Exception e) {
                driverFailure = e;
            }
        });
    }

    /** A question to the database, which may be away, read-only or crash meanwhile. */
    interface Question<T> {
        T ask(Connection connection) throws SQLException;
    }

    static <T> T ask(FaultySite site, Question<T> question) throws SQLException, InterruptedException {
        long end = System.nanoTime() + UP.toNanos();
        while (true) {
            try (Connection connection = site.connect()) {
                return question.ask(connection);
            } catch (SQLException e) {
                // Class 42 is our own mistake.
                if (System.nanoTime() > end || String.valueOf(e.getSQLState()).startsWith("42")) {
                    throw e;
                }
                Thread.sleep(POLL_MILLIS);
            }
        }
    }

    /** What all roles are told, beside what each logs in with. */
    private Map<String, String> environment(FaultMembers members, RefusedJobs refused) {
        Map<String, String> environment = new LinkedHashMap<>(refused.environment());
        environment.put("LOG_LEVEL", logLevel);
        if (parts.contains(MEMBERS)) {
            environment.putAll(members.environment());
        }
        environment.put("DISCOVERY_JOB_TIMEOUT", "20m");
        // The directory may be away for as long as a fault lasts.
        environment.put("SYNC_MAX_RETRIES", "8");
        // Else a lost slot awaits a person.
        environment.put("CDC_SNAPSHOT_MODE", "when_needed");
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

    /** Changes and syncs, until the last fault is over; ends with a directory that is as it should be. */
    private void drive(FaultySite site, FaultDirectory directory, RefusedJobs refused, int job)
            throws SQLException, LDAPException, InterruptedException {
        Round round = Round.FIRST;
        sync(site, round, job);
        boolean wasHeld = false;
        while (!isQuiet || !wasHeld || round == Round.MASS_DELETION) {
            round = round.next();
            change(directory, round);
            ask(site, refused::again);
            sync(site, round, job);
            wasHeld |= round == Round.MASS_DELETION;
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
    private void sync(FaultySite site, Round round, int job) throws SQLException, InterruptedException {
        phase = round.toString();
        asked = syncs + 1;
        mayFail = isFailing;
        if (round != Round.FIRST) {
            queue(site, job);
        }
        Run run = awaitRun(site, round);
        while (mayFail && !run.status().equals(round.status)) {
            // The directory could not be read whole. Nothing that was there may be gone, and another run sets it right.
            say("sync " + syncs + " (" + round + "): " + run.status() + ", as it could not be read in time; again");
            report.repeated(run.status());
            mayFail = isFailing;
            asked = syncs + 1;
            queue(site, job);
            run = awaitRun(site, round);
        }
        phase = "between syncs";
        List<String> differences = ask(site, connection -> oracle.compare(connection, expected.tables()));
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

    /** Once, even if the answer is lost with the connection. */
    private void queue(FaultySite site, int job) throws SQLException, InterruptedException {
        String once = "sync " + (syncs + 1);
        ask(site, connection -> {
            try (PreparedStatement update = connection.prepareStatement(
                    "update discovery_jobs set next_run_at = now(), name = ? where id = ?" + " and name <> ?")) {
                update.setString(1, once);
                update.setInt(2, job);
                update.setString(3, once);
                return update.executeUpdate();
            }
        });
    }

    private Run awaitRun(FaultySite site, Round round) throws SQLException, InterruptedException {
        long end = System.nanoTime() + SYNC.toNanos();
        while (true) {
            List<Run> runs = ask(site, FaultCampaign::runs);
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

    private void strike(RoleProcesses roles, List<Fault> all) throws Exception {
        Random random = new Random(seed);
        List<Fault> wanted =
                all.stream().filter(fault -> kinds.contains(fault.kind())).toList();
        List<Fault> deck = new ArrayList<>();
        int sync = 0;
        int inSync = 0;
        for (int i = 1; i <= faults && driverFailure == null; i++) {
            // Else a small campaign would spend all of them on the first sync, where nothing is deleted.
            while (parts.contains(DIRECTORY)
                    && inSync >= Math.max(2, faults / 8)
                    && asked == sync
                    && driverFailure == null) {
                note(roles);
                Thread.sleep(POLL_MILLIS);
            }
            watch(roles, random.nextLong(gap.toNanos()));
            inSync = asked == sync ? inSync + 1 : 1;
            sync = asked;
            if (deck.isEmpty()) {
                // In random order, and each as often as any other.
                deck.addAll(wanted);
                Collections.shuffle(deck, random);
            }
            Fault fault = deck.removeLast();
            String during = phase;
            long lasts = fault.lasting() ? random.nextLong(2 * gap.toNanos()) : 0;
            isFailing = fault.mayFailARun();
            mayFail |= isFailing;
            try {
                fault.strike().take();
            } catch (MarkedPoint.PointNotSeen e) {
                say(fault.name() + ": " + e.getMessage());
                report.notSeen(fault.name());
                continue;
            }
            watch(roles, lasts);
            fault.heal().take();
            mayFail |= isFailing;
            isFailing = false;
            long healed = System.nanoTime();
            fault.victims().forEach(role -> recovering.put(role, healed));
            report.fault(fault.name(), during);
            say(String.format(
                    Locale.ROOT,
                    "fault %d/%d: %s%s, during: %s",
                    i,
                    faults,
                    fault.name(),
                    fault.lasting() ? String.format(Locale.ROOT, " for %.1f s", lasts / 1e9) : "",
                    during));
            // Some strike while others are still coming up.
            boolean awaitsRecovery = i == faults || random.nextInt(10) < 7;
            long end = System.nanoTime() + UP.toNanos();
            while (awaitsRecovery && !recovering.isEmpty()) {
                if (System.nanoTime() > end) {
                    throw new IllegalStateException(recovering.keySet() + ": not healthy " + UP.toSeconds()
                            + " s after " + fault.name() + "; logs are in " + folder);
                }
                note(roles);
                Thread.sleep(POLL_MILLIS);
            }
        }
    }

    private void watch(RoleProcesses roles, long nanos) throws InterruptedException {
        long end = System.nanoTime() + nanos;
        while (System.nanoTime() < end) {
            note(roles);
            Thread.sleep(POLL_MILLIS);
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

    private void secrets(FaultySite site, RoleProcesses roles) throws Exception {
        canaries.secret("Okta's token", SimulatedOkta.TOKEN);
        canaries.secret("the directory's password", FaultDirectory.PASSWORD);
        canaries.secret("password of a person in the directory", FaultDirectory.PERSONS_PASSWORD);
        FaultSecrets secrets = new FaultSecrets(canaries);
        secrets.search(site, roles, folder).forEach(where -> report.difference("secret: " + where));
        report.searched(canaries.count(), secrets.searched());
    }

    private void refused(FaultySite site, RefusedJobs refused) throws SQLException, InterruptedException {
        long end = System.nanoTime() + UP.toNanos();
        List<String> differences = ask(site, refused::differences);
        while (!differences.isEmpty() && System.nanoTime() < end) {
            Thread.sleep(POLL_MILLIS);
            differences = ask(site, refused::differences);
        }
        differences.forEach(report::difference);
    }

    private void last(FaultySite site, int job) throws SQLException, InterruptedException {
        List<String> differences = new ArrayList<>();
        if (parts.contains(DIRECTORY)) {
            for (ElderTable table : FaultOracle.TABLES) {
                report.rows(table.sqlName(), oracle.counts(table));
            }
            differences.addAll(ask(site, connection -> lastOfDirectory(connection, job)));
        }
        long retained = site.retainedBytes();
        report.retained(retained);
        if (retained > MOST_RETAINED) {
            differences.add(
                    retained + " bytes of the database's log retained (expected: at most " + MOST_RETAINED + ")");
        }
        differences.forEach(report::difference);
    }

    private List<String> lastOfDirectory(Connection connection, int job) throws SQLException {
        List<String> differences = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet row =
                        statement.executeQuery("select (select count(*) from pipeline.runs where provider = 'ldap'),"
                                + " (select status || ' ' || coalesce(last_error, '') from discovery_jobs where id = "
                                + job
                                + ")")) {
            row.next();
            if (row.getInt(1) != syncs) {
                differences.add(row.getInt(1) + " runs (expected: " + syncs + ", one for each time that it was asked)");
            }
            if (!"completed".equals(row.getString(2).strip())) {
                differences.add("the job's status: " + row.getString(2) + " (expected: completed)");
            }
        }
        return differences;
    }

    private double seconds() {
        return (System.nanoTime() - begin) / 1e9;
    }

    /** Two threads speak. */
    private synchronized void say(String text) {
        out.printf(Locale.ROOT, "%5.0f s  %s%n", seconds(), text);
    }
}
