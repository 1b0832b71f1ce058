package io.elder.fetch.authentik;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.net.URI;
import java.time.Duration;
import java.util.Set;

/**
 * Which server to read, and as whom.
 *
 * @param server its URL, without the API's path
 * @param isVerified whether its certificate must be one that is trusted, and for its host
 */
record AuthentikSettings(
        URI server, Secret token, boolean isVerified, boolean users, boolean groups, Duration timeout) {
    private static final Set<String> LOOPBACK = Set.of("127.0.0.1", "localhost", "[::1]");

    static AuthentikSettings from(Settings settings) {
        boolean users = settings.yes("AUTHENTIK_SYNC_USERS", true);
        boolean groups = settings.yes("AUTHENTIK_SYNC_GROUPS", true);
        if (!users && !groups) {
            settings.problem("AUTHENTIK_SYNC_GROUPS", "false", "true, where AUTHENTIK_SYNC_USERS is false");
        }
        return new AuthentikSettings(
                server(settings),
                settings.secret("AUTHENTIK_API_TOKEN"),
                settings.yes("AUTHENTIK_VERIFY_SSL", true),
                users,
                groups,
                settings.duration("AUTHENTIK_TIMEOUT", Duration.ofSeconds(60)));
    }

    private static URI server(Settings settings) {
        String text = settings.text("AUTHENTIK_DOMAIN").strip();
        String trimmed = text.replaceFirst("/*$", "").replaceFirst("/api/v3$", "");
        try {
            URI url = URI.create(trimmed.contains("://") ? trimmed : "https://" + trimmed);
            boolean isSafe = "https".equals(url.getScheme())
                    // The token would be read on the way; a server of a test is on this machine.
                    || ("http".equals(url.getScheme()) && LOOPBACK.contains(String.valueOf(url.getHost())));
            if (isSafe && url.getHost() != null && url.getRawUserInfo() == null && url.getRawQuery() == null) {
                return url;
            }
        } catch (IllegalArgumentException unused) {
            // noted below, like a URL without a host
        }
        // Text that is missing has been noted.
        if (!text.isEmpty()) {
            settings.problem("AUTHENTIK_DOMAIN", text, "the host of a server, such as auth.example.com");
        }
        return URI.create("https://invalid");
    }

    /** What tells this server from others, in keys and names. */
    String domain() {
        return server.getHost();
    }
}
