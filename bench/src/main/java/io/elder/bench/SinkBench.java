package io.elder.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.bench.SinkWorkload.Phase;
import io.elder.embedded.servers.EmbeddedDatabase;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How fast inventory records become rows, beside others that could do it and beside PostgreSQL's own limit. */
@Command(
        name = "sink",
        mixinStandardHelpOptions = true,
        description = "Inventory records to rows: ours, Debezium's JDBC sink, plain JDBC, row by row, and COPY.")
final class SinkBench implements Callable<Integer> {
    private static final String ELDER = "Elder";
    private static final String LIMIT = "limit: COPY and merge";
    private static final String DEBEZIUM = "Debezium, default";
    private static final String TUNED = "Debezium, tuned";

    @Option(
            names = "--records",
            defaultValue = "1000000",
            description = "of us and of COPY (default: ${DEFAULT-VALUE})")
    private int records;

    @Option(
            names = "--peer-records",
            defaultValue = "200000",
            description = "of Debezium and JDBC batch; rates are compared (default: ${DEFAULT-VALUE})")
    private int peerRecords;

    @Option(names = "--row-records", defaultValue = "20000", description = "of row by row (default: ${DEFAULT-VALUE})")
    private int rowRecords;

    @Option(
            names = "--far-records",
            defaultValue = "100000",
            description =
                    "of all with a simulated round trip; of those that send row by row a tenth (default: ${DEFAULT-VALUE})")
    private int farRecords;

    @Option(
            names = "--runs",
            defaultValue = "5",
            description = "of which the median counts (default: ${DEFAULT-VALUE})")
    private int runs;

    @Option(
            names = "--round-trip",
            defaultValue = "2500",
            description = "simulated, in microseconds (default: ${DEFAULT-VALUE})")
    private int roundTripMicros;

    @Option(names = "--only", description = "peers whose names hold one of these", split = ",")
    private List<String> only = List.of();

    @Option(
            names = "--elder",
            description =
                    "settings of the sink as A=1,B=2; several times: each is a peer of its own, compared in one run")
    private List<String> variants = List.of();

    @Option(names = "--phases", description = "some of: load,changed,redelivered,seen,rebuild", split = ",")
    private Set<Phase> phases = EnumSet.allOf(Phase.class);

    @Option(
            names = "--warm-up",
            defaultValue = "20000",
            description = "records before the first run, for the JVM to compile (default: ${DEFAULT-VALUE})")
    private int warmUp;

    @Option(names = "--work", description = "where servers live (default: a temporary folder)")
    private Path work;

    @Option(names = "--results", description = "where results go (default: bench/results)")
    private Path results;

    private final PrintStream out;

    private Servers servers;
    private Path folder;
    private final Map<String, SinkFeed> feeds = new HashMap<>();
    private final Map<String, Map<String, Cell>> cells = new LinkedHashMap<>();
    private int databases;

    /** What was measured of one peer in one phase. */
    private static final class Cell {
        private int records;
        private final List<Double> rates = new ArrayList<>();
        private final List<Double> writtenPerRecord = new ArrayList<>();
        private final List<Double> walPerRecord = new ArrayList<>();
    }

    /** @param near how many records, without and with the round trip */
    private record Entry(SinkPeer peer, int near, int far, boolean needsIds) {}

    SinkBench() {
        this(System.out);
    }

    SinkBench(PrintStream out) {
        this.out = out;
    }

    @Override
    public Integer call() throws Exception {
        folder = work == null ? Files.createTempDirectory("elder-bench") : Files.createDirectories(work);
        try (Servers started = Servers.prepared(folder, EmbeddedDatabase.Durability.DURABLE, Servers.ROOMY)) {
            servers = started;
            base();
            try (DebeziumSink.Worker worker =
                            wants(DEBEZIUM) || wants(TUNED) ? new DebeziumSink.Worker(started, folder) : null;
                    DelayProxy proxy =
                            DelayProxy.to(started.database().port(), Duration.ofNanos(roundTripMicros * 1000L))) {
                List<Entry> entries = entries(worker);
                for (Entry entry : warmUp > 0 ? entries : List.<Entry>of()) {
                    out.println("warming up " + entry.peer().name());
                    measure(
                            entry,
                            Math.min(entry.near(), warmUp),
                            started.database().port(),
                            new LinkedHashMap<>());
                }
                for (int run = 1; run <= runs; run++) {
                    out.printf(Locale.ROOT, "run %d of %d, load average %.1f%n", run, runs, Machine.load());
                    for (Entry entry : entries) {
                        measure(
                                entry,
                                entry.near(),
                                started.database().port(),
                                cells.computeIfAbsent(entry.peer().name(), name -> new LinkedHashMap<>()));
                    }
                    if (farRecords > 0) {
                        for (Entry entry : entries) {
                            far(entry, proxy.port());
                        }
                    }
                }
            }
            return report();
        } finally {
            if (work == null) {
                CdcBench.delete(folder);
            }
        }
    }

