package io.elder.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/**
 * As much of a schema registry as the roles ask for, by Confluent's REST API: subjects with versions, and schemas by their ids.
 * It lives beside what fails; the network to it is what goes away.
 */
final class RegistryServer implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, Object> NO_SUBJECT = Map.of("error_code", 40401, "message", "Subject not found");
    private static final Map<String, Object> NO_SCHEMA = Map.of("error_code", 40403, "message", "Schema not found");

    private final HttpServer http;
    private final String path;
    /** What one of them must be in each request; none where anybody may use it. */
    private final Set<String> authorizations;

    /** An id is a place in this list, and one more. */
    private final List<String> schemas = new ArrayList<>();

    private final Map<String, List<String>> subjects = new LinkedHashMap<>();

    /** @param path below which the API is, such as {@code /apis/ccompat/v7}; empty if it is at the root */
    RegistryServer(String path) throws IOException {
        this(path, List.of());
    }

    /** @param users who may use it, with passwords: {@code user:password}; everybody if there are none */
    RegistryServer(String path, List<String> users) throws IOException {
        this.path = path;
        this.authorizations = users.stream().map(RegistryServer::basic).collect(Collectors.toSet());
        http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        http.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        http.createContext(path + "/", this::handle);
        http.start();
    }

    int port() {
        return http.getAddress().getPort();
    }

    /** Subjects with a version in which this occurs. */
    synchronized List<String> subjectsWith(String text) {
        return subjects.entrySet().stream()
                .filter(subject -> subject.getValue().stream().anyMatch(schema -> schema.contains(text)))
                .map(Map.Entry::getKey)
                .sorted()
                .toList();
    }

    /** What the user's requests have in their {@code Authorization}. */
    static String basic(String user) {
        return "Basic " + Base64.getEncoder().encodeToString(user.getBytes(StandardCharsets.UTF_8));
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            String given = exchange.getRequestHeaders().getFirst("Authorization");
            if (!authorizations.isEmpty() && !authorizations.contains(String.valueOf(given))) {
                exchange.sendResponseHeaders(401, -1);
                return;
            }
            byte[] body = exchange.getRequestBody().readAllBytes();
            String schema =
                    body.length == 0 ? null : JSON.readTree(body).path("schema").asText();
            Map<String, Object> answer = answer(
                    exchange.getRequestMethod(),
                    exchange.getRequestURI().getPath().substring(path.length()),
                    schema);
            byte[] bytes = JSON.writeValueAsBytes(answer);
            exchange.getResponseHeaders().set("Content-Type", "application/vnd.schemaregistry.v1+json");
            exchange.sendResponseHeaders(answer.containsKey("error_code") ? 404 : 200, bytes.length);
            exchange.getResponseBody().write(bytes);
        }
    }

    private synchronized Map<String, Object> answer(String method, String path, String schema) {
        String[] parts = path.split("/");
        if (method.equals("GET") && path.startsWith("/schemas/ids/")) {
            int id = Integer.parseInt(parts[3]);
            return id < 1 || id > schemas.size() ? NO_SCHEMA : Map.of("schema", schemas.get(id - 1));
        }
        if (!method.equals("POST") || !path.startsWith("/subjects/")) {
            throw new IllegalArgumentException(method + " " + path + " (expected: a call that the roles make)");
        }
        List<String> versions = subjects.computeIfAbsent(parts[2], unused -> new ArrayList<>());
        boolean mayRegister = parts.length > 3;
        if (mayRegister && !versions.contains(schema)) {
            versions.add(schema);
            if (!schemas.contains(schema)) {
                schemas.add(schema);
            }
        }
        int version = versions.indexOf(schema);
        return version < 0
                ? NO_SUBJECT
                : Map.of(
                        "subject",
                        parts[2],
                        "id",
                        schemas.indexOf(schema) + 1,
                        "version",
                        version + 1,
                        "schema",
                        schema);
    }

    @Override
    public void close() {
        http.stop(0);
    }
}
