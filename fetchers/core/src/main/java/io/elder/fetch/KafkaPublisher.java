package io.elder.fetch;

import io.elder.schemas.ResourceKey;
import io.elder.schemas.RunId;
import io.elder.schemas.ScopeKey;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RawResource;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.Seal;
import io.elder.schemas.avro.Task;
import io.elder.schemas.serde.AvroSerializer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.serialization.StringSerializer;

/** Publishes to {@code raw.<provider>} and {@code runs} with one idempotent producer for all tasks. */
final class KafkaPublisher implements Publisher, AutoCloseable {
    private final Producer<String, SpecificRecord> producer;
    private final Topics topics;

    KafkaPublisher(Producer<String, SpecificRecord> producer, Topics topics) {
        this.producer = producer;
        this.topics = topics;
    }

    /** @param settings of a producer, serializers apart */
    static KafkaPublisher of(Map<String, Object> settings, Topics topics) {
        Map<String, Object> all = new HashMap<>(settings);
        // A fetch is worth a few milliseconds of gathering: batches compress and travel better.
        all.put("linger.ms", 5);
        all.putIfAbsent("batch.size", 128 * 1024);
        AvroSerializer<SpecificRecord> values = new AvroSerializer<>();
        values.configure(settings, false);
        return new KafkaPublisher(new KafkaProducer<>(all, new StringSerializer(), values), topics);
    }

    @Override
    public Publisher.Attempt open(Task task, ScopeKey scope, String attempt) {
        return new KafkaAttempt(task, scope, attempt);
    }

    @Override
    public void tell(RunEvent event) throws InterruptedException {
        String topic = topics.runs().name();
        String jobKey = RunId.parse(event.getRunId()).jobKey();
        int partition = RunId.partition(jobKey, partitions(topic));
        acknowledged(send(new ProducerRecord<>(topic, partition, event.getRunId(), event)));
    }

    @Override
    public void close() {
        producer.close(java.time.Duration.ofSeconds(5));
    }

    private int partitions(String topic) {
        try {
            return producer.partitionsFor(topic).size();
        } catch (InterruptException e) {
            throw e;
        } catch (KafkaException e) {
            throw new PublishException(topic + ": the number of its partitions can't be had: " + e.getMessage(), e);
        }
    }

    private Future<RecordMetadata> send(ProducerRecord<String, SpecificRecord> record) {
        try {
            return producer.send(record);
        } catch (RecordTooLargeException e) {
            throw tooBig(record.topic(), e);
        } catch (InterruptException e) {
            throw e;
        } catch (KafkaException e) {
            throw new PublishException(record.topic() + ": not sent: " + e.getMessage(), e);
        }
    }

    private static void acknowledged(Future<RecordMetadata> sent) throws InterruptedException {
        try {
            sent.get();
        } catch (ExecutionException e) {
            throw new PublishException("not acknowledged: " + e.getCause().getMessage(), e.getCause());
        }
    }

    private static RecordTooBigException tooBig(String topic, Exception cause) {
        return new RecordTooBigException(topic + ": " + cause.getMessage(), cause);
    }

    /** Counts what went into each partition by what the broker acknowledged. */
    private final class KafkaAttempt implements Publisher.Attempt {
        private final Task task;
        private final ScopeKey scope;
        private final String attempt;
        private final String topic;
        private final Map<Integer, Long> acknowledged = new HashMap<>();
        private long written;
        private long pending;
        private Exception failure;

        KafkaAttempt(Task task, ScopeKey scope, String attempt) {
            this.task = task;
            this.scope = scope;
            this.attempt = attempt;
            this.topic = topics.raw(task.getProvider()).name();
        }

        @Override
        @SuppressWarnings("FutureReturnValueIgnored") // the callback hears of everything
        public void write(ResourceKey key, String payload) {
            String rawKey = key.toString();
            RawRecord record = record(new RawResource(rawKey, payload));
            synchronized (this) {
                throwFailure();
                written++;
                pending++;
            }
            boolean isSent = false;
            try {
                producer.send(new ProducerRecord<>(topic, rawKey, record), this::arrived);
                isSent = true;
            } catch (RecordTooLargeException e) {
                throw tooBig(topic, e);
            } catch (InterruptException e) {
                throw e;
            } catch (KafkaException e) {
                throw new PublishException(topic + ": not sent: " + e.getMessage(), e);
            } finally {
                if (!isSent) {
                    arrived(null, new IllegalStateException("not sent"));
                }
            }
        }

        private synchronized void arrived(RecordMetadata metadata, Exception error) {
            pending--;
            if (error == null) {
                acknowledged.merge(metadata.partition(), 1L, Long::sum);
            } else if (failure == null) {
                failure = error;
            }
            notifyAll();
        }

        private synchronized void throwFailure() {
            if (failure instanceof RecordTooLargeException) {
                throw tooBig(topic, failure);
            }
            if (failure != null) {
                throw new PublishException(topic + ": not acknowledged: " + failure.getMessage(), failure);
            }
        }

        @Override
        public void seal() throws InterruptedException {
            Map<Integer, Long> counts;
            synchronized (this) {
                while (pending > 0) {
                    wait();
                }
                throwFailure();
                counts = Map.copyOf(acknowledged);
            }
            int partitions = partitions(topic);
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int partition = 0; partition < partitions; partition++) {
                RawRecord seal = record(new Seal(partition, partitions, counts.getOrDefault(partition, 0L), written));
                sent.add(send(new ProducerRecord<>(topic, partition, scope.toString(), seal)));
            }
            for (Future<RecordMetadata> each : sent) {
                acknowledged(each);
            }
        }

        @Override
        public synchronized long count() {
            return written;
        }

        private RawRecord record(Object body) {
            return new RawRecord(
                    scope.toString(),
                    scope.provider(),
                    scope.kind(),
                    task.getRunId(),
                    attempt,
                    task.getObservedAt(),
                    task.getDeadline(),
                    body);
        }
    }
}