    private List<Entry> entries(DebeziumSink.Worker worker) {
        List<Entry> all = new ArrayList<>();
        all.add(new Entry(new CopyMerge(), records, farRecords, false));
        if (variants.isEmpty()) {
            all.add(new Entry(new ElderSink(ELDER, Map.of()), records, farRecords, false));
        }
        for (String variant : variants) {
            Map<String, String> settings = variant.isBlank()
                    ? Map.of()
                    : List.of(variant.split(",")).stream()
                            .collect(Collectors.toMap(
                                    pair -> pair.substring(0, pair.indexOf('=')),
                                    pair -> pair.substring(pair.indexOf('=') + 1)));
            all.add(new Entry(new ElderSink(ELDER + " " + variant, settings), records, farRecords, false));
        }
        all.add(new Entry(new DebeziumSink(TUNED, worker, DebeziumSink.tuned()), peerRecords, farRecords, true));
        all.add(new Entry(new DebeziumSink(DEBEZIUM, worker, Map.of()), peerRecords, farRecords / 10, true));
        all.add(new Entry(new JdbcSink(JdbcSink.Way.BATCH), peerRecords, farRecords, false));
        all.add(new Entry(new JdbcSink(JdbcSink.Way.ROW_BY_ROW), rowRecords, farRecords / 100, false));
        all.removeIf(entry -> entry.near() == 0 || !wants(entry.peer().name()));
        return all;
    }

    private boolean wants(String peer) {
        return only.isEmpty()
                || only.stream()
                        .anyMatch(part -> peer.toLowerCase(Locale.ROOT).contains(part.toLowerCase(Locale.ROOT)));
    }

    /** The database that every measurement starts from: tables, a tenant, and organisations that everything belongs to. */
    private void base() throws SQLException {
        try (Connection connection = servers.connect();
                Statement statement = connection.createStatement()) {
            statement.execute(
                    "INSERT INTO tenants (id, name, slug, is_active) VALUES (1, 'Default', 'default', true) ON CONFLICT DO NOTHING");
            for (int i = 0; i < SinkWorkload.ORGANIZATIONS; i++) {
                String key = SinkWorkload.organization(i);
                statement.execute("INSERT INTO organizations (id, name, source_key) VALUES (" + SinkWorkload.idOf(key)
                        + ", 'region " + i + "', '" + key + "')");
            }
        }
    }

    private void measure(Entry entry, int size, int port, Map<String, Cell> into) throws Exception {
        SinkWorkload workload = new SinkWorkload(size / 20 * 20);
        SinkPeer.Target target = new SinkPeer.Target(port, create(entry.needsIds()));
        for (Phase phase : Phase.values()) {
            // The others build on these.
            boolean isNeeded = phase == Phase.LOAD || (phase == Phase.CHANGED && wants(Phase.REDELIVERED, Phase.SEEN));
            if (!isNeeded && !wants(phase)) {
                continue;
            }
            into.computeIfAbsent(phase.id(), id -> new Cell()).records = workload.records();
            one(entry, workload, phase, target, into.get(phase.id()));
        }
        drop(target.database());
    }

    private boolean wants(Phase... any) {
        return List.of(any).stream().anyMatch(phases::contains);
    }

    /** The first load, through the proxy. */
    private void far(Entry entry, int port) throws Exception {
        int size = entry.far() / 20 * 20;
        if (size == 0) {
            return;
        }
        SinkPeer.Target target = new SinkPeer.Target(port, create(entry.needsIds()));
        Cell cell = cells.get(entry.peer().name()).computeIfAbsent("far", id -> new Cell());
        cell.records = size;
        one(entry, new SinkWorkload(size), Phase.LOAD, target, cell);
        drop(target.database());
    }

