package io.elder.writeback;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.schemas.ElderTable;
import io.elder.schemas.ScopeKey;
import io.elder.schemas.Topics;
import io.elder.schemas.avro.GroupRow;
import io.elder.schemas.avro.IdentityRow;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.MemberSeen;
import io.elder.schemas.avro.MembershipRow;
import io.elder.schemas.avro.MembershipsTruncated;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RawResource;
import io.elder.schemas.avro.ScopeMark;
import io.elder.schemas.avro.ScopeRead;
import io.elder.schemas.avro.Seal;
import io.elder.schemas.avro.WritebackEvent;
import io.elder.schemas.serde.DeadLetter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Locale;
import java.util.Objects;
import org.apache.avro.AvroRuntimeException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/**
 * Turns what concerns write-back into its events: rows of three tables, and what the providers' own syncs saw of
 * memberships. It has no state, and runs on every partition; what it says comes together in the one partition of events.
 */
final class Intake implements Processor<byte[], byte[], Object, Object> {
    static final String GROUPS = "identity_groups";
    static final String IDENTITIES = "identities";
    static final String MEMBERSHIPS = "identity_group_memberships";

    private static final String MEMBER_KIND = "group_member";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Topics topics;
    private final Deserializer<InventoryRecord> inventory;
    private final Deserializer<RawRecord> raw;
    private final int inventoryPartitions;
    private final Tally tally;
    private final String events;
    private final String deadletters;
    private ProcessorContext<Object, Object> context;

    /**
     * @param events where its events go, and {@code deadletters} what it can't read: sinks of the topology
     */
    Intake(
            Topics topics,
            Deserializer<InventoryRecord> inventory,
            Deserializer<RawRecord> raw,
            int inventoryPartitions,
            Tally tally,
            String events,
            String deadletters) {
        this.topics = topics;
        this.inventory = inventory;
        this.raw = raw;
        this.inventoryPartitions = inventoryPartitions;
        this.tally = tally;
        this.events = events;
        this.deadletters = deadletters;
    }

    @Override
    public void init(ProcessorContext<Object, Object> started) {
        context = started;
    }

    @Override
    public void process(Record<byte[], byte[]> in) {
        String topic = context.recordMetadata().map(RecordMetadata::topic).orElse("");
        int partition = context.recordMetadata().map(RecordMetadata::partition).orElse(0);
        try {
            if (topic.equals(topics.inventory().name())) {
                if (in.value() != null) {
                    inventory(inventory.deserialize("", in.value()), partition, in.timestamp());
                }
            } else if (topic.startsWith(topics.prefix() + "cdc.")) {
                row(topic.substring((topics.prefix() + "cdc.").length()), in);
            } else if (in.value() != null) {
                raw(raw.deserialize("", in.value()), in);
            }
        } catch (SerializationException e) {
            // The normalizer and the sink read the same records, and bury those that nobody can read.
            tally.unreadable();
        } catch (IOException | DateTimeException | IllegalArgumentException | AvroRuntimeException e) {
            letter(in, e);
        }
    }

    private void row(String table, Record<byte[], byte[]> in) throws IOException {
        if (in.value() == null) {
            if (table.equals(MEMBERSHIPS) && in.key() != null) {
                // All that compaction may have left of a deletion.
                int id = Integer.parseInt(new String(in.key(), StandardCharsets.UTF_8));
                tell(
                        table,
                        in.timestamp(),
                        new MembershipRow(id, 0, 0, false, null, false, false, "tombstone-" + id, 0L),
                        in.timestamp());
            }
            return;
        }
        JsonNode event = JSON.readTree(in.value());
        String operation = event.path("op").asText();
        JsonNode source = event.path("source");
        JsonNode before = event.path("before");
        JsonNode after = event.path("after");
        long at = source.path("ts_ms").asLong(in.timestamp());
        String transaction = source.path("connector").asText().equals("poll")
                ? "poll"
                : source.hasNonNull("txId")
                        ? source.path("txId").asText()
                        : "at-" + source.path("lsn").asText("") + "-" + in.timestamp();
        if (operation.equals("t")) {
            if (table.equals(MEMBERSHIPS)) {
                tell(
                        table,
                        at,
                        new MembershipsTruncated(transaction, source.path("lsn").asLong()),
                        in.timestamp());
            }
            return;
        }
        boolean isDeleted = operation.equals("d");
        JsonNode row = isDeleted ? before : after;
        if (!row.isObject()) {
            throw new IllegalArgumentException(
                    table + ": operation " + operation + " without its row (expected: a row; REPLICA IDENTITY FULL)");
        }
        Object body =
                switch (table) {
                    case GROUPS -> group(row, isDeleted, source.path("lsn").asLong());
                    case IDENTITIES -> identity(row, isDeleted);
                    default ->
                        membership(
                                operation,
                                before,
                                row,
                                transaction,
                                source.path("lsn").asLong());
                };
        tell(table, at, body, in.timestamp());
    }

    private static GroupRow group(JsonNode row, boolean isDeleted, long position) {
        String provider = text(row, "provider");
        return new GroupRow(
                row.path("id").asInt(),
                isDeleted,
                provider == null ? null : provider.toLowerCase(Locale.ROOT),
                text(row, "provider_group_id"),
                text(row, "name"),
                row.path("sync_enabled").asBoolean() && row.path("is_active").asBoolean(true),
                text(row, "source_key"),
                position);
    }

