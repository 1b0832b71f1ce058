package io.elder.fetch.fleetdm;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import io.elder.runtime.WebAddress;
import java.net.URI;
import java.time.Duration;
import java.util.Optional;

/** Which Fleet server to read, and as whom. */
record FleetdmSettings(URI url, Secret token, int pageSize, Duration timeout) {
    private static final URI NONE = URI.create("https://fleet.invalid");

    static FleetdmSettings from(Settings settings) {
        String text = settings.text("FLEETDM_URL");
        return new FleetdmSettings(
                text.isEmpty() ? NONE : url(settings, text).orElse(NONE),
                settings.find("FLEETDM_CREDENTIALS_FILE").isPresent()
                        // Its fields are there once a task runs, but not yet when a process starts.
                        ? settings.findSecret("FLEETDM_API_TOKEN").orElse(new Secret(""))
                        : settings.secret("FLEETDM_API_TOKEN"),
                settings.whole("FLEETDM_PAGE_SIZE", 100, 1, 1000),
                settings.duration("FLEETDM_TIMEOUT", Duration.ofSeconds(60)));
    }

    private static Optional<URI> url(Settings settings, String text) {
        Optional<URI> url = WebAddress.of(text);
        if (url.isPresent()) {
            return url;
        }
        settings.problem("FLEETDM_URL", text, "the URL of a Fleet server, such as https://fleet.example.com");
        return Optional.empty();
    }
}
