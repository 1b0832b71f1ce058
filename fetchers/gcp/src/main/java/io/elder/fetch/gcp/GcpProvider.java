package io.elder.fetch.gcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.BadConfigurationException;
import io.elder.fetch.JobFields;
import io.elder.fetch.Out;
import io.elder.fetch.Page;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.Requests;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.http.HttpFailure;
import io.elder.fetch.http.JsonApi;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/** Google Cloud: what runs, is stored and is connected in projects, and who may act there. */
public final class GcpProvider implements Provider<GcpClient> {
    /**
     * One list of an API, read once per project.
     *
     * @param path with {@code {project}}; with {@code {location}}, where an API has no list of all locations
     * @param items where the objects are, names between slashes; {@code *} is every field or element
     * @param secrets what is emptied before an object leaves this process, in the same notation
     */
    private record Listing(
            String kind, Api api, String path, String items, Function<JsonNode, String> id, List<String> secrets) {}

    private static final String COMPUTE = "/compute/v1/projects/{project}";

    /** With partial success: a zone that is down then costs its own objects, and not those of all others. */
    private static final String AGGREGATED = COMPUTE + "/aggregated/%s?returnPartialSuccess=true";

    private static final Listing CLUSTERS = new Listing(
            "gke_cluster",
            Api.CONTAINER,
            "/v1/projects/{project}/locations/-/clusters",
            "clusters",
            GcpProvider::link,
            List.of(
                    "masterAuth/password",
                    "masterAuth/clientKey",
                    "nodeConfig/metadata/*",
                    "nodePools/*/config/metadata/*"));

    private static final List<Listing> LISTINGS = List.of(
            new Listing(
                    "gce_instance",
                    Api.COMPUTE,
                    AGGREGATED.formatted("instances"),
                    "items/*/instances",
                    GcpProvider::link,
                    List.of("metadata/items/*/value")),
            compute("gce_disk", AGGREGATED.formatted("disks"), "items/*/disks"),
            compute("gce_network", COMPUTE + "/global/networks", "items"),
            compute("gce_subnetwork", AGGREGATED.formatted("subnetworks"), "items/*/subnetworks"),
            compute("gce_firewall", COMPUTE + "/global/firewalls", "items"),
            new Listing(
                    "gcs_bucket", Api.STORAGE, "/storage/v1/b?project={project}", "items", field("name"), List.of()),
            CLUSTERS,
            new Listing(
                    "cloud_run_service",
                    Api.RUN,
                    "/v2/projects/{project}/locations/{location}/services",
                    "services",
                    field("name"),
                    List.of(
                            "template/containers/*/env/*/value",
                            "template/containers/*/command",
                            "template/containers/*/args",
                            // Of probes of every sort.
                            "template/containers/*/*/httpGet/httpHeaders/*/value",
                            "buildConfig/environmentVariables/*")),
            new Listing(
                    "cloud_function",
                    Api.FUNCTIONS,
                    "/v2/projects/{project}/locations/-/functions",
                    "functions",
                    field("name"),
                    List.of("serviceConfig/environmentVariables/*", "buildConfig/environmentVariables/*")),
            new Listing(
                    "cloud_sql_instance",
                    Api.SQL,
                    "/v1/projects/{project}/instances",
                    "items",
                    field("name"),
                    List.of(
                            "rootPassword",
                            "onPremisesConfiguration/password",
                            "onPremisesConfiguration/clientKey",
                            "replicaConfiguration/mysqlReplicaConfiguration/password",
                            "replicaConfiguration/mysqlReplicaConfiguration/clientKey")),
            new Listing(
                    "gcp_service_account",
                    Api.IAM,
                    "/v1/projects/{project}/serviceAccounts",
                    "accounts",
                    field("email"),
                    List.of()));

    private static Listing compute(String kind, String path, String items) {
        return new Listing(kind, Api.COMPUTE, path, items, GcpProvider::link, List.of());
    }

    @Override
    public String name() {
        return "gcp";
    }

    @Override
    public String title() {
        return "GCP";
    }