    private static IdentityRow identity(JsonNode row, boolean isDeleted) {
        return new IdentityRow(
                row.path("id").asInt(),
                isDeleted,
                text(row, "auth_provider_id"),
                text(row, "source_key"),
                text(row, "village_id"));
    }

    private static MembershipRow membership(
            String operation, JsonNode before, JsonNode row, String transaction, long position) {
        boolean isDeleted = operation.equals("d");
        String expires = text(row, "expires_at");
        // A person's change leaves alone what the sink notes of a row.
        boolean bySink = !isDeleted
                && !operation.equals("r")
                && (before.isObject()
                        ? !Objects.equals(text(before, "run_id"), text(row, "run_id"))
                                || !Objects.equals(text(before, "source_key"), text(row, "source_key"))
                                || !Objects.equals(text(before, "deleted_at"), text(row, "deleted_at"))
                        : text(row, "run_id") != null);
        boolean isLive = !isDeleted && row.path("is_active").asBoolean(true) && text(row, "deleted_at") == null;
        return new MembershipRow(
                row.path("id").asInt(),
                row.path("group_id").asInt(),
                row.path("identity_id").asInt(),
                isLive,
                expires == null ? null : instant(expires),
                bySink,
                operation.equals("r"),
                transaction,
                position);
    }

    /** Elder keeps ISO 8601 as text, with and without a zone; without one it means UTC. */
    static Instant instant(String text) {
        String iso = text.strip().replace(' ', 'T');
        try {
            return OffsetDateTime.parse(iso).toInstant();
        } catch (DateTimeException e) {
            String local = iso.length() == "2026-01-01".length() ? iso + "T00:00:00" : iso;
            try {
                return LocalDateTime.parse(local).toInstant(ZoneOffset.UTC);
            } catch (DateTimeException unused) {
                throw new IllegalArgumentException("expires_at: " + text + " (expected: an ISO 8601 instant)", e);
            }
        }
    }

    private void inventory(InventoryRecord record, int partition, long timestamp) {
        long at = record.getObservedAt().toEpochMilli();
        if (record.getBody() instanceof io.elder.schemas.avro.Row row) {
            String group = row.getReferences().get("group");
            String identity = row.getReferences().get("identity");
            boolean isMembership = row.getTable().equals(ElderTable.IDENTITY_GROUP_MEMBERSHIPS.sqlName());
            if (isMembership && isOurs(record.getKey()) && group != null && identity != null) {
                tell(
                        record.getKey(),
                        at,
                        new MemberSeen(record.getKey(), record.getScope(), !row.getDeleted(), group, identity),
                        timestamp);
            }
        } else if (record.getBody() instanceof ScopeMark mark
                && mark.getOutcome().equals("sealed")
                && isOfMembers(record.getScope())) {
            tell(
                    record.getScope(),
                    at,
                    new ScopeRead(
                            record.getScope(),
                            "inventory/" + mark.getRawPartition() + "/" + partition,
                            mark.getRawPartitions() * inventoryPartitions,
                            ""),
                    timestamp);
        }
    }

    private void raw(RawRecord record, Record<byte[], byte[]> in) {
        if (!record.getKind().endsWith(MEMBER_KIND)) {
            return;
        }
        boolean isRetried = in.headers().lastHeader(DeadLetter.RETRIED) != null;
        if (!isRetried && in.timestamp() > record.getDeadline().toEpochMilli()) {
            return;
        }
        long at = record.getObservedAt().toEpochMilli();
        if (record.getBody() instanceof Seal seal) {
            tell(
                    record.getScope(),
                    at,
                    new ScopeRead(
                            record.getScope(), "raw/" + seal.getPartition(), seal.getPartitions(), record.getAttempt()),
                    in.timestamp());
        } else {
            RawResource resource = (RawResource) record.getBody();
            tell(
                    resource.getKey(),
                    at,
                    new MemberSeen(resource.getKey(), record.getScope(), true, null, null),
                    in.timestamp());
        }
    }

    private static boolean isOurs(String resourceKey) {
        int slash = resourceKey.indexOf('/');
        return slash > 0 && WritebackSettings.PROVIDERS.contains(resourceKey.substring(0, slash));
    }

    private static boolean isOfMembers(String scope) {
        ScopeKey key = ScopeKey.parse(scope);
        return WritebackSettings.PROVIDERS.contains(key.provider())
                && key.kind().endsWith(MEMBER_KIND);
    }

    private void tell(String key, long at, Object body, long timestamp) {
        context.forward(
                new Record<Object, Object>(key, new WritebackEvent(Instant.ofEpochMilli(at), body), timestamp), events);
    }

    private void letter(Record<byte[], byte[]> refused, Exception why) {
        RecordMetadata from = context.recordMetadata().orElse(null);
        tally.unreadable();
        context.forward(
                new Record<Object, Object>(
                        refused.key(),
                        refused.value(),
                        refused.timestamp(),
                        DeadLetter.headers(
                                "writeback",
                                from == null ? "" : from.topic(),
                                from == null ? -1 : from.partition(),
                                from == null ? -1 : from.offset(),
                                why.getClass().getName(),
                                why.getMessage(),
                                Instant.ofEpochMilli(refused.timestamp()))),
                deadletters);
    }

    private static String text(JsonNode row, String name) {
        return row.hasNonNull(name) ? row.get(name).asText() : null;
    }
}
