package io.elder.fetch.iboss;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.JobFields;
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
import java.util.Optional;

/** iBoss: who surfs, in which groups, under which policies, with which applications, through which connectors. */
public final class IbossProvider implements Provider<IbossClient> {
    @Override
    public String name() {
        return "iboss";
    }

    @Override
    public String title() {
        return "iBoss";
    }

    @Override
    public void readSettings(Settings settings) {
        IbossSettings.from(settings);
    }

    @Override
    public JobFields jobFields() {
        return JobFields.USUAL.whoIsAsked("ACCOUNTS_URL", "CLOUD_URL").whoAsks("TENANT_ID");
    }

    @Override
    public IbossClient connect(Settings settings) throws Exception {
        IbossSettings iboss = IbossSettings.from(settings);
        settings.check();
        return IbossClient.open(iboss);
    }

    @Override
    public boolean isShareable() {
        return true;
    }

    /** Nothing says what is allowed. */
    @Override
    public double requestsPerSecond() {
        return 5;
    }

    @Override
    public Optional<Partition> findOnlyPartition(IbossClient iboss) {
        return Optional.of(Partition.of(iboss.settings().account()));
    }

    @Override
    public List<Resource<IbossClient>> resources() {
        Resource<IbossClient> users = list("iboss_user", Listing.USERS);
        return List.of(
                Resource.root("iboss_tenant", "id", IbossProvider::fetchTenant),
                users,
                Resource.child(
                        users,
                        "iboss_group_member",
                        member -> link(member, "userId", "group"),
                        IbossProvider::fetchGroupsOfUser),
                list("iboss_group", Listing.GROUPS),
                list("iboss_policy", Listing.POLICIES),
                list("iboss_application", Listing.APPLICATIONS),
                list("iboss_connector", Listing.CONNECTORS),
                Resource.root(
                        "iboss_application_usage",
                        usage -> link(usage, "userId", "applicationId"),
                        (iboss, where, out) -> iboss.readAll(Listing.APPLICATION_USAGE, out, out::accept)));
    }

    /** The id of what links two; what lacks one of them has none. */
    private static String link(JsonNode object, String one, String other) {
        String from = object.path(one).asText("");
        String to = object.path(other).asText("");
        return from.isBlank() || to.isBlank() ? "" : from + "/" + to;
    }

    private static Resource<IbossClient> list(String kind, Listing listing) {
        return Resource.root(kind, "id", (iboss, where, out) -> iboss.readAll(listing, out, out::accept));
    }

    /** The service is asked whether it is well: a tenant that does not answer is not known to be there. */
    private static void fetchTenant(IbossClient iboss, Partition where, Out out) throws Exception {
        out.request(() -> iboss.get(Listing.HEALTH));
        ObjectNode tenant = JsonNodeFactory.instance.objectNode().put("id", where.account());
        iboss.settings().tenant().ifPresent(id -> tenant.put("tenant_id", id));
        out.accept(tenant);
    }

    private static void fetchGroupsOfUser(IbossClient iboss, Partition where, JsonNode user, Out out) throws Exception {
        JsonNode groups = user.path("groups");
        if (!groups.isArray() && !groups.isMissingNode() && !groups.isNull()) {
            throw ReadFailure.stop(
                    StopReason.BAD_RESPONSE,
                    "/users: groups of user " + user.path("id").asText() + " is " + groups.getNodeType()
                            + " (expected: a list)");
        }
        for (JsonNode entry : groups) {
            String named = entry.isObject()
                    ? entry.path("id").asText(entry.path("name").asText(""))
                    : entry.asText("");
            ObjectNode member = JsonNodeFactory.instance
                    .objectNode()
                    .put("userId", user.path("id").asText())
                    .put("group", named);
            Optional<String> id = iboss.findGroupId(named, out);
            id.ifPresent(found -> member.put("groupId", found));
            out.accept(member);
        }
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case HttpFailure e -> e.verdict();
            case GatewayLogin.LoginException e -> classify(e);
            case IOException unused -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    private static Verdict classify(GatewayLogin.LoginException e) {
        return switch (e.status()) {
            case 401 -> new Verdict.Stop(StopReason.BAD_CREDENTIALS, e.getMessage());
            case 403 -> new Verdict.Stop(StopReason.FORBIDDEN, e.getMessage());
            case 0 -> new Verdict.Stop(StopReason.BAD_CONFIGURATION, e.getMessage());
            case 408, 425, 429, 500, 502, 503, 504 -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.BAD_RESPONSE, e.getMessage());
        };
    }

    /** Asks for every list, so that a test of a job tells which may not be read. */
    @Override
    public String identity(IbossClient iboss) throws Exception {
        for (Listing listing : Listing.values()) {
            iboss.get(listing);
        }
        String who =
                switch (iboss.settings().auth()) {
                    case IbossSettings.Auth.Bearer unused -> "an API key";
                    case IbossSettings.Auth.Gateway gateway -> gateway.user() + " at the gateway";
                };
        return who + " of tenant " + iboss.settings().account();
    }
}
