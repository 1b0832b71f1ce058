package io.elder.fetch.okta;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.net.URI;
import java.time.Duration;
import java.util.Set;

/**
 * Which org to read, and as whom.
 *
 * @param org its URL
 * @param token an API token, or an OAuth access token
 */
record OktaSettings(URI org, Secret token, boolean users, boolean groups, Duration timeout) {
    private static final Set<String> LOOPBACK = Set.of("127.0.0.1", "localhost", "[::1]");

    static OktaSettings from(Settings settings) {
        boolean users = settings.yes("OKTA_SYNC_USERS", true);
        boolean groups = settings.yes("OKTA_SYNC_GROUPS", true);
        if (!users && !groups) {
            settings.problem("OKTA_SYNC_GROUPS", "false", "true, where OKTA_SYNC_USERS is false");
        }
        return new OktaSettings(
                org(settings),
                settings.secret("OKTA_API_TOKEN"),
                users,
                groups,
                settings.duration("OKTA_TIMEOUT", Duration.ofSeconds(60)));
    }

    private static URI org(Settings settings) {
        String text = settings.text("OKTA_DOMAIN").strip();
        String trimmed = text.endsWith("/") ? text.substring(0, text.length() - 1) : text;
        try {
            URI url = URI.create(trimmed.contains("://") ? trimmed : "https://" + trimmed);
            boolean isSafe = "https".equals(url.getScheme())
                    // The token would be read on the way; a server of a test is on this machine.
                    || ("http".equals(url.getScheme()) && LOOPBACK.contains(String.valueOf(url.getHost())));
            if (isSafe
                    && url.getHost() != null
                    && url.getRawUserInfo() == null
                    && url.getRawPath().isEmpty()) {
                return url;
            }
        } catch (IllegalArgumentException unused) {
            // noted below, like a URL without a host
        }
        // Text that is missing has been noted.
        if (!text.isEmpty()) {
            settings.problem("OKTA_DOMAIN", text, "the host of an org, such as example.okta.com");
        }
        return URI.create("https://invalid");
    }

    /** What tells this org from others, in keys and names. */
    String domain() {
        return org.getHost();
    }
}
