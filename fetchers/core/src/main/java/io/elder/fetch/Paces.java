package io.elder.fetch;

import io.elder.runtime.Settings;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** The paces of one provider, which all its tasks in a process share. */
final class Paces {
    private final Provider<?> provider;
    private final ConcurrentMap<Partition, Pace> paces = new ConcurrentHashMap<>();

    Paces(Provider<?> provider) {
        this.provider = provider;
    }

    /** @param settings may name another limit than the provider does */
    Pace of(Partition where, Settings settings, Instant now) {
        double limit = limit(settings) * share(settings);
        Pace pace = paces.computeIfAbsent(where, unused -> new Pace(limit, now));
        pace.limit(limit);
        return pace;
    }

    /** Where write-back calls the same provider, it is left its share. */
    private double share(Settings settings) {
        boolean isWritten = settings.yes(JobConfig.prefix(provider.name()) + "WRITE_BACK_ENABLED", false);
        return isWritten ? Math.max(0.05, 1 - settings.whole("WRITEBACK_RATE_SHARE", 30, 1, 100) / 100.0) : 1;
    }

    private double limit(Settings settings) {
        String name = JobConfig.prefix(provider.name()) + "RATE_LIMIT";
        Optional<String> text = settings.find(name);
        if (text.isEmpty()) {
            return provider.requestsPerSecond();
        }
        try {
            double limit = Double.parseDouble(text.get());
            if (limit >= 0.1 && limit <= 100_000) {
                return limit;
            }
        } catch (NumberFormatException unused) {
            // said below, like a number out of bounds
        }
        throw new BadConfigurationException(name + ": " + text.get() + " (expected: requests a second, 0.1 to 100000)");
    }
}
