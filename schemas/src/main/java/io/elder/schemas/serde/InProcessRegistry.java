package io.elder.schemas.serde;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;

/**
 * A registry for one JVM, shared by all who name it. A schema's id is derived from its fingerprint, so ids stay the same
 * when the process restarts over topics that it wrote before; it knows the schemas of this build from the start.
 */
public final class InProcessRegistry implements SchemaRegistry {
    static final String SCHEME = "inprocess://";
    private static final Map<String, InProcessRegistry> REGISTRIES = new ConcurrentHashMap<>();

    private final Map<Integer, Schema> schemas = new ConcurrentHashMap<>();
    private final Map<Schema, Integer> ids = new ConcurrentHashMap<>();

    private InProcessRegistry() {
        AvroSchemas.ALL.forEach(this::add);
    }

    static InProcessRegistry named(String name) {
        return REGISTRIES.computeIfAbsent(name, unused -> new InProcessRegistry());
    }

    @Override
    public int register(String subject, Schema schema) {
        // Asked for every record; a fingerprint takes longer than the record itself.
        Integer known = ids.get(schema);
        return known == null ? ids.computeIfAbsent(schema, this::add) : known;
    }

    @Override
    public Optional<Integer> findId(String subject, Schema schema) {
        int id = id(schema);
        return schemas.containsKey(id) ? Optional.of(id) : Optional.empty();
    }

    /** It keeps no history: all processes are of one build. */
    @Override
    public Map<Integer, Schema> versions(String subject) {
        return Map.of();
    }

    @Override
    public List<String> objections(String subject, Schema schema) {
        return List.of();
    }

    @Override
    public Schema schemaOf(int id) {
        Schema schema = schemas.get(id);
        if (schema == null) {
            throw new SchemaRegistryException("schema id " + id + " is unknown to the in-process registry");
        }
        return schema;
    }

    private int add(Schema schema) {
        int id = id(schema);
        Schema other = schemas.putIfAbsent(id, schema);
        if (other != null
                && !other.equals(schema)
                && !SchemaNormalization.toParsingForm(other).equals(SchemaNormalization.toParsingForm(schema))) {
            throw new SchemaRegistryException(
                    "schema id " + id + " of " + schema.getFullName() + " is taken by " + other.getFullName());
        }
        return id;
    }

    private static int id(Schema schema) {
        return (int) (SchemaNormalization.parsingFingerprint64(schema) & 0x7fffffff);
    }
}
