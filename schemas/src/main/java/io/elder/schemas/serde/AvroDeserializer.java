package io.elder.schemas.serde;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.utils.Utils;

/**
 * Reads what {@link AvroSerializer}, or Confluent's, wrote, into this build's classes, whichever version it was written
 * with. Safe for use by many threads at once. A site may name a class of its own, as for writing.
 */
public final class AvroDeserializer<T extends SpecificRecord> implements Deserializer<T> {
    /** The configuration's key for the name of a deserializer of the site's own. */
    public static final String SITES_OWN = "elder.value.deserializer";

    static {
        AvroSchemas.trustOurs();
    }

    private final Class<? extends SpecificRecord> expected;
    private final Map<Integer, SpecificDatumReader<T>> readers = new ConcurrentHashMap<>();
    private Deserializer<?> sitesOwn;
    private SchemaRegistry registry;

    /** Of any of our records: for tools. A record of another type than T is noticed where it is used. */
    public AvroDeserializer() {
        this.expected = SpecificRecord.class;
    }

    /** A record of another of our types is refused like one that nobody can read. */
    public AvroDeserializer(Class<T> expected) {
        this.expected = expected;
    }

    @Override
    public void configure(Map<String, ?> configuration, boolean isKey) {
        Object named = configuration.get(SITES_OWN);
        if (named != null) {
            sitesOwn = create(named.toString());
            Map<String, Object> specific = new HashMap<>(configuration);
            // Confluent's: classes of this build, not generic records.
            specific.putIfAbsent("specific.avro.reader", true);
            sitesOwn.configure(specific, isKey);
            return;
        }
        registry = SchemaRegistry.of(configuration);
    }

    @Override
    public T deserialize(String topic, byte[] bytes) {
        if (bytes == null) {
            return null;
        }
        if (sitesOwn != null) {
            return record(topic, sitesOwn.deserialize(topic, bytes));
        }
        if (bytes.length < 6 || bytes[0] != 0) {
            throw new SerializationException(topic + ": " + bytes.length + " bytes starting with "
                    + (bytes.length == 0 ? "nothing" : Byte.toString(bytes[0]))
                    + " (expected: Avro in Confluent's wire format: a 0 byte, a 4-byte schema id, the record)");
        }
        int id = ByteBuffer.wrap(bytes, 1, 4).getInt();
        SpecificDatumReader<T> reader = readers.computeIfAbsent(id, this::reader);
        try {
            return AvroBinary.read(reader, bytes, 5);
        } catch (IOException | AvroRuntimeException | IndexOutOfBoundsException | ClassCastException e) {
            throw new SerializationException(
                    topic + ": schema id " + id + ", " + bytes.length + " bytes that do not follow it", e);
        }
    }

    @SuppressWarnings("unchecked") // which of our records it is, the topic decides
    private T record(String topic, Object read) {
        if (expected.isInstance(read)) {
            return (T) read;
        }
        throw new SerializationException(topic + ": " + sitesOwn.getClass().getName() + " gave "
                + (read == null ? "nothing" : read.getClass().getName())
                + " (expected: "
                + (expected == SpecificRecord.class ? "a record of io.elder.schemas.avro" : expected.getName())
                + ")");
    }

    @Override
    public void close() {
        if (sitesOwn != null) {
            sitesOwn.close();
        }
    }

    private static Deserializer<?> create(String name) {
        try {
            return Utils.newInstance(name, Deserializer.class);
        } catch (ClassNotFoundException e) {
            throw new SerializationException(name + ": not on the class path (expected: a Deserializer)", e);
        }
    }

    private SpecificDatumReader<T> reader(int id) {
        Schema written = registry.schemaOf(id);
        Class<?> type = SpecificData.get().getClass(written);
        if (type == null) {
            throw new SerializationException("schema id " + id + ": record " + written.getFullName()
                    + " is not one of ours (expected: io.elder.schemas.avro.*)");
        }
        if (!expected.isAssignableFrom(type)) {
            throw new SerializationException("schema id " + id + ": record " + written.getFullName() + " (expected: "
                    + expected.getName() + ")");
        }
        return new SpecificDatumReader<>(written, SpecificData.get().getSchema(type));
    }
}
