package io.elder.console;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.runtime.KafkaClients;
import io.elder.schemas.Topic;
import io.elder.schemas.serde.DeadLetter;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Dead letters. One is known by the partition and offset at which it lies, {@code 3-1042}. The topic only grows: that a
 * letter was retried or dropped is told by a marker, a record without a value whose header {@value #RESOLVES} names it.
 */
@Command(name = "deadletter", mixinStandardHelpOptions = true, description = "Records that could not be processed.")
final class DeadletterCommands {
    static final String RESOLVES = "elder.resolves";
    static final String RESOLUTION = "elder.resolution";
    static final String RESOLVED_BY = "elder.resolved.by";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Site site;
    private final Terminal terminal;

    DeadletterCommands(Site site, Terminal terminal) {
        this.site = site;
        this.terminal = terminal;
    }

    private record Letter(ConsumerRecord<byte[], byte[]> record, Optional<String> resolution) {
        String id() {
            return record.partition() + "-" + record.offset();
        }

        String header(String name) {
            return DeadLetter.text(record.headers(), name);
        }

        ObjectNode shown() {
            return JSON.createObjectNode()
                    .put("id", id())
                    .put("state", resolution.orElse("waiting"))
                    .put("stage", header(DeadLetter.STAGE))
                    .put("key", record.key() == null ? null : new String(record.key(), StandardCharsets.UTF_8))
                    .put("error", header(DeadLetter.ERROR_MESSAGE))
                    .put("error_class", header(DeadLetter.ERROR_CLASS))
                    .put(
                            "source",
                            header(DeadLetter.SOURCE_TOPIC) + "-" + header(DeadLetter.SOURCE_PARTITION) + "@"
                                    + header(DeadLetter.SOURCE_OFFSET))
                    .put("first_failure", header(DeadLetter.FIRST_FAILURE))
                    .put("last_failure", header(DeadLetter.LAST_FAILURE))
                    .put("bytes", record.value() == null ? 0 : record.value().length);
        }
    }

    @Command(name = "list", mixinStandardHelpOptions = true, description = "Dead letters that wait for a decision.")
    int list(
            @Option(names = "--stage", description = "only those of this stage, e.g. sink") String stage,
            @Option(names = "--all", description = "retried and dropped ones too") boolean all,
            @Option(names = "--json") boolean json) {
        List<ObjectNode> letters = read(site.kafka()).values().stream()
                .filter(letter -> all || letter.resolution().isEmpty())
                .filter(letter ->
                        stage == null || letter.header(DeadLetter.STAGE).equals(stage))
                .map(Letter::shown)
                .toList();
        if (json) {
            terminal.json(letters);
        } else {
            terminal.table(letters, "id", "state", "stage", "key", "error", "last_failure");
        }
        return 0;
    }

    @Command(
            name = "show",
            mixinStandardHelpOptions = true,
            description = "One dead letter with its headers and bytes.")
    int show(@Parameters(paramLabel = "ID") String id, @Option(names = "--json") boolean json) {
        Letter letter = find(read(site.kafka()), id);
        ObjectNode shown = letter.shown();
        byte[] value = letter.record().value();
        if (value != null) {
            shown.put("value_hex", HexFormat.of().formatHex(value));
        }
        if (json) {
            terminal.json(shown);
        } else {
            shown.properties()
                    .forEach(field -> terminal.line(String.format(
                            "%-14s %s", field.getKey(), field.getValue().asText())));
        }
        return 0;
    }

    @Command(
            name = "retry",
            mixinStandardHelpOptions = true,
            description = "Sends records to where they failed, as they were, once their cause is gone.")
    int retry(
            @Parameters(paramLabel = "ID", arity = "0..*") List<String> ids,
            @Option(names = "--all", description = "every one that waits") boolean all,
            @Option(names = "--stage", description = "with --all: only those of this stage") String stage,
            @Option(names = "--by") String by) {
        return resolve(ids, all, stage, "retried", by);
    }

    @Command(name = "drop", mixinStandardHelpOptions = true, description = "Gives records up.")
    int drop(
            @Parameters(paramLabel = "ID", arity = "0..*") List<String> ids,
            @Option(names = "--all", description = "every one that waits") boolean all,
            @Option(names = "--stage", description = "with --all: only those of this stage") String stage,
            @Option(names = "--by") String by) {
        return resolve(ids, all, stage, "dropped", by);
    }

    private int resolve(List<String> ids, boolean all, String stage, String resolution, String by) {
        if (all == (ids != null && !ids.isEmpty())) {
            throw new BadInput("which dead letters? (expected: ids from elder deadletter list, or --all)");
        }
        KafkaClients kafka = site.kafka();
        Map<String, Letter> letters = read(kafka);
        List<Letter> chosen = all
                ? letters.values().stream()
                        .filter(letter -> letter.resolution().isEmpty())
                        .filter(letter ->
                                stage == null || letter.header(DeadLetter.STAGE).equals(stage))
                        .toList()
                : ids.stream().map(id -> find(letters, id)).toList();
        int failed = 0;
        Map<String, Object> settings = Site.impatient(kafka.producer(kafka.group("cli")));
        settings.put("transactional.id", kafka.group("cli-deadletter-") + UUID.randomUUID());
        settings.put("transaction.timeout.ms", 30_000);
        String person = Site.person(by);
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            for (Letter letter : chosen) {
                Optional<String> obstacle = letter.resolution()
                        .map(state -> "is " + state + " already")
                        .or(() -> resolution.equals("retried") ? obstacle(kafka, letter) : Optional.empty());
                if (obstacle.isPresent()) {
                    terminal.say(letter.id() + ": " + obstacle.get());
                    failed++;
                    continue;
                }
                send(producer, kafka, letter, resolution, person);
                terminal.line(letter.id() + ": " + resolution);
            }
        }
        terminal.say(chosen.size() - failed + " of " + chosen.size() + " " + resolution);
        return failed == 0 ? 0 : 1;
    }

    /** The record and the marker that says so, both or neither. */
    private static void send(
            KafkaProducer<byte[], byte[]> producer, KafkaClients kafka, Letter letter, String resolution, String by) {
        List<Future<RecordMetadata>> sends = new ArrayList<>();
        producer.beginTransaction();
        try {
            if (resolution.equals("retried")) {
                Headers headers = new RecordHeaders();
                letter.record().headers().forEach(header -> {
                    if (!header.key().startsWith("elder.")) {
                        headers.add(header);
                    }
                });
                headers.add(DeadLetter.RETRIED, letter.id().getBytes(StandardCharsets.UTF_8));
                sends.add(producer.send(new ProducerRecord<>(
                        letter.header(DeadLetter.SOURCE_TOPIC),
                        sourcePartition(letter, producer),
                        letter.record().key(),
                        letter.record().value(),
                        headers)));
            }
            Headers marker = new RecordHeaders();
            marker.add(RESOLVES, letter.id().getBytes(StandardCharsets.UTF_8));
            marker.add(RESOLUTION, resolution.getBytes(StandardCharsets.UTF_8));
            marker.add(RESOLVED_BY, (by + " " + Instant.now()).getBytes(StandardCharsets.UTF_8));
            sends.add(producer.send(new ProducerRecord<>(
                    kafka.topics().deadletter().name(),
                    letter.record().partition(),
                    letter.record().key(),
                    null,
                    marker)));
            producer.flush();
            sends.forEach(Kafka::answer);
            producer.commitTransaction();
        } catch (KafkaException e) {
            producer.abortTransaction();
            throw e;
        }
    }

    /** Where it came from: seals and runs lie in partitions that their keys do not tell. */
    private static int sourcePartition(Letter letter, KafkaProducer<byte[], byte[]> producer) {
        int partition = Integer.parseInt(letter.header(DeadLetter.SOURCE_PARTITION));
        int partitions =
                producer.partitionsFor(letter.header(DeadLetter.SOURCE_TOPIC)).size();
        if (partition >= partitions) {
            throw new CommandFailed(
                    letter.id() + ": source partition " + partition + " (expected: below " + partitions + ")");
        }
        return partition;
    }

    /** Why a letter can't be sent again. */
    private static Optional<String> obstacle(KafkaClients kafka, Letter letter) {
        String topic = letter.header(DeadLetter.SOURCE_TOPIC);
        String partition = letter.header(DeadLetter.SOURCE_PARTITION);
        String offset = letter.header(DeadLetter.SOURCE_OFFSET);
        if (topic.isEmpty() || !partition.matches("\\d{1,9}") || !offset.matches("\\d{1,18}")) {
            return Optional.of("does not say where it came from; it can only be dropped");
        }
        boolean compacted = kafka.topics().all().stream()
                .anyMatch(known -> known.name().equals(topic) && known.cleanup() == Topic.Cleanup.COMPACT);
        if (!compacted) {
            return Optional.empty();
        }
        // The latest record of a key is its state there: an old one sent again would hide what came after it.
        AtomicReference<Long> newer = new AtomicReference<>();
        new TopicReader(kafka)
                .readFrom(
                        new TopicPartition(topic, Integer.parseInt(partition)),
                        Long.parseLong(offset) + 1,
                        new ByteArrayDeserializer(),
                        record -> {
                            if (Arrays.equals(record.key(), letter.record().key())) {
                                newer.set(record.offset());
                            }
                        });
        return Optional.ofNullable(newer.get())
                .map(found -> "a newer record of its key is at offset " + found + " of " + topic
                        + "; retry would bring the old one back, drop it");
    }

    private static Map<String, Letter> read(KafkaClients kafka) {
        Map<String, Letter> letters = new LinkedHashMap<>();
        Map<String, String> resolutions = new LinkedHashMap<>();
        new TopicReader(kafka).read(kafka.topics().deadletter().name(), new ByteArrayDeserializer(), record -> {
            String resolved = DeadLetter.text(record.headers(), RESOLVES);
            if (resolved.isEmpty()) {
                Letter letter = new Letter(record, Optional.empty());
                letters.put(letter.id(), letter);
            } else {
                resolutions.put(resolved, DeadLetter.text(record.headers(), RESOLUTION));
            }
        });
        resolutions.forEach((id, resolution) ->
                letters.computeIfPresent(id, (same, letter) -> new Letter(letter.record(), Optional.of(resolution))));
        return letters;
    }

    private static Letter find(Map<String, Letter> letters, String id) {
        return Optional.ofNullable(letters.get(id))
                .orElseThrow(() -> new CommandFailed(
                        "dead letter " + id + ": not found (expected: an id of elder deadletter list --all)"));
    }
}
