package io.elder.bench;

import io.elder.runtime.KafkaClients;
import io.elder.runtime.WholeTopics;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RawResource;
import io.elder.schemas.avro.ScopeMark;
import io.elder.schemas.serde.AvroSerializer;
import io.elder.schemas.serde.DeadLetter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Raw records that nobody can make anything of, among those that are right. Each is to end in the dead letters, once. */
final class FaultPoison {
    /** What is wrong with a record. */
    enum Kind {
        NO_AVRO,
        EMPTY,
        UNKNOWN_SCHEMA,
        CUT_OFF,
        ANOTHER_TYPE,
        NO_JSON,
        WRONG_TYPES,
        NO_RESOURCE_KEY,
        UNKNOWN_KIND,
        TOO_DEEP
    }

    private static final Duration PATIENCE = Duration.ofMinutes(3);
    private static final int DEPTH = 20_000;
    private static final String SCOPE = "ldap/poison/-/ldap_user";

    private final KafkaClients kafka;
    private final String topic;
    private final int eachKind;
    private final long everyMillis;
    private final Map<String, Kind> sent = new LinkedHashMap<>();

    /**
     * @param provider into whose raw topic they go
     * @param eachKind how many of each kind
     */
    FaultPoison(KafkaClients kafka, String provider, int eachKind, long everyMillis) {
        this.kafka = kafka;
        this.topic = kafka.topics().raw(provider).name();
        this.eachKind = eachKind;
        this.everyMillis = everyMillis;
    }

    int sent() {
        return sent.size();
    }

    /** Sends all of them, over a while. */
    void send() throws InterruptedException, ExecutionException, TimeoutException {
        Map<String, Object> settings = kafka.producer("poison");
        settings.put("delivery.timeout.ms", (int) PATIENCE.toMillis());
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            int number = 0;
            for (int i = 0; i < eachKind; i++) {
                for (Kind kind : Kind.values()) {
                    byte[] value = value(kind, ++number);
                    // Where they went tells them apart: an empty one is like any other.
                    var where = producer.send(new ProducerRecord<>(topic, text("poison-" + number), value))
                            .get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
                    sent.put(where.partition() + "/" + where.offset(), kind);
                    Thread.sleep(everyMillis);
                }
            }
        }
    }

    private byte[] value(Kind kind, int number) {
        return switch (kind) {
            case NO_AVRO -> text("poison " + number);
            case EMPTY -> new byte[0];
            case UNKNOWN_SCHEMA ->
                ByteBuffer.allocate(20)
                        .put((byte) 0)
                        .putInt(Integer.MAX_VALUE - number)
                        .array();
            case CUT_OFF -> {
                byte[] whole = avro(record("ldap_user", "ldap/poison/ldap_user/" + number, "{\"username\": \"cut\"}"));
                yield Arrays.copyOf(whole, whole.length / 2);
            }
            case ANOTHER_TYPE ->
                avro(new InventoryRecord(
                        "mark|" + SCOPE,
                        SCOPE,
                        "run-" + number,
                        Instant.now(),
                        new ScopeMark(0, 1, "sealed", null, 0L, 0L, 0L)));
            case NO_JSON -> avro(record("ldap_user", "ldap/poison/ldap_user/" + number, "{\"username\": "));
            case WRONG_TYPES -> avro(record("ldap_user", "ldap/poison/ldap_user/" + number, "{\"username\": 7}"));
            case NO_RESOURCE_KEY -> avro(record("ldap_user", "poison" + number, "{\"username\": \"keyless\"}"));
            case UNKNOWN_KIND -> avro(record("poison", "ldap/poison/poison/" + number, "{}"));
            case TOO_DEEP -> avro(record("ldap_user", "ldap/poison/ldap_user/" + number, "[".repeat(DEPTH)));
        };
    }

    private static RawRecord record(String kind, String key, String payload) {
        Instant now = Instant.now();
        return new RawRecord(
                SCOPE,
                "ldap",
                kind,
                "poison",
                "poison-1",
                now,
                now.plus(Duration.ofHours(1)),
                new RawResource(key, payload));
    }

    private <T extends SpecificRecord> byte[] avro(T record) {
        AvroSerializer<T> writer = new AvroSerializer<>();
        writer.configure(kafka.common(), false);
        return writer.serialize(topic, record);
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** What is otherwise than that each is in the dead letters once, and nothing else is. */
    List<String> differences() throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            Map<String, Integer> found = letters();
            List<String> differences = compare(found);
            if (differences.isEmpty() || System.nanoTime() > end) {
                return differences;
            }
            Thread.sleep(500);
        }
    }

    private List<String> compare(Map<String, Integer> found) {
        Map<String, Integer> others = new HashMap<>(found);
        List<String> missing = new ArrayList<>();
        List<String> repeated = new ArrayList<>();
        sent.forEach((where, kind) -> {
            String name = kind.name().toLowerCase(Locale.ROOT).replace('_', ' ') + " at " + where;
            Integer times = others.remove(where);
            if (times == null) {
                missing.add(name);
            } else if (times > 1) {
                repeated.add(name + " " + times + " times");
            }
        });
        List<String> differences = new ArrayList<>();
        FaultOracle.note(differences, "poison that is not in the dead letters", missing);
        FaultOracle.note(differences, "poison that is there more than once", repeated);
        FaultOracle.note(differences, "dead letters of what is no poison", List.copyOf(others.keySet()));
        return differences;
    }

    /** By partition and offset of the raw topic, or for others with stage and topic, how many letters there are. */
    private Map<String, Integer> letters() {
        Map<String, Integer> found = new HashMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                kafka.consumer("poison-check"), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            WholeTopics.read(
                    consumer,
                    List.of(kafka.topics().deadletter().name()),
                    letter -> found.merge(origin(letter), 1, Integer::sum));
        }
        return found;
    }

    private String origin(ConsumerRecord<byte[], byte[]> letter) {
        String source = DeadLetter.text(letter.headers(), DeadLetter.SOURCE_TOPIC);
        String stage = DeadLetter.text(letter.headers(), DeadLetter.STAGE);
        String at = DeadLetter.text(letter.headers(), DeadLetter.SOURCE_PARTITION) + "/"
                + DeadLetter.text(letter.headers(), DeadLetter.SOURCE_OFFSET);
        boolean isOurs = source.equals(topic) && stage.equals("normalizer");
        return isOurs
                ? at
                : stage + " " + source + " " + at + ": " + DeadLetter.text(letter.headers(), DeadLetter.ERROR_MESSAGE);
    }
}
