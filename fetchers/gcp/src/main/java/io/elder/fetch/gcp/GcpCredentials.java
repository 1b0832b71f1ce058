package io.elder.fetch.gcp;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.auth.oauth2.AccessToken;
import com.google.auth.oauth2.GoogleCredentials;
import com.google.auth.oauth2.ServiceAccountCredentials;
import io.elder.fetch.BadConfigurationException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Credentials of every form that Google knows, restricted to reading.
 *
 * <p>Credentials that are a value may come from whoever configures jobs. They name who is asked for a token, so they could
 * have this process send requests into its own network, or files of its machine to somewhere else: they may name Google's
 * hosts and those on {@code ENDPOINT_ALLOWLIST}, and neither files nor programs. Files are put in place by whoever runs this
 * process, who may do all that.
 *
 * @see <a href="https://google.aip.dev/auth/4110">AIP-4110 to 4117: application default credentials and their files</a>
 */
final class GcpCredentials {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SCOPE = "https://www.googleapis.com/auth/cloud-platform.read-only";

    private static final Set<String> TYPES = Set.of(
            "service_account",
            "authorized_user",
            "impersonated_service_account",
            "external_account",
            "external_account_authorized_user");

    private static final Set<String> OF_THIS_MACHINE = Set.of("file", "executable", "certificate");

    private static final Pattern URL =
            Pattern.compile("(?i)\\s*([a-z][a-z0-9+.-]*)://([a-z0-9.-]+)(?::\\d+)?(?:[/?].*)?");

    private GcpCredentials() {}

    /** @throws IOException if nothing is configured and this machine has no default credentials */
    static GoogleCredentials load(GcpSettings settings) throws IOException {
        GoogleCredentials credentials;
        if (settings.accessToken().isPresent()) {
            return GoogleCredentials.create(
                    new AccessToken(settings.accessToken().get().value(), null));
        } else if (settings.inline().isPresent()) {
            JsonNode json = json("credentials_json", settings.inline().get().value());
            check(json, settings.allowedHosts());
            credentials = parse("credentials_json", json);
        } else if (settings.file().isPresent()) {
            Path file = settings.file().get();
            credentials = parse(file.toString(), json(file.toString(), text(file)));
        } else {
            credentials = ofThisMachine();
        }
        if (credentials instanceof ServiceAccountCredentials account) {
            // Whoever runs a provider decides what is tried again.
            credentials = account.createWithCustomRetryStrategy(false);
        }
        return credentials.createScoped(SCOPE);
    }

    private static GoogleCredentials ofThisMachine() throws NoneException {
        try {
            return GoogleCredentials.getApplicationDefault();
        } catch (IOException e) {
            throw new NoneException(e);
        }
    }

    /** Nothing says who we are. */
    static final class NoneException extends IOException {
        private static final long serialVersionUID = 1L;

        NoneException(IOException cause) {
            super(
                    "no credentials: GCP_CREDENTIALS_PATH is not set, and this machine has no application default credentials",
                    cause);
        }
    }

    /** The project that a key was made in; empty where credentials name none. */
    static Optional<String> project(GcpSettings settings) {
        JsonNode json;
        if (settings.inline().isPresent()) {
            json = json("credentials_json", settings.inline().get().value());
        } else if (settings.file().isPresent()) {
            json = json(settings.file().get().toString(), text(settings.file().get()));
        } else {
            return Optional.empty();
        }
        return Optional.ofNullable(json.path("project_id").textValue());
    }

    static void check(JsonNode json, List<String> allowedHosts) {
        String type = json.path("type").asText("");
        if (!TYPES.contains(type)) {
            throw new BadConfigurationException("credentials_json: type " + type + " (expected: one of "
                    + TYPES.stream().sorted().toList() + ")");
        }
        walk(json, allowedHosts);
    }

    private static void walk(JsonNode json, List<String> allowedHosts) {
        for (Map.Entry<String, JsonNode> field : json.properties()) {
            String name = field.getKey();
            JsonNode value = field.getValue();
            if (OF_THIS_MACHINE.contains(name.toLowerCase(Locale.ROOT))) {
                throw new BadConfigurationException("credentials_json: " + name
                        + " (expected: credentials that name no file or program of this machine; mount them, and name the file"
                        + " in credentials_path)");
            }
            if (name.equals("universe_domain") && !value.asText().equals("googleapis.com")) {
                throw new BadConfigurationException(
                        "credentials_json: universe_domain " + value.asText() + " (expected: googleapis.com)");
            }
            if (value.isContainerNode()) {
                walk(value, allowedHosts);
            } else if (value.isTextual() && value.textValue().contains("://")) {
                checkUrl(name, value.textValue(), allowedHosts);
            }
        }
        if (json.isArray()) {
            json.forEach(each -> walk(each, allowedHosts));
        }
    }

    private static void checkUrl(String name, String url, List<String> allowedHosts) {
        Matcher matcher = URL.matcher(url);
        String host = matcher.matches() ? matcher.group(2).toLowerCase(Locale.ROOT) : "";
        boolean isGoogle = matcher.matches()
                && matcher.group(1).equalsIgnoreCase("https")
                && (host.equals("accounts.google.com")
                        || host.equals("googleapis.com")
                        || host.endsWith(".googleapis.com"));
        if (!isGoogle && !allowedHosts.contains(host)) {
            throw new BadConfigurationException("credentials_json: " + name + " is at "
                    + (host.isEmpty() ? "no host that could be told" : host)
                    + " (expected: https on googleapis.com, or a host on ENDPOINT_ALLOWLIST)");
        }
    }

    private static GoogleCredentials parse(String what, JsonNode json) {
        try {
            // As it was checked: a field that is there twice could be read otherwise by another parser.
            return GoogleCredentials.fromStream(
                    new ByteArrayInputStream(json.toString().getBytes(StandardCharsets.UTF_8)));
        } catch (IOException | IllegalArgumentException e) {
            // Without the cause: a message about a broken key may quote it.
            throw new BadConfigurationException(what + ": broken or incomplete credentials of type "
                    + json.path("type").asText("?") + " (expected: the JSON that Google Cloud hands out, unchanged)");
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new BadConfigurationException(file + " (expected: a readable file with credentials)", e);
        }
    }

    private static JsonNode json(String what, String text) {
        try {
            JsonNode json = JSON.readTree(text);
            if (json.isObject()) {
                return json;
            }
        } catch (JsonProcessingException unused) {
            // Its message quotes the text.
        }
        throw new BadConfigurationException(what + ": no credentials (expected: a JSON object with a type)");
    }
}
