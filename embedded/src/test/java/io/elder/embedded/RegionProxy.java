package io.elder.embedded;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Passes AWS requests on, except those of a region that it refuses or throttles; it knows them by their signatures. */
final class RegionProxy implements AutoCloseable {
    private static final Pattern SIGNED_FOR = Pattern.compile("Credential=[^/]+/\\d+/([^/]+)/[^/]+/aws4_request");
    private static final Pattern ACTION = Pattern.compile("(?:^|&)Action=(\\w+)");
    private static final List<String> SET_BY_CLIENT =
            List.of("host", "content-length", "connection", "expect", "upgrade", "transfer-encoding");

    private final HttpServer server;
    private final HttpClient client = HttpClient.newHttpClient();
    private final URI target;
    private final Map<String, Refusal> refusals = new ConcurrentHashMap<>();

    private record Refusal(int status, String code) {}

    private RegionProxy(HttpServer server, URI target) {
        this.server = server;
        this.target = target;
    }

    static RegionProxy to(URI target) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        RegionProxy proxy = new RegionProxy(server, target);
        server.createContext("/", proxy::handle);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.start();
        return proxy;
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    /** @param where {@code eu-central-1}, or {@code eu-central-1/DescribeInstances} */
    void refuse(String where, int status, String code) {
        refusals.put(where, new Refusal(status, code));
    }

    void mend() {
        refusals.clear();
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readAllBytes();
            Matcher signed = SIGNED_FOR.matcher(
                    String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
            Matcher action = ACTION.matcher(new String(body, StandardCharsets.UTF_8));
            String region = signed.find() ? signed.group(1) : "";
            Refusal refusal =
                    refusals.getOrDefault(region, refusals.get(region + "/" + (action.find() ? action.group(1) : "")));
            if (refusal != null) {
                refuse(exchange, refusal);
                return;
            }
            HttpRequest.Builder request = HttpRequest.newBuilder(target.resolve(exchange.getRequestURI()))
                    .method(exchange.getRequestMethod(), HttpRequest.BodyPublishers.ofByteArray(body));
            exchange.getRequestHeaders().forEach((name, values) -> {
                if (!SET_BY_CLIENT.contains(name.toLowerCase(Locale.ROOT))) {
                    values.forEach(value -> request.header(name, value));
                }
            });
            HttpResponse<byte[]> response = client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
            response.headers().map().forEach((name, values) -> {
                if (!SET_BY_CLIENT.contains(name.toLowerCase(Locale.ROOT))) {
                    exchange.getResponseHeaders().put(name, values);
                }
            });
            answer(exchange, response.statusCode(), response.body());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** In the forms of EC2, of the query protocol and of JSON at once: each client finds its own. */
    private static void refuse(HttpExchange exchange, Refusal refusal) throws IOException {
        exchange.getResponseHeaders().set("x-amzn-ErrorType", refusal.code());
        String error = "<Error><Code>" + refusal.code() + "</Code><Message>refused by the test</Message></Error>";
        String body = "<Response>" + error + "<Errors>" + error + "</Errors></Response>";
        answer(exchange, refusal.status(), body.getBytes(StandardCharsets.UTF_8));
    }

    private static void answer(HttpExchange exchange, int status, byte[] body) throws IOException {
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
    }

    @Override
    public void close() {
        server.stop(0);
        client.close();
    }
}
