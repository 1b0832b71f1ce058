package io.elder.fetch.okta;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Out;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.http.HttpFailure;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLException;

/** Okta: users of every status, groups, and who is in them. */
public final class OktaProvider implements Provider<OktaClient> {
    static final int GROUPS_AT_ONCE = 16;

    /**
     * Everybody: the list without a filter leaves DEPROVISIONED users out, and a search may lag behind.
     *
     * @see <a href="https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/#tag/User/operation/listUsers">List all users</a>
     */
    private static final String USERS =
            "/api/v1/users?filter=lastUpdated%20gt%20%221970-01-01T00%3A00%3A00.000Z%22&limit=" + OktaClient.PAGE;

    private static final String GROUPS = "/api/v1/groups?limit=" + OktaClient.PAGE;

    @Override
    public String name() {
        return "okta";
    }

    @Override
    public String title() {
        return "Okta";
    }

    @Override
    public void readSettings(Settings settings) {
        OktaSettings.from(settings);
    }

    @Override
    public OktaClient connect(Settings settings) throws Exception {
        OktaSettings okta = OktaSettings.from(settings);
        settings.check();
        OktaClient client = new OktaClient(okta);
        try {
            client.probe();
            return client;
        } catch (IOException | InterruptedException e) {
            client.close();
            throw e;
        }
    }

    @Override
    public boolean isShareable() {
        return true;
    }

    @Override
    public int parentsAtOnce() {
        return GROUPS_AT_ONCE;
    }

    @Override
    public Optional<Partition> findOnlyPartition(OktaClient okta) {
        return Optional.of(Partition.of(okta.settings().domain()));
    }

    @Override
    public List<Resource<OktaClient>> resources() {
        Resource<OktaClient> groups = Resource.<OktaClient>root(
                        "okta_group", "id", (okta, where, out) -> out.pages(link -> okta.page(GROUPS, link, out)))
                .only((okta, where) -> okta.settings().groups());
        return List.of(
                Resource.<OktaClient>root("okta_org", "domain", OktaProvider::fetchOrg),
                Resource.<OktaClient>root("okta_user", "id", OktaProvider::fetchUsers)
                        .only((okta, where) -> okta.settings().users()),
                groups,
                Resource.child(groups, "okta_group_member", OktaProvider::memberId, OktaProvider::fetchMembers));
    }

    /** What anybody may know of an org. Servers that stand for Okta in tests don't have it. */
    private static void fetchOrg(OktaClient okta, Partition where, Out out) throws Exception {
        ObjectNode org = out.request(() -> {
            try {
                return okta.get("/.well-known/okta-organization");
            } catch (HttpFailure e) {
                if (e.status() == 404) {
                    return JsonNodeFactory.instance.objectNode();
                }
                throw e;
            }
        });
        out.accept(org.put("domain", where.account()));
    }

    private static void fetchUsers(OktaClient okta, Partition where, Out out) throws Exception {
        out.<ObjectNode>pages(link -> okta.page(USERS, link, out), user -> {
            if (user.get("credentials") instanceof ObjectNode credentials) {
                // The one is always empty, the other asks for what only the user should know.
                credentials.remove(List.of("password", "recovery_question"));
            }
            out.accept(user);
        });
    }

    /** Not the member's whole profile: that is the user's own record, and it would be told again for every group. */
    private static void fetchMembers(OktaClient okta, Partition where, JsonNode group, Out out) throws Exception {
        String id = group.path("id").asText();
        out.<ObjectNode>pages(
                link -> okta.page("/api/v1/groups/" + id + "/users?limit=" + OktaClient.PAGE, link, out),
                user -> out.accept(JsonNodeFactory.instance
                        .objectNode()
                        .put("group_id", id)
                        .put("group_type", group.path("type").asText())
                        .put("user_id", user.path("id").asText(""))
                        .put("login", user.at("/profile/login").asText())));
    }

    private static String memberId(JsonNode membership) {
        String user = membership.path("user_id").asText();
        // A member without an id makes the answer one that can't be understood.
        return user.isEmpty() ? "" : membership.path("group_id").asText() + "/" + user;
    }

    @Override
    public String identity(OktaClient okta) throws Exception {
        okta.probeGroups();
        return okta.who() + " at " + okta.settings().domain();
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case HttpFailure e -> classify(e);
            case SSLException e -> new Verdict.Stop(StopReason.TLS, String.valueOf(e.getMessage()));
            case IOException unused -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    /** https://developer.okta.com/docs/reference/error-codes/ */
    private static Verdict classify(HttpFailure e) {
        Optional<Verdict> atReset = OktaClient.untilReset(e.headers()).map(Verdict.RetryAfter::new);
        return switch (e.status()) {
            case 429 -> atReset.orElseGet(e::verdict);
            case 401 ->
                new Verdict.Stop(
                        StopReason.BAD_CREDENTIALS,
                        e.getMessage() + " (expected: an OKTA_API_TOKEN of this org that was neither revoked nor left"
                                + " unused for 30 days)");
            case 403 -> new Verdict.Stop(StopReason.FORBIDDEN, e.getMessage() + " (expected: " + right(e) + ")");
            default -> e.verdict();
        };
    }

    private static String right(HttpFailure e) {
        String what = e.getMessage().contains("/api/v1/groups") ? "groups" : "users";
        return "an admin role that may view " + what + ", such as Read-only Administrator, or the scope okta." + what
                + ".read";
    }
}
