package io.elder.normalizer.mapping;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.elder.schemas.ElderTable;
import io.elder.schemas.avro.Row;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * One row of the inventory that a raw record gives.
 *
 * @param key the row's source key
 */
public record Output(String key, Row row) {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);

    /** Starts a row; {@link Builder#build} checks it against the table. */
    public static Builder row(ElderTable table, String key) {
        return new Builder(table, key);
    }

    /** Text that fits a column: what is too long keeps its start and gets the hash of the whole, so it stays distinct. */
    public static String within(int width, String text) {
        if (text.codePointCount(0, text.length()) <= width) {
            return text;
        }
        String mark = "~" + String.format("%08x", (int) (hash(text.getBytes(StandardCharsets.UTF_8)) >>> 32));
        return text.substring(0, text.offsetByCodePoints(0, width - mark.length())) + mark;
    }

    public static final class Builder {
        private final ElderTable table;
        private final String key;
        private final Map<String, Object> values = new TreeMap<>();
        private final Map<String, String> references = new TreeMap<>();
        private final Map<String, Object> attributes = new TreeMap<>();
        private final List<String> tags = new ArrayList<>();

        private Builder(ElderTable table, String key) {
            this.table = table;
            this.key = key;
        }

        public Builder set(String column, Object value) {
            ElderTable.Column known = table.columns().get(column);
            if (known == null) {
                throw new IllegalArgumentException(table.sqlName() + "." + column + " is no column (expected: one of "
                        + table.columns().keySet() + ")");
            }
            boolean fits =
                    switch (known.type()) {
                        case TEXT, JSON, TIMESTAMP, DATE -> value instanceof String;
                        case INTEGER -> value instanceof Long;
                        case BOOLEAN -> value instanceof Boolean;
                    };
            if (!fits) {
                throw new IllegalArgumentException(
                        table.sqlName() + "." + column + ": " + value + " (expected: " + known.type() + ")");
            }
            values.put(column, value);
            return this;
        }

        public Builder set(String column, Optional<?> value) {
            value.ifPresent(present -> set(column, (Object) present));
            return this;
        }

        public Builder refer(String reference, Object targetKey) {
            if (!table.references().containsKey(reference)) {
                throw new IllegalArgumentException(table.sqlName() + "." + reference
                        + " is no reference (expected: one of "
                        + table.references().keySet() + ")");
            }
            references.put(reference, targetKey.toString());
            return this;
        }

        public Builder attribute(String name, Object value) {
            attributes.put(name, value);
            return this;
        }

        public Builder attribute(String name, Optional<?> value) {
            value.ifPresent(present -> attributes.put(name, present));
            return this;
        }

        public Builder tags(String... more) {
            tags.addAll(List.of(more));
            return this;
        }

        public Output build() {
            for (ElderTable.Column column : table.columns().values()) {
                if (column.required() && !values.containsKey(column.name())) {
                    throw new RejectedRecord(table.sqlName() + "." + column.name(), "nothing", "a value");
                }
            }
            for (ElderTable.Reference reference : table.references().values()) {
                if (reference.required() && !references.containsKey(reference.name())) {
                    throw new RejectedRecord(table.sqlName() + "." + reference.name(), "nothing", "a key");
                }
            }
            try {
                String payload = attributes.isEmpty() ? null : JSON.writeValueAsString(attributes);
                long hash = contentHash(table.sqlName(), values, references, payload, tags);
                return new Output(
                        key, new Row(table.sqlName(), false, hash, values, references, payload, List.copyOf(tags)));
            } catch (JsonProcessingException e) {
                throw new IllegalArgumentException(table.sqlName() + " " + key + ": attributes are not JSON", e);
            }
        }
    }

    /** Every piece with its length before it, so that no two contents look the same. */
    private static long contentHash(
            String table,
            Map<String, Object> values,
            Map<String, String> references,
            String attributes,
            List<String> tags) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(2048);
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            piece(out, table);
            out.writeInt(values.size());
            for (Map.Entry<String, Object> value : values.entrySet()) {
                piece(out, value.getKey());
                piece(out, value.getValue().getClass().getSimpleName());
                piece(out, value.getValue().toString());
            }
            out.writeInt(references.size());
            for (Map.Entry<String, String> reference : references.entrySet()) {
                piece(out, reference.getKey());
                piece(out, reference.getValue());
            }
            piece(out, attributes == null ? "" : attributes);
            for (String tag : tags) {
                piece(out, tag);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return hash(bytes.toByteArray());
    }

    private static void piece(DataOutputStream out, String text) throws IOException {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(utf8.length);
        out.write(utf8);
    }

    private static long hash(byte[] content) {
        try {
            return ByteBuffer.wrap(MessageDigest.getInstance("SHA-256").digest(content))
                    .getLong();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JVM has SHA-256", e);
        }
    }
}
