package io.elder.normalizer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.normalizer.state.OutputState;
import io.elder.schemas.ElderTable;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import java.util.Locale;
import java.util.Optional;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/** The way out for rows: to the inventory, and an identity also to where the same person is looked for in other systems. */
record Rows(ProcessorContext<Object, Object> context) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** @param before what was sent of this row until now; null if nothing was */
    void send(OutputState before, InventoryRecord record, long timestamp) {
        context.forward(new Record<Object, Object>(record.getKey(), record, timestamp), NormalizerTopology.INVENTORY);
        Row row = (Row) record.getBody();
        if (!isIdentity(row)) {
            return;
        }
        Optional<String> old =
                before == null || before.getDeletedAt() != null ? Optional.empty() : verifiedEmail(Stores.row(before));
        Optional<String> now = row.getDeleted() ? Optional.empty() : verifiedEmail(row);
        if (!old.equals(now)) {
            old.ifPresent(email -> sighting(email, gone(record), timestamp));
            now.ifPresent(email -> sighting(email, record, timestamp));
        }
    }

    /** An identity that is purged takes with it the link that was its own. */
    void purge(OutputState dead, long timestamp) {
        String key = dead.getKey();
        context.forward(new Record<Object, Object>(key, null, timestamp), NormalizerTopology.INVENTORY);
        verifiedEmail(Stores.row(dead))
                .ifPresent(email -> context.forward(
                        new Record<Object, Object>(SamePerson.link(key, email), null, timestamp),
                        NormalizerTopology.INVENTORY));
    }

    private void sighting(String email, InventoryRecord record, long timestamp) {
        context.forward(new Record<Object, Object>(email, record, timestamp), NormalizerTopology.PERSONS);
    }

    private static InventoryRecord gone(InventoryRecord record) {
        return new InventoryRecord(
                record.getKey(), record.getScope(), record.getRunId(), record.getObservedAt(), Stores.gone((Row)
                        record.getBody()));
    }

    private static boolean isIdentity(Row row) {
        return row.getTable().equals(ElderTable.IDENTITIES.sqlName());
    }

    /** In lower case. Only what the system vouches for correlates: a name or an address that anybody may claim does not. */
    static Optional<String> verifiedEmail(Row row) {
        if (!isIdentity(row)
                || row.getAttributes() == null
                || !(row.getValues().get("email") instanceof String email)
                || email.isBlank()) {
            return Optional.empty();
        }
        try {
            boolean isVerified =
                    JSON.readTree(row.getAttributes()).path("email_verified").asBoolean();
            return isVerified ? Optional.of(email.strip().toLowerCase(Locale.ROOT)) : Optional.empty();
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("attributes that a mapping wrote are no JSON", e);
        }
    }
}
