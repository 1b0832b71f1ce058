package io.elder.bench;

import io.elder.runtime.WholeTopics;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.Task;
import io.elder.schemas.serde.AvroDeserializer;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What was said in runs that are over is said again, in its order or in none: by a producer that wakes up late, a mirror that was
 * set back, somebody who copied a topic.
 */
final class ToldAgain {
    private final FaultySite site;
    private final Random random;

    ToldAgain(FaultySite site, long seed) {
        this.site = site;
        this.random = new Random(seed);
    }

    /** All resources and seals that were read in one of the runs. */
    void raw(String provider, boolean isInOrder) throws Exception {
        tell(site.kafka().topics().raw(provider).name(), RawRecord.class, RawRecord::getRunId, isInOrder);
    }

    /** What fetchers were asked to do in one of the runs. */
    void tasks(String provider) throws Exception {
        tell(site.kafka().topics().tasks(provider).name(), Task.class, Task::getRunId, true);
    }

    private <T extends SpecificRecord> void tell(
            String topic, Class<T> type, Function<T, String> runOf, boolean isInOrder) throws Exception {
        Set<String> over = FaultCampaign.ask(site, connection -> {
            Set<String> runs = new HashSet<>();
            try (Statement statement = connection.createStatement();
                    ResultSet row = statement.executeQuery(
                            "select run_id from pipeline.runs where visible_at < now() - interval '1 second'")) {
                while (row.next()) {
                    runs.add(row.getString(1));
                }
            }
            return runs;
        });
        AvroDeserializer<T> reader = new AvroDeserializer<>(type);
        reader.configure(site.kafka().common(), false);
        Map<String, List<ConsumerRecord<byte[], byte[]>>> said = new TreeMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                site.kafka().consumer("told-again"), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            WholeTopics.read(consumer, List.of(topic), record -> {
                String run = runOf(reader, runOf, record);
                if (over.contains(run)) {
                    said.computeIfAbsent(run, unused -> new ArrayList<>()).add(record);
                }
            });
        }
        if (said.isEmpty()) {
            return;
        }
        List<String> runs = List.copyOf(said.keySet());
        List<ConsumerRecord<byte[], byte[]>> again = said.get(runs.get(random.nextInt(runs.size())));
        if (!isInOrder) {
            Collections.shuffle(again, random);
        }
        send(again);
    }

    /** Empty for what is no record of this type. */
    private static <T extends SpecificRecord> String runOf(
            AvroDeserializer<T> reader, Function<T, String> runOf, ConsumerRecord<byte[], byte[]> record) {
        try {
            return record.value() == null ? "" : runOf.apply(reader.deserialize(record.topic(), record.value()));
        } catch (SerializationException e) {
            return "";
        }
    }

    private void send(List<ConsumerRecord<byte[], byte[]>> records) throws ExecutionException, InterruptedException {
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                site.kafka().producer("told-again"), new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<?>> sent = new ArrayList<>();
            for (ConsumerRecord<byte[], byte[]> record : records) {
                sent.add(producer.send(new ProducerRecord<>(
                        record.topic(),
                        record.partition(),
                        record.timestamp(),
                        record.key(),
                        record.value(),
                        record.headers())));
            }
            for (Future<?> each : sent) {
                each.get();
            }
        }
    }
}
