package io.elder.bench;

import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.normalizer.Normalizer;
import io.elder.normalizer.NormalizerSettings;
import io.elder.normalizer.NormalizerTopology;
import io.elder.normalizer.TopicsAndSettings;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How fast raw records become inventory records, what exactly-once costs, and what the state takes. */
@Command(
        name = "normalizer",
        mixinStandardHelpOptions = true,
        description =
                "Raw records to the inventory, beside a topology that maps nothing and beside consume and produce.")
final class NormalizerBench implements Callable<Integer> {
    private static final String EXACTLY = "exactly_once_v2";
    private static final String AT_LEAST = "at_least_once";
    private static final double EXACTLY_BAR = 0.85;
    private static final double MEMORY_BAR_MIB = 64;
    private static final Duration STUCK = Duration.ofMinutes(3);

    /** What is measured. */
    private enum Kind {
        NORMALIZER_EXACTLY("normalizer, exactly once", EXACTLY),
        NORMALIZER_AT_LEAST("normalizer, at least once", AT_LEAST),
        IDENTITY("the same stores, nothing mapped, exactly once", EXACTLY),
        PLAIN("consume and produce", AT_LEAST);

        private final String title;
        private final String guarantee;

        Kind(String title, String guarantee) {
            this.title = title;
            this.guarantee = guarantee;
        }
    }

    @Option(names = "--records", defaultValue = "200000", description = "resources (default: ${DEFAULT-VALUE})")
    private int records;

    @Option(
            names = "--runs",
            defaultValue = "5",
            description = "of which the median counts (default: ${DEFAULT-VALUE})")
    private int runs;

    @Option(
            names = "--cache",
            defaultValue = "-1",
            description = "bytes of Streams' cache, to compare with; -1: as the normalizer has it")
    private long cache = -1;

    @Option(names = "--only", description = "kinds whose titles hold one of these", split = ",")
    private List<String> only = List.of();

    @Option(
            names = "--warm-up",
            defaultValue = "20000",
            description = "records before the first run, for the JVM to compile (default: ${DEFAULT-VALUE})")
    private int warmUp;

    @Option(names = "--results", description = "where results go (default: bench/results)")
    private Path results;

    private final PrintStream out;
    private final Map<Kind, Map<String, List<Double>>> rates = new LinkedHashMap<>();
    private final List<Double> restores = new ArrayList<>();
    private double memoryMiB;
    private Servers servers;
    private Path folder;
    private int prefixes;

    NormalizerBench() {
        this(System.out);
    }

    NormalizerBench(PrintStream out) {
        this.out = out;
    }

    @Override
    public Integer call() throws Exception {
        folder = Files.createTempDirectory("elder-bench");
        try (Servers started = Servers.prepared(folder, EmbeddedDatabase.Durability.DURABLE)) {
            servers = started;
            for (Kind kind : Kind.values()) {
                rates.put(kind, new LinkedHashMap<>());
            }
            if (warmUp > 0) {
                out.println("warming up");
                run(Kind.NORMALIZER_EXACTLY, Math.min(records, warmUp), new HashMap<>(), new ArrayList<>());
            }
            for (int run = 1; run <= runs; run++) {
                out.printf(Locale.ROOT, "run %d of %d, load average %.1f%n", run, runs, Machine.load());
                for (Kind kind : Kind.values()) {
                    if (!only.isEmpty() && only.stream().noneMatch(kind.title::contains)) {
                        continue;
                    }
                    run(kind, records, rates.get(kind), restores);
                }
            }
            return report();
        } finally {
            CdcBench.delete(folder);
        }
    }

    private void run(Kind kind, int count, Map<String, List<Double>> into, List<Double> restored) throws Exception {
        String prefix = "run-" + ++prefixes + ".";
        RawFeed.createTopics(servers, prefix);
        KafkaClients kafka = RawFeed.kafka(servers, prefix);
        List<String> phases = kind == Kind.PLAIN ? List.of("first") : List.of("first", "changed", "unchanged");
        for (int pass = 0; pass < phases.size(); pass++) {
            RawFeed.send(kafka, RawFeed.all(count, pass, Math.min(pass, 1)));
            Pace pace = new Pace(count);
            double cpu = Machine.cpuMicros();
            if (kind == Kind.PLAIN) {
                plain(kafka, pace);
            } else {
                streams(kind, prefix, (long) pass * count, pace);
            }
            into.computeIfAbsent(phases.get(pass), phase -> new ArrayList<>()).add(pace.perSecond());
            out.printf(
                    Locale.ROOT,
                    "  %-46s %-10s %8d records %9.0f/s %6.0f us of CPU each%n",
                    kind.title,
                    phases.get(pass),
                    count,
                    pace.perSecond(),
                    (Machine.cpuMicros() - cpu) / count);
        }
        if (kind == Kind.NORMALIZER_EXACTLY) {
            restored.add(restore(kind, prefix, count));
        }
        wipe(state(prefix));
    }

