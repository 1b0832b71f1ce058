package io.elder.fetch.googleworkspace;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.auth.oauth2.ServiceAccountCredentials;
import io.elder.fetch.BadConfigurationException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * The key of the service account that reads. One that is a value may come from whoever configures jobs, and names who is asked
 * for tokens: that must be Google or a host on {@code ENDPOINT_ALLOWLIST}. Files are put in place by whoever runs this process.
 */
final class ServiceAccountKey {
    private static final ObjectMapper JSON = new ObjectMapper();

    private ServiceAccountKey() {}

    static ServiceAccountCredentials load(GoogleWorkspaceSettings settings) {
        if (settings.inline().isPresent()) {
            JsonNode json = json("credentials_json", settings.inline().get().value());
            checkUrl("token_uri", json.path("token_uri").asText(""), settings.allowedHosts());
            String universe = json.path("universe_domain").asText("googleapis.com");
            if (!universe.equals("googleapis.com")) {
                throw new BadConfigurationException(
                        "credentials_json: universe_domain " + universe + " (expected: googleapis.com)");
            }
            return parse("credentials_json", json);
        }
        Path file = settings.file().orElseThrow();
        return parse(file.toString(), json(file.toString(), text(file)));
    }

    private static void checkUrl(String name, String url, List<String> allowedHosts) {
        if (url.isEmpty()) {
            return;
        }
        String host = "";
        boolean isGoogle = false;
        try {
            URI uri = URI.create(url.strip());
            host = uri.getHost() == null ? "" : uri.getHost().toLowerCase(Locale.ROOT);
            isGoogle = "https".equalsIgnoreCase(uri.getScheme())
                    && uri.getUserInfo() == null
                    && (host.equals("accounts.google.com") || host.endsWith(".googleapis.com"));
        } catch (IllegalArgumentException unused) {
            // refused below, like a URL without a host
        }
        if (!isGoogle && !allowedHosts.contains(host)) {
            throw new BadConfigurationException("credentials_json: " + name + " is at "
                    + (host.isEmpty() ? "no host that could be told" : host)
                    + " (expected: https on googleapis.com, or a host on ENDPOINT_ALLOWLIST)");
        }
    }

    private static ServiceAccountCredentials parse(String what, JsonNode json) {
        String type = json.path("type").asText("");
        if (!type.equals("service_account")) {
            throw new BadConfigurationException(what + ": credentials of type " + (type.isEmpty() ? "unknown" : type)
                    + " (expected: the key of a service account, because only such can act for an administrator)");
        }
        try {
            // As it was checked: a field that is there twice could be read otherwise by another parser.
            return ServiceAccountCredentials.fromStream(
                    new ByteArrayInputStream(json.toString().getBytes(StandardCharsets.UTF_8)));
        } catch (IOException | IllegalArgumentException e) {
            // Without the cause: a message about a broken key may quote it.
            throw new BadConfigurationException(
                    what + ": a broken or incomplete key (expected: the JSON that Google Cloud hands out, unchanged)");
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new BadConfigurationException(file + " (expected: a readable file with a service account's key)", e);
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
