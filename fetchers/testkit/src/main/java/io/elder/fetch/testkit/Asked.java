package io.elder.fetch.testkit;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * A request as it reached a scripted server.
 *
 * @param parameters of the query and of a form or JSON body (its top-level values)
 * @param headers by lower-cased name
 */
public record Asked(
        String method, String path, Map<String, String> parameters, Map<String, String> headers, String body) {
    private static final ObjectMapper JSON = new ObjectMapper();

    static Asked of(String method, URI uri, Map<String, String> headers, String body) {
        Map<String, String> parameters = new HashMap<>();
        form(uri.getRawQuery(), parameters);
        if (body.startsWith("{")) {
            json(body, parameters);
        } else if (headers.getOrDefault("content-type", "").startsWith("application/x-www-form-urlencoded")) {
            form(body, parameters);
        }
        return new Asked(method, uri.getPath(), Map.copyOf(parameters), Map.copyOf(headers), body);
    }

    /** The value of a header, or nothing as "". */
    public String header(String name) {
        return headers.getOrDefault(name.toLowerCase(Locale.ROOT), "");
    }

    /** All of it, as a server that repeats what it was told would. */
    String everything() {
        return this + " " + headers + " " + body;
    }

    private static void form(String text, Map<String, String> parameters) {
        if (text == null || text.isEmpty()) {
            return;
        }
        for (String pair : text.split("&")) {
            int equals = pair.indexOf('=');
            parameters.put(
                    decoded(equals < 0 ? pair : pair.substring(0, equals)),
                    equals < 0 ? "" : decoded(pair.substring(equals + 1)));
        }
    }

    private static void json(String body, Map<String, String> parameters) {
        try {
            for (Map.Entry<String, JsonNode> field : JSON.readTree(body).properties()) {
                parameters.put(field.getKey(), field.getValue().asText());
            }
        } catch (JsonProcessingException e) {
            throw new AssertionError("a request whose body begins like JSON and is none: " + body, e);
        }
    }

    private static String decoded(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }

    @Override
    public String toString() {
        return method + " " + path + " " + new java.util.TreeMap<>(parameters);
    }
}
