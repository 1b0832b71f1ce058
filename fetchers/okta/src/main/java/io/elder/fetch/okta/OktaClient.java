package io.elder.fetch.okta;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.Requests;
import io.elder.fetch.StopReason;
import io.elder.fetch.http.HttpFailure;
import io.elder.fetch.http.JsonApi;
import java.io.IOException;
import java.net.http.HttpHeaders;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One Okta org. May be used by many threads. */
final class OktaClient implements AutoCloseable {
    /** https://datatracker.ietf.org/doc/html/rfc8288: several links may share one header. */
    private static final Pattern LINK = Pattern.compile("<([^>]*)>([^<]*)");

    private static final Pattern NEXT = Pattern.compile(";\\s*rel\\s*=\\s*\"?next\"?\\s*(?:[;,]|$)");

    /** How many are asked for at a time. */
    static final int PAGE = 200;

    private static final String GROUP = "/api/v1/groups?limit=1";

    /** Okta's limits are per minute. A time further away is no such time. */
    private static final Duration LONGEST_WINDOW = Duration.ofHours(1);

    private final OktaSettings settings;
    private final JsonApi api;

    OktaClient(OktaSettings settings) {
        this.settings = settings;
        String token = settings.token().value();
        // An access token of OAuth is a JWT; Okta's own tokens begin with two digits.
        String authorization = (token.startsWith("eyJ") ? "Bearer " : "SSWS ") + token;
        this.api = new JsonApi(
                settings.org(),
                JsonApi.client(settings.org()).build(),
                () -> Map.of("Authorization", authorization),
                settings.timeout());
    }

    OktaSettings settings() {
        return settings;
    }

    ObjectNode get(String path) throws IOException, InterruptedException {
        return api.get(path);
    }

    /** The smallest question that proves the token. */
    void probe() throws IOException, InterruptedException {
        api.fetchList(settings.users() ? "/api/v1/users?limit=1" : GROUP);
    }

    /** Whether the groups may be read, too. */
    void probeGroups() throws IOException, InterruptedException {
        if (settings.groups()) {
            api.fetchList(GROUP);
        }
    }

    /**
     * A page of a list.
     *
     * @param link what the page before named as next, which is followed as it is; null for the first
     * @param requests are told to rest when the limit is nearly used up
     * @see <a href="https://developer.okta.com/docs/api/#link-header">Pagination</a>
     */
    Page<ObjectNode> page(String path, String link, Requests requests) throws IOException, InterruptedException {
        JsonApi.ListAnswer answer = link == null ? api.fetchList(path) : api.followList(link);
        rest(answer.headers()).ifPresent(requests::rest);
        List<ObjectNode> items = JsonApi.objects("GET " + path + ": the list", answer.body());
        // Okta names at least the page itself: what stands before it keeps its links to itself, and the next with them.
        if (items.size() == PAGE && answer.headers().firstValue("Link").isEmpty()) {
            throw ReadFailure.stop(
                    StopReason.INCOMPLETE,
                    "GET " + path + ": " + PAGE
                            + " came, as many as were asked for, without a header Link (expected: one on every page)");
        }
        return new Page<>(items, next(answer.headers()));
    }

    static String next(HttpHeaders headers) {
        for (String header : headers.allValues("Link")) {
            Matcher links = LINK.matcher(header);
            while (links.find()) {
                if (NEXT.matcher(links.group(2)).find()) {
                    return links.group(1);
                }
            }
        }
        return null;
    }

    /**
     * How long to ask nothing, so that the limit does not run out: a tenth of it stays for the org's other programs, and no
     * less than what may be under way.
     *
     * @see <a href="https://developer.okta.com/docs/reference/rl-best-practices/">Rate limits</a>
     */
    static Optional<Duration> rest(HttpHeaders headers) {
        Optional<Long> limit = whole(headers, "X-Rate-Limit-Limit");
        Optional<Long> left = whole(headers, "X-Rate-Limit-Remaining");
        if (limit.isEmpty() || left.isEmpty()) {
            return Optional.empty();
        }
        long reserve = Math.min(limit.get() / 2, Math.max(limit.get() / 10, OktaProvider.GROUPS_AT_ONCE));
        return left.get() > reserve ? Optional.empty() : untilReset(headers);
    }

    /** How long it is until the limit is whole again, by the clock of the server that says so. */
    static Optional<Duration> untilReset(HttpHeaders headers) {
        return whole(headers, "X-Rate-Limit-Reset")
                .map(reset -> Duration.between(now(headers), Instant.ofEpochSecond(reset)))
                // Both are cut to whole seconds.
                .map(left -> left.isNegative() ? Duration.ofSeconds(1) : left.plusSeconds(1))
                .filter(left -> left.compareTo(LONGEST_WINDOW) < 0);
    }

    private static Instant now(HttpHeaders headers) {
        try {
            return headers.firstValue("Date")
                    .map(date -> ZonedDateTime.parse(date, DateTimeFormatter.RFC_1123_DATE_TIME)
                            .toInstant())
                    .orElseGet(Instant::now);
        } catch (DateTimeException unused) {
            return Instant.now();
        }
    }

    private static Optional<Long> whole(HttpHeaders headers, String name) {
        return headers.firstValue(name)
                .map(String::strip)
                .filter(text -> text.matches("\\d{1,12}"))
                .map(Long::valueOf);
    }

    /** Whose the token is. */
    String who() throws IOException, InterruptedException {
        try {
            ObjectNode user = api.get("/api/v1/users/me");
            return user.at("/profile/login").asText(user.path("id").asText("?"));
        } catch (HttpFailure e) {
            if (e.status() == 403 || e.status() == 404) {
                // A token of an app has no user.
                return "an app";
            }
            throw e;
        }
    }

    @Override
    public void close() {
        api.close();
    }
}
