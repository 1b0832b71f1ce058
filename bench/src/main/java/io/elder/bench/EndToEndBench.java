package io.elder.bench;

import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.normalizer.Normalizer;
import io.elder.runtime.Component;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.sink.SinkMain;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.postgresql.PGConnection;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** From a raw record in Kafka to its row: how long at a steady rate, what a record costs as the estate grows, and a rebuild. */
@Command(
        name = "end-to-end",
        mixinStandardHelpOptions = true,
        description = "Raw record to visible row: latency, cost per record as the estate grows, rebuild against COPY.")
final class EndToEndBench implements Callable<Integer> {
    private static final double LATENCY_BAR_MILLIS = 2000;
    private static final double GROWTH_BAR = 1.2;
    private static final double REBUILD_BAR = 0.5;

    /** So many until Java's compiler is done, else the smaller estate, which comes first, looks dearer than it is. */
    private static final int WARM_UP_PASSES = 6;

    /** Three million records take some minutes. */
    private static final Duration STUCK = Duration.ofMinutes(15);

    /** Every so many records one is looked for. */
    private static final int SAMPLE = 20;

    @Option(
            names = "--rates",
            defaultValue = "1000,5000",
            split = ",",
            description = "records/s (default: ${DEFAULT-VALUE})")
    private List<Integer> rates = List.of();

    @Option(names = "--seconds", defaultValue = "30", description = "at each rate (default: ${DEFAULT-VALUE})")
    private int seconds;

    @Option(
            names = "--warm-up",
            defaultValue = "20",
            description = "seconds at each rate before, for the JVM to compile (default: ${DEFAULT-VALUE})")
    private int warmUp;

    /** What is measured. */
    private enum Phase {
        LATENCY,
        /** And the rebuild of what it leaves. */
        GROWTH
    }

    @Option(names = "--phases", split = ",", description = "one of: latency, growth (and rebuild); default: both")
    private Set<Phase> phases = EnumSet.allOf(Phase.class);

    @Option(
            names = "--few",
            defaultValue = "10000",
            description = "resources of a small estate (default: ${DEFAULT-VALUE})")
    private int few;

    @Option(names = "--many", defaultValue = "3000000", description = "of a large one (default: ${DEFAULT-VALUE})")
    private int many;

    @Option(
            names = "--runs",
            defaultValue = "5",
            description = "of which the median counts (default: ${DEFAULT-VALUE})")
    private int runs;

    @Option(names = "--results", description = "where results go (default: bench/results)")
    private Path results;

    private final PrintStream out;
    private Servers servers;
    private Path folder;
    private int pass;

    EndToEndBench() {
        this(System.out);
    }

    EndToEndBench(PrintStream out) {
        this.out = out;
    }

    /** The normalizer and the sink in this process. */
    private final class Stages implements AutoCloseable {
        private final Metrics metrics = new Metrics();
        private final List<Component> components = new ArrayList<>();

        Stages(String prefix, Path state) throws InterruptedException {
            Map<String, String> environment = RawFeed.environment(servers, prefix);
            environment.put("STATE_DIR", state.toString());
            Settings settings = Settings.of(environment);
            components.add(new Normalizer(settings, metrics));
            components.add(SinkMain.component(settings, metrics));
            components.forEach(Component::start);
            await("stages", () -> components.stream()
                    .allMatch(component -> component.health().ok()));
        }

        @Override
        public void close() {
            components.forEach(Component::close);
            metrics.close();
        }
    }

    /** What is waited for. */
    @FunctionalInterface
    private interface Condition {
        boolean holds() throws SQLException;
    }

    @Override
    public Integer call() throws Exception {
        folder = Files.createTempDirectory("elder-bench");
        Report report = new Report("end-to-end", out);
        BarChart chart = new BarChart("Raw record to visible row", "milliseconds");
        try (Servers started = Servers.prepared(folder, EmbeddedDatabase.Durability.DURABLE, Servers.ROOMY)) {
            servers = started;
            try (Connection connection = servers.connect();
                    Statement statement = connection.createStatement()) {
                statement.execute(
                        "INSERT INTO tenants (id, name, slug, is_active) VALUES (1, 'Default', 'default', true) ON CONFLICT DO NOTHING");
                if (phases.contains(Phase.LATENCY)) {
                    latency(connection, report, chart);
                }
                if (phases.contains(Phase.GROWTH)) {
                    growth(connection, report);
                }
            }
            report.write(results == null ? RoleProcesses.home().resolve("bench/results") : results, chart);
            return report.isWithin() ? 0 : 1;
        } finally {
            CdcBench.delete(folder);
        }
    }