    private Path state(String prefix) {
        return folder.resolve("state-" + prefix);
    }

    private static void wipe(Path state) throws java.io.IOException {
        try (Stream<Path> files = Files.exists(state) ? Files.walk(state) : Stream.<Path>empty()) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    /** As the normalizer runs, but for the guarantee. */
    private KafkaStreams start(Kind kind, String prefix, Metrics metrics) {
        Map<String, String> environment = RawFeed.environment(servers, prefix);
        environment.put("STATE_DIR", state(prefix).toString());
        Settings settings = Settings.of(environment);
        KafkaClients kafka = new KafkaClients(settings);
        NormalizerSettings own = NormalizerSettings.from(settings);
        Properties properties = Normalizer.properties(kafka, own);
        properties.put("processing.guarantee", kind.guarantee);
        if (cache >= 0) {
            properties.put("statestore.cache.max.bytes", cache);
        }
        Topology topology = kind == Kind.IDENTITY
                ? identity(kafka)
                : NormalizerTopology.topology(
                        new TopicsAndSettings(kafka.topics(), own, kafka.common(), metrics.registry()));
        KafkaStreams streams = new KafkaStreams(topology, properties);
        streams.start();
        return streams;
    }

    private void streams(Kind kind, String prefix, long from, Pace pace) throws Exception {
        KafkaClients kafka = RawFeed.kafka(servers, prefix);
        String topic = kafka.topics().raw("aws").name();
        try (Metrics metrics = new Metrics();
                Admin admin = Admin.create(kafka.common());
                KafkaStreams streams = start(kind, prefix, metrics)) {
            long until = System.nanoTime() + STUCK.toNanos();
            while (!pace.isDone()) {
                pace.reached(RawFeed.committed(admin, kafka.group("normalizer"), topic) - from);
                if (System.nanoTime() > until) {
                    throw new IllegalStateException("streams are stuck: " + streams.state());
                }
                Thread.sleep(10);
            }
            if (kind == Kind.NORMALIZER_EXACTLY) {
                memoryMiB = Math.max(
                        memoryMiB,
                        streams.metrics().values().stream()
                                        .filter(metric ->
                                                metric.metricName().name().equals("block-cache-usage"))
                                        .mapToDouble(metric -> ((Number) metric.metricValue()).doubleValue())
                                        .max()
                                        .orElse(Double.NaN)
                                / (1 << 20));
            }
        }
    }

    /** From a start without any local state until every task has all of it again. */
    private double restore(Kind kind, String prefix, int count) throws Exception {
        wipe(state(prefix));
        long begun = System.nanoTime();
        try (Metrics metrics = new Metrics();
                KafkaStreams streams = start(kind, prefix, metrics)) {
            while (streams.state() != KafkaStreams.State.RUNNING) {
                if (System.nanoTime() - begun > STUCK.toNanos()) {
                    throw new IllegalStateException("the state is not restored: " + streams.state());
                }
                Thread.sleep(10);
            }
            double seconds = (System.nanoTime() - begun) / 1e9;
            out.printf(Locale.ROOT, "  %-46s %-10s %8d records %9.1f s%n", kind.title, "restore", count, seconds);
            return seconds;
        }
    }

    /** Reads and writes as many stores as an observation does, and sends the record on as it is. */
    private static Topology identity(KafkaClients kafka) {
        Topology topology = new Topology()
                .addSource(
                        "raw",
                        new org.apache.kafka.common.serialization.StringDeserializer(),
                        new ByteArrayDeserializer(),
                        kafka.topics().raw("aws").name())
                .addProcessor("identity", Identity::new, "raw");
        for (String store : Identity.STORES) {
            topology.addStateStore(
                    Stores.keyValueStoreBuilder(
                                    Stores.persistentKeyValueStore(store), Serdes.String(), Serdes.ByteArray())
                            .withCachingDisabled()
                            .withLoggingEnabled(Map.of()),
                    "identity");
        }
        return topology.addSink(
                "inventory",
                kafka.topics().inventory().name(),
                new org.apache.kafka.common.serialization.StringSerializer(),
                new ByteArraySerializer(),
                "identity");
    }

    private static final class Identity implements Processor<String, byte[], String, byte[]> {
        private static final List<String> STORES = List.of("resources", "scope-index", "arrivals");
        private static final byte[] MARK = new byte[8];

        private ProcessorContext<String, byte[]> context;
        private List<KeyValueStore<String, byte[]>> stores = List.of();

        @Override
        public void init(ProcessorContext<String, byte[]> started) {
            context = started;
            stores = STORES.stream()
                    .map(store -> started.<KeyValueStore<String, byte[]>>getStateStore(store))
                    .toList();
        }

        @Override
        public void process(Record<String, byte[]> record) {
            stores.get(2).get("attempt");
            stores.get(2).put("attempt", MARK);
            stores.get(0).get(record.key());
            stores.get(0).put(record.key(), record.value());
            stores.get(1).put(record.key(), MARK);
            context.forward(record);
        }
    }

    private static void plain(KafkaClients kafka, Pace pace) {
        Map<String, Object> consuming = kafka.consumer("plain");
        Map<String, Object> producing = kafka.producer("plain");
        try (KafkaConsumer<byte[], byte[]> consumer =
                        new KafkaConsumer<>(consuming, new ByteArrayDeserializer(), new ByteArrayDeserializer());
                KafkaProducer<byte[], byte[]> producer =
                        new KafkaProducer<>(producing, new ByteArraySerializer(), new ByteArraySerializer())) {
            consumer.subscribe(List.of(kafka.topics().raw("aws").name()));
            String to = kafka.topics().inventory().name();
            long done = 0;
            long committed = System.nanoTime();
            long until = committed + STUCK.toNanos();
            while (!pace.isDone()) {
                if (System.nanoTime() > until) {
                    throw new IllegalStateException("consume and produce is stuck after " + done + " records");
                }
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(10));
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    var unused = producer.send(new ProducerRecord<>(to, record.key(), record.value()));
                }
                done += records.count();
                if (System.nanoTime() - committed > 100_000_000L || records.isEmpty()) {
                    producer.flush();
                    consumer.commitSync();
                    committed = System.nanoTime();
                    pace.reached(done);
                }
            }
        }
    }

    private int report() throws Exception {
        Report report = new Report("normalizer", out);
        report.figures().put("records", records).put("runs", runs);
        List<List<String>> rows = new ArrayList<>(List.of(List.of("records/s", "first", "changed", "unchanged")));
        BarChart chart = new BarChart("Raw records to the inventory", "records a second");
        for (String phase : List.of("first", "changed", "unchanged")) {
            chart.group(phase);
            for (Kind kind : Kind.values()) {
                chart.bar(kind.title, rate(kind, phase));
            }
        }
        for (Kind kind : Kind.values()) {
            List<String> row = new ArrayList<>(List.of(kind.title));
            for (String phase : List.of("first", "changed", "unchanged")) {
                row.add(Report.whole(rate(kind, phase)));
                List<Double> each = rates.get(kind).getOrDefault(phase, List.of());
                var json = report.figures().withObject("rates").withObject(kind.title);
                each.forEach(rate -> json.withArray(phase).add(rate));
            }
            rows.add(row);
        }
        report.table("Medians of " + runs + " runs of " + Report.whole(records) + " EC2 instances, 2 threads", rows);
        out.println();
        for (String phase : List.of("first", "changed", "unchanged")) {
            report.bar(
                    phase + ": exactly once to at least once",
                    rate(Kind.NORMALIZER_EXACTLY, phase) / rate(Kind.NORMALIZER_AT_LEAST, phase),
                    true,
                    EXACTLY_BAR);
        }
        report.bar("RocksDB's cache and buffers, MiB", memoryMiB, false, MEMORY_BAR_MIB);
        double identity = rate(Kind.NORMALIZER_EXACTLY, "changed") / rate(Kind.IDENTITY, "changed");
        double restore = Report.median(restores);
        out.printf(Locale.ROOT, "changed: normalizer to nothing mapped %.2f%n", identity);
        out.printf(Locale.ROOT, "restore of %d resources: %.1f s%n", records, restore);
        report.figures().put("to_identity", identity).put("restore_s", restore).put("rocksdb_mib", memoryMiB);
        report.write(results == null ? RoleProcesses.home().resolve("bench/results") : results, chart);
        return report.isWithin() ? 0 : 1;
    }

    private double rate(Kind kind, String phase) {
        return Report.median(rates.get(kind).getOrDefault(phase, List.of()));
    }
}
