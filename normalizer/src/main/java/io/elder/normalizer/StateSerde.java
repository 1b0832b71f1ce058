package io.elder.normalizer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** State as a format byte and Avro binary. All threads share one serde. */
final class StateSerde<T extends SpecificRecord> implements Serde<T> {
    private static final byte FORMAT = 1;

    private static final ThreadLocal<BinaryEncoder> ENCODER = new ThreadLocal<>();
    private static final ThreadLocal<BinaryDecoder> DECODER = new ThreadLocal<>();

    private final Schema schema;
    private final SpecificDatumWriter<T> writer;
    private final SpecificDatumReader<T> reader;

    StateSerde(Schema schema) {
        this.schema = schema;
        SpecificData data = SpecificData.getForSchema(schema);
        // The classes that Avro generated read and write themselves where they can, which is several times as fast.
        data.setCustomCoders(true);
        this.writer = new SpecificDatumWriter<>(schema, data);
        this.reader = new SpecificDatumReader<>(schema, schema, data);
    }

    byte[] bytes(T record) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(2048);
        bytes.write(FORMAT);
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, ENCODER.get());
        ENCODER.set(encoder);
        try {
            writer.write(record, encoder);
            encoder.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    T record(byte[] bytes) {
        if (bytes[0] != FORMAT) {
            throw new SerializationException(schema.getName() + ": state format " + bytes[0] + " (expected: " + FORMAT
                    + "; reset the application to rebuild its state from the raw topics)");
        }
        try {
            BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(bytes, 1, bytes.length - 1, DECODER.get());
            DECODER.set(decoder);
            return reader.read(null, decoder);
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
