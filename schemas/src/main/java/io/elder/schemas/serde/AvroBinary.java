package io.elder.schemas.serde;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DatumReader;
import org.apache.avro.io.DatumWriter;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/** Avro's binary encoding by buffers that each thread keeps: records are written and read by the million. */
public final class AvroBinary {
    private static final ThreadLocal<AvroBinary> OF_THREAD = ThreadLocal.withInitial(AvroBinary::new);

    private final ByteArrayOutputStream written = new ByteArrayOutputStream(2048);
    private BinaryEncoder encoder;
    private BinaryDecoder decoder;

    private AvroBinary() {}

    /** @param head what stands before the record */
    public static <T> byte[] write(DatumWriter<T> writer, T record, byte... head) {
        AvroBinary own = OF_THREAD.get();
        // Gives up what a failed record left in it, so it comes before the reset.
        own.encoder = EncoderFactory.get().binaryEncoder(own.written, own.encoder);
        own.written.reset();
        own.written.writeBytes(head);
        try {
            writer.write(record, own.encoder);
            own.encoder.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return own.written.toByteArray();
    }

    /** @param from where the record starts; all behind it is the record's */
    public static <T> T read(DatumReader<T> reader, byte[] bytes, int from) throws IOException {
        AvroBinary own = OF_THREAD.get();
        own.decoder = DecoderFactory.get().binaryDecoder(bytes, from, bytes.length - from, own.decoder);
        return reader.read(null, own.decoder);
    }
}
