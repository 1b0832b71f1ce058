package io.elder.fetch.fleetdm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Out;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.fleetdm.FleetdmClient.Listing;
import io.elder.fetch.http.HttpFailure;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** Fleet DM: the hosts of a Fleet server, what is installed on them, and what is wrong with it. */
public final class FleetdmProvider implements Provider<FleetdmClient> {
    private static final Listing HOSTS = Listing.inOrder("/hosts?order_key=id", List.of("hosts"), field("id"));

    private static final Listing TEAMS =
            Listing.inOrder("/teams?order_key=id", List.of("teams", "fleets"), field("id"));
    private static final Listing VULNERABILITIES =
            Listing.inOrder("/vulnerabilities?order_key=cve", List.of("vulnerabilities"), field("cve"));

    private static final Listing OS_VERSIONS =
            Listing.inAnyOrder("/os_versions", List.of("os_versions"), field("os_version_id"));

    /** By what stays the same longest of what Fleet can order them by; many have one name. */
    private static final Listing SOFTWARE =
            Listing.inAnyOrder("/software/versions?order_key=name", List.of("software"), field("id"));

    private static final Listing POLICIES = policies("/global/policies", "/policies/count");

    /** Options and integrations may hold anything, webhooks are called by secret URLs. */
    private static final List<String> SETTINGS_OF_TEAMS =
            List.of("agent_options", "integrations", "webhook_settings", "mdm", "scripts", "features");

    @Override
    public String name() {
        return "fleetdm";
    }

    @Override
    public String title() {
        return "Fleet DM";
    }

    @Override
    public void readSettings(Settings settings) {
        FleetdmSettings.from(settings);
    }

    @Override
    public FleetdmClient connect(Settings settings) throws Exception {
        FleetdmSettings fleet = FleetdmSettings.from(settings);
        settings.check();
        FleetdmClient client = new FleetdmClient(fleet);
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
    public double requestsPerSecond() {
        return 20;
    }

    @Override
    public Optional<Partition> findOnlyPartition(FleetdmClient fleet) {
        return Optional.of(Partition.of(fleet.host()));
    }

    @Override
    public List<Resource<FleetdmClient>> resources() {
        Resource<FleetdmClient> teams = Resource.<FleetdmClient>root(
                        "fleetdm_team",
                        "id",
                        (fleet, where, out) -> fleet.readAll(TEAMS, out, team -> out.accept(withoutSecrets(team))))
                // A licence that lapsed is no proof that teams are gone.
                .only((fleet, where) -> fleet.hasTeams());
        Resource<FleetdmClient> hosts = Resource.root("fleetdm_host", "id", FleetdmProvider::fetchHosts);
        return List.of(
                Resource.root("fleetdm_server", "id", (fleet, where, out) -> out.accept(out.request(fleet::server))),
                teams,
                Resource.child(teams, "fleetdm_team_policy", "id", FleetdmProvider::fetchTeamPolicies),
                list("fleetdm_os_version", OS_VERSIONS),
                list("fleetdm_software", SOFTWARE),
                list("fleetdm_vulnerability", VULNERABILITIES),
                list("fleetdm_policy", POLICIES),
                hosts,
                Resource.child(hosts, "fleetdm_host_software", of("software_id"), FleetdmProvider::fetchSoftwareOfHost),
                Resource.child(
                        hosts, "fleetdm_host_vulnerability", of("cve"), FleetdmProvider::fetchVulnerabilitiesOfHost));
    }

    private static Resource<FleetdmClient> list(String kind, Listing listing) {
        return Resource.root(kind, listing.id(), (fleet, where, out) -> fleet.readAll(listing, out, out::accept));
    }

    private static void fetchHosts(FleetdmClient fleet, Partition where, Out out) throws Exception {
        fleet.readHosts(HOSTS, out, host -> {
            fleet.findOsVersionId(
                            host.path("os_version").asText(),
                            host.path("platform").asText(),
                            OS_VERSIONS,
                            out)
                    .ifPresent(id -> host.put("os_version_id", id));
            out.accept(host);
        });
    }

    /** A team's own; those that it inherits are the server's. */
    private static void fetchTeamPolicies(FleetdmClient fleet, Partition where, JsonNode team, Out out)
            throws Exception {
        String id = team.path("id").asText();
        String path = "/teams/" + id + "/policies";
        fleet.readAll(policies(path, path + "/count"), out, policy -> {
            policy.put("team_id", team.path("id").asLong());
            out.accept(policy);
        });
    }

    private static void fetchSoftwareOfHost(FleetdmClient fleet, Partition where, JsonNode host, Out out)
            throws Exception {
        String id = host.path("id").asText();
        ObjectNode found = out.request(() -> fleet.hostWithSoftware(id));
        for (ObjectNode software : FleetdmClient.softwareOf(found)) {
            ObjectNode link = found.objectNode()
                    .put("host_id", id)
                    .put("software_id", software.path("id").asText(""));
            link.setAll(software);
            // Those of the software itself, and of the host, are kinds of their own.
            link.remove("vulnerabilities");
            link.remove("id");
            out.accept(link);
        }
    }

    private static void fetchVulnerabilitiesOfHost(FleetdmClient fleet, Partition where, JsonNode host, Out out)
            throws Exception {
        String id = host.path("id").asText();
        for (String cve : fleet.vulnerabilitiesOf(id, out)) {
            out.accept(((ObjectNode) host).objectNode().put("host_id", id).put("cve", cve));
        }
    }

    /** Teams come with the secrets that hosts enroll with. */
    private static ObjectNode withoutSecrets(ObjectNode team) {
        team.remove(SETTINGS_OF_TEAMS);
        team.findParents("secrets").forEach(parent -> ((ObjectNode) parent).remove("secrets"));
        return team;
    }

    private static Listing policies(String path, String count) {
        return new Listing(path, List.of("policies"), field("id"), false, Optional.of(count));
    }

    private static Function<JsonNode, String> field(String name) {
        return object -> object.path(name).asText("");
    }

    private static Function<JsonNode, String> of(String name) {
        // Without both ends it is no link, and the answer one that can't be understood.
        return link -> link.path(name).asText("").isEmpty()
                ? ""
                : link.path("host_id").asText() + "/" + link.path(name).asText();
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case HttpFailure e -> classify(e);
            case IOException unused -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    private static Verdict classify(HttpFailure e) {
        return switch (e.status()) {
            case 402 ->
                new Verdict.Stop(StopReason.FORBIDDEN, "a licence of Fleet Premium is needed: " + e.getMessage());
            case 403 ->
                new Verdict.Stop(
                        StopReason.FORBIDDEN,
                        "the token's user needs the global role observer or more: " + e.getMessage());
            default -> e.verdict();
        };
    }

    @Override
    public String identity(FleetdmClient fleet) throws Exception {
        fleet.get("/hosts?page=0&per_page=1");
        JsonNode configuration = fleet.configuration();
        return fleet.who() + " (" + fleet.role() + ") at " + fleet.host() + ", "
                + configuration.path("org_info").path("org_name").asText("?") + ", licence "
                + configuration.path("license").path("tier").asText("?");
    }
}
