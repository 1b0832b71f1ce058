package io.elder.schemas.serde;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaCompatibility.Incompatibility;

/**
 * FULL_TRANSITIVE by Avro's own rules: a schema can read what every version wrote, and every version what it writes, whatever
 * level a registry is set to.
 */
public final class FullCompatibility {
    private FullCompatibility() {}

    /** What keeps a schema from being the next version, one line for each field and direction. */
    public static List<String> violations(Schema schema, Map<Integer, Schema> versions) {
        List<String> violations = new ArrayList<>();
        versions.forEach((number, version) -> {
            compare(schema, version)
                    .forEach(found -> violations.add("can't read version " + number + ": " + text(found, schema)));
            compare(version, schema)
                    .forEach(found -> violations.add("version " + number + " can't read it: " + text(found, version)));
        });
        return violations;
    }

    private static List<Incompatibility> compare(Schema reader, Schema writer) {
        return SchemaCompatibility.checkReaderWriterCompatibility(reader, writer)
                .getResult()
                .getIncompatibilities();
    }

    private static String text(Incompatibility found, Schema reader) {
        return "field " + field(found.getLocation(), reader) + ": "
                + found.getType().name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ') + " ("
                + found.getMessage() + ")";
    }

    /** The names of the fields on the way: Avro says {@code /fields/3/type/1/fields/0}. */
    static String field(String location, Schema reader) {
        List<String> names = new ArrayList<>();
        String[] steps = location.split("/");
        Schema schema = reader;
        for (int i = 1; i < steps.length; i++) {
            switch (steps[i]) {
                case "fields" -> {
                    if (schema.getType() != Schema.Type.RECORD || i + 1 == steps.length) {
                        return location;
                    }
                    Schema.Field field = schema.getFields().get(Integer.parseInt(steps[++i]));
                    names.add(field.name());
                    schema = field.schema();
                }
                case "items" -> schema = schema.getElementType();
                case "values" -> schema = schema.getValueType();
                default -> {
                    if (schema.getType() == Schema.Type.UNION && steps[i].matches("\\d+")) {
                        schema = schema.getTypes().get(Integer.parseInt(steps[i]));
                    }
                }
            }
        }
        return names.isEmpty() ? location : String.join(".", names);
    }
}
