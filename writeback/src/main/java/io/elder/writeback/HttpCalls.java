package io.elder.writeback;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.elder.runtime.Redactor;
import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import io.elder.runtime.WebAddress;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/** Calls that change something at one HTTP API. Redirects are not followed: the credentials go to one origin only. */
final class HttpCalls implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MOST_SAID = 300;

    /** Whoever asks for more is asked again then. */
    private static final Duration LONGEST_WAIT = Duration.ofHours(1);

    private final URI base;
    private final String scheme;
    private final Secret token;
    private final Redactor redactor;
    private final HttpClient http;
    private final Duration timeout;
    private final Clock clock;

    HttpCalls(URI base, String scheme, Secret token, boolean isVerified, Duration timeout, Clock clock) {
        this.base = base;
        this.scheme = scheme;
        this.token = token;
        this.redactor = Redactor.of(List.of(token.value()));
        this.timeout = timeout;
        this.clock = clock;
        HttpClient.Builder builder = HttpClient.newBuilder()
                .connectTimeout(Duration.ofSeconds(10))
                .followRedirects(HttpClient.Redirect.NEVER)
                .version(HttpClient.Version.HTTP_1_1);
        if (!isVerified) {
            builder.sslContext(trustingAll());
        }
        this.http = builder.build();
    }

    /** The server, as the settings of the readers name it: with or without https, and with or without the API's path. */
    static URI base(Settings settings, String name, String api) {
        String text = settings.text(name).strip();
        String trimmed = text.replaceFirst("/*$", "").replaceFirst(Pattern.quote(api) + "$", "");
        return WebAddress.secure(trimmed).orElseGet(() -> {
            // Text that is missing has been noted.
            if (!text.isEmpty()) {
                settings.problem(name, text, "the host of a server, such as idp.example.com");
            }
            return URI.create("https://invalid");
        });
    }

    /** A token as a header has it: files that hold one often end with a line break. */
    static Secret token(Settings settings, String name) {
        Secret given = settings.secret(name);
        Secret token = new Secret(given.value().strip());
        // One that is missing has been noted.
        if (!given.value().isEmpty() && !token.value().matches("[ -~]+")) {
            settings.problem(name, "***", "a token, of visible ASCII characters alone");
        }
        return token;
    }

    /** An id as a segment of a path. */
    static String segment(String what, String id) throws CallFailure {
        if (id.isBlank() || id.matches("\\.+")) {
            throw new CallFailure(CallFailure.Kind.REFUSED, what + ": " + id + " (expected: an id)");
        }
        return URLEncoder.encode(id, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** @param body null for a call without one */
    void send(String method, String path, String body) throws CallFailure, IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(base + path))
                .timeout(timeout)
                .header("Accept", "application/json")
                .header("Content-Type", "application/json")
                .header("Authorization", scheme + " " + token.value())
                .method(
                        method,
                        body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body))
                .build();
        HttpResponse<byte[]> answer = http.send(request, HttpResponse.BodyHandlers.ofByteArray());
        int status = answer.statusCode();
        if (status / 100 == 2) {
            return;
        }
        String message = method + " " + path + ": " + status + said(answer.body());
        switch (status) {
            case 404, 410 -> throw new CallFailure(CallFailure.Kind.GONE, message);
            case 401, 403 -> throw new CallFailure(CallFailure.Kind.UNAUTHORIZED, message);
            case 429 -> throw new CallFailure(CallFailure.Kind.THROTTLED, message, notBefore(answer.headers()));
            case 503 -> {
                Instant notBefore = notBefore(answer.headers());
                throw new CallFailure(
                        notBefore == null ? CallFailure.Kind.BROKEN : CallFailure.Kind.THROTTLED, message, notBefore);
            }
            case 408, 409, 423, 425 -> throw new CallFailure(CallFailure.Kind.BROKEN, message);
            default ->
                throw new CallFailure(
                        status / 100 == 4 || status == 501 ? CallFailure.Kind.REFUSED : CallFailure.Kind.BROKEN,
                        message);
        }
    }

    /** {@code Retry-After}, or Okta's {@code X-Rate-Limit-Reset} in seconds since 1970 by its own clock. */
    private Instant notBefore(HttpHeaders headers) {
        Instant now = clock.instant();
        Optional<String> after = headers.firstValue("Retry-After");
        if (after.isPresent()) {
            try {
                long seconds = Long.parseLong(after.get().strip());
                return now.plusSeconds(Math.clamp(seconds, 0, LONGEST_WAIT.toSeconds()));
            } catch (NumberFormatException unused) {
                return date(after.get())
                        .map(until -> later(now, Duration.between(now, until)))
                        .orElse(null);
            }
        }
        Optional<String> reset = headers.firstValue("X-Rate-Limit-Reset");
        if (reset.isEmpty()) {
            return null;
        }
        try {
            Instant until = Instant.ofEpochSecond(Long.parseLong(reset.get().strip()));
            Instant there = headers.firstValue("Date").flatMap(HttpCalls::date).orElse(now);
            return later(now, Duration.between(there, until));
        } catch (NumberFormatException | DateTimeException unused) {
            return null;
        }
    }

    private static Instant later(Instant now, Duration wait) {
        return now.plus(wait.compareTo(LONGEST_WAIT) > 0 ? LONGEST_WAIT : wait);
    }

    private static Optional<Instant> date(String text) {
        try {
            return Optional.of(ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME)
                    .toInstant());
        } catch (DateTimeException unused) {
            return Optional.empty();
        }
    }

    private String said(byte[] body) {
        JsonNode json;
        try {
            json = JSON.readTree(body);
        } catch (JsonProcessingException unused) {
            json = MissingNode.getInstance();
        } catch (IOException e) {
            throw new IllegalStateException("reading from memory failed", e);
        }
        for (String place : new String[] {"/errorSummary", "/detail", "/message", "/error"}) {
            JsonNode text = json.at(place);
            if (text.isTextual() && !text.textValue().isBlank()) {
                // Before it is cut, which could leave a part of the token.
                String one = redactor.redact(text.textValue()).strip().replaceAll("\\s+", " ");
                return ": " + (one.length() > MOST_SAID ? one.substring(0, MOST_SAID) + "..." : one);
            }
        }
        return "";
    }

    /** For {@code AUTHENTIK_VERIFY_SSL=false}. */
    private static SSLContext trustingAll() {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, new TrustManager[] {new Trusting()}, null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JDK has TLS", e);
        }
    }

    /** An extended one, so that the host name is not checked either. */
    private static final class Trusting extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, java.net.Socket socket) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, java.net.Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, javax.net.ssl.SSLEngine engine) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, javax.net.ssl.SSLEngine engine) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }

    @Override
    public void close() {
        http.close();
    }
}
