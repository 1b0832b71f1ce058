package io.elder.estate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * The company's Google Workspace: the Directory API, and the token endpoint that gives a service account with domain-wide
 * delegation tokens in an administrator's name.
 *
 * @see <a href="https://developers.google.com/workspace/admin/directory/reference/rest/v1">the API</a>
 * @see <a href="https://developers.google.com/identity/protocols/oauth2/service-account#httprest">the tokens</a>
 */
public final class SimulatedGoogleWorkspace implements SimulatedSystem {
    public static final String CUSTOMER = "C0example";
    public static final String ADMIN = "admin@" + Company.DOMAIN;

    private static final String ACCOUNT = "elder-reader@example-project.iam.gserviceaccount.com";
    private static final String SCOPE = "https://www.googleapis.com/auth/admin.directory.%s.readonly";
    private static final String AUDIENCE = "https://oauth2.googleapis.com/token";
    private static final String ROOT_UNIT = "id:03root";
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
    private static final String LEADS = "Leads";

    private final Company company;
    private final Site site;
    private final KeyPair key = newKey();
    private final Map<String, String> scopesOfTokens = new ConcurrentHashMap<>();
    private final Set<String> delegated = ConcurrentHashMap.newKeySet();

    public SimulatedGoogleWorkspace(Company company) {
        this.company = company;
        List.of("user", "group", "orgunit").forEach(each -> delegated.add(SCOPE.formatted(each)));
        this.site = Site.start()
                .post("/token", this::token)
                .get("/admin/directory/v1/users", in("user", this::users))
                .get("/admin/directory/v1/users/{user}", in("user", this::user))
                .get("/admin/directory/v1/groups", in("group", this::groups))
                .get("/admin/directory/v1/groups/{group}/members", in("group", this::members))
                .get("/admin/directory/v1/customer/{customer}/orgunits", in("orgunit", this::orgUnits));
    }

    @Override
    public Map<String, String> settings() {
        ObjectNode file = Site.JSON
                .createObjectNode()
                .put("type", "service_account")
                .put("project_id", "example-project")
                .put("private_key_id", "0123456789abcdef")
                .put(
                        "private_key",
                        "-----BEGIN PRIVATE KEY-----\n"
                                + Base64.getEncoder()
                                        .encodeToString(key.getPrivate().getEncoded())
                                + "\n-----END PRIVATE KEY-----\n")
                .put("client_email", ACCOUNT)
                .put("client_id", "100000000000000000009")
                .put("token_uri", site.url() + "/token");
        return Map.of(
                "GOOGLE_WORKSPACE_ENABLED",
                "true",
                "GOOGLE_WORKSPACE_CREDENTIALS_JSON",
                file.toString(),
                "GOOGLE_WORKSPACE_ADMIN_EMAIL",
                ADMIN,
                "GOOGLE_WORKSPACE_CUSTOMER_ID",
                "my_customer",
                "GOOGLE_WORKSPACE_ENDPOINT_URL",
                site.url(),
                "ENDPOINT_ALLOWLIST",
                "127.0.0.1");
    }

    /** Takes a scope out of the delegation, as an administrator can: {@code orgunit}. */
    public void revoke(String area) {
        delegated.remove(SCOPE.formatted(area));
        scopesOfTokens.values().remove(SCOPE.formatted(area));
    }

    /** RFC 7523: a signed assertion for a token. */
    private Site.Reply token(Site.Call call) {
        Map<String, String> form = Site.parameters(call.body());
        String[] parts = form.getOrDefault("assertion", "").split("\\.");
        if (!"urn:ietf:params:oauth:grant-type:jwt-bearer".equals(form.get("grant_type")) || parts.length != 3) {
            return refusedToken(400, "invalid_request", "no assertion");
        }
        if (!isSigned(parts)) {
            return refusedToken(400, "invalid_grant", "Invalid JWT Signature.");
        }
        JsonNode claims = json(new String(Base64.getUrlDecoder().decode(parts[1]), StandardCharsets.UTF_8));
        String scope = claims.path("scope").asText();
        if (!claims.path("iss").asText().equals(ACCOUNT)
                || !claims.path("aud").asText().equals(AUDIENCE)) {
            return refusedToken(400, "invalid_grant", "Invalid grant: account not found");
        }
        if (!claims.path("sub").asText().equals(ADMIN)) {
            return refusedToken(400, "invalid_grant", "Invalid email or User ID");
        }
        if (!delegated.contains(scope)) {
            return refusedToken(
                    401,
                    "unauthorized_client",
                    "Client is unauthorized to retrieve access tokens using this method, or client not authorized for"
                            + " any of the scopes requested.");
        }
        String token = "ya29." + Integer.toHexString(scope.hashCode());
        scopesOfTokens.put(token, scope);
        return Site.Reply.json(Site.JSON
                .createObjectNode()
                .put("access_token", token)
                .put("token_type", "Bearer")
                .put("expires_in", 3599));
    }

