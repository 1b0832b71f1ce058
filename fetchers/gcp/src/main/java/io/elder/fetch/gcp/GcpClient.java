package io.elder.fetch.gcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.api.client.http.HttpResponseException;
import com.google.auth.Retryable;
import com.google.auth.ServiceAccountSigner;
import com.google.auth.oauth2.GoogleCredentials;
import io.elder.fetch.http.JsonApi;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Google's APIs, each at its host, with one set of credentials. May be used by many threads. */
final class GcpClient implements AutoCloseable {
    private final GcpSettings settings;
    private final GoogleCredentials credentials;
    private final HttpClient http;
    private final Map<Api, JsonApi> apis = new EnumMap<>(Api.class);

    GcpClient(GcpSettings settings, GoogleCredentials credentials) {
        this.settings = settings;
        this.credentials = credentials;
        this.http =
                JsonApi.client(settings.endpoint().orElse(Api.PROJECTS.url())).build();
        for (Api api : Api.values()) {
            URI base = settings.endpoint().orElse(api.url());
            apis.put(api, new JsonApi(base, http, () -> headers(base), settings.timeout()));
        }
    }

    GcpSettings settings() {
        return settings;
    }

    ObjectNode get(Api api, String path) throws IOException, InterruptedException {
        return apis.get(api).get(path);
    }

    /** A page of a list; {@code null} begins. */
    ObjectNode page(Api api, String path, String cursor) throws IOException, InterruptedException {
        String encoded = cursor == null ? "" : URLEncoder.encode(cursor, StandardCharsets.UTF_8);
        ObjectNode page = get(api, api.page(path, settings.pageSize(), encoded));
        // An empty list is left out by some of the APIs, so all but that is looked for.
        if (page.has("error")) {
            throw JsonApi.badResponse("GET " + path + ": a success with an error in it: "
                    + page.path("error").path("message").asText("?") + " (expected: a list)");
        }
        return page;
    }

    /** Has a token made, which proves the credentials to Google. */
    void authenticate() throws IOException {
        headers(settings.endpoint().orElse(Api.PROJECTS.url()));
    }

    /** The service account, or what else the credentials are. */
    String who() {
        return credentials instanceof ServiceAccountSigner account
                ? account.getAccount()
                : credentials.getClass().getSimpleName();
    }

    /** The library keeps a token for as long as it lives, and gets the next one a few minutes before. */
    private Map<String, String> headers(URI base) throws IOException {
        Map<String, List<String>> all;
        try {
            all = credentials.getRequestMetadata(base);
        } catch (IOException e) {
            throw new NoTokenException(e);
        }
        Map<String, String> headers = new LinkedHashMap<>();
        all.forEach((name, values) -> headers.put(name, String.join(",", values)));
        return headers;
    }

    @Override
    public void close() {
        http.close();
    }

    /** Nobody made a token for the credentials. */
    static final class NoTokenException extends IOException {
        private static final long serialVersionUID = 1L;

        private static final int MOST_SAID = 300;

        private final boolean passes;

        NoTokenException(IOException cause) {
            super("no access token: " + said(cause), cause);
            this.passes = passes(cause);
        }

        /** Whether it is worth another try: the server was busy or away, rather than unwilling. */
        boolean passes() {
            return passes;
        }

        private static boolean passes(IOException failure) {
            for (Throwable each = failure; each != null; each = each.getCause()) {
                if (each instanceof HttpResponseException answer) {
                    return answer.getStatusCode() / 100 == 5 || answer.getStatusCode() == 429;
                }
            }
            return !(failure instanceof Retryable retryable) || retryable.isRetryable();
        }

        private static String said(IOException failure) {
            for (Throwable each = failure; each != null; each = each.getCause()) {
                if (each instanceof HttpResponseException answer) {
                    String content = answer.getContent() == null ? "" : ": " + answer.getContent();
                    return oneLine("the token endpoint answers " + answer.getStatusCode() + content);
                }
            }
            return oneLine(String.valueOf(failure.getMessage()));
        }

        private static String oneLine(String text) {
            String line = text.strip().replaceAll("\\s+", " ");
            return line.length() > MOST_SAID ? line.substring(0, MOST_SAID) + "..." : line;
        }
    }

    /** What an answer says that it lacks; empty where it is whole. */
    static List<String> missing(JsonNode page) {
        List<String> missing = new ArrayList<>();
        // Compute: unreachables; Storage, Run, Functions: unreachable; GKE: missingZones.
        for (String field : List.of("unreachables", "unreachable", "missingZones")) {
            page.path(field).forEach(each -> missing.add(each.asText()));
        }
        page.path("warnings").forEach(each -> addWarning(each, missing));
        addWarning(page.path("warning"), missing);
        if (page.path("items").isObject()) {
            for (Map.Entry<String, JsonNode> scope : page.path("items").properties()) {
                List<String> here = new ArrayList<>();
                addWarning(scope.getValue().path("warning"), here);
                here.forEach(each -> missing.add(scope.getKey() + " " + each));
            }
        }
        return missing;
    }

    private static void addWarning(JsonNode warning, List<String> missing) {
        if (warning.isObject() && !warning.path("code").asText().equals("NO_RESULTS_ON_PAGE")) {
            String message = warning.path("message").asText("");
            String region = warning.path("region").asText("");
            missing.add((warning.path("code").asText("warning") + " " + region + " " + message)
                    .strip()
                    .replaceAll("\\s+", " "));
        }
    }
}
