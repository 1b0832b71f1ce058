package io.elder.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.embedded.servers.EmbeddedDatabase;
import io.elder.schemas.ScopeKey;
import io.elder.schemas.avro.FetchTask;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.ScopeFailed;
import io.elder.schemas.avro.ScopeSealed;
import io.elder.schemas.avro.Task;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How fast a fetcher reads, measured against the least time that the system it reads from allows. */
@Command(
        name = "fetch",
        mixinStandardHelpOptions = true,
        description =
                "Time of a read against what latency and rate limit allow, and memory against the number of resources.")
final class FetchBench implements Callable<Integer> {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration LATENCY = Duration.ofMillis(100);
    private static final double TIME_BAR = 1.15;
    private static final double RATE_BAR = 0.9;
    private static final int HEAP_MIB = 512;

    @Option(
            names = "--provider",
            split = ",",
            defaultValue = "aws,azure,gcp,kubernetes",
            description = "whose lists are read (default: ${DEFAULT-VALUE})")
    private List<String> providers;

    @Option(
            names = "--chains",
            split = ",",
            defaultValue = "1,4",
            description =
                    "accounts, regions or clusters that are read at once, each measured (default: ${DEFAULT-VALUE})")
    private List<Integer> chains;

    @Option(names = "--pages", defaultValue = "100", description = "pages of each (default: ${DEFAULT-VALUE})")
    private int pages;

    @Option(
            names = "--rate",
            defaultValue = "20",
            description = "pages a second that the vendor allows (default: ${DEFAULT-VALUE})")
    private int rate;

    @Option(
            names = "--runs",
            defaultValue = "5",
            description = "of which the median counts (default: ${DEFAULT-VALUE})")
    private int runs;

    @Option(
            names = "--resources",
            defaultValue = "1000000",
            description = "in one scope, to compare memory with 1000 (default: ${DEFAULT-VALUE})")
    private int resources;

    /** What came of one read. */
    private record Read(double seconds, int pages, double busySeconds, long peakMiB, double processorSeconds) {}

