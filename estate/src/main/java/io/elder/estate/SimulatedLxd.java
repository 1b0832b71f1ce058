package io.elder.estate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import io.elder.estate.Company.Machine;
import io.elder.estate.Site.Call;
import io.elder.estate.Site.Reply;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.IntStream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;

/** The company's LXD: a cluster of three servers, a project per environment. It lets in one client certificate, over TLS. */
public final class SimulatedLxd implements SimulatedSystem {
    private static final List<String> PROJECTS = List.of("default", "production", "staging", "development");
    private static final int MEMBERS = 3;

    private final Company company;
    private final Signed server = Signed.make("CN=lxd.example.com");
    private final Signed client = Signed.make("CN=elder");
    private final Site site;

    public SimulatedLxd(Company company) {
        this.company = company;
        this.site = Site.startTls(tls());
        site.get("/1.0", call -> sync(serverInfo()));
        site.get(
                "/1.0/cluster",
                call -> sync(object().put("server_name", "lxd01").put("enabled", true)));
        site.get("/1.0/projects", call -> listed(call, projects()));
        site.get("/1.0/instances", call -> listed(call, instances(project(call))));
        // The other projects have the default project's.
        site.get("/1.0/images", call -> listed(call, images()));
        site.get("/1.0/networks", call -> listed(call, networks()));
        site.get("/1.0/storage-pools", call -> listed(call, pools()));
        site.get("/1.0/cluster/members", call -> listed(call, members()));
    }

    private HttpsConfigurator tls() {
        try {
            KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            own.init(server.store(true), new char[0]);
            TrustManagerFactory known = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            known.init(client.store(false));
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(own.getKeyManagers(), known.getTrustManagers(), null);
            return new HttpsConfigurator(context) {
                @Override
                public void configure(HttpsParameters parameters) {
                    SSLParameters needy = context.getDefaultSSLParameters();
                    needy.setNeedClientAuth(true);
                    parameters.setSSLParameters(needy);
                }
            };
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalStateException("every JVM has TLS", e);
        }
    }

    @Override
    public Map<String, String> settings() {
        return Map.of(
                "LXD_ENABLED",
                "true",
                "LXD_URL",
                site.url(),
                "LXD_NAME",
                "lxd." + Company.DOMAIN,
                "LXD_CERT",
                client.certificatePem(),
                "LXD_KEY",
                client.keyPem(),
                "LXD_FINGERPRINT",
                server.fingerprint());
    }

    @Override
    public void close() {
        site.close();
    }

    private static String project(Call call) {
        return call.parameter("project").orElse("default");
    }

    private static Reply sync(JsonNode metadata) {
        ObjectNode envelope = object();
        envelope.put("type", "sync")
                .put("status", "Success")
                .put("status_code", 200)
                .put("operation", "")
                .put("error_code", 0)
                .put("error", "");
        envelope.set("metadata", metadata);
        return Reply.json(envelope);
    }

    /** Without recursion a list is of URLs. */
    private static Reply listed(Call call, List<ObjectNode> objects) {
        ArrayNode list = Site.JSON.createArrayNode();
        boolean isWhole = call.whole("recursion", 0) > 0;
        objects.forEach(each -> {
            if (isWhole) {
                list.add(each);
            } else {
                list.add(call.path() + "/"
                        + each.path("name").asText(each.path("fingerprint").asText()));
            }
        });
        return sync(list);
    }

    private ObjectNode serverInfo() {
        ObjectNode info = object();
        info.put("api_status", "stable")
                .put("api_version", "1.0")
                .put("auth", "trusted")
                .put("public", false);
        info.putArray("api_extensions").add("projects").add("clustering").add("certificate_token");
        info.putObject("config").put("core.https_address", ":8443");
        info.putObject("environment")
                .put("server", "lxd")
                .put("server_name", "lxd01")
                .put("server_version", "5.0.2")
                .put("server_clustered", true)
                .put("kernel", "Linux")
                .put("kernel_version", "6.1.0-18-amd64")
                .put("os_name", "Debian GNU/Linux")
                .put("os_version", "12")
                .put("certificate_fingerprint", server.fingerprint());
        return info;
    }

    private static List<ObjectNode> projects() {
        return PROJECTS.stream()
                .map(name -> {
                    String isDefault = Boolean.toString(name.equals("default"));
                    ObjectNode project = object().put("name", name).put("description", "");
                    project.putObject("config")
                            .put("features.images", isDefault)
                            .put("features.networks", isDefault)
                            .put("features.profiles", isDefault);
                    return project;
                })
                .toList();
    }

    private List<ObjectNode> instances(String project) {
        return company.now().machines(Company.Place.LXD).stream()
                .filter(machine -> machine.environment().equals(project))
                .map(SimulatedLxd::instance)
                .toList();
    }

