package io.elder.fetch.fleetdm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.Requests;
import io.elder.fetch.StopReason;
import io.elder.fetch.http.HttpFailure;
import io.elder.fetch.http.JsonApi;
import io.elder.fetch.http.NumberedPages;
import java.io.IOException;
import java.net.http.HttpClient;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/** The REST API of one Fleet server. May be used by many threads. */
final class FleetdmClient implements AutoCloseable {
    private static final String API = "/api/v1/fleet";

    private final FleetdmSettings settings;
    private final HttpClient http;
    private final JsonApi api;
    private final ReentrantLock looking = new ReentrantLock();
    private final Map<String, Set<String>> vulnerabilitiesOfHosts = new ConcurrentHashMap<>();
    private Map<String, List<String>> osVersions;
    private ObjectNode configuration;
    private JsonNode user;

    FleetdmClient(FleetdmSettings settings) {
        this.settings = settings;
        this.http = JsonApi.client(settings.url()).build();
        this.api = new JsonApi(
                settings.url(),
                http,
                () -> Map.of("Authorization", "Bearer " + settings.token().value()),
                settings.timeout());
    }

    /** Proves the token, and that it sees the whole server. */
    void open() throws IOException, InterruptedException {
        user = get("/me").path("user");
        String role = user.path("global_role").asText("");
        if (role.isEmpty()) {
            List<String> teams = new ArrayList<>();
            user.path("teams").forEach(team -> teams.add(team.path("name").asText()));
            throw ReadFailure.stop(
                    StopReason.FORBIDDEN,
                    who() + " has no global role, and sees only the hosts of its teams "
                            + String.join(", ", teams)
                            + "; the others would look deleted (expected: a user with the global role observer)");
        }
        configuration = get("/config");
    }

    /** The name in keys: ports change, and a server has one API. */
    String host() {
        return settings.url().getHost();
    }

    /** Whether there are teams: a server with a free licence answers that they must be paid for. */
    boolean hasTeams() {
        return !configuration.path("license").path("tier").asText("").equals("free");
    }

    /** Of the configuration what is no setting: the rest holds passwords, tokens and scripts. */
    ObjectNode server() throws IOException, InterruptedException {
        ObjectNode all = get("/config");
        ObjectNode server = all.objectNode().put("id", host());
        server.set("org_info", all.path("org_info"));
        server.set("license", all.path("license"));
        server.putObject("server_settings")
                .set("server_url", all.path("server_settings").path("server_url"));
        return server;
    }

    String who() {
        return user.path("email").asText(user.path("name").asText("the token's user"));
    }

    String role() {
        return user.path("global_role").asText();
    }

    ObjectNode configuration() {
        return configuration;
    }

    /** @param path below the API's own */
    ObjectNode get(String path) throws IOException, InterruptedException {
        return api.get(API + path);
    }

    /**
     * @param items what the list may be called: releases rename things
     * @param isInOrder whether the path asks for an order in which nothing changes places
     * @param count where to ask how many there are, for lists that are left out of an answer when they are empty
     */
    record Listing(
            String path, List<String> items, Function<JsonNode, String> id, boolean isInOrder, Optional<String> count) {
        static Listing inOrder(String path, List<String> items, Function<JsonNode, String> id) {
            return new Listing(path, items, id, true, Optional.empty());
        }

        static Listing inAnyOrder(String path, List<String> items, Function<JsonNode, String> id) {
            return new Listing(path, items, id, false, Optional.empty());
        }
    }

    /**
     * Hands out a list, page by page. Pages are numbered, so who comes or goes meanwhile moves others from one page to another:
     * unless as many different ones were seen as the server counts, the list was not whole.
     */
    void readAll(Listing listing, Requests requests, Requests.Each<ObjectNode> each) throws Exception {
        Set<String> seen = new HashSet<>();
        AtomicLong counted = new AtomicLong(-1);
        NumberedPages<ObjectNode> pages = listing.isInOrder()
                ? NumberedPages.inOrder(listing.path(), settings.pageSize(), listing.id())
                : NumberedPages.inAnyOrder(listing.path(), settings.pageSize());
        requests.pages(
                cursor -> {
                    Page<ObjectNode> page = pages.page(cursor, (number, size) -> ask(listing, number, size, counted));
                    // Here, and not when they are handed out: the next page may come before that is done.
                    List<ObjectNode> fresh = page.items().stream()
                            .filter(item -> seen.add(listing.id().apply(item)))
                            .toList();
                    // Else a server that knows no pages would be asked for ever.
                    if (fresh.isEmpty() && page.next() != null) {
                        throw ReadFailure.stop(
                                StopReason.REPEATED_CURSOR,
                                listing.path() + ": a page has nothing that was not seen before");
                    }
                    return new Page<>(fresh, page.next());
                },
                each);
        if (counted.get() >= 0 && counted.get() != seen.size()) {
            throw ReadFailure.startOver(
                    listing.path() + ": " + seen.size() + " of " + counted + " were seen (expected: all)");
        }
    }

    /** Hosts come without a count, which is a request of its own. */
    void readHosts(Listing listing, Requests requests, Requests.Each<ObjectNode> each) throws Exception {
        long before = requests.request(this::hostCount);
        long[] seen = {0};
        readAll(listing, requests, host -> {
            seen[0]++;
            each.accept(host);
        });
        long after = requests.request(this::hostCount);
        // Hosts enroll all the time: those that came meanwhile may be among them or not.
        boolean mayHaveMoved = before != after && settings.pageSize() < NumberedPages.ENOUGH;
        if (mayHaveMoved || seen[0] < Math.min(before, after)) {
            throw ReadFailure.startOver(listing.path() + ": " + seen[0] + " hosts were seen, where there were " + before
                    + " before and " + after + " after (expected: all)");
        }
    }

