package io.elder.estate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;

/** An HTTP API on loopback, as a table of routes. */
public final class Site implements AutoCloseable {
    static final ObjectMapper JSON = new ObjectMapper();

    private final HttpServer http;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final List<Route> routes = new CopyOnWriteArrayList<>();
    private volatile Function<Call, Optional<Reply>> gate = call -> Optional.empty();

    private record Route(String method, Pattern path, List<String> names, Function<Call, Reply> answer) {}

    /**
     * A request.
     *
     * @param path decoded
     * @param variables what stood in the place of {@code {name}} in the route
     * @param headers by lower-case name, the first of several
     */
    public record Call(
            String method,
            String path,
            Map<String, String> variables,
            Map<String, String> parameters,
            Map<String, String> headers,
            String body) {
        public String variable(String name) {
            return variables.get(name);
        }

        public Optional<String> parameter(String name) {
            return Optional.ofNullable(parameters.get(name));
        }

        /** A number among the parameters, such as a page's size. */
        public int whole(String name, int otherwise) {
            return parameter(name).map(Integer::parseInt).orElse(otherwise);
        }

        public Optional<String> header(String name) {
            return Optional.ofNullable(headers.get(name));
        }

        public JsonNode json() {
            try {
                return JSON.readTree(body);
            } catch (JsonProcessingException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** An answer. */
    public record Reply(int status, Map<String, String> headers, String body) {
        public static Reply json(JsonNode body) {
            return json(200, body);
        }

        public static Reply json(int status, JsonNode body) {
            return new Reply(status, Map.of("Content-Type", "application/json"), body.toString());
        }

        public static Reply xml(int status, String body) {
            return new Reply(status, Map.of("Content-Type", "text/xml;charset=utf-8"), body);
        }

        /** An answer without a body, such as 204. */
        public static Reply of(int status) {
            return new Reply(status, Map.of(), "");
        }

        public Reply with(String header, String value) {
            Map<String, String> more = new LinkedHashMap<>(headers);
            more.put(header, value);
            return new Reply(status, more, body);
        }
    }

    private Site(HttpServer http) {
        this.http = http;
        http.createContext("/", this::handle);
        http.setExecutor(threads);
        http.start();
    }

    /** Listens on a free port of loopback. */
    public static Site start() {
        try {
            return new Site(HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The same over TLS. */
    public static Site startTls(HttpsConfigurator tls) {
        try {
            HttpsServer https = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            https.setHttpsConfigurator(tls);
            return new Site(https);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The same over TLS, where clients need no certificate. */
    public static Site startTls(SSLContext tls) {
        return startTls(new HttpsConfigurator(tls));
    }

    public int port() {
        return http.getAddress().getPort();
    }

    public String url() {
        return (http instanceof HttpsServer ? "https" : "http") + "://127.0.0.1:" + port();
    }

    /** @param path may hold variables, each a part of the path or its rest: {@code /api/v1/groups/{group}/users} */
    public Site on(String method, String path, Function<Call, Reply> answer) {
        List<String> names = new ArrayList<>();
        Matcher variables = Pattern.compile("\\{(\\w+)(\\*?)}").matcher(path);
        StringBuilder regex = new StringBuilder();
        int from = 0;
        while (variables.find()) {
            names.add(variables.group(1));
            regex.append(Pattern.quote(path.substring(from, variables.start())));
            regex.append(variables.group(2).isEmpty() ? "([^/]+)" : "(.+)");
            from = variables.end();
        }
        regex.append(Pattern.quote(path.substring(from)));
        routes.add(new Route(method, Pattern.compile(regex.toString()), names, answer));
        return this;
    }

    public Site get(String path, Function<Call, Reply> answer) {
        return on("GET", path, answer);
    }

    public Site post(String path, Function<Call, Reply> answer) {
        return on("POST", path, answer);
    }

    /** Asked before every route: whoever is not let in gets what this answers. */
    public Site gate(Function<Call, Optional<Reply>> refusal) {
        gate = refusal;
        return this;
    }

    @Override
    public void close() {
        http.stop(0);
        threads.shutdownNow();
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            Reply reply;
            try {
                reply = reply(exchange);
            } catch (RuntimeException e) {
                reply = new Reply(500, Map.of("Content-Type", "text/plain"), e.toString());
            }
            reply.headers().forEach(exchange.getResponseHeaders()::set);
            byte[] body = reply.body().getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(reply.status(), body.length == 0 ? -1 : body.length);
            if (body.length > 0) {
                exchange.getResponseBody().write(body);
            }
        }
    }

    private Reply reply(HttpExchange exchange) throws IOException {
        URI uri = exchange.getRequestURI();
        Map<String, String> headers = new HashMap<>();
        exchange.getRequestHeaders().forEach((name, values) -> headers.put(lower(name), values.getFirst()));
        Call call = new Call(
                exchange.getRequestMethod(),
                uri.getPath(),
                Map.of(),
                parameters(uri.getRawQuery()),
                headers,
                new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
        Optional<Reply> refusal = gate.apply(call);
        if (refusal.isPresent()) {
            return refusal.get();
        }
        for (Route route : routes) {
            Matcher matcher = route.path().matcher(call.path());
            if (route.method().equals(call.method()) && matcher.matches()) {
                Map<String, String> variables = new HashMap<>();
                for (int i = 0; i < route.names().size(); i++) {
                    variables.put(route.names().get(i), matcher.group(i + 1));
                }
                return route.answer()
                        .apply(new Call(
                                call.method(), call.path(), variables, call.parameters(), call.headers(), call.body()));
            }
        }
        return Reply.json(
                404, JSON.createObjectNode().put("message", call.method() + " " + call.path() + ": no such route"));
    }

    private static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
    }

    /** Those of a query or of a form, decoded. */
    public static Map<String, String> parameters(String query) {
        Map<String, String> parameters = new LinkedHashMap<>();
        if (query != null && !query.isEmpty()) {
            for (String pair : query.split("&")) {
                String[] sides = pair.split("=", 2);
                parameters.putIfAbsent(decoded(sides[0]), sides.length == 2 ? decoded(sides[1]) : "");
            }
        }
        return parameters;
    }

    private static String decoded(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }
}
