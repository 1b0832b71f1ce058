package io.elder.estate;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * The company's web gateway, as the first version of Elder's connector took iBoss's API to be, and the way to log in that
 * published integrations take. Nothing public says what the service really answers.
 */
public final class SimulatedIboss implements SimulatedSystem {
    private static final String TENANT = "example";
    private static final String KEY = "iboss-key-of-the-estate";
    private static final String USER = "elder@" + Company.DOMAIN;
    private static final String PASSWORD = "iboss-password-of-the-estate";
    private static final String TOKEN = "iboss-token-of-the-estate";

    private final Company company;
    private final Site site;
    private final AtomicInteger session = new AtomicInteger(1);

    public SimulatedIboss(Company company) {
        this.company = company;
        this.site = Site.start()
                .get("/ibossauth/web/tokens", SimulatedIboss::token)
                .get(
                        "/ibcloud/web/users/mySettings",
                        call -> withToken(call, () -> Site.Reply.json(
                                        Site.JSON.createObjectNode().put("accountSettingsId", "77"))
                                .with("Set-Cookie", "JSESSIONID=iboss-jsession; Path=/; HttpOnly")))
                .get("/ibcloud/web/account/clusters", call -> withToken(call, this::clusters))
                .post("/json/login", this::login)
                .get(
                        "/api/v1/health",
                        call -> proven(call, () -> Site.JSON.createObjectNode().put("status", "ok")))
                .get("/api/v1/users", call -> proven(call, () -> list("users", users())))
                .get("/api/v1/groups", call -> proven(call, () -> list("groups", groups())))
                .get("/api/v1/policies", call -> proven(call, () -> list("policies", policies())))
                .get("/api/v1/applications", call -> proven(call, () -> list("applications", applications())))
                .get("/api/v1/connectors", call -> proven(call, () -> list("connectors", connectors())))
                .get("/api/v1/reports/application-usage", call -> proven(call, () -> list("usage", usage())));
    }

    @Override
    public Map<String, String> settings() {
        return Map.of(
                "IBOSS_ENABLED", "true", "IBOSS_API_URL", site.url(), "IBOSS_API_KEY", KEY, "IBOSS_TENANT_ID", TENANT);
    }

    /** The settings of the other way to log in. */
    public Map<String, String> gatewaySettings() {
        return Map.of(
                "IBOSS_ENABLED",
                "true",
                "IBOSS_AUTH",
                "gateway",
                "IBOSS_USERNAME",
                USER,
                "IBOSS_PASSWORD",
                PASSWORD,
                "IBOSS_ACCOUNTS_URL",
                site.url(),
                "IBOSS_CLOUD_URL",
                site.url(),
                "IBOSS_TENANT_ID",
                TENANT);
    }

    private static Site.Reply token(Site.Call call) {
        String basic = Base64.getEncoder().encodeToString((USER + ":" + PASSWORD).getBytes(StandardCharsets.UTF_8));
        return call.header("authorization").filter(("Basic " + basic)::equals).isPresent()
                ? Site.Reply.json(Site.JSON.createObjectNode().put("token", TOKEN))
                : refused("Bad credentials");
    }

    private static Site.Reply withToken(Site.Call call, Supplier<Site.Reply> reply) {
        return call.header("authorization").filter(("Token " + TOKEN)::equals).isPresent()
                ? reply.get()
                : refused("No token");
    }

    private Site.Reply clusters() {
        ArrayNode clusters = Site.JSON.createArrayNode();
        clusters.addObject().put("productFamily", "reporter").putArray("members");
        ArrayNode members = clusters.addObject().put("productFamily", "swg").putArray("members");
        members.addObject().put("primary", 0).putObject("cloudNode").put("adminInterfaceDns", "secondary.example.com");
        members.addObject()
                .put("primary", 1)
                .putObject("cloudNode")
                .put("adminInterfaceDns", "127.0.0.1:" + site.port());
        return Site.Reply.json(clusters);
    }

    /** Ends all sessions at the gateway, as time does. */
    public void endSessions() {
        session.incrementAndGet();
    }

    private Site.Reply login(Site.Call call) {
        return call.json().path("userName").asText().equals(TOKEN)
                ? Site.Reply.json(Site.JSON
                        .createObjectNode()
                        .put("uid", "iboss-uid")
                        .put("sessionId", "iboss-session-" + session))
                : refused("No token");
    }

