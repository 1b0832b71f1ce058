package io.elder.cdc;

import io.elder.runtime.Database;
import io.elder.runtime.Settings;
import java.time.Duration;
import java.util.regex.Pattern;

/**
 * How changes of Elder's tables are captured.
 *
 * @param source logical decoding, or reading the tables again and again where that is not to be had
 * @param snapshotMode what is done about a slot that is lost: see docs/cdc.md
 * @param heartbeat how often the position in the WAL is moved on while the captured tables are quiet
 * @param pollWait how long Debezium gathers changes, and sleeps when there are none
 * @param sessionTimeout how long a dead Connect worker keeps its task
 * @param transactionTimeout how long the open transaction of a dead worker holds up its successor and all readers
 * @param pollInterval how often the tables are read when {@code source} is {@code POLL}
 */
public record CdcSettings(
        Source source,
        Database database,
        String slot,
        String publication,
        SnapshotMode snapshotMode,
        Duration heartbeat,
        Duration pollWait,
        Duration sessionTimeout,
        Duration transactionTimeout,
        String restHost,
        int restPort,
        Duration pollInterval) {
    /** Where changes come from. */
    public enum Source {
        CDC,
        POLL
    }

    /** Debezium's snapshot modes that are of use here. */
    public enum SnapshotMode {
        /** Read the tables once, at the very first start. */
        INITIAL,
        /** Read them again, too, if the position in the WAL is no longer to be had. */
        WHEN_NEEDED
    }

    private static final Pattern NAME = Pattern.compile("[a-z0-9_]{1,63}");

    public static CdcSettings from(Settings settings) {
        return new CdcSettings(
                settings.oneOf("JOBS_SOURCE", Source.class, Source.CDC),
                Database.from(settings, "CDC_DATABASE_URL", "DATABASE_URL", "DB_URL"),
                name(settings, "CDC_SLOT"),
                name(settings, "CDC_PUBLICATION"),
                settings.oneOf("CDC_SNAPSHOT_MODE", SnapshotMode.class, SnapshotMode.INITIAL),
                settings.duration("CDC_HEARTBEAT_INTERVAL", Duration.ofSeconds(5), Duration.ofMillis(100)),
                settings.duration("CDC_POLL_WAIT", Duration.ofMillis(10), Duration.ofMillis(1)),
                // A broker refuses sessions shorter than its group.min.session.timeout.ms, 6 s unless it is set.
                settings.duration("CDC_SESSION_TIMEOUT", Duration.ofSeconds(6), Duration.ofSeconds(1)),
                settings.duration("CDC_TRANSACTION_TIMEOUT", Duration.ofSeconds(10), Duration.ofSeconds(1)),
                settings.text("CDC_REST_HOST", "127.0.0.1"),
                settings.whole("CDC_REST_PORT", 0, 0, 65535),
                settings.duration("DISCOVERY_POLL_INTERVAL", Duration.ofSeconds(300), Duration.ofMillis(100)));
    }

    private static String name(Settings settings, String setting) {
        String name = settings.text(setting, "elder_worker");
        if (!NAME.matcher(name).matches()) {
            settings.problem(setting, name, "1 to 63 lower-case letters, digits and underscores");
        }
        return name;
    }
}
