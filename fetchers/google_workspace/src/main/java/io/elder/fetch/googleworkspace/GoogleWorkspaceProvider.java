package io.elder.fetch.googleworkspace;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.JobFields;
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
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** Google Workspace: a customer's organizational units, users, groups and who is in them. */
public final class GoogleWorkspaceProvider implements Provider<GoogleWorkspaceClient> {
    /** Never answered to those who read, and nobody's business if it were; how an account is taken back is neither. */
    private static final List<String> SECRETS = List.of("password", "hashFunction", "recoveryEmail", "recoveryPhone");

    @Override
    public String name() {
        return "google_workspace";
    }

    @Override
    public String title() {
        return "Google Workspace";
    }

    @Override
    public void readSettings(Settings settings) {
        GoogleWorkspaceSettings.from(settings);
    }

    @Override
    public JobFields jobFields() {
        return JobFields.USUAL
                .whoAsks("CLIENT_ID")
                .alternatives(
                        Set.of(
                                "CREDENTIALS",
                                "CREDENTIALS_JSON",
                                "CREDENTIALS_PATH",
                                "CREDENTIALS_FILE",
                                "PRIVATE_KEY"),
                        Set.of("PRIVATE_KEY_ID", "CLIENT_EMAIL", "CLIENT_ID", "TOKEN_URI"));
    }

    @Override
    public GoogleWorkspaceClient connect(Settings settings) throws Exception {
        GoogleWorkspaceSettings workspace = GoogleWorkspaceSettings.from(settings);
        settings.check();
        GoogleWorkspaceClient client = new GoogleWorkspaceClient(workspace, ServiceAccountKey.load(workspace));
        try {
            client.open();
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
    public Optional<Partition> findOnlyPartition(GoogleWorkspaceClient google) {
        return Optional.of(Partition.of(google.customerId()));
    }

    /** Half of what Google allows a project per user, so that others may read too. */
    @Override
    public double requestsPerSecond() {
        return 20;
    }

    @Override
    public List<Resource<GoogleWorkspaceClient>> resources() {
        Resource<GoogleWorkspaceClient> groups = Resource.root(
                "google_workspace_group",
                "id",
                (google, where, out) ->
                        out.pages(cursor -> google.page(Area.GROUPS, list("groups", google), "groups", 200, cursor)));
        return List.of(
                Resource.root("google_workspace_customer", "id", GoogleWorkspaceProvider::fetchCustomer),
                Resource.root(
                        "google_workspace_org_unit",
                        "orgUnitId",
                        (google, where, out) -> out.pages(cursor -> google.orgUnits())),
                Resource.root("google_workspace_user", "id", GoogleWorkspaceProvider::fetchUsers),
                groups,
                Resource.child(
                        groups,
                        "google_workspace_group_member",
                        GoogleWorkspaceProvider::memberId,
                        GoogleWorkspaceProvider::fetchMembers));
    }

    private static String list(String what, GoogleWorkspaceClient google) {
        return "/" + what + "?customer=" + google.settings().customer();
    }

    /** What there is to know of a customer without a scope that only this would need. */
    private static void fetchCustomer(GoogleWorkspaceClient google, Partition where, Out out) throws Exception {
        ObjectNode admin = out.request(google::administrator);
        ObjectNode customer = JsonNodeFactory.instance.objectNode().put("id", google.customerId());
        if (admin.path("customerId").asText().equals(google.customerId())) {
            String address = admin.path("primaryEmail").asText("");
            customer.put("domain", address.substring(address.indexOf('@') + 1));
        }
        out.accept(customer);
    }

    /** Users know the path of their organizational unit; its id outlives a renaming. */
    private static void fetchUsers(GoogleWorkspaceClient google, Partition where, Out out) throws Exception {
        out.pages(
                cursor -> google.page(Area.USERS, list("users", google) + "&projection=basic", "users", 500, cursor),
                user -> {
                    user.remove(SECRETS);
                    google.findOrgUnitId(user.path("orgUnitPath").asText("/"), out)
                            .ifPresent(id -> user.put("orgUnitId", id));
                    out.accept(user);
                });
    }

    private static void fetchMembers(GoogleWorkspaceClient google, Partition where, JsonNode group, Out out)
            throws Exception {
        String id = group.path("id").asText();
        GoogleWorkspaceClient.Own own = google.own(out);
        out.pages(cursor -> google.page(Area.GROUPS, "/groups/" + id + "/members", "members", 200, cursor), member -> {
            member.put("groupId", id);
            String memberId = member.path("id").asText();
            if (own.users().contains(memberId)) {
                member.put("memberKind", "google_workspace_user");
            } else if (own.groups().contains(memberId)) {
                member.put("memberKind", "google_workspace_group");
            }
            out.accept(member);
        });
    }

    /** Members without an account of Google's have no id. */
    private static String memberId(JsonNode member) {
        String id = member.path("id").asText("");
        String who = id.isEmpty() ? member.path("email").asText("").toLowerCase(Locale.ROOT) : id;
        return who.isEmpty() ? "" : member.path("groupId").asText() + "/" + who;
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case HttpFailure e -> classify(e);
            case GoogleWorkspaceClient.NoTokenException e ->
                e.passes()
                        ? new Verdict.RetryWithBackoff()
                        : new Verdict.Stop(
                                e.isDelegationMissing() ? StopReason.FORBIDDEN : StopReason.BAD_CREDENTIALS,
                                e.getMessage());
            case IOException unused -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    private static Verdict classify(HttpFailure e) {
        return switch (e.status()) {
            case 401 -> Reasons.of(e).contains("ACCESS_TOKEN_EXPIRED") ? new Verdict.StartOver() : e.verdict();
            // The others became a ReadFailure.
            case 403 -> new Verdict.Throttled();
            // A page token lives for a while only, and has no code of its own.
            case 400 ->
                e.getMessage().replace(" ", "").toLowerCase(Locale.ROOT).contains("pagetoken")
                        ? new Verdict.StartOver()
                        : e.verdict();
            default -> e.verdict();
        };
    }

    /** Asks for something of each area, so that a test of a job tells which rights are missing. */
    @Override
    public String identity(GoogleWorkspaceClient google) throws Exception {
        google.get(Area.USERS, list("users", google) + "&maxResults=1");
        google.get(Area.GROUPS, list("groups", google) + "&maxResults=1");
        google.orgUnits();
        return google.accountEmail() + " as " + google.settings().admin() + " in customer " + google.customerId();
    }
}
