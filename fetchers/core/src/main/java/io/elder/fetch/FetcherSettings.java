package io.elder.fetch;

import io.elder.runtime.Database;
import io.elder.runtime.Settings;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What a fetcher is told.
 *
 * @param providers whose tasks it takes; empty for all on the classpath
 * @param maxConcurrent tasks at once
 * @param maxRetries how often something that failed is tried again
 * @param database empty where there are only connectors
 */
public record FetcherSettings(
        List<String> providers,
        int maxConcurrent,
        int maxRetries,
        Optional<Database> database,
        Path secrets,
        List<String> allowedEndpoints,
        Settings environment) {

    public static FetcherSettings from(Settings settings) {
        boolean hasDatabase = settings.findAny("DATABASE_URL", "DB_URL").isPresent();
        return new FetcherSettings(
                settings.list("FETCHER_PROVIDERS", ""),
                settings.whole("DISCOVERY_MAX_CONCURRENT", 2, 1, 1000),
                settings.whole("SYNC_MAX_RETRIES", 3, 0, 100),
                hasDatabase ? Optional.of(Database.from(settings)) : Optional.empty(),
                Path.of(settings.text("SECRETS_DIR", "/var/run/secrets/elder")),
                settings.list("ENDPOINT_ALLOWLIST", "").stream()
                        .map(host -> host.toLowerCase(Locale.ROOT))
                        .toList(),
                settings);
    }
}
