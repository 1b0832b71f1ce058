package io.elder.estate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Function;

/**
 * An Authentik server: users, groups in groups and their members under {@code /api/v3}, with pages by number and errors as
 * Authentik's. Users whose name begins with {@code svc-} or {@code ak-outpost-} are service accounts.
 *
 * @see <a href="https://api.goauthentik.io/">Authentik's API</a>
 */
public final class SimulatedAuthentik implements SimulatedSystem {
    public static final String TOKEN = "simulated-authentik-token";

    /** As Authentik limits it. */
    private static final int MOST_PER_PAGE = 100;

    private static final int FIRST_PERSON = 100;
    private static final Directory.User OUTPOST = new Directory.User(
            "1", "ak-outpost-main", "", "Outpost main", "", "", "", true, Instant.parse("2024-03-01T09:00:00Z"));

    private final Directory directory;
    private final Site site = Site.start();
    private final Door door = new Door(SimulatedAuthentik::refusal);

    public SimulatedAuthentik(Company company) {
        this(Directory.of(
                company,
                number -> String.valueOf(FIRST_PERSON + number),
                number -> uuid("group", String.valueOf(number)),
                false));
    }

    /** Users, groups and memberships of a test's own: ids of users are whole numbers, those of groups UUIDs. */
    public SimulatedAuthentik(Directory directory) {
        this.directory = directory;
        get("/api/v3/core/users/", this::users);
        get("/api/v3/core/users/me/", call -> Site.Reply.json(me()));
        get("/api/v3/core/users/{user}/", this::user);
        get("/api/v3/core/groups/", this::groups);
        get("/api/v3/core/groups/{group}/", this::group);
        site.post("/api/v3/core/groups/{group}/add_user/", call -> answer(call, each -> write(each, true)));
        site.post("/api/v3/core/groups/{group}/remove_user/", call -> answer(call, each -> write(each, false)));
    }

