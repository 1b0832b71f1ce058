package io.elder.bench;

import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * One of Elder's tables as those fill it that know nothing of Elder: columns of a record, and references.
 *
 * @param name of the table
 * @param columns that are taken from the record
 * @param references that must be looked up
 */
record FlatTable(String name, List<Column> columns, List<Reference> references) {
    /** What a value is in SQL. */
    enum Type {
        TEXT("text"),
        LONG("bigint"),
        INTEGER("integer"),
        BOOLEAN("boolean"),
        JSON("json"),
        TIMESTAMP("timestamptz");

        final String sql;

        Type(String sql) {
            this.sql = sql;
        }
    }

    /** @param value a String, Long, Integer or Boolean as the type has it, or null */
    record Column(String name, Type type, Function<InventoryRecord, Object> value) {}

    /** @param name in the record */
    record Reference(String column, String name, String target) {}

    /** In the order in which they refer to each other. */
    static final List<FlatTable> ALL = List.of(
            new FlatTable(
                    "entities",
                    columns(
                            Stream.of(
                                    text("name"),
                                    text("type"),
                                    text("sub_type"),
                                    text("external_id"),
                                    text("cloud_provider"),
                                    text("region"),
                                    text("status"),
                                    constant("is_managed", Type.BOOLEAN, true)),
                            "metadata",
                            true),
                    List.of(organization(), new Reference("parent_id", "parent", "entities"))),
            new FlatTable(
                    "networking_resources",
                    columns(
                            Stream.of(text("name"), text("network_type"), text("description"), text("region"), alive()),
                            "attributes",
                            true),
                    List.of(organization())),
            new FlatTable(
                    "data_stores",
                    columns(
                            Stream.of(
                                    text("name"),
                                    text("storage_type"),
                                    text("storage_provider"),
                                    text("location_region"),
                                    new Column("size_bytes", Type.INTEGER, record -> ((Long)
                                                    row(record).getValues().get("size_bytes"))
                                            .intValue()),
                                    new Column("encryption_at_rest", Type.BOOLEAN, record -> row(record)
                                            .getValues()
                                            .get("encryption_at_rest")),
                                    constant("tenant_id", Type.INTEGER, 1),
                                    alive()),
                            "metadata",
                            false),
                    List.of(organization())),
            new FlatTable(
                    "services",
                    columns(
                            Stream.of(
                                    text("name"),
                                    text("deployment_method"),
                                    text("description"),
                                    text("status"),
                                    constant("is_public", Type.BOOLEAN, false),
                                    constant("tenant_id", Type.INTEGER, 1)),
                            null,
                            true),
                    List.of(organization())),
            new FlatTable(
                    "network_entity_mappings",
                    columns(Stream.of(text("relationship_type")), "metadata", false),
                    List.of(
                            new Reference("network_id", "network", "networking_resources"),
                            new Reference("entity_id", "entity", "entities"))));

    static FlatTable of(String name) {
        return ALL.stream()
                .filter(table -> table.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("table " + name + " (expected: one of "
                        + ALL.stream().map(FlatTable::name).collect(Collectors.joining(", ")) + ")"));
    }

    static Row row(InventoryRecord record) {
        return (Row) record.getBody();
    }

    static String names() {
        return ALL.stream().map(FlatTable::name).collect(Collectors.joining(", "));
    }

    private static List<Column> columns(Stream<Column> own, String payload, boolean tags) {
        List<Column> columns = new ArrayList<>(own.toList());
        if (payload != null) {
            columns.add(new Column(payload, Type.JSON, record -> row(record).getAttributes()));
        }
        if (tags) {
            columns.add(new Column("tags", Type.JSON, record -> row(record).getTags().stream()
                    .map(tag -> '"' + tag + '"')
                    .collect(Collectors.joining(",", "[", "]"))));
        }
        columns.add(new Column("source_key", Type.TEXT, InventoryRecord::getKey));
        columns.add(new Column("content_hash", Type.LONG, record -> row(record).getContentHash()));
        columns.add(new Column("run_id", Type.TEXT, InventoryRecord::getRunId));
        columns.add(new Column(
                "observed_at", Type.TIMESTAMP, record -> record.getObservedAt().toString()));
        columns.add(new Column(
                "deleted_at",
                Type.TIMESTAMP,
                record -> row(record).getDeleted() ? record.getObservedAt().toString() : null));
        columns.add(new Column(
                "last_seen_at", Type.TIMESTAMP, record -> record.getObservedAt().toString()));
        return List.copyOf(columns);
    }

    private static Column text(String name) {
        return new Column(name, Type.TEXT, record -> row(record).getValues().get(name));
    }

    private static Column alive() {
        return new Column("is_active", Type.BOOLEAN, record -> !row(record).getDeleted());
    }

    private static Column constant(String name, Type type, Object value) {
        return new Column(name, type, record -> value);
    }

    private static Reference organization() {
        return new Reference("organization_id", "organization", "organizations");
    }
}
