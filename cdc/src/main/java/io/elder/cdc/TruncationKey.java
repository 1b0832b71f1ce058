package io.elder.cdc;

import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * Gives the event of a truncated table a key, without which a compacted topic would refuse it and the connector stop.
 * Whoever reads memberships must hear of it; for the other tables nobody acts on it, and the event is dropped.
 */
public final class TruncationKey<R extends ConnectRecord<R>> implements Transformation<R> {
    static final String KEY = "truncated";

    @Override
    public R apply(R record) {
        boolean isTruncation = record.value() instanceof Struct event
                && event.schema().field("op") != null
                && "t".equals(event.getString("op"));
        if (!isTruncation) {
            return record;
        }
        if (!record.topic().endsWith(".identity_group_memberships")) {
            return null;
        }
        return record.newRecord(
                record.topic(),
                record.kafkaPartition(),
                Schema.STRING_SCHEMA,
                KEY,
                record.valueSchema(),
                record.value(),
                record.timestamp());
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef();
    }

    @Override
    public void configure(Map<String, ?> unused) {}

    @Override
    public void close() {}
}