    private static Site.Reply refusedToken(int status, String error, String description) {
        return Site.Reply.json(
                status, Site.JSON.createObjectNode().put("error", error).put("error_description", description));
    }

    private boolean isSigned(String[] parts) {
        try {
            Signature signature = Signature.getInstance("SHA256withRSA");
            signature.initVerify(key.getPublic());
            signature.update((parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII));
            return signature.verify(Base64.getUrlDecoder().decode(parts[2]));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            return false;
        }
    }

    private Function<Site.Call, Site.Reply> in(String area, Function<Site.Call, Site.Reply> answer) {
        return call -> {
            String token = call.header("authorization").orElse("").replace("Bearer ", "");
            String scope = scopesOfTokens.get(token);
            if (scope == null) {
                return error(401, "authError", "Invalid Credentials");
            }
            if (!scope.equals(SCOPE.formatted(area))) {
                return error(403, "insufficientPermissions", "Request had insufficient authentication scopes.");
            }
            return answer.apply(call);
        };
    }

    private static Site.Reply error(int status, String reason, String message) {
        ObjectNode answer = Site.JSON.createObjectNode();
        ObjectNode error = answer.putObject("error").put("code", status).put("message", message);
        error.putArray("errors")
                .addObject()
                .put("domain", "global")
                .put("reason", reason)
                .put("message", message);
        return Site.Reply.json(status, answer);
    }

    private Site.Reply users(Site.Call call) {
        List<ObjectNode> users = new ArrayList<>();
        users.add(admin());
        company.now().people().forEach(person -> users.add(user(person)));
        return page(call, "users", users, 100, 500);
    }

    private Site.Reply user(Site.Call call) {
        String wanted = call.variable("user");
        return wanted.equals(ADMIN)
                ? Site.Reply.json(admin())
                : company.now().people().stream()
                        .filter(person -> person.email().equals(wanted)
                                || userId(person.number()).equals(wanted))
                        .findFirst()
                        .map(person -> Site.Reply.json(user(person)))
                        .orElseGet(() -> error(404, "notFound", "Resource Not Found: userKey"));
    }

    private Site.Reply groups(Site.Call call) {
        return page(
                call, "groups", company.now().teams().stream().map(this::group).toList(), 200, 200);
    }

    private Site.Reply members(Site.Call call) {
        Company.State now = company.now();
        Optional<Company.Team> team = now.teams().stream()
                .filter(each -> groupId(each.number()).equals(call.variable("group")))
                .findFirst();
        return team.map(each -> page(call, "members", members(now, each), 200, 200))
                .orElseGet(() -> error(404, "notFound", "Resource Not Found: groupKey"));
    }

    private Site.Reply orgUnits(Site.Call call) {
        boolean isAll = call.parameter("type").orElse("children").equals("all");
        ObjectNode answer = Site.JSON.createObjectNode().put("kind", "admin#directory#orgUnits");
        ArrayNode units = answer.putArray("organizationUnits");
        orgUnitPaths().forEach((path, parent) -> {
            if (isAll || parent.equals("/")) {
                units.addObject()
                        .put("kind", "admin#directory#orgUnit")
                        .put("name", path.substring(path.lastIndexOf('/') + 1))
                        .put("description", "")
                        .put("orgUnitPath", path)
                        .put("orgUnitId", unitId(path))
                        .put("parentOrgUnitPath", parent)
                        .put("parentOrgUnitId", parent.equals("/") ? ROOT_UNIT : unitId(parent));
            }
        });
        return Site.Reply.json(answer);
    }

    /** Every unit's path and its parent's: a unit for each department, with one for those who lead. */
    private Map<String, String> orgUnitPaths() {
        Map<String, String> paths = new TreeMap<>();
        Set<String> departments = new TreeSet<>();
        company.now().people().forEach(person -> departments.add(person.department()));
        departments.forEach(department -> {
            paths.put("/" + department, "/");
            paths.put("/" + department + "/" + LEADS, "/" + department);
        });
        return paths;
    }

    private static String unitId(String path) {
        return "id:03" + Integer.toHexString(path.hashCode());
    }

    private static ObjectNode admin() {
        return account(0, ADMIN, "Workspace", "Administrator", "/", true, false, "2024-01-01T08:00:00.000Z");
    }

    private ObjectNode user(Company.Person person) {
        boolean leads = !person.title().equals("Associate");
        ObjectNode user = account(
                person.number(),
                person.email(),
                person.given(),
                person.family(),
                "/" + person.department() + (leads ? "/" + LEADS : ""),
                false,
                !person.active(),
                time(person.since()));
        user.putArray("organizations")
                .addObject()
                .put("title", person.title())
                .put("department", person.department())
                .put("primary", true);
        return user;
    }