    private void latency(Connection connection, Report report, BarChart chart) throws Exception {
        String prefix = "latency.";
        RawFeed.createTopics(servers, prefix);
        KafkaClients kafka = RawFeed.kafka(servers, prefix);
        List<List<String>> rows =
                new ArrayList<>(List.of(List.of("records/s", "sent/s", "looked for", "p50", "p99", "max")));
        try (Stages stages = new Stages(prefix, folder.resolve("state-latency"))) {
            organization(connection);
            int first = 0;
            for (int rate : rates) {
                steady(connection, kafka, first, rate, warmUp);
                first += rate * warmUp;
                Steady steady = steady(connection, kafka, first, rate, seconds);
                first += rate * seconds;
                rows.add(List.of(
                        Integer.toString(rate),
                        Report.whole(steady.sentPerSecond()),
                        Integer.toString(steady.seen()),
                        Report.whole(steady.p50()) + " ms",
                        Report.whole(steady.p99()) + " ms",
                        Report.whole(steady.max()) + " ms"));
                chart.group(rate + " records/s").bar("p50", steady.p50()).bar("p99", steady.p99());
                report.figures()
                        .withObject("latency")
                        .withObject(Integer.toString(rate))
                        .put("sent_per_s", steady.sentPerSecond())
                        .put("p50_ms", steady.p50())
                        .put("p99_ms", steady.p99())
                        .put("max_ms", steady.max());
                report.bar(rate + " records/s: p99 in ms", steady.p99(), false, LATENCY_BAR_MILLIS);
            }
        }
        report.table("From when a record was due to be sent to the commit of its row", rows);
    }

    /** Latencies in milliseconds, of so many that were looked for. */
    private record Steady(double sentPerSecond, int seen, double p50, double p99, double max) {}

    /** Sends new resources at a rate. A record counts from when it was due: a sender that falls behind hides nothing. */
    private Steady steady(Connection connection, KafkaClients kafka, int first, int rate, int forSeconds)
            throws Exception {
        int count = rate * forSeconds;
        Instant begun = Instant.now();
        long begunNanos = System.nanoTime();
        try (RawFeed.Sender sender = new RawFeed.Sender(kafka, 0)) {
            for (int i = 0; i < count; i++) {
                long due = begunNanos + i * 1_000_000_000L / rate;
                while (System.nanoTime() < due) {
                    LockSupport.parkNanos(due - System.nanoTime());
                }
                sender.send(RawFeed.record(first + i, 0, 0));
            }
        }
        double sentPerSecond = count / ((System.nanoTime() - begunNanos) / 1e9);
        visible(connection, RawFeed.record(0, 0, 0).getRunId(), first + count);
        Map<String, Instant> due = new HashMap<>();
        for (int i = 0; i < count; i += SAMPLE) {
            due.put(RawFeed.key(first + i), begun.plusNanos(i * 1_000_000_000L / rate));
        }
        double[] millis = latencies(connection, due);
        return new Steady(
                sentPerSecond,
                millis.length,
                CdcBench.percentile(millis, 50),
                CdcBench.percentile(millis, 99),
                millis[millis.length - 1]);
    }

    /** By PostgreSQL's own times of commits: asking for rows while they are written would slow them down. */
    private static double[] latencies(Connection connection, Map<String, Instant> due) throws SQLException {
        double[] millis = new double[due.size()];
        int seen = 0;
        try (PreparedStatement query = connection.prepareStatement(
                "SELECT source_key, pg_xact_commit_timestamp(xmin) FROM entities WHERE source_key = ANY (?)")) {
            query.setArray(1, connection.createArrayOf("text", due.keySet().toArray()));
            try (ResultSet row = query.executeQuery()) {
                while (row.next()) {
                    Instant committed = row.getObject(2, OffsetDateTime.class).toInstant();
                    millis[seen++] = Duration.between(due.get(row.getString(1)), committed)
                                    .toNanos()
                            / 1e6;
                }
            }
        }
        if (seen < millis.length) {
            throw new IllegalStateException(seen + " rows of " + millis.length + " that were looked for");
        }
        Arrays.sort(millis);
        return millis;
    }

    private void growth(Connection connection, Report report) throws Exception {
        String prefix = "growth.";
        RawFeed.createTopics(servers, prefix);
        KafkaClients kafka = RawFeed.kafka(servers, prefix);
        try (Statement statement = connection.createStatement()) {
            statement.execute("SELECT pipeline.empty_inventory()");
        }
        Path state = folder.resolve("state-growth");
        double small;
        double large;
        double loading;
        try (Stages stages = new Stages(prefix, state)) {
            organization(connection);
            pass(kafka, connection, IntStream.range(0, few).toArray());
            small = changing(kafka, connection, few);
            loading = pass(kafka, connection, IntStream.range(few, many).toArray());
            large = changing(kafka, connection, many);
        }
        List<List<String>> rows = new ArrayList<>(List.of(List.of("resources", "microseconds per changed record")));
        rows.add(List.of(Report.whole(few), Report.whole(small)));
        rows.add(List.of(Report.whole(many), Report.whole(large)));
        report.table(Report.whole(few) + " changed resources through the pipeline, median of " + runs, rows);
        report.figures()
                .withObject("growth")
                .put("few", few)
                .put("many", many)
                .put("few_us", small)
                .put("many_us", large)
                .put("loading_us", loading);
        report.bar("cost per record, " + many + " to " + few + " resources", large / small, false, GROWTH_BAR);
        rebuild(connection, report);
    }