    private void one(Entry entry, SinkWorkload workload, Phase phase, SinkPeer.Target target, Cell cell)
            throws Exception {
        SinkFeed feed = feeds.computeIfAbsent(
                phase.source().id() + workload.records(),
                name -> new SinkFeed(servers, folder, workload, phase.source()));
        try (Connection connection = servers.database().connect(target.database());
                Statement statement = connection.createStatement()) {
            if (phase == Phase.REBUILD) {
                statement.execute("TRUNCATE " + FlatTable.names());
            }
            if (phase == Phase.REBUILD || phase == Phase.REDELIVERED) {
                statement.execute("DELETE FROM pipeline.offsets");
            }
            statement.execute("CHECKPOINT");
            long written = written(statement);
            long wal = number(statement, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn");
            double cpu = Machine.cpuMicros();
            Instant begun = Instant.now();
            double seen = entry.peer().run(feed, target);
            cpu = (Machine.cpuMicros() - cpu) / workload.records();
            double rate = committed(statement, workload, begun).orElse(seen);
            cell.rates.add(rate);
            cell.walPerRecord.add((number(statement, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn") - wal)
                    / (double) workload.records());
            cell.writtenPerRecord.add((written(statement) - written) / (double) workload.records());
            check(entry, workload, phase, statement);
            out.printf(
                    Locale.ROOT,
                    "  %-24s %-18s %9d records %9.0f/s %6.0f us of CPU each beside PostgreSQL%n",
                    entry.peer().name(),
                    phase.title,
                    workload.records(),
                    rate,
                    cpu);
        }
    }

    /**
     * Records a second by the times at which PostgreSQL committed the rows, from the first commit to the last: the same measure
     * for everyone, however each tells of its progress. Empty if not all rows were written, or all in one commit.
     */
    private static OptionalDouble committed(Statement statement, SinkWorkload workload, Instant begun)
            throws SQLException {
        String commits = FlatTable.ALL.stream()
                .map(table -> "SELECT pg_xact_commit_timestamp(xmin) AS at FROM " + table.name())
                .collect(Collectors.joining(" UNION ALL "));
        try (ResultSet row = statement.executeQuery("WITH commits AS MATERIALIZED (SELECT at FROM (" + commits
                + ") AS rows WHERE at >= '" + begun + "') SELECT count(*),"
                + " count(*) FILTER (WHERE at > (SELECT min(at) FROM commits)), extract(epoch FROM max(at) - min(at))"
                + " FROM commits")) {
            row.next();
            double perRow = workload.records() / (double) workload.rows();
            return row.getLong(1) < workload.rows() || row.getDouble(3) == 0
                    ? OptionalDouble.empty()
                    : OptionalDouble.of(row.getLong(2) * perRow / row.getDouble(3));
        }
    }

    /** A figure for rows that are not there would be worth nothing. */
    private static void check(Entry entry, SinkWorkload workload, Phase phase, Statement statement)
            throws SQLException {
        long rows = 0;
        long deleted = 0;
        long orphans = 0;
        for (FlatTable table : FlatTable.ALL) {
            rows += number(statement, "SELECT count(*) FROM " + table.name());
            deleted += number(statement, "SELECT count(*) FROM " + table.name() + " WHERE deleted_at IS NOT NULL");
        }
        orphans += number(statement, "SELECT count(*) FROM pipeline.pending_links")
                + number(statement, "SELECT count(*) FROM pipeline.pending_rows");
        if (rows != workload.rows() || deleted != workload.deletedRows() || orphans != 0) {
            throw new IllegalStateException(entry.peer().name() + ", " + phase.title + ": " + rows + " rows, " + deleted
                    + " of them deleted, " + orphans + " waiting (expected: " + workload.rows() + ", "
                    + workload.deletedRows() + ", 0)");
        }
    }

    /** Versions of rows that were written to the heap. Backends report when they end, so this waits until it stands still. */
    private static long written(Statement statement) throws SQLException, InterruptedException {
        String sql =
                "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables WHERE relname IN ("
                        + FlatTable.ALL.stream()
                                .map(table -> "'" + table.name() + "'")
                                .collect(Collectors.joining(", "))
                        + ")";
        long before = -1;
        for (int i = 0; i < 50; i++) {
            statement.execute("SELECT pg_stat_clear_snapshot()");
            long now = number(statement, sql);
            if (now == before
                    && number(
                                    statement,
                                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                                            + " AND backend_type = 'client backend'")
                            == 0) {
                return now;
            }
            before = now;
            Thread.sleep(50);
        }
        return before;
    }

    private static long number(Statement statement, String sql) throws SQLException {
        try (ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getLong(1);
        }
    }

    private String create(boolean withoutForeignKeys) throws SQLException {
        String name = "bench_" + ++databases;
        try (Connection connection = servers.database().connect("postgres");
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE DATABASE " + name + " TEMPLATE " + Servers.DATABASE);
        }
        if (withoutForeignKeys) {
            try (Connection connection = servers.database().connect(name);
                    Statement statement = connection.createStatement()) {
                statement.execute("DO $$ DECLARE c record; BEGIN FOR c IN SELECT conrelid::regclass AS t, conname"
                        + " FROM pg_constraint WHERE contype = 'f' LOOP"
                        + " EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname); END LOOP; END $$");
            }
        }
        return name;
    }

    private void drop(String name) throws SQLException {
        try (Connection connection = servers.database().connect("postgres");
                Statement statement = connection.createStatement()) {
            statement.execute("DROP DATABASE " + name + " WITH (FORCE)");
        }
    }

    private int report() throws Exception {
        Report report = new Report("sink", out);
        ObjectNode figures = report.figures();
        figures.put("runs", runs).put("round_trip_ms", roundTripMicros / 1000.0);
        Servers.ROOMY.forEach((name, value) -> figures.withObject("postgresql").put(name, value));
        List<String> columns = new ArrayList<>();
        List<String> titles = new ArrayList<>();
        for (Phase phase : Phase.values()) {
            if (cells.values().stream().anyMatch(of -> of.containsKey(phase.id()))) {
                columns.add(phase.id());
                titles.add(phase.title);
            }
        }
        if (cells.values().stream().anyMatch(of -> of.containsKey("far"))) {
            columns.add("far");
            titles.add("load at " + roundTripMicros / 1000.0 + " ms");
        }
        List<List<String>> rates = new ArrayList<>(List.of(head("records/s", titles)));
        List<List<String>> ratios = new ArrayList<>(List.of(head("Elder to", titles)));
        List<List<String>> heap = new ArrayList<>(List.of(head("rows written per record", titles)));
        List<List<String>> wal = new ArrayList<>(List.of(head("bytes of WAL per record", titles)));
        String elder = cells.keySet().stream()
                .filter(name -> name.startsWith(ELDER))
                .findFirst()
                .orElse(ELDER);
        BarChart chart = new BarChart("Inventory records to rows", "records a second");
        for (String column : columns) {
            chart.group(titles.get(columns.indexOf(column)));
            cells.forEach((name, of) -> chart.bar(name, rate(name, column)));
        }
        for (Map.Entry<String, Map<String, Cell>> peer : cells.entrySet()) {
            String name = peer.getKey();
            List<String> rate = new ArrayList<>(List.of(name + ", "
                    + Report.whole(peer.getValue().values().iterator().next().records)));
            List<String> ratio = new ArrayList<>(List.of(name));
            List<String> rows = new ArrayList<>(List.of(name));
            List<String> bytes = new ArrayList<>(List.of(name));
            for (String column : columns) {
                Cell cell = peer.getValue().getOrDefault(column, new Cell());
                rate.add(Report.whole(Report.median(cell.rates)));
                ratio.add(Report.ratio(rate(elder, column) / rate(name, column)));
                rows.add(Report.ratio(Report.median(cell.writtenPerRecord)));
                bytes.add(Report.whole(Report.median(cell.walPerRecord)));
                ObjectNode json = figures.withObject("peers").withObject(name).withObject(column);
                json.put("records", cell.records);
                json.put("records_per_s", Report.median(cell.rates));
                cell.rates.forEach(each -> json.withArray("runs").add(each));
                json.put("rows_written_per_record", Report.median(cell.writtenPerRecord));
                json.put("wal_bytes_per_record", Report.median(cell.walPerRecord));
            }
            rates.add(rate);
            ratios.add(ratio);
            heap.add(rows);
            wal.add(bytes);
        }
        report.table("Medians of " + runs + " runs, records a second", rates);
        report.table("Ratios", ratios);
        report.table("What PostgreSQL wrote: versions of rows", heap);
        report.table("What PostgreSQL wrote: WAL", wal);
        out.println();
        for (String column : List.of("load", "changed", "rebuild")) {
            bar(report, elder, LIMIT, column, 0.7);
            bar(report, elder, DEBEZIUM, column, 10);
            bar(report, elder, TUNED, column, 2);
        }
        bar(report, elder, DEBEZIUM, "far", 10);
        bar(report, elder, TUNED, "far", 2);
        Cell nothing = cells.getOrDefault(elder, Map.of()).get("redelivered");
        if (nothing != null) {
            report.bar(
                    "nothing changed: rows written per record", Report.median(nothing.writtenPerRecord), false, 0.01);
        }
        report.write(results == null ? RoleProcesses.home().resolve("bench/results") : results, chart);
        return report.isWithin() ? 0 : 1;
    }

    private void bar(Report report, String elder, String peer, String column, double bar) {
        double ratio = rate(elder, column) / rate(peer, column);
        if (!Double.isNaN(ratio)) {
            report.bar(column + ": Elder to " + peer, ratio, true, bar);
        }
    }

    private double rate(String peer, String column) {
        Cell cell = cells.getOrDefault(peer, Map.of()).get(column);
        return cell == null ? Double.NaN : Report.median(cell.rates);
    }

    private static List<String> head(String first, List<String> titles) {
        List<String> head = new ArrayList<>(List.of(first));
        head.addAll(titles);
        return head;
    }
}