    private Site.Reply proven(Site.Call call, Supplier<ObjectNode> answer) {
        boolean isKey =
                call.header("authorization").filter(("Bearer " + KEY)::equals).isPresent();
        boolean isSession = call.header("cookie")
                .filter(("XSRF-TOKEN=iboss-uid&iboss-session-" + session)::equals)
                .isPresent();
        Optional<String> tenant = call.header("x-tenant-id");
        if (!isKey && !isSession) {
            return refused("Invalid credentials");
        }
        return tenant.filter(TENANT::equals).isPresent()
                ? Site.Reply.json(answer.get())
                : Site.Reply.json(403, Site.JSON.createObjectNode().put("message", "No such tenant"));
    }

    private static Site.Reply refused(String message) {
        return Site.Reply.json(401, Site.JSON.createObjectNode().put("message", message));
    }

    private static ObjectNode list(String name, List<ObjectNode> all) {
        ObjectNode answer = Site.JSON.createObjectNode();
        ArrayNode items = answer.putArray(name);
        all.forEach(items::add);
        return answer.put("total", all.size());
    }

    private List<ObjectNode> users() {
        Company.State now = company.now();
        return now.people().stream()
                .map(person -> {
                    ObjectNode user = Site.JSON
                            .createObjectNode()
                            .put("id", String.valueOf(person.number()))
                            .put("username", person.username())
                            .put("email", person.email())
                            .put("firstName", person.given())
                            .put("lastName", person.family())
                            .put("department", person.department())
                            .put("status", person.active() ? "active" : "disabled");
                    ArrayNode groups = user.putArray("groups");
                    now.teams().stream()
                            .filter(team -> team.members().contains(person.number()))
                            .forEach(team -> groups.add(team.name()));
                    return user;
                })
                .toList();
    }

    private List<ObjectNode> groups() {
        return company.now().teams().stream()
                .map(team -> {
                    ObjectNode group = Site.JSON
                            .createObjectNode()
                            .put("id", "g" + team.number())
                            .put("name", team.name())
                            .put("memberCount", team.members().size());
                    group.putArray("policies").add("p1");
                    return group;
                })
                .toList();
    }

    private List<ObjectNode> policies() {
        return Stream.of("malware", "file-sharing", "social")
                .map(category -> {
                    ObjectNode policy = Site.JSON
                            .createObjectNode()
                            .put("id", "p-" + category)
                            .put("name", "Web: " + category)
                            .put("type", "web")
                            .put("enabled", !category.equals("social"))
                            .put("priority", 1);
                    policy.putArray("categories").add(category);
                    policy.putArray("actions").add("block");
                    return policy;
                })
                .toList();
    }

    private List<ObjectNode> applications() {
        List<ObjectNode> applications = new ArrayList<>();
        for (String category : List.of("file-sharing", "collaboration", "vpn", "social")) {
            applications.add(Site.JSON
                    .createObjectNode()
                    .put("id", "a-" + category)
                    .put("name", "Example " + category)
                    .put("category", category)
                    .put("riskScore", category.length())
                    .put("usersCount", company.now().people().size() / 4)
                    .put("blocked", category.equals("vpn"))
                    .put("vendor", "Example"));
        }
        return applications;
    }

    private static List<ObjectNode> connectors() {
        return Stream.of("london", "oslo")
                .map(place -> Site.JSON
                        .createObjectNode()
                        .put("id", "c-" + place)
                        .put("name", "gateway-" + place)
                        .put("type", "cloud-connector")
                        .put("location", place)
                        .put("ipAddress", "198.51.100." + place.length())
                        .put("status", "online")
                        .put("version", "10.1"))
                .toList();
    }

    private List<ObjectNode> usage() {
        List<String> categories = List.of("file-sharing", "collaboration", "vpn", "social");
        return company.now().people().stream()
                .map(person -> Site.JSON
                        .createObjectNode()
                        .put("userId", String.valueOf(person.number()))
                        .put("applicationId", "a-" + categories.get(person.number() % categories.size()))
                        .put("sessionsCount", person.number() % 10 + 1)
                        .put("bytesTransferred", person.number() * 1_000L))
                .toList();
    }

    @Override
    public void close() {
        site.close();
    }
}
