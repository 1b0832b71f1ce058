package io.elder.fetch.authentik;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.Requests;
import io.elder.fetch.StopReason;
import io.elder.fetch.http.JsonApi;
import io.elder.fetch.http.Tls;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/** One Authentik server. May be used by many threads. */
final class AuthentikClient implements AutoCloseable {
    private static final String USER = "/core/users/?page_size=1";
    private static final String GROUP = "/core/groups/?page_size=1&include_users=false";

    private final AuthentikSettings settings;
    private final JsonApi api;

    AuthentikClient(AuthentikSettings settings) {
        this.settings = settings;
        URI base = URI.create(settings.server() + "/api/v3");
        HttpClient.Builder http = JsonApi.client(base);
        if (!settings.isVerified()) {
            http.sslContext(Tls.context(Tls.anybody(), null));
        }
        String authorization = "Bearer " + settings.token().value();
        this.api = new JsonApi(base, http.build(), () -> Map.of("Authorization", authorization), settings.timeout());
    }

    AuthentikSettings settings() {
        return settings;
    }

    /** @param path below {@code /api/v3} */
    ObjectNode get(String path) throws IOException, InterruptedException {
        return api.get(path);
    }

    /** The smallest question that proves the token. */
    void probe() throws IOException, InterruptedException {
        api.get(settings.users() ? USER : GROUP);
    }

    /** Whether all may be read that is wanted. */
    void probeRights() throws IOException, InterruptedException {
        if (settings.users()) {
            checkSomebody(USER, api.get(USER).at("/pagination/count").asLong(-1));
        }
        if (settings.groups()) {
            api.get(GROUP);
        }
    }

    /**
     * Who may not see users is refused nothing, and sees none: not even the token's own user.
     *
     * @param count of the users who are seen; negative if that is not known
     */
    void checkSomebody(String path, long count) throws ReadFailure {
        if (count == 0) {
            throw ReadFailure.stop(
                    StopReason.FORBIDDEN,
                    "GET /api/v3" + path
                            + ": nobody, where the token's own user is one at least (expected: the permission authentik_core.view_user)");
        }
    }

    /**
     * Hands out a list and returns how many it has. Unless as many different ones were seen as the server counts, it was not
     * whole.
     */
    long readAll(String path, Requests requests, Requests.Each<ObjectNode> each) throws Exception {
        Set<String> seen = new HashSet<>();
        AtomicLong came = new AtomicLong();
        AtomicLong counted = new AtomicLong();
        requests.pages(
                cursor -> {
                    Counted page = page(path, cursor);
                    counted.set(page.count());
                    came.addAndGet(page.items().size());
                    page.items().forEach(item -> seen.add(item.path("pk").asText()));
                    return new Page<>(page.items(), page.next());
                },
                each);
        if (seen.size() < counted.get()) {
            String what = "GET /api/v3" + path + ": " + seen.size() + " of " + counted + " were seen (expected: all)";
            // Where some came twice, they have moved, and others past us.
            throw seen.size() < came.get()
                    ? ReadFailure.startOver(what)
                    : ReadFailure.stop(StopReason.INCOMPLETE, what);
        }
        return counted.get();
    }

    /** @param count of all pages together */
    private record Counted(List<ObjectNode> items, String next, long count) {}

    /**
     * A page of a list. Pages are counted, so that everything moves up when something before it is deleted: what would be
     * missed then is noticed by the count of all, which every page tells.
     *
     * @param cursor the number of the page and the count of all that the page before told; null for the first
     */
    private Counted page(String path, String cursor) throws IOException, InterruptedException {
        String number = cursor == null ? "1" : cursor.substring(0, cursor.indexOf('/'));
        ObjectNode body = api.get(path + "&page=" + number);
        JsonNode pagination = body.path("pagination");
        JsonNode next = pagination.path("next");
        if (!next.isNumber()
                || !pagination.path("count").isNumber()
                || !body.path("results").isArray()) {
            throw ReadFailure.stop(
                    StopReason.BAD_RESPONSE,
                    "GET /api/v3" + path + ": a page without pagination.next, pagination.count or results");
        }
        String count = pagination.path("count").asText();
        if (cursor != null && !cursor.endsWith("/" + count)) {
            throw ReadFailure.startOver("GET /api/v3" + path + ": " + count + " in all, which were "
                    + cursor.substring(cursor.indexOf('/') + 1) + " on the page before: the rest has moved");
        }
        List<ObjectNode> items = JsonApi.objects("GET /api/v3" + path + ": results", body.path("results"));
        return new Counted(
                items,
                next.asInt() == 0 ? null : next.asInt() + "/" + count,
                pagination.path("count").asLong());
    }

    @Override
    public void close() {
        api.close();
    }
}
