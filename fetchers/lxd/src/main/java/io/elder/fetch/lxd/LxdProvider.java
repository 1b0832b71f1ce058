package io.elder.fetch.lxd;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Out;
import io.elder.fetch.Page;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.http.HttpFailure;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.security.cert.CertificateException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;

/**
 * LXD: instances, images and networks of every project, storage pools, cluster members. What belongs to projects is asked for
 * project by project: all servers know that, and one answer need not hold everything.
 */
public final class LxdProvider implements Provider<LxdClient> {
    private static final String DEFAULT = "default";
    private static final String IMAGES = "features.images";
    private static final String NETWORKS = "features.networks";

    /** Options whose values are told. People keep passwords in all others: {@code user.*}, {@code environment.*}, cloud-init. */
    private static final Predicate<String> HARMLESS = Pattern.compile(
                    "(image|limits|boot|features|restricted|backups|snapshots|ipv4|ipv6|bridge|dns|ovn|fan|volume|zfs|lvm|"
                            + "btrfs|ceph|cephfs|scheduler)\\..*|security\\.[a-z.]*|volatile\\.(uuid|base_image|[^.]+\\.hwaddr|"
                            + "initial_source|last_state\\.power)|restricted|source|size|parent|vlan|mtu|network|migration\\.stateful")
            .asMatchPredicate();

    /** Even among those. */
    private static final Predicate<String> SECRET = Pattern.compile(
                    "(?i).*(password|secret|token|passphrase|api[._-]?key).*")
            .asMatchPredicate();

    @Override
    public String name() {
        return "lxd";
    }

    @Override
    public String title() {
        return "LXD";
    }

    @Override
    public void readSettings(Settings settings) {
        LxdSettings.from(settings);
    }

    @Override
    public LxdClient connect(Settings settings) throws Exception {
        LxdSettings lxd = LxdSettings.from(settings);
        settings.check();
        return LxdClient.open(lxd);
    }

    @Override
    public boolean isShareable() {
        return true;
    }

    @Override
    public Optional<Partition> findOnlyPartition(LxdClient lxd) {
        return Optional.of(Partition.of(lxd.settings().name()));
    }

    @Override
    public List<Resource<LxdClient>> resources() {
        return List.of(
                Resource.root("lxd_server", "name", LxdProvider::fetchServer),
                Resource.root("lxd_project", "name", (lxd, where, out) -> hand(lxd, out.request(lxd::projects), out)),
                ofProjects("lxd_instance", "name", "/1.0/instances?recursion=2", project -> true),
                ofProjects("lxd_image", "fingerprint", "/1.0/images?recursion=1", project -> has(project, IMAGES)),
                ofProjects("lxd_network", "name", "/1.0/networks?recursion=1", project -> has(project, NETWORKS)),
                Resource.root("lxd_storage_pool", "name", LxdProvider::fetchPools),
                Resource.root("lxd_cluster_member", "server_name", LxdProvider::fetchMembers));
    }

    @Override
    public String identity(LxdClient lxd) throws Exception {
        JsonNode environment = lxd.server().path("environment");
        int projects = lxd.projects().size();
        return "client certificate " + lxd.client() + " at " + lxd.url() + ": LXD "
                + environment.path("server_version").asText("of unknown version")
                + (environment.path("server_clustered").asBoolean() ? ", clustered" : "")
                + ", " + projects + (projects == 1 ? " project" : " projects");
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case HttpFailure e -> e.verdict();
            case IOException e -> ofConnection(e);
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    private static Verdict ofConnection(IOException e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            boolean isRefused = cause instanceof CertificateException
                    || cause instanceof SSLPeerUnverifiedException
                    // The server's word on our certificate.
                    || (cause instanceof SSLHandshakeException
                            && String.valueOf(cause.getMessage()).contains("Received fatal alert"));
            if (isRefused) {
                return new Verdict.Stop(StopReason.TLS, String.valueOf(cause.getMessage()));
            }
        }
        return new Verdict.RetryWithBackoff();
    }

    /** Whether a project has its own; else it has the default project's, and would hand them out as if they were its own. */
    private static boolean has(JsonNode project, String feature) {
        return project.path("config").path(feature).asText().equals("true")
                || project.path("name").asText().equals(DEFAULT);
    }

