package io.elder.fetch.azure;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.http.HttpFailure;
import io.elder.fetch.http.JsonApi;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The lists of one Resource Manager. */
final class AzureClient implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final AzureSettings settings;
    private final TokenSource tokens;
    private final JsonApi api;

    AzureClient(AzureSettings settings, TokenSource tokens) {
        this.settings = settings;
        this.tokens = tokens;
        this.api = new JsonApi(
                settings.endpoint(),
                JsonApi.client(settings.endpoint()).build(),
                () -> Map.of("Authorization", "Bearer " + tokens.token()),
                settings.timeout());
    }

    AzureSettings settings() {
        return settings;
    }

    ObjectNode get(String path, String version) throws IOException, InterruptedException {
        return api.get(encoded(path) + "?api-version=" + version);
    }

    /**
     * A page of a list.
     *
     * @param path as the vendor writes it: names in it may hold blanks and letters of any script
     * @param query after the version: empty, or {@code &a=b}
     * @param nextLink what the page before named; null for the first
     */
    Page<ObjectNode> page(String path, String version, String query, String nextLink)
            throws IOException, InterruptedException {
        ObjectNode page;
        try {
            page = nextLink == null
                    ? api.get(encoded(path) + "?api-version=" + version + query)
                    : api.follow(nextLink).body();
        } catch (HttpFailure e) {
            if (nextLink == null && code(e).equals("MissingSubscriptionRegistration")) {
                // A provider can be registered while nothing of it exists, and unregistered only then: see
                // docs/providers/azure.md.
                return Page.last(List.of());
            }
            throw e;
        }
        List<ObjectNode> items = new ArrayList<>();
        for (JsonNode item : page.path("value")) {
            if (!(item instanceof ObjectNode object)) {
                throw new IllegalArgumentException(
                        path + ": an item is " + item.getNodeType() + " (expected: an object)");
            }
            items.add(object);
        }
        if (!page.path("value").isArray()) {
            throw new IllegalArgumentException(
                    path + ": value is " + page.path("value").getNodeType() + " (expected: a list)");
        }
        return new Page<>(items, page.path("nextLink").asText(null));
    }

    /** What the Resource Manager, or the provider behind it, calls a failure. */
    static String code(HttpFailure failure) {
        return failure.body()
                .at("/error/code")
                .asText(failure.body().path("code").asText(""));
    }

    /** An id comes from an answer, so it must not be able to lead away from the Resource Manager. */
    private static String encoded(String path) {
        if (!path.startsWith("/subscriptions") || path.contains("/../") || path.contains("//")) {
            throw new IllegalArgumentException("an id that is no path: " + path + " (expected: /subscriptions/...)");
        }
        return Arrays.stream(path.split("/"))
                .map(segment ->
                        URLEncoder.encode(segment, StandardCharsets.UTF_8).replace("+", "%20"))
                .collect(Collectors.joining("/"));
    }

    /** Who the token says that we are. Tokens are opaque by contract, so nothing but this depends on what is in them. */
    String principal() throws IOException, InterruptedException {
        String[] parts = tokens.token().split("\\.");
        JsonNode claims = MissingNode.getInstance();
        if (parts.length == 3) {
            try {
                claims = JSON.readTree(Base64.getUrlDecoder().decode(parts[1]));
            } catch (IllegalArgumentException | JsonProcessingException unused) {
                // Then it is of another sort.
            }
        }
        List<String> words = new ArrayList<>();
        for (String claim : List.of("app_displayname", "upn", "unique_name", "appid", "oid")) {
            if (words.isEmpty() && claims.path(claim).isTextual()) {
                words.add(claim + " " + claims.path(claim).textValue());
            }
        }
        if (words.isEmpty()) {
            words.add(settings.clientId().map(id -> "client " + id).orElse("an unnamed principal"));
        }
        String tenant = claims.path("tid").asText(settings.tenantId().orElse(""));
        return words.getFirst() + (tenant.isEmpty() ? "" : " of tenant " + tenant);
    }

    @Override
    public void close() {
        api.close();
    }
}
