package io.elder.sink;

import io.elder.runtime.Database;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Settings;
import java.time.Duration;
import java.util.Optional;

/**
 * What the sink is told.
 *
 * @param threads how many batches are under way at once
 * @param batchSize rows per transaction at most
 * @param settleInterval how often rows that wait for others are looked at while nothing arrives
 */
public record SinkSettings(
        Database database,
        KafkaClients kafka,
        int threads,
        int batchSize,
        Duration settleInterval,
        Duration retryAtMost,
        InventoryWriter.Rules rules) {
    /** How identities and groups are named: {@code IDENTITY_NAMING}. */
    private enum Naming {
        PREFIXED,
        PLAIN
    }

    public static SinkSettings from(Settings settings) {
        int organization = settings.whole("DEFAULT_ORGANIZATION_ID", 0, 0, Integer.MAX_VALUE);
        return new SinkSettings(
                Database.from(settings),
                new KafkaClients(settings),
                settings.whole("SINK_THREADS", 2, 1, 16),
                settings.whole("SINK_BATCH_SIZE", 4000, 1, 10_000),
                settings.duration("SINK_SETTLE_INTERVAL", Duration.ofSeconds(5)),
                settings.duration("SINK_RETRY_AT_MOST", Duration.ofSeconds(5)),
                new InventoryWriter.Rules(
                        settings.yes("CREATE_MISSING_ORGANIZATIONS", true),
                        organization == 0 ? Optional.empty() : Optional.of(organization),
                        settings.oneOf("IDENTITY_NAMING", Naming.class, Naming.PREFIXED) == Naming.PLAIN));
    }
}
