package io.elder.fetch.iboss;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.Requests;
import io.elder.fetch.StopReason;
import io.elder.fetch.http.HttpFailure;
import io.elder.fetch.http.JsonApi;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/** iBoss's API, as the settings say that it is. May be used by many threads. */
final class IbossClient implements AutoCloseable {
    private final IbossSettings settings;
    private final HttpClient http;
    private final JsonApi api;
    private final ReentrantLock looking = new ReentrantLock();
    private Map<String, List<String>> groups;

    private IbossClient(IbossSettings settings, HttpClient http, URI base, Map<String, String> proof) {
        this.settings = settings;
        this.http = http;
        Map<String, String> headers = new LinkedHashMap<>(proof);
        settings.tenant().ifPresent(tenant -> headers.put("X-Tenant-ID", tenant));
        this.api = new JsonApi(base, http, () -> headers, settings.timeout());
    }

    /** Proves who asks. */
    static IbossClient open(IbossSettings settings) throws IOException, InterruptedException {
        URI first = settings.auth() instanceof IbossSettings.Auth.Gateway gateway ? gateway.cloud() : settings.api();
        HttpClient http = JsonApi.client(first).build();
        try {
            IbossClient client =
                    switch (settings.auth()) {
                        case IbossSettings.Auth.Bearer bearer ->
                            new IbossClient(
                                    settings,
                                    http,
                                    settings.api(),
                                    Map.of(
                                            "Authorization",
                                            "Bearer " + bearer.key().value()));
                        case IbossSettings.Auth.Gateway gateway -> {
                            GatewayLogin.Session session = new GatewayLogin(gateway, http, settings.timeout()).login();
                            yield new IbossClient(
                                    settings,
                                    http,
                                    session.gateway(),
                                    Map.of("Cookie", session.cookie().value()));
                        }
                    };
            client.get(Listing.HEALTH);
            return client;
        } catch (IOException | InterruptedException e) {
            http.close();
            throw e;
        }
    }

    IbossSettings settings() {
        return settings;
    }

    ObjectNode get(Listing listing) throws IOException, InterruptedException {
        return send(() -> api.get(settings.path(listing)));
    }

    /** One request. */
    private interface Sent {
        ObjectNode send() throws IOException, InterruptedException;
    }

    private ObjectNode send(Sent request) throws IOException, InterruptedException {
        try {
            return request.send();
        } catch (HttpFailure e) {
            if (e.status() == 401 && settings.auth() instanceof IbossSettings.Auth.Gateway) {
                throw ReadFailure.startOver("the session at the gateway has ended: " + e.getMessage(), e);
            }
            throw e;
        }
    }

    /**
     * Hands out a list. Nobody knows whether there are pages: a link to a next one is followed, and an answer that says in any
     * other way that there is more is not taken for the whole.
     */
    void readAll(Listing listing, Requests requests, Requests.Each<ObjectNode> each) throws Exception {
        long[] seen = {0};
        long[] total = {-1};
        requests.pages(
                link -> {
                    ObjectNode page = link == null
                            ? get(listing)
                            : send(() -> api.follow(link).body());
                    total[0] = Math.max(total[0], total(page));
                    Optional<String> next = next(page);
                    if (next.isEmpty() && saysMore(page)) {
                        throw ReadFailure.stop(
                                StopReason.INCOMPLETE,
                                listing.items() + ": the answer says that there is more, but not where");
                    }
                    return new Page<>(
                            JsonApi.objects(listing.path() + ": " + listing.items(), page.path(listing.items())),
                            next.orElse(null));
                },
                item -> {
                    seen[0]++;
                    each.accept(item);
                });
        if (total[0] > seen[0]) {
            throw ReadFailure.stop(
                    StopReason.INCOMPLETE,
                    listing.items() + ": " + seen[0] + " of " + total[0] + " came (expected: all)");
        }
    }

    private static Optional<String> next(ObjectNode page) {
        for (JsonNode link : links(page)) {
            if (link.isTextual() && !link.textValue().isBlank()) {
                return Optional.of(link.textValue());
            }
        }
        return Optional.empty();
    }

    private static List<JsonNode> links(ObjectNode page) {
        return List.of(page.path("next"), page.at("/links/next"), page.at("/pagination/next"));
    }

    private static boolean saysMore(ObjectNode page) {
        // A number, or an object: where it leads, nobody knows.
        return links(page).stream().anyMatch(link -> !link.isTextual() && !link.isMissingNode() && !link.isNull())
                || page.path("hasMore").asBoolean()
                || page.at("/pagination/hasMore").asBoolean()
                || page.path("has_more").asBoolean()
                || page.at("/pagination/has_more").asBoolean()
                || page.path("truncated").asBoolean()
                || !page.path("nextPageToken").asText("").isEmpty()
                || !page.path("nextCursor").asText("").isEmpty();
    }

    private static long total(ObjectNode page) {
        for (JsonNode total : List.of(page.path("total"), page.path("totalCount"), page.at("/pagination/total"))) {
            if (total.asText().matches("\\d{1,18}")) {
                return total.asLong();
            }
        }
        return -1;
    }

    /** The group that a user's entry means, by id or by a name that only one has. */
    Optional<String> findGroupId(String named, Requests requests) throws Exception {
        looking.lockInterruptibly();
        try {
            if (groups == null) {
                Map<String, List<String>> found = new HashMap<>();
                readAll(Listing.GROUPS, requests, group -> {
                    String id = group.path("id").asText();
                    found.computeIfAbsent("id:" + id, unused -> new ArrayList<>())
                            .add(id);
                    found.computeIfAbsent("name:" + group.path("name").asText(), unused -> new ArrayList<>())
                            .add(id);
                });
                groups = found;
            }
            for (String key : List.of("id:" + named, "name:" + named)) {
                List<String> ids = groups.getOrDefault(key, List.of());
                if (ids.size() == 1) {
                    return Optional.of(ids.getFirst());
                }
            }
            return Optional.empty();
        } catch (HttpFailure e) {
            if (e.status() == 404) {
                // Not to be taken for a user who is gone.
                throw ReadFailure.stop(
                        StopReason.INCOMPLETE, "what groups users are in can't be told: " + e.getMessage());
            }
            throw e;
        } finally {
            looking.unlock();
        }
    }

    @Override
    public void close() {
        http.close();
    }
}
