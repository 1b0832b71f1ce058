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
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
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
    private static final Duration STUCK = Duration.ofMinutes(3);

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
            names = "--few",
            defaultValue = "10000",
            description = "resources of a small estate (default: ${DEFAULT-VALUE})")
    private int few;

    @Option(
            names = "--many",
            defaultValue = "300000",
            description = "of a large one; 3000000 takes some minutes (default: ${DEFAULT-VALUE})")
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
        try (Servers started = Servers.prepared(
                folder,
                EmbeddedDatabase.Durability.DURABLE,
                Map.of("shared_buffers", "1GB", "max_wal_size", "8GB", "checkpoint_timeout", "30min"))) {
            servers = started;
            try (Connection connection = servers.connect();
                    Statement statement = connection.createStatement()) {
                statement.execute(
                        "INSERT INTO tenants (id, name, slug, is_active) VALUES (1, 'Default', 'default', true) ON CONFLICT DO NOTHING");
                latency(connection, report, chart);
                growth(connection, report);
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
            steady(connection, kafka, first, 500, Math.min(10, seconds));
            first += 500 * Math.min(10, seconds);
            for (int rate : rates) {
                long begun = System.nanoTime();
                double[] millis = steady(connection, kafka, first, rate, seconds);
                double sent = (double) rate * seconds / ((System.nanoTime() - begun) / 1e9);
                first += rate * seconds;
                rows.add(List.of(
                        Integer.toString(rate),
                        Report.whole(sent),
                        Integer.toString(millis.length),
                        Report.whole(CdcBench.percentile(millis, 50)) + " ms",
                        Report.whole(CdcBench.percentile(millis, 99)) + " ms",
                        Report.whole(millis[millis.length - 1]) + " ms"));
                chart.group(rate + " records/s")
                        .bar("p50", CdcBench.percentile(millis, 50))
                        .bar("p99", CdcBench.percentile(millis, 99));
                report.figures()
                        .withObject("latency")
                        .withObject(Integer.toString(rate))
                        .put("p50_ms", CdcBench.percentile(millis, 50))
                        .put("p99_ms", CdcBench.percentile(millis, 99))
                        .put("max_ms", millis[millis.length - 1]);
                report.bar(rate + " records/s: p99 in ms", CdcBench.percentile(millis, 99), false, LATENCY_BAR_MILLIS);
            }
        }
        report.table("From the producer's send to the row that another connection sees", rows);
    }

    /** Sends new resources at a rate; the latencies of some of them in milliseconds, sorted. */
    private double[] steady(Connection connection, KafkaClients kafka, int first, int rate, int forSeconds)
            throws Exception {
        Map<String, Long> sent = new ConcurrentHashMap<>();
        int count = rate * forSeconds;
        Thread sending = Thread.ofPlatform().name("sender").start(() -> {
            try (RawFeed.Sender sender = new RawFeed.Sender(kafka, 0)) {
                long begun = System.nanoTime();
                for (int i = 0; i < count; i++) {
                    long due = begun + i * 1_000_000_000L / rate;
                    while (System.nanoTime() < due) {
                        LockSupport.parkNanos(due - System.nanoTime());
                    }
                    if (i % SAMPLE == 0) {
                        // When it was due: a sender that falls behind hides nothing.
                        sent.put(RawFeed.key(first + i), due);
                    }
                    sender.send(RawFeed.record(first + i, 0, 0));
                }
            }
        });
        double[] millis = new double[(count + SAMPLE - 1) / SAMPLE];
        int seen = 0;
        long until = System.nanoTime() + STUCK.plusSeconds(forSeconds).toNanos();
        try (PreparedStatement query =
                connection.prepareStatement("SELECT source_key FROM entities WHERE source_key = ANY (?)")) {
            while (seen < millis.length) {
                Array open = connection.createArrayOf("text", sent.keySet().toArray());
                query.setArray(1, open);
                try (ResultSet row = query.executeQuery()) {
                    long now = System.nanoTime();
                    while (row.next()) {
                        millis[seen++] = (now - sent.remove(row.getString(1))) / 1e6;
                    }
                }
                if (System.nanoTime() > until) {
                    throw new IllegalStateException((millis.length - seen) + " records are not visible");
                }
                Thread.sleep(5);
            }
        }
        sending.join();
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
        for (int run = 0; run < runs + 1; run++) {
            int shift = run;
            int[] some = IntStream.range(0, few)
                    .map(i -> (int) ((i * (long) estate / few + shift) % estate))
                    .toArray();
            double cost = pass(kafka, connection, some);
            if (run > 0) {
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
        RawFeed.send(
                kafka,
                Arrays.stream(numbers)
                        .mapToObj(number -> RawFeed.record(number, now, now))
                        .toList());
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
