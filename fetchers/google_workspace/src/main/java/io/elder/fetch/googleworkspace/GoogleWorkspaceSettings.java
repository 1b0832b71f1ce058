package io.elder.fetch.googleworkspace;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Which customer to read, and as whom.
 *
 * @param inline the JSON of a service account's key
 * @param file the same in a file of this machine
 * @param admin in whose name the service account reads
 * @param endpoint a server in place of Google's
 * @param allowedHosts who may be asked for a token beside Google
 */
record GoogleWorkspaceSettings(
        Optional<Secret> inline,
        Optional<Path> file,
        String admin,
        String customer,
        Optional<URI> endpoint,
        List<String> allowedHosts,
        int pageSize,
        Duration timeout) {

    /** Google's word for the customer that the administrator belongs to. */
    static final String MY_CUSTOMER = "my_customer";

    /** They go into paths as they are. */
    private static final Pattern ADDRESS = Pattern.compile("[A-Za-z0-9._+'-]+@[A-Za-z0-9.-]+");

    private static final Pattern CUSTOMER = Pattern.compile("[A-Za-z0-9_-]+");

    static GoogleWorkspaceSettings from(Settings settings) {
        Optional<Secret> inline = settings.findSecret("GOOGLE_WORKSPACE_CREDENTIALS")
                .or(() -> settings.findSecret("GOOGLE_WORKSPACE_CREDENTIALS_JSON"))
                .or(() -> key(settings));
        Optional<Path> file = settings.findAny("GOOGLE_WORKSPACE_CREDENTIALS_PATH", "GOOGLE_WORKSPACE_CREDENTIALS_FILE")
                .map(Path::of);
        if (inline.isEmpty() && file.isEmpty()) {
            settings.problem(
                    "GOOGLE_WORKSPACE_CREDENTIALS_PATH",
                    "not set",
                    "a file with the key of a service account that has domain-wide delegation");
        }
        String admin = settings.text("GOOGLE_WORKSPACE_ADMIN_EMAIL");
        if (!admin.isEmpty() && !ADDRESS.matcher(admin).matches()) {
            settings.problem("GOOGLE_WORKSPACE_ADMIN_EMAIL", admin, "the e-mail address of an administrator");
        }
        String customer = settings.text("GOOGLE_WORKSPACE_CUSTOMER_ID", MY_CUSTOMER);
        if (!CUSTOMER.matcher(customer).matches()) {
            settings.problem("GOOGLE_WORKSPACE_CUSTOMER_ID", customer, "my_customer, or an id such as C01234567");
        }
        return new GoogleWorkspaceSettings(
                inline,
                file,
                admin,
                customer,
                settings.find("GOOGLE_WORKSPACE_ENDPOINT_URL").flatMap(url -> url(settings, url)),
                settings.list("ENDPOINT_ALLOWLIST", "").stream()
                        .map(host -> host.toLowerCase(Locale.ROOT))
                        .toList(),
                settings.whole("GOOGLE_WORKSPACE_PAGE_SIZE", 500, 1, 500),
                settings.duration("GOOGLE_WORKSPACE_TIMEOUT", Duration.ofSeconds(60)));
    }

    /** A key whose fields came one by one, as those of one of Elder's secrets do. */
    private static Optional<Secret> key(Settings settings) {
        return settings.findSecret("GOOGLE_WORKSPACE_PRIVATE_KEY").map(privateKey -> {
            ObjectNode key = JsonNodeFactory.instance.objectNode();
            key.put("type", "service_account");
            key.put("private_key", privateKey.value());
            key.put("private_key_id", settings.text("GOOGLE_WORKSPACE_PRIVATE_KEY_ID", ""));
            key.put("client_email", settings.text("GOOGLE_WORKSPACE_CLIENT_EMAIL"));
            key.put("client_id", settings.text("GOOGLE_WORKSPACE_CLIENT_ID", ""));
            settings.find("GOOGLE_WORKSPACE_TOKEN_URI").ifPresent(uri -> key.put("token_uri", uri));
            return new Secret(key.toString());
        });
    }

    private static Optional<URI> url(Settings settings, String text) {
        try {
            URI url = URI.create(text);
            if (url.getHost() != null && ("https".equals(url.getScheme()) || "http".equals(url.getScheme()))) {
                return Optional.of(url);
            }
        } catch (IllegalArgumentException unused) {
            // noted below, like a URL without a host
        }
        settings.problem("GOOGLE_WORKSPACE_ENDPOINT_URL", text, "an http or https URL");
        return Optional.empty();
    }
}