    private static String owner(JsonNode project, String feature) {
        return has(project, feature) ? project.path("name").asText() : DEFAULT;
    }

    /** What lacks a name has no id, and makes the answer one that can't be understood. */
    private static String id(String project, String name) {
        return project.isBlank() || name.isBlank() ? "" : project + "/" + name;
    }

    /** A page is what one project has. */
    private static Resource<LxdClient> ofProjects(
            String kind, String name, String pathAndQuery, Predicate<JsonNode> hasOwn) {
        return Resource.root(
                kind,
                object ->
                        id(object.path("project").asText(""), object.path(name).asText("")),
                (lxd, where, out) -> {
                    List<ObjectNode> projects =
                            out.request(lxd::projects).stream().filter(hasOwn).toList();
                    if (projects.isEmpty()) {
                        return;
                    }
                    out.pages(
                            cursor -> {
                                int at = cursor == null ? 0 : Integer.parseInt(cursor);
                                ObjectNode project = projects.get(at);
                                String called = project.path("name").asText();
                                List<ObjectNode> objects =
                                        lxd.list(pathAndQuery + "&project=" + LxdClient.encoded(called));
                                // Whose networks and images it means by their names, only the project knows.
                                objects.forEach(object -> object.put("project", called)
                                        .put("imageProject", owner(project, IMAGES))
                                        .put("networkProject", owner(project, NETWORKS)));
                                return new Page<>(objects, at + 1 < projects.size() ? Integer.toString(at + 1) : null);
                            },
                            object -> {
                                // A host's other interfaces are listed too, and in a cluster those of whoever answers.
                                if (object.path("managed").asBoolean(true)) {
                                    accept(lxd, object, out);
                                }
                            });
                });
    }

    private static void fetchServer(LxdClient lxd, Partition where, Out out) throws Exception {
        ObjectNode server = out.request(lxd::server);
        server.put("name", where.account());
        accept(lxd, server, out);
    }

    private static void fetchPools(LxdClient lxd, Partition where, Out out) throws Exception {
        boolean isClustered = isClustered(lxd, out);
        for (ObjectNode pool : out.request(() -> lxd.list("/1.0/storage-pools?recursion=1"))) {
            // Members have a pool's parts, and one answers for itself only.
            if (!isClustered && pool.path("status").asText().equals("Created")) {
                String path = "/1.0/storage-pools/"
                        + LxdClient.encoded(pool.path("name").asText()) + "/resources";
                pool.set("resources", out.request(() -> lxd.object(path)));
            }
            accept(lxd, pool, out);
        }
    }

    private static void fetchMembers(LxdClient lxd, Partition where, Out out) throws Exception {
        // A server on its own answers the question for its members with an error.
        if (isClustered(lxd, out)) {
            hand(lxd, out.request(() -> lxd.list("/1.0/cluster/members?recursion=1")), out);
        }
    }

    private static boolean isClustered(LxdClient lxd, Out out) throws Exception {
        return out.request(() -> lxd.object("/1.0/cluster")).path("enabled").asBoolean();
    }

    private static void hand(LxdClient lxd, List<ObjectNode> objects, Out out) {
        objects.forEach(object -> accept(lxd, object, out));
    }

    private static void accept(LxdClient lxd, ObjectNode object, Out out) {
        redact(object);
        object.put("lxdUrl", lxd.url().toString());
        out.accept(object);
    }

    /** Options keep their names. Snapshots and backups repeat an instance's options, and are no rows. */
    private static void redact(JsonNode node) {
        if (node instanceof ObjectNode object) {
            object.remove(List.of("snapshots", "backups"));
            for (Map.Entry<String, JsonNode> field : object.properties()) {
                if ((field.getKey().equals("config") || field.getKey().equals("expanded_config"))
                        && field.getValue() instanceof ObjectNode config) {
                    for (Map.Entry<String, JsonNode> option : config.properties()) {
                        if (!HARMLESS.test(option.getKey()) || SECRET.test(option.getKey())) {
                            option.setValue(config.nullNode());
                        }
                    }
                } else {
                    redact(field.getValue());
                }
            }
        } else if (node instanceof ArrayNode list) {
            list.forEach(LxdProvider::redact);
        }
    }
}
