package io.elder.schemas.serde;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.avro.Schema;

/**
 * Where schemas are kept under ids. Implementations cache: an id never changes its meaning, so a process that has seen the
 * ids it needs goes on while the registry is away.
 */
public interface SchemaRegistry {
    /** The id of a schema under a subject, registering it when it is new. */
    int register(String subject, Schema schema);

    /** The id of a schema that is registered under a subject already. */
    default int idOf(String subject, Schema schema) {
        return findId(subject, schema)
                .orElseThrow(() -> new SchemaRegistryException(subject + ": schema " + schema.getFullName()
                        + " is not registered (set auto.register.schemas=true, or register it)"));
    }

    /** The same; empty where it is not registered. */
    Optional<Integer> findId(String subject, Schema schema);

    /** The versions of a subject by their numbers, oldest first; none where the subject is unknown. */
    Map<Integer, Schema> versions(String subject);

    /**
     * What the registry itself says against a schema as the next version of a subject, by the rules that it has for the
     * subject; empty if nothing.
     */
    List<String> objections(String subject, Schema schema);

    /** The schema that has this id. */
    Schema schemaOf(int id);

    /** Why registries that this process waits for give no answer; empty if none is waited for. */
    static List<String> troubles() {
        return RestRegistry.troubles();
    }

    /** The registry that {@code schema.registry.url} names: {@code http(s)://...}, or {@code inprocess://name}. */
    static SchemaRegistry of(Map<String, ?> configuration) {
        Object url = configuration.get("schema.registry.url");
        if (url == null || url.toString().isBlank()) {
            throw new SchemaRegistryException(
                    "schema.registry.url is missing (expected: http://host:port, https://host:port or inprocess://name)");
        }
        return url.toString().startsWith(InProcessRegistry.SCHEME)
                ? InProcessRegistry.named(url.toString().substring(InProcessRegistry.SCHEME.length()))
                : RestRegistry.of(url.toString(), configuration);
    }
}
