package io.elder.fetch.lxd;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import io.elder.runtime.WebAddress;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Which LXD, and who asks.
 *
 * @param urls where it may be reached; the first that answers is asked
 * @param name the account in keys: host and port unless something else is set
 * @param fingerprint of the one certificate that the server may have
 */
record LxdSettings(
        List<URI> urls,
        String name,
        Optional<String> certificate,
        Optional<Secret> key,
        boolean verifiesCertificate,
        Optional<Path> authorities,
        Optional<String> fingerprint,
        Optional<TrustToken> token,
        Duration timeout) {

    private static final int PORT = 8443;

    static LxdSettings from(Settings settings) {
        Optional<TrustToken> token = settings.findSecret("LXD_TRUST_TOKEN").flatMap(text -> {
            Optional<TrustToken> decoded = TrustToken.decode(text.value());
            if (decoded.isEmpty()) {
                settings.problem("LXD_TRUST_TOKEN", "***", "what \"lxc config trust add --name elder\" prints");
            }
            return decoded;
        });
        List<URI> urls = settings
                .find("LXD_URL")
                .map(List::of)
                .orElseGet(() -> token.map(TrustToken::addresses).orElse(List.of()))
                .stream()
                .flatMap(text -> WebAddress.of(text)
                        .or(() -> {
                            settings.problem("LXD_URL", text, "a URL such as https://lxd.example.com:8443");
                            return Optional.empty();
                        })
                        .stream())
                .toList();
        if (urls.isEmpty() && settings.find("LXD_URL").isEmpty()) {
            settings.text("LXD_URL");
        }
        Optional<String> certificate = settings.find("LXD_CERT").map(LxdSettings::lines);
        Optional<Secret> key = settings.findSecret("LXD_KEY").map(text -> new Secret(lines(text.value())));
        boolean isPlain = urls.stream().anyMatch(url -> "http".equals(url.getScheme()));
        if (!isPlain && certificate.isEmpty()) {
            settings.problem("LXD_CERT", "not set", "a client certificate in PEM");
        }
        if (!isPlain && key.isEmpty()) {
            settings.problem("LXD_KEY", "not set", "the client certificate's key in PEM");
        }
        Optional<String> fingerprint = settings.find("LXD_FINGERPRINT");
        fingerprint
                .filter(text -> !text.replace(":", "").matches("\\p{XDigit}{64}"))
                .ifPresent(text -> settings.problem("LXD_FINGERPRINT", text, "SHA-256 in 64 hexadecimal digits"));
        return new LxdSettings(
                urls,
                settings.find("LXD_NAME").orElseGet(() -> urls.isEmpty() ? "lxd" : host(urls.getFirst())),
                certificate,
                key,
                settings.yes("LXD_VERIFY_CERT", true),
                settings.find("LXD_CA_FILE").map(Path::of),
                fingerprint.or(() -> token.map(TrustToken::fingerprint)),
                token,
                settings.duration("LXD_TIMEOUT", Duration.ofSeconds(60)));
    }

    private static String host(URI url) {
        String host = url.getHost().toLowerCase(Locale.ROOT);
        return url.getPort() < 0 || url.getPort() == PORT ? host : host + ":" + url.getPort();
    }

    /** PEM on one line, as environment files have it. */
    private static String lines(String pem) {
        return pem.replace("\\n", "\n");
    }

    @Override
    public String toString() {
        return name;
    }
}
