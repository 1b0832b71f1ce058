package io.elder.estate;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * An Okta org: users, groups and their members under {@code /api/v1}, with pages by {@code Link}, limits by
 * {@code X-Rate-Limit-*} and errors as Okta's.
 *
 * @see <a href="https://developer.okta.com/docs/api/openapi/okta-management/guides/overview/">Okta's Management API</a>
 */
public final class SimulatedOkta implements SimulatedSystem {
    public static final String TOKEN = "00-simulated-okta-token";

    private static final int WINDOW_SECONDS = 60;
    private static final String EVERYONE = "00gEveryone000000000";

    private final Directory directory;
    private final InstantSource clock;
    private final Site site;
    private final Door door = new Door(SimulatedOkta::refusal);
    private final Map<String, Window> windows = new HashMap<>();
    private int limit = 6000;

    /** What was asked for in a minute, and when the minute ends. */
    private record Window(long resetAt, int used) {}

    public SimulatedOkta(Company company) {
        this(Directory.of(company, number -> id("00u", number), number -> id("00g", number), true));
    }

    /** Users, groups and memberships of a test's own; ids are any texts without a slash. */
    public SimulatedOkta(Directory directory) {
        this(directory, InstantSource.system());
    }

    SimulatedOkta(Directory directory, InstantSource clock) {
        this.directory = directory;
        this.clock = clock;
        this.site = Site.start();
        get("/api/v1/users/me", call -> Site.Reply.json(me()));
        get("/api/v1/users/{user}", this::user);
        get("/api/v1/users", this::users);
        get(
                "/api/v1/org",
                call -> Site.Reply.json(Site.JSON
                        .createObjectNode()
                        .put("id", "00o1simulated0000000")
                        .put("companyName", "Example")
                        .put("subdomain", "example")
                        .put("status", "ACTIVE")));
        get("/api/v1/groups/{group}/users", this::members);
        get("/api/v1/groups/{group}", this::group);
        get("/api/v1/groups", this::groups);
        // A partial update of a profile, of which nothing that is read here depends.
        site.post("/api/v1/users/{user}", call -> answer(call, this::user));
        site.on("PUT", "/api/v1/groups/{group}/users/{user}", call -> answer(call, each -> write(each, true)));
        site.on("DELETE", "/api/v1/groups/{group}/users/{user}", call -> answer(call, each -> write(each, false)));
    }

    @Override
    public Map<String, String> settings() {
        return Map.of("OKTA_ENABLED", "true", "OKTA_DOMAIN", site.url(), "OKTA_API_TOKEN", TOKEN);
    }

    public String url() {
        return site.url();
    }

    public Directory directory() {
        return directory;
    }

    public Door door() {
        return door;
    }

    /** How many calls an endpoint takes a minute. */
    public synchronized void limit(int calls) {
        limit = calls;
        windows.clear();
    }

    @Override
    public void close() {
        site.close();
    }

    private void get(String path, Function<Site.Call, Site.Reply> route) {
        site.get(path, call -> answer(call, route));
    }

    private Site.Reply answer(Site.Call call, Function<Site.Call, Site.Reply> route) {
        Optional<Site.Reply> refusal = door.enter(call);
        String key = call.header("authorization").orElse("");
        if (!key.equals("SSWS " + TOKEN) && !key.equals("Bearer " + TOKEN)) {
            return refusal(401);
        }
        Window window = count(call.path());
        Site.Reply reply = refusal.orElseGet(() -> window.used() > limit ? refusal(429) : route.apply(call));
        return reply.with("X-Rate-Limit-Limit", String.valueOf(limit))
                .with(
                        "X-Rate-Limit-Remaining",
                        String.valueOf(reply.status() == 429 ? 0 : Math.max(0, limit - window.used())))
                .with("X-Rate-Limit-Reset", String.valueOf(window.resetAt()));
    }

