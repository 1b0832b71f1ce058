package io.elder.bench;

import io.elder.schemas.avro.InventoryRecord;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.storage.Converter;

/**
 * Rows of a {@link FlatTable} in Avro, for Kafka Connect: a connector is not to be slow because its records are JSON. The
 * table is what follows the last dot of the topic. Types are named as Debezium's own connectors name them.
 */
public final class FlatConverter implements Converter {
    private final Map<String, Form> forms = new LinkedHashMap<>();

    /** A table's row in Avro and in Connect. */
    private static final class Form {
        private final FlatTable table;
        private final org.apache.avro.Schema avro;
        private final Schema connect;
        private final GenericDatumWriter<GenericRecord> writer;
        private final GenericDatumReader<GenericRecord> reader;

        Form(FlatTable table) {
            this.table = table;
            var fields = org.apache.avro.SchemaBuilder.record(table.name()).fields();
            SchemaBuilder struct = SchemaBuilder.struct().name("bench." + table.name());
            fields.requiredInt("id");
            struct.field("id", Schema.INT32_SCHEMA);
            for (FlatTable.Column column : table.columns()) {
                boolean isKey = column.name().equals("source_key");
                switch (column.type()) {
                    case TEXT -> {
                        fields.optionalString(column.name());
                        struct.field(column.name(), isKey ? Schema.STRING_SCHEMA : Schema.OPTIONAL_STRING_SCHEMA);
                    }
                    case JSON -> {
                        fields.optionalString(column.name());
                        struct.field(column.name(), named("io.debezium.data.Json"));
                    }
                    case TIMESTAMP -> {
                        fields.optionalString(column.name());
                        struct.field(column.name(), named("io.debezium.time.ZonedTimestamp"));
                    }
                    case LONG -> {
                        fields.optionalLong(column.name());
                        struct.field(column.name(), Schema.OPTIONAL_INT64_SCHEMA);
                    }
                    case INTEGER -> {
                        fields.optionalInt(column.name());
                        struct.field(column.name(), Schema.OPTIONAL_INT32_SCHEMA);
                    }
                    case BOOLEAN -> {
                        fields.optionalBoolean(column.name());
                        struct.field(column.name(), Schema.OPTIONAL_BOOLEAN_SCHEMA);
                    }
                }
            }
            for (FlatTable.Reference reference : table.references()) {
                fields.optionalInt(reference.column());
                struct.field(reference.column(), Schema.OPTIONAL_INT32_SCHEMA);
            }
            this.avro = fields.endRecord();
            this.connect = struct.build();
            this.writer = new GenericDatumWriter<>(avro);
            this.reader = new GenericDatumReader<>(avro);
        }

        private static Schema named(String name) {
            return SchemaBuilder.string().name(name).optional().build();
        }
    }

    public FlatConverter() {
        FlatTable.ALL.forEach(table -> forms.put(table.name(), new Form(table)));
    }

    /** With the ids that {@link SinkWorkload#idOf} gives: a connector that copies rows can look nothing up. */
    byte[] bytes(InventoryRecord record) {
        Form form = forms.get(FlatTable.row(record).getTable());
        GenericRecord flat = new GenericData.Record(form.avro);
        flat.put("id", SinkWorkload.idOf(record.getKey()));
        for (FlatTable.Column column : form.table.columns()) {
            flat.put(column.name(), column.value().apply(record));
        }
        for (FlatTable.Reference reference : form.table.references()) {
            String target = FlatTable.row(record).getReferences().get(reference.name());
            flat.put(reference.column(), target == null ? null : SinkWorkload.idOf(target));
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(1024);
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);
        try {
            form.writer.write(flat, encoder);
            encoder.flush();
        } catch (IOException e) {
            throw new DataException("a row can't be written", e);
        }
        return bytes.toByteArray();
    }

    @Override
    public void configure(Map<String, ?> configs, boolean isKey) {
        // There is nothing to choose.
    }

    @Override
    public byte[] fromConnectData(String topic, Schema schema, Object value) {
        throw new DataException("rows are only read here");
    }

    @Override
    public SchemaAndValue toConnectData(String topic, byte[] value) {
        Form form = forms.get(topic.substring(topic.lastIndexOf('.') + 1));
        try {
            GenericRecord flat = form.reader.read(null, DecoderFactory.get().binaryDecoder(value, null));
            Struct struct = new Struct(form.connect);
            for (org.apache.avro.Schema.Field field : form.avro.getFields()) {
                Object read = flat.get(field.pos());
                struct.put(field.name(), read instanceof CharSequence text ? text.toString() : read);
            }
            return new SchemaAndValue(form.connect, struct);
        } catch (IOException e) {
            throw new DataException(topic + ": a row can't be read", e);
        }
    }
}
