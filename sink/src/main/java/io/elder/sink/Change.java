package io.elder.sink;

import io.elder.schemas.ElderTable;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** One record on its way into one row: what it says, and what was found out about it in this transaction. */
final class Change {
    final InventoryRecord record;
    final Row row;
    final ElderTable table;
    final int partition;
    final long offset;

    /** Ids of the rows referred to, by reference. */
    final Map<String, Integer> ids = new HashMap<>();

    /** References that could be null and are, because their target has not arrived: reference to target key. */
    final Map<String, String> pending = new HashMap<>();

    Integer tenantId;

    /** The name that this row gets instead of the one in the record, see {@link UniqueNames}. */
    String name;

    String[] texts;

    private String observedAt;

    Change(InventoryRecord record, ElderTable table, int partition, long offset) {
        this.record = record;
        this.row = (Row) record.getBody();
        this.table = table;
        this.partition = partition;
        this.offset = offset;
    }

    String key() {
        return record.getKey();
    }

    boolean deleted() {
        return row.getDeleted();
    }

    /** As PostgreSQL reads it. */
    String observedAt() {
        if (observedAt == null) {
            observedAt = record.getObservedAt().toString();
        }
        return observedAt;
    }

    boolean isOlderThan(Change other) {
        return record.getObservedAt().isBefore(other.record.getObservedAt());
    }

    Optional<String> target(String reference) {
        return Optional.ofNullable(row.getReferences().get(reference));
    }

    Optional<String> value(String column) {
        return Optional.ofNullable(row.getValues().get(column)).map(Object::toString);
    }
}
