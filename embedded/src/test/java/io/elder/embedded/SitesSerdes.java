package io.elder.embedded;

import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;

/** What a site names in {@code KAFKA_VALUE_SERIALIZER} and {@code KAFKA_VALUE_DESERIALIZER}: remembers what kinds of records went through. */
public final class SitesSerdes {
    static final Set<Class<?>> WRITTEN = ConcurrentHashMap.newKeySet();
    static final Set<Class<?>> READ = ConcurrentHashMap.newKeySet();

    private SitesSerdes() {}

    /** Untyped, as Confluent's. */
    public static final class Writer implements Serializer<Object> {
        private final AvroSerializer<SpecificRecord> avro = new AvroSerializer<>();

        @Override
        public void configure(Map<String, ?> configuration, boolean isKey) {
            avro.configure(without(configuration), isKey);
        }

        @Override
        public byte[] serialize(String topic, Object record) {
            WRITTEN.add(record.getClass());
            return avro.serialize(topic, (SpecificRecord) record);
        }
    }

    /** Untyped, as Confluent's. */
    public static final class Reader implements Deserializer<Object> {
        private final AvroDeserializer<RawRecord> avro = new AvroDeserializer<>();

        @Override
        public void configure(Map<String, ?> configuration, boolean isKey) {
            avro.configure(without(configuration), isKey);
        }

        @Override
        public Object deserialize(String topic, byte[] bytes) {
            Deserializer<?> untyped = avro;
            Object record = untyped.deserialize(topic, bytes);
            READ.add(record.getClass());
            return record;
        }
    }

    private static Map<String, Object> without(Map<String, ?> configuration) {
        Map<String, Object> others = new HashMap<>(configuration);
        others.remove(AvroSerializer.SITES_OWN);
        others.remove(AvroDeserializer.SITES_OWN);
        return others;
    }
}
