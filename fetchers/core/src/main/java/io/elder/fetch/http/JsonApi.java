package io.elder.fetch.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/**
 * Reads JSON from one HTTP API: one origin, to which alone the credentials are sent. Redirects are not followed, and a
 * link to a next page is followed only within the origin, so that no answer can have the credentials sent elsewhere.
 */
public final class JsonApi implements AutoCloseable {
    /** What something on the way changed, and a part, for which nobody asked (RFC 9110 sections 15.3.4 and 15.3.7). */
    private static final Set<Integer> NOT_WHOLE = Set.of(203, 206);

    private static final ObjectMapper JSON = new ObjectMapper();

    /** More than any vendor's page; a server that sends more would fill the memory. */
    private static final int MOST_BYTES = 128 << 20;

    private static final int MOST_SAID = 300;

    private final URI origin;
    private final HttpClient http;
    private final Authorization authorization;
    private final Duration timeout;

    /** The headers that prove who asks, made anew for every request: tokens expire. */
    @FunctionalInterface
    public interface Authorization {
        Map<String, String> headers() throws IOException, InterruptedException;
    }

    /** An answer's body and the headers that came with it, by lower-case name. */
    public record Answer(ObjectNode body, HttpHeaders headers) {}

    /** The same of an answer that is a list. */
    public record ListAnswer(ArrayNode body, HttpHeaders headers) {}

    /**
     * @param base scheme, host, port and, if any, a path that all others are below
     * @param timeout for one answer
     */
    public JsonApi(URI base, HttpClient http, Authorization authorization, Duration timeout) {
        if (base.getHost() == null || !("https".equals(base.getScheme()) || "http".equals(base.getScheme()))) {
            throw new IllegalArgumentException(base + " (expected: an http or https URL with a host)");
        }
        this.origin = base;
        this.http = http;
        this.authorization = authorization;
        this.timeout = timeout;
    }

    /** A client as every provider wants it: redirects are not followed, HTTP/1.1 where there is no TLS. */
    public static HttpClient.Builder client(URI base) {
        return HttpClient.newBuilder()
                .connectTimeout(Duration.ofSeconds(10))
                .followRedirects(HttpClient.Redirect.NEVER)
                // Plain servers stumble over the upgrade to HTTP/2.
                .version("https".equals(base.getScheme()) ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1);
    }

    /** @param pathAndQuery below the base, encoded, e.g. {@code /v1/users?limit=200} */
    public ObjectNode get(String pathAndQuery) throws IOException, InterruptedException {
        return fetch(pathAndQuery).body();
    }

    /** Like {@link #get}, with the headers. */
    public Answer fetch(String pathAndQuery) throws IOException, InterruptedException {
        return send(URI.create(trimmed(origin.toString()) + pathAndQuery));
    }

    /** Like {@link #fetch}, where the answer is a list. */
    public ListAnswer fetchList(String pathAndQuery) throws IOException, InterruptedException {
        return list(URI.create(trimmed(origin.toString()) + pathAndQuery));
    }

    /** A link as the server gave it. Throws {@link HttpFailure} where it leaves the origin. */
    public Answer follow(String link) throws IOException, InterruptedException {
        return send(within(link));
    }

    /** Like {@link #follow}, where the answer is a list. */
    public ListAnswer followList(String link) throws IOException, InterruptedException {
        return list(within(link));
    }

    /**
     * The objects of a list within an answer.
     *
     * @param where names the list in the message, such as {@code GET /v1/users: users}
     * @throws HttpFailure for what is no list of objects: a list that is missing is not one that is empty
     */
    public static List<ObjectNode> objects(String where, JsonNode list) throws HttpFailure {
        if (!list.isArray()) {
            throw badResponse(where + " is " + called(list) + " (expected: a list)");
        }
        List<ObjectNode> objects = new ArrayList<>(list.size());
        for (JsonNode item : list) {
            if (!(item instanceof ObjectNode object)) {
                throw badResponse(where + " has " + called(item) + " in it (expected: objects)");
            }
            objects.add(object);
        }
        return objects;
    }

    private static String called(JsonNode node) {
        return node.getNodeType().name().toLowerCase(Locale.ROOT);
    }

    private URI within(String link) throws HttpFailure {
        URI target;
        try {
            target = origin.resolve(link);
        } catch (IllegalArgumentException e) {
            throw badResponse("a link to a next page that is no URL");
        }
        boolean isOurs = Objects.equals(origin.getScheme(), target.getScheme())
                && origin.getHost().equalsIgnoreCase(String.valueOf(target.getHost()))
                && port(origin) == port(target);
        if (!isOurs) {
            throw badResponse("the next page is said to be at " + target.getScheme() + "://" + target.getAuthority()
                    + " (expected: " + origin.getScheme() + "://" + origin.getAuthority() + ")");
        }
        return target;
    }