    private static ObjectNode account(
            int number,
            String email,
            String given,
            String family,
            String path,
            boolean isAdmin,
            boolean isSuspended,
            String since) {
        ObjectNode user = Site.JSON
                .createObjectNode()
                .put("kind", "admin#directory#user")
                .put("id", userId(number))
                .put("primaryEmail", email)
                .put("isAdmin", isAdmin)
                .put("isDelegatedAdmin", false)
                .put("lastLoginTime", "1970-01-01T00:00:00.000Z")
                .put("creationTime", since)
                .put("agreedToTerms", true)
                .put("suspended", isSuspended)
                .put("archived", false)
                .put("customerId", CUSTOMER)
                .put("orgUnitPath", path)
                .put("isMailboxSetup", true)
                .put("isEnrolledIn2Sv", true)
                .put("isEnforcedIn2Sv", isAdmin)
                .put("includeInGlobalAddressList", true);
        user.putObject("name").put("givenName", given).put("familyName", family).put("fullName", given + " " + family);
        user.putArray("emails").addObject().put("address", email).put("primary", true);
        return user;
    }

    private ObjectNode group(Company.Team team) {
        return Site.JSON
                .createObjectNode()
                .put("kind", "admin#directory#group")
                .put("id", groupId(team.number()))
                .put("email", team.name() + "@" + Company.DOMAIN)
                .put("name", team.name())
                .put(
                        "directMembersCount",
                        String.valueOf(team.members().size()
                                + team.teams().size()
                                + outside(team).size()))
                .put("description", team.description())
                .put("adminCreated", true);
    }

    /** The customer as a whole is in the team of everybody, and somebody from elsewhere in one of sales. */
    private static List<ObjectNode> outside(Company.Team team) {
        return switch (team.name()) {
            case "staff" -> List.of(member("CUSTOMER", CUSTOMER, "MEMBER"));
            case "solutions" ->
                List.of(member("USER", "199999999999999999999", "MEMBER").put("email", "partner@example.org"));
            default -> List.of();
        };
    }

    /** A team's people and teams. */
    private List<ObjectNode> members(Company.State now, Company.Team team) {
        List<ObjectNode> members = new ArrayList<>(outside(team));
        now.people().stream()
                .filter(person -> team.members().contains(person.number()))
                .forEach(person -> members.add(
                        member("USER", userId(person.number()), "MEMBER").put("email", person.email())));
        now.teams().stream()
                .filter(each -> team.teams().contains(each.name()))
                .forEach(each -> members.add(member("GROUP", groupId(each.number()), "MEMBER")
                        .put("email", each.name() + "@" + Company.DOMAIN)));
        members.sort(Comparator.comparing(member -> member.get("id").textValue()));
        return members;
    }

    private static ObjectNode member(String type, String id, String role) {
        return Site.JSON
                .createObjectNode()
                .put("kind", "admin#directory#member")
                .put("id", id)
                .put("role", role)
                .put("type", type)
                .put("status", "ACTIVE");
    }

    private static String userId(int number) {
        return "1%020d".formatted(number);
    }

    private static String groupId(int number) {
        return "02example%06d".formatted(number);
    }

    private static String time(Instant instant) {
        return TIME.format(instant);
    }

    /** A token names the last of its page, so that who comes or goes meanwhile moves nobody from one page to another. */
    private static Site.Reply page(Site.Call call, String name, List<ObjectNode> all, int usual, int most) {
        int size = Math.clamp(call.whole("maxResults", usual), 1, most);
        Optional<String> after = call.parameter("pageToken")
                .map(token -> new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8));
        List<ObjectNode> rest = all.stream()
                .filter(each -> after.stream()
                        .allMatch(last -> each.get("id").textValue().compareTo(last) > 0))
                .toList();
        ObjectNode answer = Site.JSON.createObjectNode().put("kind", "admin#directory#" + name);
        if (!rest.isEmpty()) {
            ArrayNode items = answer.putArray(name);
            IntStream.range(0, Math.min(size, rest.size())).mapToObj(rest::get).forEach(items::add);
        }
        if (rest.size() > size) {
            byte[] last = rest.get(size - 1).get("id").textValue().getBytes(StandardCharsets.UTF_8);
            answer.put("nextPageToken", Base64.getUrlEncoder().encodeToString(last));
        }
        return Site.Reply.json(answer);
    }

    private static JsonNode json(String text) {
        try {
            return Site.JSON.readTree(text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static KeyPair newKey() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
            generator.initialize(2048);
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JVM has RSA", e);
        }
    }

    @Override
    public void close() {
        site.close();
    }
}