    private long hostCount() throws IOException, InterruptedException {
        JsonNode count = get("/hosts/count").path("count");
        if (!count.isIntegralNumber()) {
            throw ReadFailure.stop(StopReason.BAD_RESPONSE, "/hosts/count: an answer without a count");
        }
        return count.asLong();
    }

    private long count(String path) throws IOException, InterruptedException {
        try {
            return get(path).path("count").asLong(-1);
        } catch (HttpFailure e) {
            if (e.status() == 404) {
                // Nobody to ask, which says nothing of what is counted.
                return -1;
            }
            throw e;
        }
    }

    /** @param counted set to how many there are on all pages together; negative where the server does not tell */
    private NumberedPages.Numbered<ObjectNode> ask(Listing listing, int number, int size, AtomicLong counted)
            throws IOException, InterruptedException {
        ObjectNode answer = get(
                listing.path() + (listing.path().contains("?") ? '&' : '?') + "page=" + number + "&per_page=" + size);
        counted.set(answer.path("count").asLong(-1));
        Optional<String> name =
                listing.items().stream().filter(answer::hasNonNull).findFirst();
        if (name.isEmpty()) {
            if (counted.get() < 0 && listing.count().isPresent()) {
                counted.set(count(listing.count().get()));
            }
            // Not to be taken for an empty list, unless the server counts none; a page after the last is empty too.
            if (number == 0 ? counted.get() != 0 : counted.get() < 0) {
                throw ReadFailure.stop(
                        StopReason.BAD_RESPONSE,
                        listing.path() + ": an answer with "
                                + (answer.isEmpty()
                                        ? "nothing"
                                        : String.join(", ", (Iterable<String>) answer::fieldNames))
                                + " (expected: " + String.join(" or ", listing.items()) + ")");
            }
            return new NumberedPages.Numbered<>(List.of(), true, counted.get());
        }
        List<ObjectNode> items =
                JsonApi.objects("GET " + API + listing.path() + ": " + name.get(), answer.get(name.get()));
        JsonNode next = answer.path("meta").path("has_next_results");
        boolean isLast = next.isBoolean()
                ? !next.booleanValue()
                // A page that is not full is the last; one that is fuller than asked for is the whole list.
                : items.size() != size;
        return new NumberedPages.Numbered<>(items, isLast, counted.get());
    }

    /**
     * Which of the operating systems is meant, where a host only has a name; empty where none or several are. They are read
     * once.
     */
    Optional<String> findOsVersionId(String name, String platform, Listing listing, Requests requests)
            throws Exception {
        looking.lockInterruptibly();
        try {
            if (osVersions == null) {
                Map<String, List<String>> found = new HashMap<>();
                readAll(listing, requests, os -> {
                    String id = listing.id().apply(os);
                    String called = os.path("name").asText();
                    found.computeIfAbsent(called, unused -> new ArrayList<>()).add(id);
                    found.computeIfAbsent(called + "/" + os.path("platform").asText(), unused -> new ArrayList<>())
                            .add(id);
                });
                osVersions = found;
            }
            for (String key : List.of(name + "/" + platform, name)) {
                List<String> ids = osVersions.getOrDefault(key, List.of());
                if (ids.size() == 1) {
                    return Optional.of(ids.getFirst());
                }
            }
            return Optional.empty();
        } finally {
            looking.unlock();
        }
    }

    /** A host with its software, whose vulnerabilities are kept until they are asked for. */
    ObjectNode hostWithSoftware(String id) throws IOException, InterruptedException {
        JsonNode host = get("/hosts/" + id).path("host");
        if (!(host instanceof ObjectNode object)) {
            throw ReadFailure.stop(StopReason.BAD_RESPONSE, "/hosts/" + id + ": an answer without a host");
        }
        vulnerabilitiesOfHosts.put(id, vulnerabilities(object));
        return object;
    }

    /** The vulnerabilities of a host's software, each once. */
    Set<String> vulnerabilitiesOf(String hostId, Requests requests) throws Exception {
        Set<String> kept = vulnerabilitiesOfHosts.remove(hostId);
        return kept != null
                ? kept
                : vulnerabilities(requests.request(() -> {
                    ObjectNode host = hostWithSoftware(hostId);
                    vulnerabilitiesOfHosts.remove(hostId);
                    return host;
                }));
    }

    /** A host without software has no list of it, or null. */
    static List<ObjectNode> softwareOf(ObjectNode host) throws HttpFailure {
        return host.hasNonNull("software")
                ? JsonApi.objects(
                        "GET " + API + "/hosts/" + host.path("id").asText() + ": software", host.get("software"))
                : List.of();
    }

    private static Set<String> vulnerabilities(ObjectNode host) throws HttpFailure {
        Set<String> vulnerabilities = new TreeSet<>();
        for (ObjectNode software : softwareOf(host)) {
            software.path("vulnerabilities")
                    .forEach(each ->
                            vulnerabilities.add(each.path("cve").asText().intern()));
        }
        vulnerabilities.remove("");
        return vulnerabilities;
    }

    @Override
    public void close() {
        http.close();
    }
}
