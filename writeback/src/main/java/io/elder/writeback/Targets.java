package io.elder.writeback;

import io.elder.runtime.Settings;
import java.time.Clock;
import java.util.LinkedHashMap;
import java.util.Map;

/** The providers that may be written to, each with its turnstile. */
final class Targets implements AutoCloseable {
    private static final double OTHERWISE = 10;

    private final Map<String, WritebackTarget> targets = new LinkedHashMap<>();
    private final Map<String, Turnstile> turnstiles = new LinkedHashMap<>();

    private Targets() {}

    /** Those that the settings leave open. */
    static Targets of(Settings settings, WritebackSettings own, Clock clock) {
        Targets all = new Targets();
        for (String provider : WritebackSettings.PROVIDERS) {
            if (own.closed().containsKey(provider)) {
                continue;
            }
            all.add(
                    provider,
                    switch (provider) {
                        case "okta" -> OktaTarget.of(settings, clock);
                        case "authentik" -> AuthentikTarget.of(settings, clock);
                        default -> LdapTarget.of(settings);
                    },
                    clock);
        }
        return all;
    }

    private void add(String provider, WritebackTarget target, Clock clock) {
        targets.put(provider, target);
        turnstiles.put(provider, new Turnstile(target.callsPerSecond(), clock));
    }

    /** Write-back's share of what the provider takes; the readers keep to the rest. */
    static double callsPerSecond(Settings settings, String prefix) {
        double share = settings.whole("WRITEBACK_RATE_SHARE", 30, 1, 100) / 100.0;
        String name = prefix + "_RATE_LIMIT";
        String text = settings.text(name, Double.toString(OTHERWISE));
        try {
            double limit = Double.parseDouble(text);
            if (limit >= 0.1 && limit <= 100_000) {
                return limit * share;
            }
        } catch (NumberFormatException unused) {
            // said below, like a number out of bounds
        }
        settings.problem(name, text, "requests a second, 0.1 to 100000");
        return OTHERWISE * share;
    }

    /** Null where the settings of this process keep the provider closed. */
    WritebackTarget find(String provider) {
        return targets.get(provider);
    }

    Turnstile turnstile(String provider) {
        return turnstiles.get(provider);
    }

    @Override
    public void close() {
        targets.values().forEach(WritebackTarget::close);
    }
}
