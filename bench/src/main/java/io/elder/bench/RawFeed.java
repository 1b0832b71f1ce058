package io.elder.bench;

import io.elder.runtime.KafkaClients;
import io.elder.runtime.Settings;
import io.elder.runtime.TopicCreation;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RawResource;
import io.elder.schemas.serde.AvroSerializer;
import java.time.Instant;
import java.util.AbstractList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.function.IntUnaryOperator;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** EC2 instances as the fetcher puts them into {@code raw.aws}; without networks, so that each is one row. */
final class RawFeed {
    static final int PARTITIONS = 4;

    private static final Instant FIRST = Instant.parse("2026-01-01T00:00:00Z");
    private static final Instant DEADLINE = Instant.parse("2100-01-01T00:00:00Z");
    private static final String SCOPE = "aws/123456789012/eu-central-1/ec2_instance";

    private RawFeed() {}

    /** The topics of a prefix, as {@code topics create} would make them. */
    static void createTopics(Servers servers, String prefix) throws InterruptedException, ExecutionException {
        KafkaClients kafka = kafka(servers, prefix);
        try (Admin admin = Admin.create(kafka.common())) {
            TopicCreation.create(
                    admin,
                    kafka.topics().all().stream()
                            .map(topic -> new NewTopic(topic.name(), partitions(topic.name()), (short) 1)
                                    .configs(topic.configuration()))
                            .toList());
        }
    }

    private static int partitions(String topic) {
        return Stream.of("raw.aws", "verdicts", "inventory").anyMatch(topic::endsWith) ? PARTITIONS : 1;
    }

    static KafkaClients kafka(Servers servers, String prefix) {
        return new KafkaClients(Settings.of(environment(servers, prefix)));
    }

    static Map<String, String> environment(Servers servers, String prefix) {
        Map<String, String> environment = servers.environment();
        environment.put("TOPIC_PREFIX", prefix);
        return environment;
    }

    /** @param pass when it was seen: content differs from pass to pass unless {@code content} is the same */
    static RawRecord record(int number, int pass, int content) {
        Instant observed = FIRST.plusSeconds(pass * 60L);
        return new RawRecord(
                SCOPE,
                "aws",
                "ec2_instance",
                "aws." + observed.toEpochMilli(),
                "attempt-" + pass,
                observed,
                DEADLINE,
                new RawResource(key(number), payload(number, content)));
    }

    static String key(int number) {
        return "aws/123456789012/ec2_instance/i-" + id(number);
    }

    private static String id(int number) {
        String hex = Integer.toHexString(number * 0x9E3779B1);
        return "0a1b2c3d4" + "00000000".substring(hex.length()) + hex;
    }

    private static String payload(int number, int content) {
        return "{\"InstanceId\":\"i-" + id(number)
                + "\",\"InstanceType\":\"m7g.large\",\"State\":{\"Code\":16,\"Name\":\""
                + (content % 2 == 0 ? "running" : "stopped") + "\"},\"PrivateIpAddress\":\"10.0." + number / 250 % 250
                + "." + number % 250 + "\",\"PublicIpAddress\":\"198.51.100.7\","
                + "\"LaunchTime\":\"2026-01-02T03:04:05Z\",\"Placement\":{\"AvailabilityZone\":\"eu-central-1a\"},"
                + "\"Architecture\":\"arm64\",\"ImageId\":\"ami-0ccc\",\"PrivateDnsName\":\"ip-10-0-1-17.eu-central-1.compute.internal\",\"EbsOptimized\":true,"
                + "\"RootDeviceName\":\"/dev/xvda\",\"RootDeviceType\":\"ebs\",\"Hypervisor\":\"xen\","
                + "\"Tags\":[{\"Key\":\"Name\",\"Value\":\"web-" + number + "\"},{\"Key\":\"revision\",\"Value\":\""
                + content
                + "\"}],\"elder\":{\"region\":\"eu-central-1\",\"partition\":\"aws\"}}";
    }

    /** A producer that is told what to send. */
    static final class Sender implements AutoCloseable {
        private final String topic;
        private final AvroSerializer<RawRecord> serializer = new AvroSerializer<>();
        private final KafkaProducer<String, byte[]> producer;
        private volatile Exception lost;

        Sender(KafkaClients kafka, int lingerMillis) {
            this.topic = kafka.topics().raw("aws").name();
            serializer.configure(kafka.common(), false);
            Map<String, Object> settings = kafka.producer("bench");
            settings.put("linger.ms", lingerMillis);
            producer = new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer());
        }

        void send(RawRecord record) {
            String key = ((RawResource) record.getBody()).getKey();
            var unused = producer.send(
                    new ProducerRecord<>(topic, key, serializer.serialize(topic, record)), (metadata, failure) -> {
                        if (failure != null) {
                            lost = failure;
                        }
                    });
        }

        void flush() {
            producer.flush();
            if (lost != null) {
                // Else whoever counts them would wait for ever.
                throw new IllegalStateException(topic + ": a record was not taken", lost);
            }
        }

        @Override
        public void close() {
            producer.close();
        }
    }

    static void send(KafkaClients kafka, Iterable<RawRecord> records) {
        try (Sender sender = new Sender(kafka, 20)) {
            records.forEach(sender::send);
            sender.flush();
        }
    }

    /** The committed offsets of a consumer group in a topic, together. */
    static long committed(Admin admin, String group, String topic) throws InterruptedException, ExecutionException {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet().stream()
                .filter(offset -> offset.getKey().topic().equals(topic) && offset.getValue() != null)
                .mapToLong(offset -> offset.getValue().offset())
                .sum();
    }

    static List<RawRecord> all(int count, int pass, int content) {
        return those(count, number -> number, pass, content);
    }

    /** Made as they are asked for: millions of them would not fit. */
    static List<RawRecord> those(int count, IntUnaryOperator number, int pass, int content) {
        return new AbstractList<>() {
            @Override
            public RawRecord get(int index) {
                return record(number.applyAsInt(index), pass, content);
            }

            @Override
            public int size() {
                return count;
            }
        };
    }
}
