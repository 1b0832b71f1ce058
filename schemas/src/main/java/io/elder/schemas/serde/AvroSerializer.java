package io.elder.schemas.serde;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Utils;

/**
 * Writes Avro records in Confluent's wire format: a zero byte, the schema's id in four bytes, big-endian, then the binary
 * encoding. Subjects are {@code <topic>-value} (TopicNameStrategy). Safe for use by many threads at once. A site may name a
 * class of its own, e.g. Confluent's: it then does the work, with the same settings.
 *
 * @see <a href="https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format">wire format</a>
 */
public final class AvroSerializer<T extends SpecificRecord> implements Serializer<T> {
    /** The configuration's key for the name of a serializer of the site's own. */
    public static final String SITES_OWN = "elder.value.serializer";

    static {
        AvroSchemas.trustOurs();
    }

    private final Map<Schema, SpecificDatumWriter<T>> writers = new ConcurrentHashMap<>();
    private Serializer<Object> sitesOwn;
    private SchemaRegistry registry;
    private boolean autoRegister = true;

    @Override
    public void configure(Map<String, ?> configuration, boolean isKey) {
        Object named = configuration.get(SITES_OWN);
        if (named != null) {
            sitesOwn = create(named.toString());
            sitesOwn.configure(configuration, isKey);
            return;
        }
        registry = SchemaRegistry.of(configuration);
        Object setting = configuration.get("auto.register.schemas");
        autoRegister = setting == null || Boolean.parseBoolean(setting.toString());
    }

    @Override
    public byte[] serialize(String topic, T record) {
        if (record == null) {
            return null;
        }
        if (sitesOwn != null) {
            return sitesOwn.serialize(topic, record);
        }
        Schema schema = record.getSchema();
        String subject = topic + "-value";
        int id = autoRegister ? registry.register(subject, schema) : registry.idOf(subject, schema);
        return AvroBinary.write(
                writers.computeIfAbsent(schema, unused -> new SpecificDatumWriter<>(schema)),
                record,
                (byte) 0,
                (byte) (id >>> 24),
                (byte) (id >>> 16),
                (byte) (id >>> 8),
                (byte) id);
    }

    @Override
    public void close() {
        if (sitesOwn != null) {
            sitesOwn.close();
        }
    }

    @SuppressWarnings("unchecked") // It is given records of ours, whatever it says it takes.
    private static Serializer<Object> create(String name) {
        try {
            return Utils.newInstance(name, Serializer.class);
        } catch (ClassNotFoundException e) {
            throw new SerializationException(name + ": not on the class path (expected: a Serializer)", e);
        }
    }
}