    /** Every endpoint has a limit of its own: {@code /api/v1/users}, {@code /api/v1/groups}. */
    private synchronized Window count(String path) {
        long now = clock.instant().getEpochSecond();
        return windows.merge(
                path.split("/")[3],
                new Window(now + WINDOW_SECONDS, 1),
                (open, fresh) -> open.resetAt() > now ? new Window(open.resetAt(), open.used() + 1) : fresh);
    }

    private Site.Reply users(Site.Call call) {
        // Without filter and search, DEPROVISIONED users are left out; with a filter on lastUpdated, nobody is.
        boolean isWhole =
                call.parameter("filter").isPresent() || call.parameter("search").isPresent();
        NavigableMap<String, Directory.User> users = directory.users();
        if (!isWhole) {
            users.values().removeIf(user -> !user.isActive());
        }
        return page(call, 200, 200, users, this::json);
    }

    private Site.Reply user(Site.Call call) {
        return directory
                .user(call.variable("user"))
                .map(user -> Site.Reply.json(json(user)))
                .orElseGet(() -> refusal(404));
    }

    private Site.Reply groups(Site.Call call) {
        NavigableMap<String, Directory.Group> groups = directory.groups();
        groups.put(EVERYONE, everyone());
        return page(call, 10_000, 10_000, groups, this::json);
    }

    private Site.Reply group(Site.Call call) {
        return find(call.variable("group"))
                .map(group -> Site.Reply.json(json(group)))
                .orElseGet(() -> refusal(404));
    }

    private Site.Reply members(Site.Call call) {
        String id = call.variable("group");
        if (find(id).isEmpty()) {
            return refusal(404);
        }
        NavigableMap<String, Directory.User> members =
                id.equals(EVERYONE) ? directory.users() : directory.membersOf(id);
        // A deactivated user is in no group.
        members.values().removeIf(user -> !user.isActive());
        return page(call, 1000, 10_000, members, this::json);
    }

    private Site.Reply write(Site.Call call, boolean isIn) {
        String user = call.variable("user");
        Optional<Directory.Group> group = find(call.variable("group"));
        if (group.isEmpty() || directory.user(user).isEmpty()) {
            return refusal(404);
        }
        if (group.get().isReadOnly()) {
            return error(501, "E0000061", "This operation is not allowed for groups that Okta or an app manages");
        }
        if (isIn) {
            directory.join(group.get().id(), user);
        } else {
            directory.leave(group.get().id(), user);
        }
        return door.leave(Site.Reply.of(204));
    }

    private Optional<Directory.Group> find(String id) {
        return id.equals(EVERYONE) ? Optional.of(everyone()) : directory.group(id);
    }

    private static Directory.Group everyone() {
        return new Directory.Group(EVERYONE, "Everyone", "All users in your organization", true, List.of());
    }

    private <T> Site.Reply page(
            Site.Call call, int usual, int most, NavigableMap<String, T> all, Function<T, ObjectNode> json) {
        int size = call.whole("limit", usual);
        if (size < 1 || size > most) {
            return error(400, "E0000001", "Api validation failed: limit");
        }
        Optional<String> after = call.parameter("after")
                .map(text -> new String(Base64.getUrlDecoder().decode(text), StandardCharsets.UTF_8));
        NavigableMap<String, T> rest = after.map(id -> all.tailMap(id, false)).orElse(all);
        ArrayNode page = Site.JSON.createArrayNode();
        String last = null;
        for (Map.Entry<String, T> each : rest.entrySet()) {
            if (page.size() == size) {
                break;
            }
            page.add(json.apply(each.getValue()));
            last = each.getKey();
        }
        StringBuilder link = new StringBuilder(link(call, call.parameters(), "self"));
        if (page.size() < rest.size()) {
            Map<String, String> next = new TreeMap<>(call.parameters());
            next.put(
                    "after",
                    Base64.getUrlEncoder().withoutPadding().encodeToString(last.getBytes(StandardCharsets.UTF_8)));
            link.append(", ").append(link(call, next, "next"));
        }
        return Site.Reply.json(page).with("Link", link.toString());
    }

