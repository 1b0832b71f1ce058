package io.elder.fetch.authentik;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.Requests;
import io.elder.fetch.StopReason;
import io.elder.fetch.http.JsonApi;
import io.elder.fetch.http.NumberedPages;
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
    /** The most that Authentik gives unless an administrator allows more. */
    private static final int PAGE_SIZE = 100;

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
     *
     * @param path with an order in which nothing changes places
     */
    long readAll(String path, Requests requests, Requests.Each<ObjectNode> each) throws Exception {
        Set<String> seen = new HashSet<>();
        AtomicLong came = new AtomicLong();
        AtomicLong counted = new AtomicLong();
        String what = "GET /api/v3" + path;
        NumberedPages<ObjectNode> pages = NumberedPages.inOrder(what, PAGE_SIZE, AuthentikClient::pk);
        requests.pages(
                cursor -> {
                    Page<ObjectNode> page = pages.page(cursor, (number, size) -> ask(path, number, size, counted));
                    came.addAndGet(page.items().size());
                    page.items().forEach(item -> seen.add(pk(item)));
                    return page;
                },
                each);
        if (seen.size() < counted.get()) {
            String problem = what + ": " + seen.size() + " of " + counted + " were seen (expected: all)";
            // Where some came twice, they have moved, and others past us.
            throw seen.size() < came.get()
                    ? ReadFailure.startOver(problem)
                    : ReadFailure.stop(StopReason.INCOMPLETE, problem);
        }
        return counted.get();
    }

    /** @param counted set to how many there are on all pages together */
    private NumberedPages.Numbered<ObjectNode> ask(String path, int number, int size, AtomicLong counted)
            throws IOException, InterruptedException {
        String what = "GET /api/v3" + path;
        ObjectNode body = api.get(path + "&page_size=" + size + "&page=" + (number + 1));
        JsonNode pagination = body.path("pagination");
        JsonNode next = pagination.path("next");
        if (!next.isNumber()
                || !pagination.path("count").isNumber()
                || !body.path("results").isArray()) {
            throw ReadFailure.stop(
                    StopReason.BAD_RESPONSE, what + ": a page without pagination.next, pagination.count or results");
        }
        if (next.asInt() != 0 && next.asInt() <= number + 1) {
            throw ReadFailure.stop(
                    StopReason.REPEATED_CURSOR,
                    what + ": page " + (number + 1) + " names page " + next + " as the next");
        }
        counted.set(pagination.path("count").asLong());
        List<ObjectNode> items = JsonApi.objects(what + ": results", body.path("results"));
        return new NumberedPages.Numbered<>(items, next.asInt() == 0, counted.get());
    }

    private static String pk(JsonNode item) {
        return item.path("pk").asText();
    }

    @Override
    public void close() {
        api.close();
    }
}
