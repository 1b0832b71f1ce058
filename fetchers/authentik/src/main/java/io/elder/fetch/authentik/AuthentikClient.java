package io.elder.fetch.authentik;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.http.JsonApi;
import io.elder.fetch.http.Tls;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.util.List;
import java.util.Map;

/** One Authentik server. May be used by many threads. */
final class AuthentikClient implements AutoCloseable {
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
        api.get(settings.users() ? "/core/users/?page_size=1" : GROUP);
    }

    /** Whether the groups may be read, too. */
    void probeGroups() throws IOException, InterruptedException {
        if (settings.groups()) {
            api.get(GROUP);
        }
    }

    /**
     * A page of a list. Pages are counted, so that everything moves up when something before it is deleted: what would be
     * missed then is noticed by the count of all, which every page tells.
     *
     * @param cursor the number of the page and the count of all that the page before told; null for the first
     */
    Page<ObjectNode> page(String path, String cursor) throws IOException, InterruptedException {
        String number = cursor == null ? "1" : cursor.substring(0, cursor.indexOf('/'));
        ObjectNode body = api.get(path + "&page=" + number);
        JsonNode pagination = body.path("pagination");
        JsonNode next = pagination.path("next");
        if (!next.isNumber()
                || !pagination.path("count").isNumber()
                || !body.path("results").isArray()) {
            throw new UnexpectedPageException(
                    "GET /api/v3" + path + ": a page without pagination.next, pagination.count or results");
        }
        String count = pagination.path("count").asText();
        if (cursor != null && !cursor.endsWith("/" + count)) {
            throw new MovedException("GET /api/v3" + path + ": " + count + " in all, which were "
                    + cursor.substring(cursor.indexOf('/') + 1) + " on the page before: the rest has moved");
        }
        List<ObjectNode> items = JsonApi.objects("GET /api/v3" + path + ": results", body.path("results"));
        return next.asInt() == 0 ? Page.last(items) : new Page<>(items, next.asInt() + "/" + count);
    }

    @Override
    public void close() {
        api.close();
    }

    /** The list has changed while it was read. */
    static final class MovedException extends IOException {
        private static final long serialVersionUID = 1L;

        MovedException(String message) {
            super(message);
        }
    }

    /** A page of another shape. */
    static final class UnexpectedPageException extends IOException {
        private static final long serialVersionUID = 1L;

        UnexpectedPageException(String message) {
            super(message);
        }
    }
}
