package io.elder.fetch.okta;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import io.elder.runtime.WebAddress;
import java.net.URI;
import java.time.Duration;
import java.util.Optional;

/**
 * Which org to read, and as whom.
 *
 * @param org its URL
 * @param token an API token, or an OAuth access token
 */
record OktaSettings(URI org, Secret token, boolean users, boolean groups, Duration timeout) {
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
        Optional<URI> url =
                WebAddress.secure(trimmed).filter(found -> found.getRawPath().isEmpty());
        if (url.isPresent()) {
            return url.get();
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