    @Override
    public void readSettings(Settings settings) {
        GcpSettings.from(settings);
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
                                "ACCESS_TOKEN",
                                "PRIVATE_KEY"),
                        Set.of())
                .alternatives(Set.of("PROJECT_ID", "PROJECT_IDS", "FOLDER_ID", "ORGANIZATION_ID"), Set.of());
    }

    @Override
    public GcpClient connect(Settings settings) throws Exception {
        GcpSettings gcp = GcpSettings.from(settings);
        settings.check();
        GcpClient client = new GcpClient(gcp, GcpCredentials.load(gcp));
        try {
            client.authenticate();
            return client;
        } catch (IOException e) {
            client.close();
            throw e;
        }
    }

    @Override
    public boolean isShareable() {
        return true;
    }

    @Override
    public List<Partition> partitions(GcpClient gcp, Requests requests) throws Exception {
        List<String> projects = gcp.settings().projects();
        if (projects.isEmpty() && !gcp.settings().parents().isEmpty()) {
            projects = below(gcp, gcp.settings().parents(), requests);
        } else if (projects.isEmpty()) {
            projects = List.of(
                    GcpCredentials.project(gcp.settings())
                            .orElseThrow(
                                    () -> new BadConfigurationException(
                                            "GCP_PROJECT_IDS: not set (expected: projects, or a folder or an organization to look below)")));
        }
        return projects.stream().map(Partition::global).toList();
    }

    /** The active projects in folders and organizations, and in all folders below them. */
    private static List<String> below(GcpClient gcp, List<String> parents, Requests requests) throws Exception {
        Set<String> projects = new TreeSet<>();
        Set<String> seen = new TreeSet<>(parents);
        Deque<String> folders = new ArrayDeque<>(seen);
        while (!folders.isEmpty()) {
            String parent = folders.remove();
            requests.<JsonNode>pages(
                    cursor -> page(gcp, Api.PROJECTS, "/v3/projects?parent=" + parent, "projects", cursor), each -> {
                        if (each.path("state").asText().equals("ACTIVE")) {
                            projects.add(each.path("projectId").asText());
                        }
                    });
            requests.<JsonNode>pages(
                    cursor -> page(gcp, Api.PROJECTS, "/v3/folders?parent=" + parent, "folders", cursor), each -> {
                        String folder = each.path("name").asText();
                        if (each.path("state").asText().equals("ACTIVE") && seen.add(folder)) {
                            folders.add(folder);
                        }
                    });
        }
        return List.copyOf(projects);
    }

    @Override
    public List<Resource<GcpClient>> resources() {
        List<Resource<GcpClient>> rows = new ArrayList<>();
        rows.add(Resource.root(
                "gcp_project",
                "projectId",
                (gcp, where, out) ->
                        out.accept(out.request(() -> gcp.get(Api.PROJECTS, "/v3/projects/" + where.account())))));
        for (Listing listing : LISTINGS) {
            Resource<GcpClient> row = Resource.<GcpClient>root(
                            listing.kind(), listing.id(), (gcp, where, out) -> fetch(listing, gcp, where, out))
                    .only((gcp, where) -> gcp.settings().services().contains(listing.api()));
            rows.add(row);
            if (listing.equals(CLUSTERS)) {
                rows.add(Resource.child(row, "gke_node_pool", GcpProvider::poolId, GcpProvider::fetchPools));
            }
        }
        return List.copyOf(rows);
    }

    private static void fetch(Listing listing, GcpClient gcp, Partition where, Out out) throws Exception {
        String path = listing.path().replace("{project}", where.account());
        // A zone that is down is told on every page.
        Set<String> missing = new TreeSet<>();
        if (path.contains("{location}")) {
            List<String> locations = new ArrayList<>();
            out.<JsonNode>pages(
                    cursor -> page(
                            gcp, listing.api(), "/v1/projects/" + where.account() + "/locations", "locations", cursor),
                    location -> locations.add(location.path("locationId").asText()));
            for (String location : locations) {
                fetchList(listing, path.replace("{location}", location), gcp, out, missing);
            }
        } else {
            fetchList(listing, path, gcp, out, missing);
        }
        if (!missing.isEmpty()) {
            throw ReadFailure.stop(
                    StopReason.INCOMPLETE,
                    listing.kind() + ": Google could not read everything: " + String.join(", ", missing));
        }
    }

    private static void fetchList(Listing listing, String path, GcpClient gcp, Out out, Set<String> missing)
            throws Exception {
        out.<JsonNode>pages(
                cursor -> {
                    ObjectNode page = gcp.page(listing.api(), path, cursor);
                    missing.addAll(GcpClient.missing(page));
                    return new Page<>(select(page, listing.items()), next(page));
                },
                item -> {
                    if (!(item instanceof ObjectNode object)) {
                        throw JsonApi.badResponse(listing.kind() + ": " + item.getNodeType() + " in " + listing.items()
                                + " (expected: objects)");
                    }
                    out.accept(withoutSecrets(object, listing.secrets()));
                });
    }

    private static Page<JsonNode> page(GcpClient gcp, Api api, String path, String items, String cursor)
            throws IOException, InterruptedException {
        ObjectNode page = gcp.page(api, path, cursor);
        return new Page<>(select(page, items), next(page));
    }

    private static String next(ObjectNode page) {
        return page.path("nextPageToken").asText("");
    }

    /** Node pools come with their cluster, but do not say which it is. */
    private static void fetchPools(GcpClient gcp, Partition where, JsonNode cluster, Out out) {
        for (JsonNode pool : cluster.path("nodePools")) {
            ObjectNode named = pool.deepCopy();
            named.put("cluster", link(cluster));
            named.set("clusterLocation", cluster.path("location"));
            out.accept(named);
        }
    }

    private static String poolId(JsonNode pool) {
        return pool.path("cluster").asText() + "/nodePools/" + pool.path("name").asText();
    }

    private static Function<JsonNode, String> field(String name) {
        return object -> object.path(name).asText("");
    }

    /** The path of a self link from {@code projects/} on: hosts and versions before it vary. */
    private static String link(JsonNode object) {
        String link = object.path("selfLink").asText("");
        return link.substring(Math.max(0, link.indexOf("projects/")));
    }

    /** What lies at a place. */
    private static List<JsonNode> at(JsonNode from, List<String> place) {
        List<JsonNode> found = List.of(from);
        for (String name : place) {
            List<JsonNode> next = new ArrayList<>();
            for (JsonNode each : found) {
                if (name.equals("*")) {
                    each.forEach(next::add);
                } else if (each.has(name)) {
                    next.add(each.get(name));
                }
            }
            found = next;
        }
        return found;
    }

    /** The elements of the lists at a place. */
    private static List<JsonNode> select(JsonNode from, String place) {
        List<JsonNode> items = new ArrayList<>();
        at(from, List.of(place.split("/"))).forEach(list -> list.forEach(items::add));
        return items;
    }

    /** Names stay, also those of variables; values go. */
    static ObjectNode withoutSecrets(ObjectNode object, List<String> places) {
        for (String place : places) {
            List<String> names = List.of(place.split("/"));
            String last = names.getLast();
            for (JsonNode holder : at(object, names.subList(0, names.size() - 1))) {
                if (holder instanceof ObjectNode fields && last.equals("*")) {
                    List<String> all = new ArrayList<>();
                    fields.fieldNames().forEachRemaining(all::add);
                    all.forEach(name -> fields.put(name, ""));
                } else if (holder instanceof ObjectNode fields) {
                    fields.remove(last);
                }
            }
        }
        return object;
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case HttpFailure e -> classify(e);
            case GcpClient.NoTokenException e ->
                e.passes()
                        ? new Verdict.RetryWithBackoff()
                        : new Verdict.Stop(StopReason.BAD_CREDENTIALS, e.getMessage());
            case GcpCredentials.NoneException e -> new Verdict.Stop(StopReason.BAD_CREDENTIALS, e.getMessage());
            case IOException unused -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    /** https://cloud.google.com/apis/design/errors, and for the older APIs https://cloud.google.com/storage/docs/json_api/v1/status-codes */
    private static Verdict classify(HttpFailure e) {
        Set<String> reasons = reasons(e.body());
        boolean isThrottled = reasons.stream()
                .anyMatch(Set.of(
                        "rateLimitExceeded",
                        "userRateLimitExceeded",
                        "quotaExceeded",
                        "concurrentLimitExceeded",
                        "RATE_LIMIT_EXCEEDED",
                        "RESOURCE_EXHAUSTED")::contains);
        boolean isSwitchedOff = reasons.contains("accessNotConfigured") || reasons.contains("SERVICE_DISABLED");
        return switch (e.status()) {
            case 401 -> reasons.contains("ACCESS_TOKEN_EXPIRED") ? new Verdict.StartOver() : e.verdict();
            case 403 ->
                isSwitchedOff
                        ? new Verdict.Stop(
                                StopReason.FORBIDDEN,
                                "the API is not enabled in this project, so what it holds is not known: "
                                        + e.getMessage())
                        : isThrottled ? new Verdict.Throttled() : e.verdict();
            // A page token lives for a while only, and has no code of its own.
            case 400 ->
                e.getMessage().replace(" ", "").toLowerCase(Locale.ROOT).contains("pagetoken")
                        ? new Verdict.StartOver()
                        : e.verdict();
            default -> e.verdict();
        };
    }

    /** Old and new APIs say why in different places. */
    private static Set<String> reasons(JsonNode body) {
        Set<String> reasons = new TreeSet<>();
        JsonNode error = body.path("error");
        reasons.add(error.path("status").asText(""));
        error.path("errors").forEach(each -> reasons.add(each.path("reason").asText("")));
        error.path("details").forEach(each -> reasons.add(each.path("reason").asText("")));
        return reasons;
    }

    /** Asks for the projects too, so that a test of a job tells which of them can't be reached, and why. */
    @Override
    public String identity(GcpClient gcp) throws Exception {
        List<Partition> partitions = partitions(gcp, new Requests() {
            @Override
            public <T> T request(Request<T> request) throws Exception {
                return request.send();
            }
        });
        List<String> names = new ArrayList<>();
        for (Partition each : partitions.subList(0, Math.min(partitions.size(), 5))) {
            gcp.get(Api.PROJECTS, "/v3/projects/" + each.account());
            names.add(each.account());
        }
        String more = partitions.size() > names.size() ? " and " + (partitions.size() - names.size()) + " more" : "";
        return gcp.who() + " in " + (partitions.size() == 1 ? "project " : "projects ") + String.join(", ", names)
                + more;
    }
}
