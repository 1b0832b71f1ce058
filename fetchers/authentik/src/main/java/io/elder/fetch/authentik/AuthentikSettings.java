package io.elder.fetch.authentik;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import io.elder.runtime.WebAddress;
import java.net.URI;
import java.time.Duration;
import java.util.Optional;

/**
 * Which server to read, and as whom.
 *
 * @param server its URL, without the API's path
 * @param isVerified whether its certificate must be one that is trusted, and for its host
 */
record AuthentikSettings(
        URI server, Secret token, boolean isVerified, boolean users, boolean groups, Duration timeout) {
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
        Optional<URI> url = WebAddress.secure(trimmed).filter(found -> found.getRawQuery() == null);
        if (url.isPresent()) {
            return url.get();
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
