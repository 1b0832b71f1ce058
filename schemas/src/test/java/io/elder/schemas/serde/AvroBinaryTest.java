package io.elder.schemas.serde;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.schemas.avro.Seal;
import java.io.IOException;
import java.util.Arrays;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.io.DatumWriter;
import org.apache.avro.io.Encoder;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.junit.jupiter.api.Test;

class AvroBinaryTest {
    static {
        AvroSchemas.trustOurs();
    }

    private final DatumWriter<Seal> writer = new SpecificDatumWriter<>(Seal.class);
    private final SpecificDatumReader<Seal> reader = new SpecificDatumReader<>(Seal.class);

    @Test
    void aRecordStandsBehindItsHead() throws IOException {
        byte[] bytes = AvroBinary.write(writer, new Seal(3, 6, 41L, 200L), (byte) 7, (byte) 9);
        assertThat(Arrays.copyOf(bytes, 2)).containsExactly(7, 9);
        assertThat(AvroBinary.read(reader, bytes, 2)).isEqualTo(new Seal(3, 6, 41L, 200L));
    }

    @Test
    void nothingOfARecordThatBrokeOffIsInTheNext() {
        byte[] expected = AvroBinary.write(writer, new Seal(1, 2, 3L, 4L), (byte) 0);
        assertThatThrownBy(() -> AvroBinary.write(new BreaksOff(), new Seal(4, 5, 6L, 7L), (byte) 0))
                .isInstanceOf(AvroRuntimeException.class);
        assertThat(AvroBinary.write(writer, new Seal(1, 2, 3L, 4L), (byte) 0)).isEqualTo(expected);
    }

    private static final class BreaksOff implements DatumWriter<Seal> {
        @Override
        public void setSchema(Schema schema) {}

        @Override
        public void write(Seal seal, Encoder out) throws IOException {
            out.writeString("half of it");
            throw new AvroRuntimeException("no more");
        }
    }
}
