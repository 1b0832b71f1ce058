package io.elder.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.schemas.avro.Task;
import io.elder.schemas.serde.AvroDeserializer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
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
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How long after the commit of a change in {@code discovery_jobs} its task can be read from Kafka. */
@Command(
        name = "cdc",
        mixinStandardHelpOptions = true,
        description = "From UPDATE discovery_jobs SET next_run_at = now() to the task in Kafka.")
final class CdcBench implements Callable<Integer> {
    /** Before these the JVMs have compiled nothing. */
    private static final int WARM_UP = 60;

    private static final double BAR_MILLIS = 200;
    private static final double QUIET_BAR_MILLIS = 5000;
    private static final Duration LOST = Duration.ofSeconds(30);

    @Option(names = "--updates", defaultValue = "300", description = "how many (default: ${DEFAULT-VALUE})")
    private int updates;

    @Option(
            names = "--spacing",
            defaultValue = "30",
            description = "milliseconds between updates (default: ${DEFAULT-VALUE})")
    private int spacing;

    @Option(
            names = "--quiet",
            defaultValue = "30",
            description = "seconds without any change before the last update (default: ${DEFAULT-VALUE})")
    private int quiet;

    @Option(names = "--work", description = "where servers and logs live (default: a temporary folder)")
    private Path work;

    private final Map<Integer, Long> arrived = new ConcurrentHashMap<>();

    @Override
    public Integer call() throws Exception {
        Path folder = work == null ? Files.createTempDirectory("elder-bench") : Files.createDirectories(work);
        try (Servers servers = Servers.prepared(folder, EmbeddedDatabase.Durability.DURABLE);
                RoleProcesses roles = new RoleProcesses(folder, servers.environment());
                Connection connection = servers.connect()) {
            System.out.println("starting cdc and scheduler; logs are in " + folder);
            List<Integer> jobs = jobs(connection, WARM_UP + updates + 1);
            roles.start("cdc");
            roles.start("scheduler");
            roles.awaitHealthy(Duration.ofMinutes(2));
            return measure(servers, connection, jobs);
        } finally {
            if (work == null) {
                delete(folder);
            }
        }
    }

    private int measure(Servers servers, Connection connection, List<Integer> jobs)
            throws SQLException, InterruptedException, IOException {
        CountDownLatch done = new CountDownLatch(1);
        CountDownLatch ready = new CountDownLatch(1);
        Thread reader = Thread.ofPlatform().name("tasks").start(() -> read(servers, ready, done));
        try (PreparedStatement update =
                connection.prepareStatement("UPDATE discovery_jobs SET next_run_at = now() WHERE id = ?")) {
            ready.await();
            latencies(update, jobs.subList(0, WARM_UP));
            double[] millis = latencies(update, jobs.subList(WARM_UP, WARM_UP + updates));
            System.out.println("quiet for " + quiet + " s");
            Thread.sleep(Duration.ofSeconds(quiet));
            double afterQuiet = latencies(update, jobs.subList(WARM_UP + updates, jobs.size()))[0];
            return report(millis, afterQuiet);
        } finally {
            done.countDown();
            reader.join();
        }
    }

    /** In milliseconds, sorted. */
    private double[] latencies(PreparedStatement update, List<Integer> jobs) throws SQLException, InterruptedException {
        long[] committed = new long[jobs.size()];
        for (int i = 0; i < committed.length; i++) {
            update.setInt(1, jobs.get(i));
            update.executeUpdate();
            committed[i] = System.nanoTime();
            Thread.sleep(spacing);
        }
        double[] millis = new double[committed.length];
        long end = System.nanoTime() + LOST.toNanos();
        for (int i = 0; i < millis.length; i++) {
            Long seen = arrived.get(jobs.get(i));
            while (seen == null) {
                if (System.nanoTime() > end) {
                    throw new IllegalStateException("job " + jobs.get(i) + ": no task within " + LOST.toSeconds()
                            + " s (expected: one per update)");
                }
                Thread.sleep(5);
                seen = arrived.get(jobs.get(i));
            }
            millis[i] = Math.max(0, (seen - committed[i]) / 1e6);
        }
        Arrays.sort(millis);
        return millis;
    }