    @Override
    public Map<String, String> settings() {
        return Map.of("AUTHENTIK_ENABLED", "true", "AUTHENTIK_DOMAIN", site.url(), "AUTHENTIK_API_TOKEN", TOKEN);
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

    @Override
    public void close() {
        site.close();
    }

    private void get(String path, Function<Site.Call, Site.Reply> route) {
        site.get(path, call -> answer(call, route));
    }

    private Site.Reply answer(Site.Call call, Function<Site.Call, Site.Reply> route) {
        Optional<Site.Reply> refusal = door.enter(call);
        if (!call.header("authorization").orElse("").equals("Bearer " + TOKEN)) {
            return detail(403, "Token invalid/expired");
        }
        return refusal.orElseGet(() -> route.apply(call));
    }

    private Site.Reply users(Site.Call call) {
        NavigableMap<String, Directory.User> users = directory.users();
        users.put(OUTPOST.id(), OUTPOST);
        Map<String, Set<String>> groups = groupsByUser();
        return page(call, List.copyOf(users.values()), user -> json(user, groups));
    }

    private Site.Reply user(Site.Call call) {
        return directory
                .user(call.variable("user"))
                .map(user -> Site.Reply.json(json(user, groupsByUser())))
                .orElseGet(() -> detail(404, "No User matches the given query."));
    }

    private Site.Reply groups(Site.Call call) {
        boolean withUsers = call.parameter("include_users").orElse("true").equalsIgnoreCase("true");
        Map<String, Set<String>> children = children();
        return page(call, List.copyOf(directory.groups().values()), group -> json(group, children, withUsers));
    }

    private Site.Reply group(Site.Call call) {
        boolean withUsers = call.parameter("include_users").orElse("true").equalsIgnoreCase("true");
        return directory
                .group(call.variable("group"))
                .map(group -> Site.Reply.json(json(group, children(), withUsers)))
                .orElseGet(() -> detail(404, "No Group matches the given query."));
    }

    private Site.Reply write(Site.Call call, boolean isIn) {
        JsonNode user = call.json().path("pk");
        if (!user.isIntegralNumber()) {
            ObjectNode wrong = Site.JSON.createObjectNode();
            wrong.putArray("pk").add("A valid integer is required.");
            return Site.Reply.json(400, wrong);
        }
        Optional<Directory.Group> group = directory.group(call.variable("group"));
        if (group.isEmpty()) {
            return detail(404, "No Group matches the given query.");
        }
        if (directory.user(user.asText()).isEmpty()) {
            return detail(404, "Not found.");
        }
        if (isIn) {
            directory.join(group.get().id(), user.asText());
        } else {
            directory.leave(group.get().id(), user.asText());
        }
        return door.leave(Site.Reply.of(204));
    }

    private Map<String, Set<String>> groupsByUser() {
        Map<String, Set<String>> groups = new HashMap<>();
        for (String group : directory.groups().keySet()) {
            directory.membersOf(group).keySet().forEach(user -> groups.computeIfAbsent(user, unused -> new TreeSet<>())
                    .add(group));
        }
        return groups;
    }

    private <T> Site.Reply page(Site.Call call, List<T> all, Function<T, ObjectNode> json) {
        int size = Math.clamp(call.whole("page_size", MOST_PER_PAGE), 1, MOST_PER_PAGE);
        int number = call.whole("page", 1);
        int pages = Math.max(1, (all.size() + size - 1) / size);
        if (number < 1 || number > pages) {
            return detail(404, "Invalid page.");
        }
        int from = (number - 1) * size;
        int to = Math.min(all.size(), from + size);
        ObjectNode body = Site.JSON.createObjectNode();
        body.putObject("pagination")
                .put("next", number < pages ? number + 1 : 0)
                .put("previous", number - 1)
                .put("count", all.size())
                .put("current", number)
                .put("total_pages", pages)
                .put("start_index", all.isEmpty() ? 0 : from + 1)
                .put("end_index", to);
        ArrayNode results = body.putArray("results");
        all.subList(from, to).forEach(each -> results.add(json.apply(each)));
        body.putObject("autocomplete");
        return Site.Reply.json(body);
    }

    private ObjectNode me() {
        ObjectNode user = Site.JSON
                .createObjectNode()
                .put("pk", 2)
                .put("username", "svc-elder")
                .put("name", "Elder")
                .put("is_active", true)
                .put("is_superuser", false)
                .put("is_current", true)
                .put("email", "")
                .put("avatar", "data:image/svg+xml;base64,")
                .put("uid", "simulated-elder")
                .put("type", "service_account");
        user.putArray("groups");
        user.putArray("roles");
        user.putObject("settings");
        user.putArray("system_permissions");
        ObjectNode me = Site.JSON.createObjectNode();
        me.set("user", user);
        me.putArray("users");
        return me;
    }

    private static ObjectNode json(Directory.User user, Map<String, Set<String>> groupsByUser) {
        ObjectNode json = brief(user)
                .put("date_joined", user.since().toString())
                .put("is_superuser", false)
                .putNull("groups_obj")
                .putNull("roles_obj")
                .put("avatar", "/static/dist/assets/images/user_default.png")
                .put("path", "users")
                .put("type", type(user.username()))
                .put("uuid", uuid("user", user.id()))
                .put("password_change_date", user.since().toString())
                .put("last_updated", user.since().toString());
        json.putArray("roles");
        ArrayNode groups = json.putArray("groups");
        groupsByUser.getOrDefault(user.id(), Set.of()).forEach(groups::add);
        return json;
    }

    private static ObjectNode brief(Directory.User user) {
        ObjectNode json = Site.JSON
                .createObjectNode()
                .put("pk", Integer.parseInt(user.id()))
                .put("username", user.username())
                .put("name", (user.given() + " " + user.family()).strip())
                .put("is_active", user.isActive())
                .putNull("last_login")
                .put("email", user.email())
                .put("uid", uuid("uid", user.id()).replace("-", ""));
        ObjectNode attributes = json.putObject("attributes");
        if (!user.department().isEmpty()) {
            attributes.put("department", user.department()).put("title", user.title());
        }
        return json;
    }

    private static String type(String username) {
        if (username.startsWith("ak-outpost-")) {
            return "internal_service_account";
        }
        return username.startsWith("svc-") ? "service_account" : "internal";
    }

    private Map<String, Set<String>> children() {
        Map<String, Set<String>> children = new HashMap<>();
        for (Directory.Group group : directory.groups().values()) {
            group.parents().forEach(parent -> children.computeIfAbsent(parent, unused -> new TreeSet<>())
                    .add(group.id()));
        }
        return children;
    }

    private ObjectNode json(Directory.Group group, Map<String, Set<String>> childrenOf, boolean withUsers) {
        ObjectNode json = Site.JSON
                .createObjectNode()
                .put("pk", group.id())
                .put("num_pk", group.id().hashCode() & 0x7fffffff)
                .put("name", group.name())
                .put("is_superuser", false)
                .putNull("parents_obj")
                .putNull("children_obj")
                .putNull("inherited_roles_obj");
        ArrayNode parents = json.putArray("parents");
        group.parents().forEach(parents::add);
        ArrayNode children = json.putArray("children");
        childrenOf.getOrDefault(group.id(), Set.of()).forEach(children::add);
        NavigableMap<String, Directory.User> members = directory.membersOf(group.id());
        ArrayNode users = json.putArray("users");
        members.keySet().forEach(user -> users.add(Integer.parseInt(user)));
        if (withUsers) {
            ArrayNode whole = json.putArray("users_obj");
            members.values().forEach(user -> whole.add(brief(user)));
        } else {
            json.putNull("users_obj");
        }
        ObjectNode attributes = json.putObject("attributes");
        if (!group.description().isEmpty()) {
            attributes.put("notes", group.description());
        }
        json.putArray("roles");
        json.putArray("roles_obj");
        return json;
    }

    private static Site.Reply refusal(int status) {
        return switch (status) {
            case 401 -> detail(401, "Authentication credentials were not provided.");
            case 403 -> detail(403, "You do not have permission to perform this action.");
            case 404 -> detail(404, "Not found.");
            case 429 ->
                detail(429, "Request was throttled. Expected available in 2 seconds.")
                        .with("Retry-After", "2");
            default -> new Site.Reply(status, Map.of("Content-Type", "text/html"), "<html>authentik</html>");
        };
    }

    private static Site.Reply detail(int status, String text) {
        return Site.Reply.json(status, Site.JSON.createObjectNode().put("detail", text));
    }

    /** The same for the same, always. */
    private static String uuid(String kind, String id) {
        return UUID.nameUUIDFromBytes((kind + id).getBytes(StandardCharsets.UTF_8))
                .toString();
    }
}