    private static ObjectNode instance(Machine machine) {
        boolean isVirtual = machine.cores() > 8;
        String status = machine.isRunning() ? "Running" : "Stopped";
        int code = machine.isRunning() ? 103 : 102;
        ObjectNode instance = object().put("name", machine.name())
                .put("project", machine.environment())
                .put("type", isVirtual ? "virtual-machine" : "container")
                .put("status", status)
                .put("status_code", code)
                .put("architecture", "x86_64")
                .put("description", "")
                .put("ephemeral", false)
                .put("stateful", false)
                .put("created_at", machine.since().toString())
                .put("last_used_at", machine.since().toString())
                .put("location", "lxd0" + (machine.number() % MEMBERS + 1));
        instance.putArray("profiles").add("default");
        ObjectNode config = object().put("image.os", "Debian")
                .put("image.release", "bookworm")
                .put("limits.cpu", Integer.toString(machine.cores()))
                .put("limits.memory", machine.gibibytes() + "GiB")
                .put("volatile.base_image", fingerprint(isVirtual))
                .put("volatile.uuid", uuid("lxd " + machine.number()));
        instance.set("config", config);
        instance.set("expanded_config", config.deepCopy());
        instance.putObject("devices");
        ObjectNode devices = instance.putObject("expanded_devices");
        devices.putObject("eth0").put("name", "eth0").put("network", "lxdbr0").put("type", "nic");
        devices.putObject("root").put("path", "/").put("pool", "local").put("type", "disk");
        ObjectNode state = instance.putObject("state").put("status", status).put("status_code", code);
        if (machine.isRunning()) {
            state.putObject("network")
                    .putObject("eth0")
                    .put("state", "up")
                    .put("type", "broadcast")
                    .putArray("addresses")
                    .addObject()
                    .put("family", "inet")
                    .put("address", "10.70." + (machine.number() / 250 % 250) + "." + (machine.number() % 250 + 1))
                    .put("netmask", "16")
                    .put("scope", "global");
        } else {
            state.putNull("network");
        }
        return instance;
    }

    private static List<ObjectNode> images() {
        return List.of(image(false), image(true));
    }

    private static ObjectNode image(boolean isVirtual) {
        ObjectNode image = object().put("fingerprint", fingerprint(isVirtual))
                .put("type", isVirtual ? "virtual-machine" : "container")
                .put("architecture", "x86_64")
                .put("size", isVirtual ? 312_000_000 : 98_017_448)
                .put("public", false)
                .put("auto_update", true)
                .put("created_at", "2026-01-05T00:00:00Z")
                .put("uploaded_at", "2026-01-05T11:00:00Z");
        image.putObject("properties")
                .put("os", "Debian")
                .put("release", "bookworm")
                .put("serial", "20260105_05:24")
                .put("description", "Debian bookworm amd64 " + (isVirtual ? "disk" : "root file system"));
        image.putArray("aliases").addObject().put("name", isVirtual ? "debian/12/vm" : "debian/12");
        return image;
    }

    private static List<ObjectNode> networks() {
        ObjectNode bridge = object().put("name", "lxdbr0")
                .put("type", "bridge")
                .put("description", "")
                .put("managed", true)
                .put("status", "Created");
        bridge.putObject("config").put("ipv4.address", "10.70.0.1/16").put("ipv4.nat", "true");
        locations(bridge);
        ObjectNode host = object().put("name", "eth0")
                .put("type", "physical")
                .put("managed", false)
                .put("status", "");
        host.putObject("config");
        return List.of(bridge, host);
    }

    private static List<ObjectNode> pools() {
        return List.of(pool("local", "zfs"), pool("shared", "ceph"));
    }

    private static ObjectNode pool(String name, String driver) {
        ObjectNode pool = object().put("name", name)
                .put("driver", driver)
                .put("description", "")
                .put("status", "Created");
        pool.putObject("config");
        locations(pool);
        return pool;
    }

    private static void locations(ObjectNode object) {
        ArrayNode locations = object.putArray("locations");
        IntStream.rangeClosed(1, MEMBERS).forEach(i -> locations.add("lxd0" + i));
    }

    private static List<ObjectNode> members() {
        return IntStream.rangeClosed(1, MEMBERS)
                .mapToObj(i -> {
                    ObjectNode member = object().put("server_name", "lxd0" + i)
                            .put("url", "https://lxd0" + i + "." + Company.DOMAIN + ":8443")
                            .put("status", "Online")
                            .put("message", "Fully operational")
                            .put("database", true)
                            .put("failure_domain", "rack" + i)
                            .put("architecture", "x86_64")
                            .put("description", "");
                    member.putArray("roles").add("database");
                    member.putArray("groups").add("default");
                    member.putObject("config");
                    return member;
                })
                .toList();
    }

    private static String fingerprint(boolean isVirtual) {
        return (isVirtual ? "d15c" : "4007").repeat(16);
    }

    private static String uuid(String of) {
        return UUID.nameUUIDFromBytes(of.getBytes(StandardCharsets.UTF_8)).toString();
    }

    private static ObjectNode object() {
        return Site.JSON.createObjectNode();
    }
}