    private String link(Site.Call call, Map<String, String> parameters, String relation) {
        StringBuilder query = new StringBuilder();
        parameters.forEach((name, value) -> query.append(query.isEmpty() ? "?" : "&")
                .append(name)
                .append('=')
                .append(URLEncoder.encode(value, StandardCharsets.UTF_8)));
        return "<" + site.url() + call.path() + query + ">; rel=\"" + relation + "\"";
    }

    private ObjectNode me() {
        return json(new Directory.User(
                "00uElder000000000000",
                "elder",
                "elder@" + Company.DOMAIN,
                "Elder",
                "Worker",
                "",
                "",
                true,
                Instant.parse("2024-01-01T00:00:00Z")));
    }

    private ObjectNode json(Directory.User user) {
        ObjectNode json = Site.JSON
                .createObjectNode()
                .put("id", user.id())
                .put("status", user.isActive() ? "ACTIVE" : "DEPROVISIONED")
                .put("created", time(user.since()))
                .put("activated", time(user.since()))
                .put("statusChanged", time(user.since()))
                .putNull("lastLogin")
                .put("lastUpdated", time(user.since()))
                .put("passwordChanged", time(user.since()));
        json.putObject("type").put("id", "oty1simulated0000000");
        ObjectNode profile = json.putObject("profile")
                .put("firstName", user.given())
                .put("lastName", user.family())
                .putNull("mobilePhone")
                .putNull("secondEmail")
                .put("login", user.email().isEmpty() ? user.username() : user.email());
        if (!user.email().isEmpty()) {
            profile.put("email", user.email());
        }
        if (!user.department().isEmpty()) {
            profile.put("department", user.department()).put("title", user.title());
        }
        ObjectNode credentials = json.putObject("credentials");
        credentials.putObject("password");
        credentials.putObject("provider").put("type", "OKTA").put("name", "OKTA");
        json.putObject("_links").putObject("self").put("href", site.url() + "/api/v1/users/" + user.id());
        return json;
    }

    private ObjectNode json(Directory.Group group) {
        ObjectNode json = Site.JSON
                .createObjectNode()
                .put("id", group.id())
                .put("created", "2024-03-01T09:00:00.000Z")
                .put("lastUpdated", "2024-03-01T09:00:00.000Z")
                .put("lastMembershipUpdated", "2024-03-01T09:00:00.000Z");
        json.putArray("objectClass").add("okta:user_group");
        json.put("type", type(group));
        json.putObject("profile")
                .put("name", group.name())
                .put("description", group.description().isEmpty() ? null : group.description());
        json.putObject("_links").putObject("users").put("href", site.url() + "/api/v1/groups/" + group.id() + "/users");
        return json;
    }

    private static String type(Directory.Group group) {
        if (!group.isReadOnly()) {
            return "OKTA_GROUP";
        }
        return group.id().equals(EVERYONE) ? "BUILT_IN" : "APP_GROUP";
    }

    private static Site.Reply refusal(int status) {
        return switch (status) {
            case 401 -> error(401, "E0000011", "Invalid token provided");
            case 403 -> error(403, "E0000006", "You do not have permission to perform the requested action");
            case 404 -> error(404, "E0000007", "Not found: Resource not found");
            case 429 -> error(429, "E0000047", "API call exceeded rate limit due to too many requests.");
            default -> error(status, "E0000009", "Internal Server Error");
        };
    }

    private static Site.Reply error(int status, String code, String summary) {
        ObjectNode body = Site.JSON
                .createObjectNode()
                .put("errorCode", code)
                .put("errorSummary", summary)
                .put("errorLink", code)
                .put("errorId", "oaeSimulated");
        body.putArray("errorCauses");
        return Site.Reply.json(status, body);
    }

    /** Twenty characters, as Okta's are. */
    private static String id(String kind, int number) {
        return kind + String.format("%017d", number);
    }

    private static String time(Instant instant) {
        return instant.truncatedTo(ChronoUnit.SECONDS).toString().replace("Z", ".000Z");
    }
}
