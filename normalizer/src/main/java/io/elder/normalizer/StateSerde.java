package io.elder.normalizer;

import io.elder.schemas.serde.AvroBinary;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** State as a format byte and Avro binary: formats are numbered from 1, older ones are read. All threads share one serde. */
final class StateSerde<T extends SpecificRecord> implements Serde<T> {
    private final Schema schema;
    private final SpecificDatumWriter<T> writer;
    private final List<SpecificDatumReader<T>> readers;

    /** @param older the formats that this one replaced, the first first */
    StateSerde(Schema schema, Schema... older) {
        this.schema = schema;
        SpecificData data = SpecificData.getForSchema(schema);
        // The classes that Avro generated read and write themselves where they can, which is several times as fast.
        data.setCustomCoders(true);
        this.writer = new SpecificDatumWriter<>(schema, data);
        this.readers = Stream.concat(Stream.of(older), Stream.of(schema))
                .map(written -> new SpecificDatumReader<T>(written, schema, data))
                .toList();
    }

    byte[] bytes(T record) {
        return AvroBinary.write(writer, record, (byte) readers.size());
    }

    T record(byte[] bytes) {
        if (bytes[0] < 1 || bytes[0] > readers.size()) {
            throw new SerializationException(schema.getName() + ": state format " + bytes[0] + " (expected: at most "
                    + readers.size() + "; reset the application to rebuild its state from the raw topics)");
        }
        try {
            return AvroBinary.read(readers.get(bytes[0] - 1), bytes, 1);
        } catch (IOException e) {
            throw new SerializationException(schema.getName() + ": broken state", e);
        }
    }

    @Override
    public Serializer<T> serializer() {
        return (topic, record) -> record == null ? null : bytes(record);
    }

    @Override
    public Deserializer<T> deserializer() {
        return (topic, bytes) -> bytes == null ? null : record(bytes);
    }
}
