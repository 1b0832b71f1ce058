package io.elder.fetch.vcenter;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * Which vCenter, and who asks.
 *
 * @param host as people name it
 * @param ignoresInaccessible whether virtual machines that vCenter itself can't identify count as gone
 */
record VcenterSettings(
        String host,
        URI endpoint,
        String username,
        Secret password,
        boolean verifiesCertificate,
        Optional<Path> authorities,
        int pageSize,
        boolean ignoresInaccessible,
        Duration timeout) {

    static VcenterSettings from(Settings settings) {
        Optional<String> url = settings.find("VCENTER_ENDPOINT_URL");
        String host = url.isPresent() ? settings.text("VCENTER_HOST", "") : settings.text("VCENTER_HOST");
        int port = settings.whole("VCENTER_PORT", 443, 1, 65535);
        URI endpoint = URI.create("https://vcenter.invalid");
        String text = url.orElse("https://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + port);
        try {
            URI found = URI.create(text);
            if (found.getHost() == null || !String.valueOf(found.getScheme()).matches("https?")) {
                throw new IllegalArgumentException("no host");
            }
            endpoint = found;
        } catch (IllegalArgumentException e) {
            if (!host.isEmpty()) {
                settings.problem("VCENTER_HOST", host, "a host name, without scheme and port");
            }
        }
        return new VcenterSettings(
                host.isEmpty() ? endpoint.getHost() : host,
                endpoint,
                settings.text("VCENTER_USERNAME"),
                settings.secret("VCENTER_PASSWORD"),
                settings.yes("VCENTER_VERIFY_SSL", true),
                settings.find("VCENTER_CA_FILE").map(Path::of),
                settings.whole("VCENTER_PAGE_SIZE", 200, 1, 1000),
                settings.yes("VCENTER_IGNORE_INACCESSIBLE", false),
                settings.duration("VCENTER_TIMEOUT", Duration.ofSeconds(60)));
    }
}
