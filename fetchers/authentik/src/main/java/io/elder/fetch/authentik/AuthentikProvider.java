package io.elder.fetch.authentik;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.elder.fetch.Out;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.http.HttpFailure;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/** Authentik: users, groups in groups, and who is in them. */
public final class AuthentikProvider implements Provider<AuthentikClient> {
    /** Without the groups and roles of each, written out: that is what the groups' own list says. */
    private static final String USERS = "/core/users/?include_groups=false&include_roles=false&ordering=pk";

    /** With the numbers of the members, and with the numbers alone. */
    private static final String GROUPS = "/core/groups/?include_users=false&ordering=pk";

    /** Names of attributes, which are anything that an administrator wrote, whose values stay here. */
    private static final Pattern SECRET =
            Pattern.compile("(?i).*(password|passwd|passphrase|secret|token|private|credential|api.?key).*");

    @Override
    public String name() {
        return "authentik";
    }

    @Override
    public String title() {
        return "Authentik";
    }

    @Override
    public void readSettings(Settings settings) {
        AuthentikSettings.from(settings);
    }

    @Override
    public AuthentikClient connect(Settings settings) throws Exception {
        AuthentikSettings authentik = AuthentikSettings.from(settings);
        settings.check();
        AuthentikClient client = new AuthentikClient(authentik);
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
    public Optional<Partition> findOnlyPartition(AuthentikClient authentik) {
        return Optional.of(Partition.of(authentik.settings().domain()));
    }

    @Override
    public List<Resource<AuthentikClient>> resources() {
        Resource<AuthentikClient> groups = Resource.<AuthentikClient>root(
                        "authentik_group", "pk", (authentik, where, out) -> fetch(authentik, GROUPS, out))
                .only((authentik, where) -> authentik.settings().groups());
        return List.of(
                Resource.<AuthentikClient>root("authentik_server", "domain", AuthentikProvider::fetchServer),
                Resource.<AuthentikClient>root(
                                "authentik_user",
                                "pk",
                                (authentik, where, out) -> authentik.checkSomebody(USERS, fetch(authentik, USERS, out)))
                        .only((authentik, where) -> authentik.settings().users()),
                groups,
                Resource.child(
                        groups,
                        "authentik_group_member",
                        AuthentikProvider::memberId,
                        AuthentikProvider::fetchMembers));
    }

    /** Its version is for administrators to know; nothing is lost without it. */
    private static void fetchServer(AuthentikClient authentik, Partition where, Out out) throws Exception {
        ObjectNode server = out.request(() -> {
            try {
                return authentik.get("/admin/version/");
            } catch (HttpFailure e) {
                if (e.status() == 403 || e.status() == 404) {
                    return JsonNodeFactory.instance.objectNode();
                }
                throw e;
            }
        });
        out.accept(server.put("domain", where.account()));
    }

    private static long fetch(AuthentikClient authentik, String list, Out out) throws Exception {
        return authentik.readAll(list, out, each -> {
            blank(each.path("attributes"));
            if (each.path("avatar").asText().startsWith("data:")) {
                each.put("avatar", "data:");
            }
            out.accept(each);
        });
    }

    private static void blank(JsonNode attributes) {
        if (attributes instanceof ObjectNode object) {
            for (Map.Entry<String, JsonNode> each : object.properties()) {
                // Also a list or an object: what is in it is as secret.
                if (!each.getValue().isBoolean()
                        && SECRET.matcher(each.getKey()).matches()) {
                    each.setValue(TextNode.valueOf("***"));
                }
            }
        }
        attributes.forEach(AuthentikProvider::blank);
    }

    /** The list of groups has the members already. */
    private static void fetchMembers(AuthentikClient authentik, Partition where, JsonNode group, Out out)
            throws IOException {
        JsonNode users = group.path("users");
        if (!users.isArray()) {
            // Not the same as nobody.
            throw ReadFailure.stop(
                    StopReason.BAD_RESPONSE,
                    "GET /api/v3" + GROUPS + ": group " + group.path("pk").asText() + " without its list of users");
        }
        for (JsonNode user : users) {
            out.accept(JsonNodeFactory.instance
                    .objectNode()
                    .put("group_id", group.path("pk").asText())
                    .put("user_id", user.asText("")));
        }
    }

    private static String memberId(JsonNode membership) {
        String user = membership.path("user_id").asText();
        // A member without a number makes the answer one that can't be understood.
        return user.isEmpty() ? "" : membership.path("group_id").asText() + "/" + user;
    }

    @Override
    public String identity(AuthentikClient authentik) throws Exception {
        authentik.probeRights();
        return authentik.get("/core/users/me/").at("/user/username").asText("?") + " at "
                + authentik.settings().domain();
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case HttpFailure e -> classify(e);
            case SSLException e ->
                new Verdict.Stop(
                        StopReason.TLS,
                        e.getMessage() + " (expected: a certificate that is trusted here and is for this host)");
            case IOException unused -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    private static Verdict classify(HttpFailure e) {
        String detail = e.body().path("detail").asText();
        return switch (e.status()) {
            case 401 -> badToken(e);
            // Authentik refuses a bad token with 403, like a right that is missing.
            case 403 -> detail.contains("Token") || detail.contains("credentials") ? badToken(e) : forbidden(e);
            // The list has become shorter than the page that was announced.
            case 404 -> detail.equals("Invalid page.") ? new Verdict.StartOver() : e.verdict();
            default -> e.verdict();
        };
    }

    private static Verdict badToken(HttpFailure e) {
        return new Verdict.Stop(
                StopReason.BAD_CREDENTIALS,
                e.getMessage() + " (expected: an AUTHENTIK_API_TOKEN of intent API that has not expired)");
    }

    private static Verdict forbidden(HttpFailure e) {
        String what = e.getMessage().contains("/core/groups") ? "group" : "user";
        return new Verdict.Stop(
                StopReason.FORBIDDEN, e.getMessage() + " (expected: the permission authentik_core.view_" + what + ")");
    }
}
