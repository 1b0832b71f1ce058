package io.elder.fetch.iboss;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.net.URI;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Where iBoss is read, and as whom. All of it can be set, because nothing public says how it is.
 *
 * @param api where lists are; with {@link Auth#GATEWAY} that is told by logging in
 * @param tenant sent with every request
 */
record IbossSettings(
        URI api, Auth auth, Optional<String> tenant, String basePath, Map<Listing, String> paths, Duration timeout) {

    /** How to prove who asks. */
    sealed interface Auth {
        record Bearer(Secret key) implements Auth {}

        /** @param accountSettingsId which account's gateway; empty where the cloud tells */
        record Gateway(String user, Secret password, URI accounts, URI cloud, Optional<String> accountSettingsId)
                implements Auth {}
    }

    /** The two ways, as {@code IBOSS_AUTH} calls them. */
    private enum Way {
        BEARER,
        GATEWAY
    }

    private static final URI NONE = URI.create("https://iboss.invalid");
    private static final Pattern PATH = Pattern.compile("(/[A-Za-z0-9._~-]+)*");

    static IbossSettings from(Settings settings) {
        Way way = settings.oneOf("IBOSS_AUTH", Way.class, Way.BEARER);
        return new IbossSettings(
                url(settings, "IBOSS_API_URL", "https://api.iboss.com"),
                switch (way) {
                    case BEARER -> new Auth.Bearer(secret(settings, "IBOSS_API_KEY"));
                    case GATEWAY ->
                        new Auth.Gateway(
                                secret(settings, "IBOSS_USERNAME").value(),
                                secret(settings, "IBOSS_PASSWORD"),
                                url(settings, "IBOSS_ACCOUNTS_URL", "https://accounts.iboss.com"),
                                url(settings, "IBOSS_CLOUD_URL", "https://cloud.iboss.com"),
                                settings.find("IBOSS_ACCOUNT_SETTINGS_ID"));
                },
                settings.find("IBOSS_TENANT_ID"),
                path(settings, "IBOSS_BASE_PATH", settings.text("IBOSS_BASE_PATH", "/api/v1")),
                paths(settings),
                settings.duration("IBOSS_TIMEOUT", Duration.ofSeconds(60)));
    }

    String path(Listing listing) {
        return basePath + paths.getOrDefault(listing, listing.path());
    }

    /** In keys, so that two tenants' users stay apart. */
    String account() {
        return tenant.orElse("default");
    }

    private static Secret secret(Settings settings, String name) {
        return settings.find("IBOSS_CREDENTIALS_FILE").isPresent()
                // Its fields are there once a task runs, but not yet when a process starts.
                ? settings.findSecret(name).orElse(new Secret(""))
                : settings.secret(name);
    }

    private static Map<Listing, String> paths(Settings settings) {
        Map<Listing, String> paths = new EnumMap<>(Listing.class);
        for (String pair : settings.list("IBOSS_PATHS", "")) {
            String[] sides = pair.split("=", 2);
            Optional<Listing> listing = Stream.of(Listing.values())
                    .filter(each -> each.name().equalsIgnoreCase(sides[0].replace('-', '_')))
                    .findFirst();
            if (listing.isEmpty() || sides.length < 2 || sides[1].isEmpty()) {
                settings.problem(
                        "IBOSS_PATHS",
                        pair,
                        "list=/path, for one of "
                                + Stream.of(Listing.values())
                                        .map(each -> each.name().toLowerCase(Locale.ROOT))
                                        .toList());
            } else {
                paths.put(listing.get(), path(settings, "IBOSS_PATHS", sides[1]));
            }
        }
        return paths;
    }

    private static String path(Settings settings, String name, String text) {
        String path = text.endsWith("/") ? text.substring(0, text.length() - 1) : text;
        if (!PATH.matcher(path).matches()) {
            settings.problem(name, text, "a path such as /api/v1");
            return "";
        }
        return path;
    }

    private static URI url(Settings settings, String name, String otherwise) {
        String text = settings.text(name, otherwise);
        try {
            URI url = URI.create(text);
            if (url.getHost() != null
                    && url.getUserInfo() == null
                    && ("https".equals(url.getScheme()) || "http".equals(url.getScheme()))) {
                return url;
            }
        } catch (IllegalArgumentException unused) {
            // noted below, like a URL without a host
        }
        settings.problem(name, text, "an http or https URL");
        return NONE;
    }
}