    @Override
    public Integer call() throws Exception {
        List<Vendor> vendors = new ArrayList<>();
        for (String provider : providers) {
            vendors.add(Vendor.all().stream()
                    .filter(vendor -> vendor.provider().equals(provider))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("--provider: " + provider + " (expected: any of "
                            + Vendor.all().stream().map(Vendor::provider).toList() + ")")));
        }
        Path folder = Files.createTempDirectory("elder-bench");
        try (Servers servers = Servers.prepared(folder, EmbeddedDatabase.Durability.DURABLE)) {
            System.out.println("logs are in " + folder);
            boolean isWithin = true;
            for (Vendor vendor : vendors) {
                ObjectNode of = JSON.createObjectNode();
                ArrayNode latencies = of.putArray("latency");
                for (int each : chains) {
                    isWithin &= latency(servers, folder, vendor, each, latencies.addObject());
                }
                isWithin &= rate(servers, folder, vendor, of);
                memory(servers, folder, vendor, of);
                of.put("at", Instant.now().toString());
                of.put("processors", Runtime.getRuntime().availableProcessors());
                of.put(
                        "load_average",
                        ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage());
                keep(vendor, of);
            }
            System.out.println(isWithin ? "within the bars" : "MISSED a bar");
            return isWithin ? 0 : 1;
        } finally {
            CdcBench.delete(folder);
        }
    }

    /** Beside the results of the other providers. */
    private static void keep(Vendor vendor, ObjectNode of) throws IOException {
        Path file = Files.createDirectories(RoleProcesses.home().resolve("bench/results"))
                .resolve("fetch.json");
        ObjectNode all = Files.exists(file) ? JSON.readValue(file.toFile(), ObjectNode.class) : JSON.createObjectNode();
        all.set(vendor.provider(), of);
        Files.writeString(file, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(all) + "\n");
    }

    /** Nothing limits but the answers' latency. */
    private boolean latency(Servers servers, Path folder, Vendor vendor, int chains, ObjectNode of) throws Exception {
        double[] seconds = new double[runs];
        double processors = 0;
        try (PageServer server = new PageServer(vendor, pages * vendor.pageSize(), LATENCY, Double.POSITIVE_INFINITY);
                RoleProcesses roles = fetcher(servers, folder, vendor, server, chains, "100000")) {
            read(servers, roles, vendor, server, chains);
            for (int i = 0; i < runs; i++) {
                Read read = read(servers, roles, vendor, server, chains);
                seconds[i] = read.seconds();
                processors += read.processorSeconds() / read.seconds() / runs;
            }
        }
        Arrays.sort(seconds);
        double median = CdcBench.percentile(seconds, 50);
        double least = (double) pages * vendor.lists() * LATENCY.toMillis() / 1000;
        double ratio = median / least;
        System.out.printf(
                Locale.ROOT,
                "%n%s: latency: %d chains of %d pages of %d %s, %d ms each: least %.1f s, median of %d runs %.1f s, ratio %.2f (bar: %.2f); the fetcher alone uses %.1f of %d processors%n",
                vendor.provider(),
                chains,
                pages * vendor.lists(),
                vendor.pageSize(),
                vendor.kind(),
                LATENCY.toMillis(),
                least,
                runs,
                median,
                ratio,
                TIME_BAR,
                processors,
                Runtime.getRuntime().availableProcessors());
        of.put("chains", chains)
                .put("pages_each", pages * vendor.lists())
                .put("page_size", vendor.pageSize())
                .put("least_s", least)
                .put("median_s", median)
                .put("ratio", ratio)
                .put("processors_used", processors);
        return ratio <= TIME_BAR;
    }

    /** One account allows so many pages a second. */
    private boolean rate(Servers servers, Path folder, Vendor vendor, ObjectNode of) throws Exception {
        double[] used = new double[runs];
        int throttled;
        int resourcesEach = rate * 15 * vendor.pageSize() / vendor.lists();
        try (PageServer server = new PageServer(vendor, resourcesEach, Duration.ofMillis(5), rate);
                RoleProcesses roles = fetcher(servers, folder, vendor, server, 1, Integer.toString(rate))) {
            read(servers, roles, vendor, server, 1);
            for (int i = 0; i < runs; i++) {
                Read read = read(servers, roles, vendor, server, 1);
                used[i] = (read.pages() - 1) / read.busySeconds() / rate;
            }
            throttled = server.throttled();
        }
        Arrays.sort(used);
        double median = CdcBench.percentile(used, 50);
        System.out.printf(
                Locale.ROOT,
                "%s: rate: %d pages/s allowed: median of %d runs uses %.0f %% (bar: %.0f %%), throttled %d times in all (bar: 0)%n",
                vendor.provider(),
                rate,
                runs,
                median * 100,
                RATE_BAR * 100,
                throttled);
        of.putObject("rate").put("allowed_per_s", rate).put("used", median).put("throttled", throttled);
        return median >= RATE_BAR && throttled == 0;
    }

    /** The same fetcher, with few resources and with many, in a heap of 512 MiB; it dies if that is not enough. */
    private void memory(Servers servers, Path folder, Vendor vendor, ObjectNode of) throws Exception {
        Read few = readOnce(servers, folder, vendor, 1_000);
        Read many = readOnce(servers, folder, vendor, resources);
        System.out.printf(
                Locale.ROOT,
                "%s: memory: heap of %d MiB; peak of the process with 1000 resources %d MiB, with %d %d MiB; %.0f resources/s%n",
                vendor.provider(),
                HEAP_MIB,
                few.peakMiB(),
                resources,
                many.peakMiB(),
                resources / many.seconds());
        of.putObject("memory")
                .put("heap_mib", HEAP_MIB)
                .put("resources", resources)
                .put("peak_mib_of_1000", few.peakMiB())
                .put("peak_mib", many.peakMiB())
                .put("resources_per_s", resources / many.seconds());
    }

    private Read readOnce(Servers servers, Path folder, Vendor vendor, int count) throws Exception {
        try (PageServer server = new PageServer(vendor, count, Duration.ZERO, Double.POSITIVE_INFINITY);
                RoleProcesses roles = fetcher(servers, folder, vendor, server, 1, "100000")) {
            return read(servers, roles, vendor, server, 1);
        }
    }

    private static RoleProcesses fetcher(
            Servers servers, Path folder, Vendor vendor, PageServer server, int chains, String rateLimit)
            throws Exception {
        Map<String, String> more = new HashMap<>(vendor.settings(server.url(), chains));
        more.put("FETCHER_PROVIDERS", vendor.provider());
        more.put(vendor.provider().toUpperCase(Locale.ROOT) + "_RATE_LIMIT", rateLimit);
        more.put("DISCOVERY_MAX_CONCURRENT", Integer.toString(Math.max(4, chains)));
        more.put("LOG_FORMAT", "text");
        RoleProcesses roles = new RoleProcesses(folder, servers.environment());
        try {
            roles.start(
                    "fetcher",
                    RoleProcesses.command(
                            "fetchers/" + vendor.provider(),
                            "io.elder.fetch.FetcherMain",
                            List.of("--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC", "-Xmx" + HEAP_MIB + "m")),
                    more);
            roles.awaitHealthy(Duration.ofMinutes(2));
            return roles;
        } catch (IOException | InterruptedException | RuntimeException e) {
            roles.close();
            throw e;
        }
    }

    /** Reads the kind in every account or region, each as a task of its own. */
    private static Read read(Servers servers, RoleProcesses roles, Vendor vendor, PageServer server, int chains)
            throws IOException, InterruptedException, ExecutionException {
        int pagesBefore = server.pages();
        server.begin();
        Map<String, Object> settings = servers.kafka().consumer("bench");
        settings.remove("group.id");
        String runs = servers.kafka().topics().runs().name();
        try (AvroDeserializer<RunEvent> events = new AvroDeserializer<>();
                KafkaConsumer<byte[], byte[]> consumer =
                        new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            events.configure(settings, false);
            List<TopicPartition> partitions = consumer.partitionsFor(runs).stream()
                    .map(info -> new TopicPartition(runs, info.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToEnd(partitions);
            partitions.forEach(consumer::position);
            double processorBegin = roles.processorSeconds("fetcher");
            long begin = System.nanoTime();
            send(servers, vendor, chains);
            int open = chains;
            while (open > 0) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(20))) {
                    Object event = events.deserialize(runs, record.value()).getBody();
                    if (event instanceof ScopeFailed failed) {
                        throw new IllegalStateException(failed.getScope() + ": " + failed.getMessage());
                    }
                    if (event instanceof ScopeSealed) {
                        open--;
                    }
                }
            }
            double seconds = (System.nanoTime() - begin) / 1e9;
            return new Read(
                    seconds,
                    server.pages() - pagesBefore,
                    server.busy().toNanos() / 1e9,
                    roles.peakMiB("fetcher"),
                    roles.processorSeconds("fetcher") - processorBegin);
        }
    }

    private static void send(Servers servers, Vendor vendor, int chains)
            throws InterruptedException, ExecutionException {
        Map<String, Object> settings = servers.kafka().producer("bench");
        Instant now = Instant.ofEpochMilli(System.currentTimeMillis());
        String provider = vendor.provider();
        try (AvroSerializer<Task> tasks = new AvroSerializer<>();
                KafkaProducer<String, byte[]> producer =
                        new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer())) {
            tasks.configure(settings, false);
            String topic = servers.kafka().topics().tasks(provider).name();
            for (int chain = 0; chain < chains; chain++) {
                String account = vendor.account(chain);
                String region = vendor.region(chain);
                String scope = new ScopeKey(provider, account, region, vendor.kind()).toString();
                Task task = new Task(
                        provider + "." + now.toEpochMilli(),
                        null,
                        provider,
                        now,
                        now.plus(Duration.ofHours(1)),
                        new FetchTask(account, region, vendor.kind(), List.of(scope)));
                producer.send(new ProducerRecord<>(topic, scope, tasks.serialize(topic, task)))
                        .get();
            }
        }
    }
}