    private Answer send(URI target) throws IOException, InterruptedException {
        Parsed answer = ask(target);
        if (answer.body() instanceof ObjectNode body) {
            return new Answer(body, answer.headers());
        }
        throw unexpected(target, answer, "a JSON object");
    }

    private ListAnswer list(URI target) throws IOException, InterruptedException {
        Parsed answer = ask(target);
        if (answer.body() instanceof ArrayNode body) {
            return new ListAnswer(body, answer.headers());
        }
        throw unexpected(target, answer, "a JSON list");
    }

    private static HttpFailure unexpected(URI target, Parsed answer, String expected) {
        return badResponse("GET " + target.getPath() + ": " + answer.status() + " with "
                + answer.headers().firstValue("Content-Type").orElse("no content type") + ", "
                + answer.bytes() + " bytes (expected: " + expected + ")");
    }

    /** A success, before anybody has looked at what it is. */
    private record Parsed(int status, JsonNode body, int bytes, HttpHeaders headers) {}

    private Parsed ask(URI target) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(target)
                .timeout(timeout)
                .header("Accept", "application/json")
                .header("Accept-Encoding", "gzip")
                .GET();
        authorization.headers().forEach(request::header);
        HttpResponse<InputStream> response = send(http, request.build(), HttpResponse.BodyHandlers.ofInputStream());
        byte[] bytes = bytes(target, response);
        int status = response.statusCode();
        if (status / 100 != 2) {
            JsonNode body = isJson(response) ? parse(bytes) : MissingNode.getInstance();
            throw new HttpFailure(
                    "GET " + target.getPath() + ": " + status + said(body), status, body, response.headers());
        }
        if (NOT_WHOLE.contains(status)) {
            throw badResponse(
                    "GET " + target.getPath() + ": " + status + " (expected: 200, the vendor's whole answer)");
        }
        return new Parsed(status, parse(bytes), bytes.length, response.headers());
    }

    /** Sends a request; where there is no connection the exception says to what, which the JDK's does not. */
    public static <T> HttpResponse<T> send(HttpClient http, HttpRequest request, HttpResponse.BodyHandler<T> body)
            throws IOException, InterruptedException {
        try {
            return http.send(request, body);
        } catch (ConnectException e) {
            URI to = request.uri();
            boolean isUnknown = Stream.<Throwable>iterate(e, Objects::nonNull, Throwable::getCause)
                    .anyMatch(UnresolvedAddressException.class::isInstance);
            String why = e.getMessage() == null ? "connection refused" : e.getMessage();
            IOException named = isUnknown
                    ? new UnknownHostException(to.getHost())
                    : new ConnectException(to.getHost() + ":" + port(to) + ": " + why);
            // No cause: what is innermost is what a person is told.
            named.addSuppressed(e);
            throw named;
        }
    }

    private static byte[] bytes(URI target, HttpResponse<InputStream> response) throws IOException {
        boolean isZipped = response.headers()
                .firstValue("Content-Encoding")
                .filter("gzip"::equalsIgnoreCase)
                .isPresent();
        try (InputStream body = response.body();
                InputStream plain = isZipped ? new GZIPInputStream(body) : body) {
            byte[] bytes = plain.readNBytes(MOST_BYTES + 1);
            if (bytes.length > MOST_BYTES) {
                throw badResponse("GET " + target.getPath() + ": an answer of more than 128 MiB");
            }
            return bytes;
        }
    }

    private static boolean isJson(HttpResponse<?> response) {
        return response.headers()
                .firstValue("Content-Type")
                .map(type -> type.toLowerCase(Locale.ROOT).contains("json"))
                .orElse(false);
    }

    private static JsonNode parse(byte[] bytes) {
        try {
            return JSON.readTree(bytes);
        } catch (JsonProcessingException e) {
            return MissingNode.getInstance();
        } catch (IOException e) {
            throw new IllegalStateException("reading from memory failed", e);
        }
    }

    /** The vendor's own words, where they are at one of the usual places. */
    private static String said(JsonNode body) {
        for (String place :
                new String[] {"/error/message", "/message", "/errorSummary", "/detail", "/error_description", "/error"
                }) {
            JsonNode text = body.at(place);
            if (text.isTextual() && !text.textValue().isBlank()) {
                String one = text.textValue().strip().replaceAll("\\s+", " ");
                return ": " + (one.length() > MOST_SAID ? one.substring(0, MOST_SAID) + "..." : one);
            }
        }
        return "";
    }

    /** As a success that makes no sense: trying again does not help. */
    public static HttpFailure badResponse(String message) {
        return new HttpFailure(
                message, 200, MissingNode.getInstance(), HttpHeaders.of(Map.of(), (name, value) -> true));
    }

    private static int port(URI uri) {
        return uri.getPort() >= 0 ? uri.getPort() : "https".equals(uri.getScheme()) ? 443 : 80;
    }

    private static String trimmed(String base) {
        return base.endsWith("/") ? base.substring(0, base.length() - 1) : base;
    }

    @Override
    public void close() {
        http.close();
    }
}
