package io.elder.bench;

import io.elder.runtime.KafkaClients;
import io.elder.runtime.TopicCreation;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import io.elder.schemas.serde.AvroSerializer;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.function.Function;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The records of one phase, in the form in which each peer reads them; each form is made when it is first asked for. */
final class SinkFeed {
    static final int PARTITIONS = 4;

    private final Servers servers;
    private final Path folder;
    private final SinkWorkload workload;
    private final SinkWorkload.Phase phase;
    private boolean hasInventory;
    private boolean hasOrdered;
    private boolean hasTables;
    private boolean hasFiles;

    SinkFeed(Servers servers, Path folder, SinkWorkload workload, SinkWorkload.Phase phase) {
        this.servers = servers;
        this.folder = folder.resolve(phase.id() + "-" + workload.records());
        this.workload = workload;
        this.phase = phase;
    }

    int records() {
        return workload.records();
    }

    /** Of the topics of this phase and size. */
    String prefix() {
        return phase.id() + "-" + workload.records() + ".";
    }

    /** What a client of this feed is told. */
    Map<String, String> environment() {
        Map<String, String> environment = servers.environment();
        environment.put("TOPIC_PREFIX", prefix());
        return environment;
    }

    /** The topic as the normalizer writes it. */
    String inventory() throws InterruptedException, ExecutionException {
        String topic = prefix() + "inventory";
        if (!hasInventory) {
            create(topic, PARTITIONS);
            create(prefix() + "runs", 1);
            AvroSerializer<InventoryRecord> serializer = new AvroSerializer<>();
            serializer.configure(servers.kafka().common(), false);
            send(record -> topic, record -> serializer.serialize(topic, record));
            hasInventory = true;
        }
        return topic;
    }

    /** The same in one partition: who keeps nothing that waits must not meet a link before its ends. */
    String ordered() throws InterruptedException, ExecutionException {
        String topic = prefix() + "ordered";
        if (!hasOrdered) {
            create(topic, 1);
            AvroSerializer<InventoryRecord> serializer = new AvroSerializer<>();
            serializer.configure(servers.kafka().common(), false);
            send(record -> topic, record -> serializer.serialize(topic, record));
            hasOrdered = true;
        }
        return topic;
    }

    /** A topic for each table, of flat rows with ids. */
    List<String> tables() throws InterruptedException, ExecutionException {
        List<String> topics =
                FlatTable.ALL.stream().map(table -> prefix() + table.name()).toList();
        if (!hasTables) {
            for (String topic : topics) {
                create(topic, PARTITIONS);
            }
            send(record -> prefix() + FlatTable.row(record).getTable(), new FlatConverter()::bytes);
            hasTables = true;
        }
        return topics;
    }

    /** A file for each table in COPY's text format: number, columns, keys of what is referred to. */
    Path file(FlatTable table) throws IOException {
        if (!hasFiles) {
            Files.createDirectories(folder);
            Map<String, BufferedWriter> files = new HashMap<>();
            for (FlatTable each : FlatTable.ALL) {
                files.put(each.name(), Files.newBufferedWriter(folder.resolve(each.name()), StandardCharsets.UTF_8));
            }
            for (int i = 0; i < workload.records(); i++) {
                InventoryRecord record = workload.record(i, phase);
                Row row = FlatTable.row(record);
                FlatTable of = FlatTable.of(row.getTable());
                StringBuilder line = new StringBuilder(512).append(i);
                of.columns().forEach(column -> append(line, column.value().apply(record)));
                of.references()
                        .forEach(reference -> append(line, row.getReferences().get(reference.name())));
                files.get(of.name()).append(line).append('\n');
            }
            for (BufferedWriter file : files.values()) {
                file.close();
            }
            hasFiles = true;
        }
        return folder.resolve(table.name());
    }

    private static void append(StringBuilder line, Object value) {
        line.append('\t').append(value == null ? "\\N" : value.toString().replace("\\", "\\\\"));
    }

    private void create(String topic, int partitions) throws InterruptedException, ExecutionException {
        try (Admin admin = Admin.create(servers.kafka().common())) {
            TopicCreation.create(
                    admin,
                    List.of(new NewTopic(topic, Optional.of(partitions), Optional.of((short) 1))
                            .configs(Map.of("retention.ms", "-1"))));
        }
    }

    private void send(Function<InventoryRecord, String> topic, Function<InventoryRecord, byte[]> value)
            throws InterruptedException, ExecutionException {
        KafkaClients kafka = servers.kafka();
        Map<String, Object> settings = kafka.producer("bench");
        settings.put("linger.ms", 20);
        settings.put("batch.size", 128 << 10);
        List<Exception> failures = new ArrayList<>();
        try (KafkaProducer<String, byte[]> producer =
                new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer())) {
            for (int i = 0; i < workload.records(); i++) {
                InventoryRecord record = workload.record(i, phase);
                var unused = producer.send(
                        new ProducerRecord<>(topic.apply(record), record.getKey(), value.apply(record)),
                        (sent, failure) -> {
                            if (failure != null) {
                                failures.add(failure);
                            }
                        });
            }
            producer.flush();
        }
        if (!failures.isEmpty()) {
            throw new ExecutionException("records could not be sent", failures.getFirst());
        }
    }
}
