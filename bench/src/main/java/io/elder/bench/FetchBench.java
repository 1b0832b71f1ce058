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
    private static final String KIND = "k8s_pod";

    /** As Kubernetes' own clients ask. */
    private static final int PAGE_SIZE = 500;

    private static final Duration LATENCY = Duration.ofMillis(100);
    private static final double TIME_BAR = 1.15;
    private static final double RATE_BAR = 0.9;
    private static final int HEAP_MIB = 512;

    @Option(
            names = "--chains",
            defaultValue = "4",
            description = "clusters that are read at once (default: ${DEFAULT-VALUE})")
    private int chains;

    @Option(
            names = "--pages",
            defaultValue = "100",
            description = "pages of each, of 500 pods (default: ${DEFAULT-VALUE})")
    private int pages;

    @Option(
            names = "--rate",
            defaultValue = "20",
            description = "pages a second that a cluster allows (default: ${DEFAULT-VALUE})")
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

    private final ObjectNode result = JSON.createObjectNode();

    /** What came of one read. */
    private record Read(double seconds, int pages, int throttled, double busySeconds, long peakMiB) {}

    @Override
    public Integer call() throws Exception {
        Path folder = Files.createTempDirectory("elder-bench");
        try (Servers servers = Servers.prepared(folder, EmbeddedDatabase.Durability.DURABLE)) {
            System.out.println("logs are in " + folder);
            boolean isFast = latency(servers, folder);
            boolean isFair = rate(servers, folder);
            boolean isWithin = memory(servers, folder) && isFast && isFair;
            result.put("at", Instant.now().toString());
            result.put("processors", Runtime.getRuntime().availableProcessors());
            result.put(
                    "load_average", ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage());
            Path results = Files.createDirectories(RoleProcesses.home().resolve("bench/results"));
            Files.writeString(
                    results.resolve("fetch.json"),
                    JSON.writerWithDefaultPrettyPrinter().writeValueAsString(result) + "\n");
            System.out.println(isWithin ? "within the bars" : "MISSED a bar");
            return isWithin ? 0 : 1;
        } finally {
            CdcBench.delete(folder);
        }
    }

    /** Nothing limits but the answers' latency. */
    private boolean latency(Servers servers, Path folder) throws Exception {
        List<PodServer> clusters = new ArrayList<>();
        for (int i = 0; i < chains; i++) {
            clusters.add(new PodServer("latency-" + i, pages * PAGE_SIZE, LATENCY, Double.POSITIVE_INFINITY));
        }
        double[] seconds = new double[runs];
        try (RoleProcesses roles = fetcher(servers, folder, clusters, "100000")) {
            read(servers, roles, clusters);
            for (int i = 0; i < runs; i++) {
                seconds[i] = read(servers, roles, clusters).seconds();
            }
        } finally {
            clusters.forEach(PodServer::close);
        }
        Arrays.sort(seconds);
        double least = pages * LATENCY.toMillis() / 1000.0;
        double ratio = CdcBench.percentile(seconds, 50) / least;
        System.out.printf(
                Locale.ROOT,
                "%nlatency: %d chains of %d pages of %d, %d ms each: least %.1f s, median of %d runs %.1f s, ratio %.2f (bar: %.2f)%n",
                chains,
                pages,
                PAGE_SIZE,
                LATENCY.toMillis(),
                least,
                runs,
                CdcBench.percentile(seconds, 50),
                ratio,
                TIME_BAR);
        result.putObject("latency")
                .put("chains", chains)
                .put("pages_each", pages)
                .put("least_s", least)
                .put("median_s", CdcBench.percentile(seconds, 50))
                .put("ratio", ratio);
        return ratio <= TIME_BAR;
    }

    /** Several chains share the limit of one cluster. */
    private boolean rate(Servers servers, Path folder) throws Exception {
        double[] used = new double[runs];
        int throttled = 0;
        for (int i = 0; i < runs; i++) {
            try (PodServer cluster = new PodServer("rate", rate * 15 * PAGE_SIZE, Duration.ofMillis(5), rate);
                    RoleProcesses roles = fetcher(servers, folder, List.of(cluster), Integer.toString(rate))) {
                Read read = read(servers, roles, List.of(cluster));
                used[i] = (read.pages() - 1) / read.busySeconds() / rate;
                throttled += read.throttled();
            }
        }
        Arrays.sort(used);
        double median = CdcBench.percentile(used, 50);
        System.out.printf(
                Locale.ROOT,
                "rate: %d pages/s allowed: median of %d runs uses %.0f %% (bar: %.0f %%), throttled %d times in all (bar: 0)%n",
                rate,
                runs,
                median * 100,
                RATE_BAR * 100,
                throttled);
        result.putObject("rate").put("allowed_per_s", rate).put("used", median).put("throttled", throttled);
        return median >= RATE_BAR && throttled == 0;
    }

    /** The same fetcher, with few resources and with many, in a heap of 512 MiB. */
    private boolean memory(Servers servers, Path folder) throws Exception {
        Read few = readOnce(servers, folder, 1_000);
        Read many = readOnce(servers, folder, resources);
        double ratio = (double) many.peakMiB() / few.peakMiB();
        System.out.printf(
                Locale.ROOT,
                "memory: heap of %d MiB; peak of the process with 1000 resources %d MiB, with %d %d MiB, ratio %.2f; %.0f resources/s%n",
                HEAP_MIB,
                few.peakMiB(),
                resources,
                many.peakMiB(),
                ratio,
                resources / many.seconds());
        result.putObject("memory")
                .put("heap_mib", HEAP_MIB)
                .put("resources", resources)
                .put("peak_mib_of_1000", few.peakMiB())
                .put("peak_mib", many.peakMiB())
                .put("resources_per_s", resources / many.seconds());
        return true;
    }

    private Read readOnce(Servers servers, Path folder, int count) throws Exception {
        try (PodServer cluster = new PodServer("memory-" + count, count, Duration.ZERO, Double.POSITIVE_INFINITY);
                RoleProcesses roles = fetcher(servers, folder, List.of(cluster), "100000")) {
            return read(servers, roles, List.of(cluster));
        }
    }

    private RoleProcesses fetcher(Servers servers, Path folder, List<PodServer> clusters, String rateLimit)
            throws Exception {
        Map<String, String> more = new HashMap<>();
        more.put("FETCHER_PROVIDERS", "kubernetes");
        more.put("KUBERNETES_CLUSTERS", clusters(clusters));
        more.put("KUBERNETES_RATE_LIMIT", rateLimit);
        more.put("DISCOVERY_MAX_CONCURRENT", Integer.toString(Math.max(4, clusters.size())));
        more.put("LOG_FORMAT", "text");
        RoleProcesses roles = new RoleProcesses(folder, servers.environment());
        try {
            roles.start(
                    "fetcher",
                    RoleProcesses.command(
                            "fetchers/kubernetes",
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

    private static String clusters(List<PodServer> servers) throws IOException {
        ArrayNode clusters = JSON.createArrayNode();
        for (PodServer server : servers) {
            ObjectNode config = JSON.createObjectNode();
            config.put("apiVersion", "v1").put("kind", "Config").put("current-context", "bench");
            config.putArray("clusters")
                    .addObject()
                    .put("name", server.name())
                    .putObject("cluster")
                    .put("server", server.url());
            config.putArray("users").addObject().put("name", "bench").putObject("user");
            config.putArray("contexts")
                    .addObject()
                    .put("name", "bench")
                    .putObject("context")
                    .put("cluster", server.name())
                    .put("user", "bench");
            clusters.addObject().put("name", server.name()).set("kubeconfig", config);
        }
        return JSON.writeValueAsString(clusters);
    }

    /** Reads the pods of every cluster, each as a task of its own. */
    private static Read read(Servers servers, RoleProcesses roles, List<PodServer> clusters)
            throws IOException, InterruptedException, ExecutionException {
        int pagesBefore = clusters.stream().mapToInt(PodServer::pages).sum();
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
            long begin = System.nanoTime();
            send(servers, clusters);
            int open = clusters.size();
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
                    clusters.stream().mapToInt(PodServer::pages).sum() - pagesBefore,
                    clusters.stream().mapToInt(PodServer::throttled).sum(),
                    clusters.getFirst().busy().toNanos() / 1e9,
                    roles.peakMiB("fetcher"));
        }
    }

    private static void send(Servers servers, List<PodServer> clusters)
            throws InterruptedException, ExecutionException {
        Map<String, Object> settings = servers.kafka().producer("bench");
        Instant now = Instant.ofEpochMilli(System.currentTimeMillis());
        try (AvroSerializer<Task> tasks = new AvroSerializer<>();
                KafkaProducer<String, byte[]> producer =
                        new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer())) {
            tasks.configure(settings, false);
            String topic = servers.kafka().topics().tasks("kubernetes").name();
            for (PodServer cluster : clusters) {
                String scope = new ScopeKey("kubernetes", cluster.name(), ScopeKey.NO_REGION, KIND).toString();
                Task task = new Task(
                        "kubernetes." + now.toEpochMilli(),
                        null,
                        "kubernetes",
                        now,
                        now.plus(Duration.ofHours(1)),
                        new FetchTask(cluster.name(), ScopeKey.NO_REGION, KIND, List.of(scope)));
                producer.send(new ProducerRecord<>(topic, scope, tasks.serialize(topic, task)))
                        .get();
            }
        }
    }
}
