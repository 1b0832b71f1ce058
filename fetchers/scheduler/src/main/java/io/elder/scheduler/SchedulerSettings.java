package io.elder.scheduler;

import io.elder.runtime.Settings;
import io.elder.schemas.Topics;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a scheduler is told.
 *
 * @param providers whose jobs it can have run
 * @param connectors providers that the environment enables, with their intervals
 * @param syncOnStartup whether a connector runs when a scheduler starts, instead of one interval later
 * @param jobTimeout when a run is over, whatever is missing
 */
public record SchedulerSettings(
        List<String> providers,
        Map<String, Duration> connectors,
        boolean syncOnStartup,
        Duration jobTimeout,
        String stateDirectory) {

    public static SchedulerSettings from(Settings settings) {
        Map<String, Duration> connectors = new TreeMap<>();
        for (String provider : Topics.PROVIDERS) {
            String prefix = provider.toUpperCase(Locale.ROOT);
            Duration interval =
                    settings.duration(prefix + "_SYNC_INTERVAL", Duration.ofHours(1), Duration.ofSeconds(1));
            if (settings.yes(prefix + "_ENABLED", false)) {
                connectors.put(provider, interval);
            }
        }
        return new SchedulerSettings(
                Topics.PROVIDERS,
                connectors,
                settings.yes("SYNC_ON_STARTUP", true),
                settings.duration("DISCOVERY_JOB_TIMEOUT", Duration.ofHours(1)),
                settings.text("STATE_DIR", ".elder/state"));
    }
}