    private void read(Servers servers, CountDownLatch ready, CountDownLatch done) {
        Map<String, Object> settings = servers.kafka().consumer("bench");
        settings.remove("group.id");
        String topic = servers.kafka().topics().tasks("ldap").name();
        try (AvroDeserializer<Task> tasks = new AvroDeserializer<>();
                KafkaConsumer<byte[], byte[]> consumer =
                        new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            tasks.configure(settings, false);
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(info -> new TopicPartition(topic, info.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            ready.countDown();
            while (done.getCount() > 0) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    long now = System.nanoTime();
                    arrived.putIfAbsent(tasks.deserialize(topic, record.value()).getJobId(), now);
                }
            }
        } finally {
            ready.countDown();
        }
    }

    private int report(double[] millis, double afterQuiet) throws IOException {
        System.out.printf(
                Locale.ROOT,
                "%n%-34s %8s %8s %8s %8s %8s%n",
                "commit to task in Kafka",
                "n",
                "p50",
                "p90",
                "p99",
                "max");
        System.out.printf(
                Locale.ROOT,
                "%-34s %8d %5.0f ms %5.0f ms %5.0f ms %5.0f ms%n",
                "one update every " + spacing + " ms",
                millis.length,
                percentile(millis, 50),
                percentile(millis, 90),
                percentile(millis, 99),
                millis[millis.length - 1]);
        System.out.printf(Locale.ROOT, "%-34s %8d %5.0f ms%n", "after " + quiet + " s of quiet", 1, afterQuiet);
        // Milliseconds say little without it: our own processes are about 2 of it.
        double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
        System.out.printf(
                Locale.ROOT,
                "load average %.1f on %d processors%n",
                load,
                Runtime.getRuntime().availableProcessors());
        boolean isWithin = percentile(millis, 99) <= BAR_MILLIS && afterQuiet <= QUIET_BAR_MILLIS;
        System.out.printf(
                Locale.ROOT,
                "%s: p99 %.0f ms (bar: %.0f ms), after quiet %.0f ms (bar: %.0f ms)%n",
                isWithin ? "within the bar" : "MISSED",
                percentile(millis, 99),
                BAR_MILLIS,
                afterQuiet,
                QUIET_BAR_MILLIS);
        ObjectMapper json = new ObjectMapper();
        ObjectNode result = json.createObjectNode();
        result.put("at", Instant.now().toString());
        result.put("processors", Runtime.getRuntime().availableProcessors());
        result.put("load_average", load);
        result.put("updates", millis.length);
        result.put("spacing_ms", spacing);
        result.put("p50_ms", percentile(millis, 50));
        result.put("p90_ms", percentile(millis, 90));
        result.put("p99_ms", percentile(millis, 99));
        result.put("max_ms", millis[millis.length - 1]);
        result.put("quiet_s", quiet);
        result.put("after_quiet_ms", afterQuiet);
        Path results = Files.createDirectories(RoleProcesses.home().resolve("bench/results"));
        Files.writeString(
                results.resolve("cdc.json"),
                json.writerWithDefaultPrettyPrinter().writeValueAsString(result) + "\n");
        return isWithin ? 0 : 1;
    }

    /** By the nearest rank. */
    static double percentile(double[] sorted, int percent) {
        return sorted[Math.max(0, (int) Math.ceil(sorted.length * percent / 100.0) - 1)];
    }

    /** Jobs that ran and are not to run again unless they are told to. */
    private static List<Integer> jobs(Connection connection, int count) throws SQLException {
        List<Integer> ids = new ArrayList<>();
        try (Statement insert = connection.createStatement();
                ResultSet rows = insert.executeQuery(
                        "insert into discovery_jobs (name, provider, config_json, schedule_interval, enabled, last_run_at)"
                                + " select 'bench ' || n, 'ldap', '{}', 0, true, now() - interval '1 hour' from generate_series(1, "
                                + count + ") n returning id")) {
            while (rows.next()) {
                ids.add(rows.getInt(1));
            }
        }
        return ids;
    }

    static void delete(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            all.sorted(Comparator.reverseOrder()).forEach(path -> {
                try {
                    Files.deleteIfExists(path);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
    }
}