    /** Microseconds per record to change so many resources, spread over the whole estate. */
    private double changing(KafkaClients kafka, Connection connection, int estate) throws Exception {
        List<Double> costs = new ArrayList<>();
        for (int run = 0; run < WARM_UP_PASSES + runs; run++) {
            int shift = run;
            int[] some = IntStream.range(0, few)
                    .map(i -> (int) ((i * (long) estate / few + shift) % estate))
                    .toArray();
            double cost = pass(kafka, connection, some);
            if (run >= WARM_UP_PASSES) {
                costs.add(cost);
            }
            out.printf(Locale.ROOT, "  %d of %d resources changed: %.0f us each%n", few, estate, cost);
        }
        return Report.median(costs);
    }

    /** Microseconds per record from the first send until all rows are as sent. */
    private double pass(KafkaClients kafka, Connection connection, int[] numbers) throws Exception {
        int now = ++pass;
        long begun = System.nanoTime();
        RawFeed.send(kafka, RawFeed.those(numbers.length, i -> numbers[i], now, now));
        String run = RawFeed.record(0, now, now).getRunId();
        visible(connection, run, numbers.length);
        return (System.nanoTime() - begun) / 1e3 / numbers.length;
    }

    private static void visible(Connection connection, String run, int count) throws Exception {
        // The sink counts what it wrote for a run in the transaction that writes it.
        try (PreparedStatement query =
                connection.prepareStatement("SELECT created + updated FROM pipeline.runs WHERE run_id = ?")) {
            query.setString(1, run);
            await("rows of " + run, () -> {
                try (ResultSet row = query.executeQuery()) {
                    return row.next() && row.getLong(1) >= count;
                }
            });
        }
    }

    /** From nothing but the raw topic, as {@code ./elder rebuild} does it; against COPY of the same rows. */
    private void rebuild(Connection connection, Report report) throws Exception {
        Path file = folder.resolve("entities.copy");
        try (Statement statement = connection.createStatement()) {
            try (var to = Files.newOutputStream(file)) {
                connection.unwrap(PGConnection.class).getCopyAPI().copyOut("COPY entities TO STDOUT", to);
            }
            List<Double> copies = new ArrayList<>();
            List<Double> rebuilds = new ArrayList<>();
            for (int run = 0; run < Math.max(1, runs / 2); run++) {
                statement.execute("TRUNCATE entities CASCADE");
                statement.execute("CHECKPOINT");
                long begun = System.nanoTime();
                try (var from = Files.newInputStream(file)) {
                    connection
                            .unwrap(PGConnection.class)
                            .getCopyAPI()
                            .copyIn("COPY entities FROM STDIN", from, 1 << 20);
                }
                copies.add(many / ((System.nanoTime() - begun) / 1e9));
                statement.execute("TRUNCATE entities CASCADE");
                statement.execute("CHECKPOINT");
                String prefix = "rebuild-" + run + ".";
                RawFeed.createTopics(servers, prefix);
                KafkaClients kafka = RawFeed.kafka(servers, prefix);
                int now = ++pass;
                RawFeed.send(kafka, RawFeed.all(many, now, now));
                try (Stages stages = new Stages(prefix, folder.resolve("state-" + prefix))) {
                    begun = System.nanoTime();
                    visible(connection, RawFeed.record(0, now, now).getRunId(), many);
                    rebuilds.add(many / ((System.nanoTime() - begun) / 1e9));
                }
                out.printf(Locale.ROOT, "  rebuild %.0f/s, COPY %.0f/s%n", rebuilds.getLast(), copies.getLast());
            }
            double ratio = Report.median(rebuilds) / Report.median(copies);
            List<List<String>> rows =
                    new ArrayList<>(List.of(List.of("rebuild of " + Report.whole(many), "records/s")));
            rows.add(List.of("raw topic to rows", Report.whole(Report.median(rebuilds))));
            rows.add(List.of("COPY of the same rows", Report.whole(Report.median(copies))));
            report.table("Rebuild", rows);
            report.figures()
                    .withObject("rebuild")
                    .put("records_per_s", Report.median(rebuilds))
                    .put("copy_records_per_s", Report.median(copies));
            report.bar("rebuild to COPY", ratio, true, REBUILD_BAR);
        }
    }

    /** What instances refer to: their region's organisation, as the fetcher of AWS reports it. */
    private static void organization(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("INSERT INTO organizations (name, source_key, tenant_id) VALUES ('AWS eu-central-1',"
                    + " 'aws/123456789012/aws_region/eu-central-1', 1) ON CONFLICT DO NOTHING");
        }
    }

    private static void await(String what, Condition condition) throws InterruptedException {
        long until = System.nanoTime() + STUCK.toNanos();
        try {
            while (!condition.holds()) {
                if (System.nanoTime() > until) {
                    throw new IllegalStateException(what + ": not there after " + STUCK.toSeconds() + " s");
                }
                Thread.sleep(10);
            }
        } catch (SQLException e) {
            throw new IllegalStateException(what, e);
        }
    }
}
