package io.elder.writeback;

import io.elder.runtime.Settings;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * What write-back is told.
 *
 * @param window how long changes of one group are collected before they are judged
 * @param quarantine how long a transaction of several changes is waited for after its last one, so that it is judged whole
 * @param conflictDelay how long nothing is done about what was changed at the provider against a decision in Elder
 * @param budgetMin so many members may always be removed from one group at once
 * @param budgetPercent and so many of a hundred, if that is more
 * @param budgetRun and so many from all groups of a provider together
 * @param protectedGroups patterns of names whose changes are held; {@code empty} means: removals that leave a group empty
 * @param closed by provider, why nothing may be written there; a provider that is open is not in it
 * @param confirmed providers that a setting takes out of the dry run
 * @param webUrl where people's profiles are in Elder; empty if no links are written
 */
public record WritebackSettings(
        Duration window,
        Duration quarantine,
        Conflict conflict,
        Duration conflictDelay,
        int budgetMin,
        int budgetPercent,
        int budgetRun,
        Duration heldExpiry,
        List<String> protectedGroups,
        Map<String, String> closed,
        List<String> confirmed,
        boolean dryRun,
        Optional<String> webUrl,
        int maxRetries,
        String stateDirectory) {
    /** The providers that memberships are written to. */
    public static final List<String> PROVIDERS = List.of("authentik", "ldap", "okta");

    private static final Map<String, String> ENABLED = Map.of(
            "authentik", "AUTHENTIK_WRITE_BACK_ENABLED",
            "ldap", "LDAP_WRITE_BACK_ENABLED",
            "okta", "OKTA_WRITE_BACK_ENABLED");

    /** What becomes of a change that somebody else made at the provider to a membership that Elder decided on. */
    public enum Conflict {
        REASSERT,
        ACCEPT,
        HOLD
    }

    public static WritebackSettings from(Settings settings) {
        Map<String, String> closed = new LinkedHashMap<>();
        for (String provider : PROVIDERS) {
            why(settings, provider).ifPresent(reason -> closed.put(provider, reason));
        }
        List<String> confirmed = settings.list("WRITEBACK_CONFIRMED", "").stream()
                .map(name -> name.toLowerCase(Locale.ROOT))
                .toList();
        for (String name : confirmed) {
            if (!PROVIDERS.contains(name)) {
                settings.problem("WRITEBACK_CONFIRMED", name, String.join(", ", new TreeSet<>(PROVIDERS)));
            }
        }
        return new WritebackSettings(
                settings.duration("WRITEBACK_WINDOW", Duration.ofMillis(500), Duration.ZERO),
                settings.duration("WRITEBACK_QUARANTINE", Duration.ofSeconds(2), Duration.ZERO),
                settings.oneOf("WRITEBACK_CONFLICT", Conflict.class, Conflict.REASSERT),
                settings.duration("WRITEBACK_CONFLICT_DELAY", Duration.ofSeconds(30), Duration.ZERO),
                settings.whole("WRITEBACK_BUDGET_MIN", 5, 0, Integer.MAX_VALUE),
                settings.whole("WRITEBACK_BUDGET_PERCENT", 20, 0, 100),
                settings.whole("WRITEBACK_BUDGET_RUN", 500, 0, Integer.MAX_VALUE),
                settings.duration("HELD_EXPIRY", Duration.ofDays(7)),
                settings.list("WRITEBACK_PROTECTED_GROUPS", "empty,*admin*"),
                Map.copyOf(closed),
                confirmed,
                settings.yes("WRITEBACK_DRY_RUN", false),
                settings.yes("OKTA_SYNC_PROFILE_URL", true)
                        ? settings.find("ELDER_WEB_URL").map(url -> url.replaceAll("/+$", ""))
                        : Optional.empty(),
                settings.whole("WRITEBACK_MAX_RETRIES", 4, 0, 100),
                settings.text("STATE_DIR", ".elder/state"));
    }

    private static Optional<String> why(Settings settings, String provider) {
        String prefix = provider.toUpperCase(Locale.ROOT) + "_";
        String enabled = ENABLED.get(provider);
        // Authentik's is on as in the former worker, and begins with a dry run like the others.
        if (!settings.yes(enabled, provider.equals("authentik"))) {
            return Optional.of("write-back is off (" + enabled + ")");
        }
        boolean isSwitchedOff =
                settings.find(prefix + "ENABLED").isPresent() && !settings.yes(prefix + "ENABLED", true);
        if (isSwitchedOff) {
            return Optional.of("the connector is disabled (" + prefix + "ENABLED)");
        }
        String place = provider.equals("ldap") ? prefix + "SERVER" : prefix + "DOMAIN";
        if (settings.find(place).isEmpty()) {
            return Optional.of(place + " is not set");
        }
        // The readers may have it from a file; whoever lets write-back change things says so in its own environment.
        boolean lacksToken = !provider.equals("ldap")
                && settings.findSecret(prefix + "API_TOKEN").isEmpty();
        return lacksToken ? Optional.of(prefix + "API_TOKEN is not set") : Optional.empty();
    }

    /** The most that a plan may remove from a group of this size without a person's word. */
    long budget(long size) {
        return Math.max(budgetMin, size * budgetPercent / 100);
    }

    /** Whether every change of this group awaits a person. */
    boolean isProtected(String name, String group) {
        return protectedGroups.stream()
                .filter(pattern -> !pattern.equals("empty"))
                .anyMatch(pattern -> matches(pattern, name) || matches(pattern, group));
    }

    boolean keepsGroupsFromEmptying() {
        return protectedGroups.contains("empty");
    }

    private static boolean matches(String pattern, String text) {
        StringBuilder regex = new StringBuilder();
        for (String part : pattern.toLowerCase(Locale.ROOT).split("((?<=\\*)|(?=\\*))")) {
            regex.append(part.equals("*") ? ".*" : java.util.regex.Pattern.quote(part));
        }
        return text != null && text.toLowerCase(Locale.ROOT).matches(regex.toString());
    }
}
