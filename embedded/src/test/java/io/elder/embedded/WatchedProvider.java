package io.elder.embedded;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Stands before an identity provider and passes everything on. Each call that changes something is held against what the
 * vendor specifies, and counted if it changed something; some come to grief, when a test says so.
 */
final class WatchedProvider implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** What becomes of a call. */
    enum Fate {
        ANSWERED,
        /** 429, and nothing done. */
        THROTTLED,
        /** 503, and nothing done. */
        BROKEN,
        /** 401, and nothing done. */
        REVOKED,
        /** Done, and the answer says 504. */
        DONE_AND_TIMED_OUT,
        /** Done, and the connection ends without an answer. */
        DONE_AND_CUT,
        /** Done, and the answer comes when nobody waits for it any more. */
        DONE_AND_LATE
    }

    private final String provider;
    private final String authorization;
    private final URI server;
    private final JsonNode specification;
    private final HttpServer http;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .executor(threads)
            .build();
    private final Set<String> members = new ConcurrentSkipListSet<>();
    private final Map<String, Integer> effective = new TreeMap<>();
    private final Map<String, List<String>> stories = new TreeMap<>();
    private final List<String> idle = new ArrayList<>();
    private final List<String> wrong = new ArrayList<>();
    private final AtomicInteger calls = new AtomicInteger();
    private volatile Supplier<Fate> fates = () -> Fate.ANSWERED;
    private volatile boolean hasLimitByToken;
    private volatile int writes;

    /**
     * @param provider whose specification is in {@code writeback/<provider>.json}
     * @param authorization how the test itself logs in
     */
    WatchedProvider(String provider, String server, String authorization) {
        this.provider = provider;
        this.authorization = authorization;
        this.server = URI.create(server);
        try (InputStream in = WatchedProvider.class.getResourceAsStream("/writeback/" + provider + ".json")) {
            specification = JSON.readTree(in);
            http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        http.createContext("/", this::handle);
        http.setExecutor(threads);
        http.start();
    }

    String provider() {
        return provider;
    }

    String url() {
        return "http://127.0.0.1:" + http.getAddress().getPort();
    }

    /** What becomes of the calls that change something, from now on. */
    void fates(Supplier<Fate> source) {
        fates = source;
    }

    /** The server takes any token, and only so many calls with one: each hundred gets another. */
    WatchedProvider limitedByToken() {
        hasLimitByToken = true;
        return this;
    }

    /** A call of the test's own. */
    JsonNode call(String method, String path, String body) throws IOException, InterruptedException {
        HttpResponse<byte[]> answer = pass(method, path, body.getBytes(StandardCharsets.UTF_8), authorization);
        if (answer.statusCode() / 100 != 2) {
            throw new IllegalStateException(method + " " + path + ": " + answer.statusCode() + " (expected: 2xx)");
        }
        return answer.body().length == 0 ? JSON.missingNode() : JSON.readTree(answer.body());
    }

    /** Somebody else changes a membership, {@code group/member}, at the provider itself. */
    void edit(String pair, boolean isIn) throws IOException, InterruptedException {
        String[] parts = pair.split("/");
        boolean isOkta = provider.equals("okta");
        String path = isOkta
                ? "/api/v1/groups/" + parts[0] + "/users/" + parts[1]
                : "/api/v3/core/groups/" + parts[0] + (isIn ? "/add_user/" : "/remove_user/");
        synchronized (this) {
            call(isOkta ? isIn ? "PUT" : "DELETE" : "POST", path, isOkta ? "" : "{\"pk\": " + parts[1] + "}");
            change(pair, isIn);
        }
    }

    private boolean change(String pair, boolean isIn) {
        return isIn ? members.add(pair) : members.remove(pair);
    }

    /** {@code group/member} as the calls that went through have it. */
    Set<String> members() {
        // A tree made of a sorted set believes its size, which changes meanwhile.
        return new TreeSet<>(List.copyOf(members));
    }

    boolean has(String pair) {
        return members.contains(pair);
    }

    /** How often Elder's calls changed this membership. */
    synchronized int effective(String pair) {
        return effective.getOrDefault(pair, 0);
    }

    synchronized int effective() {
        return effective.values().stream().mapToInt(Integer::intValue).sum();
    }

    /** Elder's calls about this membership, and when they came. */
    synchronized List<String> story(String pair) {
        return List.copyOf(stories.getOrDefault(pair, List.of()));
    }

    /** Calls of Elder's that were answered and changed nothing. */
    synchronized List<String> idle() {
        return List.copyOf(idle);
    }

    /** Calls of Elder's that the vendor's specification does not know. */
    synchronized List<String> wrong() {
        return List.copyOf(wrong);
    }

    /** All of Elder's calls that would change something, with those that came to grief. */
    int writes() {
        return writes;
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readAllBytes();
            String method = exchange.getRequestMethod();
            String path = exchange.getRequestURI().toString();
            String login = exchange.getRequestHeaders().getFirst("Authorization");
            if (method.equals("GET")) {
                answer(exchange, pass(method, path, body, login));
            } else {
                write(exchange, method, path, body, login);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void write(HttpExchange exchange, String method, String path, byte[] body, String login)
            throws IOException, InterruptedException {
        Fate fate = fates.get();
        HttpResponse<byte[]> answer = null;
        synchronized (this) {
            writes++;
            JsonNode json = body.length == 0 ? JSON.missingNode() : JSON.readTree(body);
            String pair = checked(method, path, json, body.length, login);
            if (fate != Fate.THROTTLED && fate != Fate.BROKEN && fate != Fate.REVOKED) {
                answer = pass(method, path, body, login);
                boolean isIn = method.equals("PUT") || path.endsWith("/add_user/");
                if (pair != null) {
                    stories.computeIfAbsent(pair, unused -> new ArrayList<>())
                            .add(Instant.now() + " call " + method + ": " + answer.statusCode());
                }
                if (pair != null && answer.statusCode() / 100 == 2) {
                    if (change(pair, isIn)) {
                        effective.merge(pair, 1, Integer::sum);
                    } else {
                        idle.add(method + " " + path);
                    }
                }
            }
        }
        switch (fate) {
            case ANSWERED -> answer(exchange, answer);
            case THROTTLED -> {
                exchange.getResponseHeaders().set("Retry-After", "1");
                exchange.sendResponseHeaders(429, -1);
            }
            case BROKEN -> exchange.sendResponseHeaders(500, -1);
            case REVOKED -> exchange.sendResponseHeaders(401, -1);
            case DONE_AND_TIMED_OUT -> exchange.sendResponseHeaders(504, -1);
            case DONE_AND_CUT -> {
                // Closing the exchange ends the connection.
            }
            case DONE_AND_LATE -> {
                Thread.sleep(3000);
                answer(exchange, answer);
            }
        }
    }

    private void answer(HttpExchange exchange, HttpResponse<byte[]> from) throws IOException {
        from.headers().map().forEach((name, values) -> {
            if (!name.equalsIgnoreCase("content-length")
                    && !name.equalsIgnoreCase("transfer-encoding")
                    && !name.equalsIgnoreCase("connection")) {
                // A link to the next page leads through here, too.
                exchange.getResponseHeaders()
                        .put(
                                name,
                                values.stream()
                                        .map(value -> name.equalsIgnoreCase("link")
                                                ? value.replaceAll("https?://[^/>]+", url())
                                                : value)
                                        .toList());
            }
        });
        byte[] body = from.body();
        exchange.sendResponseHeaders(from.statusCode(), body.length == 0 ? -1 : body.length);
        if (body.length > 0) {
            exchange.getResponseBody().write(body);
        }
    }

    private HttpResponse<byte[]> pass(String method, String path, byte[] body, String login)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(server.resolve(path))
                .header("Content-Type", "application/json")
                .header("Accept", "application/json");
        if (login != null) {
            request.header("Authorization", hasLimitByToken ? "SSWS call-" + calls.incrementAndGet() / 100 : login);
        }
        return client.send(
                request.method(
                                method,
                                body.length == 0
                                        ? HttpRequest.BodyPublishers.noBody()
                                        : HttpRequest.BodyPublishers.ofByteArray(body))
                        .build(),
                HttpResponse.BodyHandlers.ofByteArray());
    }

    /** {@code group/member} that the call is about; null if the specification has no such call. */
    private String checked(String method, String path, JsonNode body, int length, String login) {
        List<String> faults = new ArrayList<>();
        String pair = null;
        for (Map.Entry<String, JsonNode> route : specification.path("paths").properties()) {
            Matcher matcher = Pattern.compile(route.getKey()
                            .replaceAll("\\{(\\w+)}", "(?<$1>[^/?]+)")
                            .replace("_uuid>", "Uuid>"))
                    .matcher(path);
            JsonNode operation = route.getValue().path(method.toLowerCase(Locale.ROOT));
            if (!matcher.matches() || operation.isMissingNode()) {
                continue;
            }
            if (operation.at("/parameters/group_uuid/format").asText().equals("uuid")) {
                if (!UUID.fromString(matcher.group(1)).toString().equals(matcher.group(1))) {
                    faults.add("the group is no UUID");
                }
            }
            JsonNode schema = operation.path("requestBody");
            if (schema.isMissingNode() != (length == 0)) {
                faults.add("a body of " + length + " bytes");
            }
            schema.path("required").forEach(name -> {
                if (!body.has(name.asText())) {
                    faults.add("no " + name.asText());
                }
            });
            body.fieldNames().forEachRemaining(name -> {
                String type = schema.path("properties").path(name).path("type").asText("unknown");
                if (!type.equals("integer") || !body.path(name).isIntegralNumber()) {
                    faults.add(name + ": " + body.path(name) + " for a type " + type);
                }
            });
            pair = matcher.group(1) + "/"
                    + (matcher.groupCount() > 1
                            ? matcher.group(2)
                            : body.path("pk").asText());
        }
        if (pair == null) {
            faults.add("no such call");
        }
        if (login == null || !login.startsWith(specification.path("security").asText())) {
            faults.add("no " + specification.path("security").asText());
        }
        if (!faults.isEmpty()) {
            wrong.add(method + " " + path + " " + body + ": " + faults);
        }
        return pair;
    }

    @Override
    public void close() {
        http.stop(0);
        threads.shutdownNow();
        client.close();
    }
}
