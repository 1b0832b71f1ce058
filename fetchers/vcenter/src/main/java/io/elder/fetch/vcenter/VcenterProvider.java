package io.elder.fetch.vcenter;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Out;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.Requests;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.vcenter.VcenterClient.Found;
import io.elder.fetch.vcenter.VcenterClient.Properties;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.security.cert.CertificateException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A vCenter's inventory. A record holds the properties that are named here, by their paths. */
public final class VcenterProvider implements Provider<VcenterClient> {
    private static final Logger LOG = LoggerFactory.getLogger(VcenterProvider.class);

    private static final Properties DATACENTER = Properties.of("Datacenter", "name", "parent", "overallStatus");
    private static final Properties CLUSTER = Properties.of(
            "ClusterComputeResource",
            "name",
            "parent",
            "summary.overallStatus",
            "summary.numHosts",
            "summary.totalCpu",
            "summary.totalMemory",
            "summary.numCpuCores",
            "summary.numCpuThreads",
            "configuration.dasConfig.enabled",
            "configuration.drsConfig.enabled");
    private static final Properties HOST = Properties.of(
            "HostSystem",
            "name",
            "parent",
            "runtime.connectionState",
            "runtime.powerState",
            "runtime.inMaintenanceMode",
            "summary.hardware.vendor",
            "summary.hardware.model",
            "summary.hardware.uuid",
            "summary.hardware.cpuModel",
            "summary.hardware.cpuMhz",
            "summary.hardware.numCpuPkgs",
            "summary.hardware.numCpuCores",
            "summary.hardware.numCpuThreads",
            "summary.hardware.memorySize",
            "summary.config.product.version",
            "summary.config.product.build",
            "summary.config.product.fullName",
            "datastore",
            "network");
    /** Without notes and extra configuration: people keep passwords there. */
    private static final Properties MACHINE = Properties.of(
            "VirtualMachine",
            "name",
            "parent",
            "parentVApp",
            "config.instanceUuid",
            "config.uuid",
            "config.template",
            "config.guestId",
            "config.guestFullName",
            "config.version",
            "config.hardware.numCPU",
            "config.hardware.memoryMB",
            "summary.config.instanceUuid",
            "runtime.host",
            "runtime.powerState",
            "runtime.connectionState",
            "guest.hostName",
            "guest.ipAddress",
            "guest.guestFullName",
            "guest.toolsRunningStatus",
            "guest.toolsVersionStatus2",
            "guest.net",
            "datastore",
            "network");

    private static final Properties DATASTORE = Properties.of(
            "Datastore",
            "name",
            "parent",
            "summary.type",
            "summary.url",
            "summary.capacity",
            "summary.freeSpace",
            "summary.accessible",
            "summary.maintenanceMode",
            "summary.multipleHostAccess");
    private static final Properties NETWORK = Properties.of("Network", "name", "parent", "summary.accessible");
    private static final Properties PORT_GROUP = Properties.of(
            "DistributedVirtualPortgroup",
            "name",
            "parent",
            "summary.accessible",
            "key",
            "config.type",
            "config.numPorts",
            "config.distributedVirtualSwitch");

    /** What is between an object and its datacentre, and hosts. */
    private static final List<Properties> ANCESTORS = List.of(
            Properties.of("Folder", "name", "parent"),
            Properties.of("StoragePod", "name", "parent"),
            Properties.of("Datacenter", "name", "parent"),
            Properties.of("ComputeResource", "name", "parent"),
            Properties.of("ClusterComputeResource", "name", "parent"),
            Properties.of("VirtualApp", "name", "parent", "parentFolder"),
            // Not above anything, but machines are told by the names of their hosts.
            Properties.of("HostSystem", "name", "parent"));

    @Override
    public String name() {
        return "vcenter";
    }

    @Override
    public String title() {
        return "vCenter";
    }

    @Override
    public void readSettings(Settings settings) {
        VcenterSettings.from(settings);
    }

    @Override
    public VcenterClient connect(Settings settings) throws Exception {
        VcenterSettings vcenter = VcenterSettings.from(settings);
        settings.check();
        return VcenterClient.open(vcenter);
    }

    /** One session for a run: a vCenter has few of them. */
    @Override
    public boolean isShareable() {
        return true;
    }

    @Override
    public Optional<Partition> findOnlyPartition(VcenterClient vcenter) {
        return Optional.of(Partition.of(account(vcenter.about(), vcenter)));
    }

    @Override
    public List<Resource<VcenterClient>> resources() {
        return List.of(
                Resource.root("vcenter_server", "instanceUuid", VcenterProvider::fetchServer),
                kind("vcenter_datacenter", DATACENTER),
                kind("vcenter_cluster", CLUSTER),
                kind("vcenter_host", HOST),
                Resource.root("vcenter_vm", VcenterProvider::instanceUuid, VcenterProvider::fetchMachines),
                kind("vcenter_datastore", DATASTORE),
                kind("vcenter_network", NETWORK, PORT_GROUP));
    }

    @Override
    public String identity(VcenterClient vcenter) throws Exception {
        // vCenter does not say what it hides, but whoever sees a datacentre has been given something.
        String view = vcenter.createView(List.of("Datacenter"));
        int datacenters = vcenter.page(view, List.of(Properties.of("Datacenter", "name")), null)
                .items()
                .size();
        vcenter.destroyView(view);
        return vcenter.username() + " at " + vcenter.settings().host() + ": "
                + vcenter.about().text("fullName")
                + (datacenters == 0
                        ? "; it shows no datacentre (expected: the role Read-only on the root object, with Propagate to"
                                + " children)"
                        : "");
    }

    @Override
    public Verdict classify(Throwable failure) {
        return switch (failure) {
            case VcenterFailure e -> e.verdict();
            case IOException e -> ofConnection(e);
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    private static Verdict ofConnection(IOException e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            // A handshake that was only cut short may well succeed next time.
            if (cause instanceof CertificateException || cause instanceof SSLPeerUnverifiedException) {
                return new Verdict.Stop(StopReason.TLS, String.valueOf(cause.getMessage()));
            }
        }
        return new Verdict.RetryWithBackoff();
    }

    private static Resource<VcenterClient> kind(String kind, Properties... wanted) {
        return Resource.root(kind, "moref", (vcenter, where, out) -> {
            Map<String, ObjectNode> ancestors = ancestors(vcenter, out);
            List<VcenterFailure> withheld = new ArrayList<>();
            read(vcenter, List.of(wanted), out, each -> {
                if (each.withheld().isPresent()) {
                    withheld.add(each.withheld().get());
                } else {
                    out.accept(placed(vcenter, each.object(), ancestors));
                }
            });
            throwFirst(withheld);
        });
    }

    private static void fetchServer(VcenterClient vcenter, Partition where, Out out) throws Exception {
        Xml content = out.request(vcenter::serviceContent);
        ObjectNode server =
                (ObjectNode) content.maybe("about").orElse(Xml.NOTHING).json();
        server.put("instanceUuid", where.account());
        server.put("host", vcenter.settings().host());
        out.accept(server);
    }

    private static void fetchMachines(VcenterClient vcenter, Partition where, Out out) throws Exception {
        Map<String, ObjectNode> ancestors = ancestors(vcenter, out);
        List<VcenterFailure> withheld = new ArrayList<>();
        List<String> unknown = new ArrayList<>();
        read(vcenter, List.of(MACHINE), out, each -> {
            if (each.withheld().isPresent()) {
                withheld.add(each.withheld().get());
            } else if (instanceUuid(each.object()).isEmpty()) {
                unknown.add(each.object().path("moref").asText() + " ("
                        + each.object().at("/runtime/connectionState").asText("?") + ")");
            } else {
                out.accept(placed(vcenter, each.object(), ancestors));
            }
        });
        throwFirst(withheld);
        if (!unknown.isEmpty() && !vcenter.settings().ignoresInaccessible()) {
            // One of the rows that we know may be theirs: it must not be taken for gone.
            throw VcenterFailure.stop(
                    StopReason.INCOMPLETE,
                    unknown.size() + " virtual machines that vCenter has no configuration of, such as "
                            + unknown.getFirst()
                            + " (expected: an instanceUuid; VCENTER_IGNORE_INACCESSIBLE=true takes them for gone)");
        }
    }

    private static void throwFirst(List<VcenterFailure> withheld) throws VcenterFailure {
        if (!withheld.isEmpty()) {
            VcenterFailure first = withheld.getFirst();
            throw withheld.stream()
                    .filter(each ->
                            each.verdict() instanceof Verdict.Stop stop && stop.reason() == StopReason.FORBIDDEN)
                    .findFirst()
                    .orElse(first);
        }
    }

    /**
     * Unique among all machines of a vCenter, and the same after vMotion, a new name or folder, and being registered again.
     * References do not survive the last; the firmware's uuid is the same in copies.
     */
    private static String instanceUuid(JsonNode machine) {
        return machine.at("/config/instanceUuid")
                .asText(machine.at("/summary/config/instanceUuid").asText(""));
    }

    private static Map<String, ObjectNode> ancestors(VcenterClient vcenter, Out out) throws Exception {
        Map<String, ObjectNode> ancestors = new HashMap<>();
        read(
                vcenter,
                ANCESTORS,
                out,
                each -> ancestors.put(each.object().path("moref").asText(), each.object()));
        return ancestors;
    }

    private static void read(VcenterClient vcenter, List<Properties> wanted, Out out, Requests.Each<Found> each)
            throws Exception {
        String view = out.request(
                () -> vcenter.createView(wanted.stream().map(Properties::type).toList()));
        try {
            out.pages(token -> vcenter.page(view, wanted, token), each);
        } finally {
            try {
                vcenter.destroyView(view);
            } catch (IOException e) {
                LOG.debug("a view that ends with the session", e);
            }
        }
    }

    /** Tells what only other objects know: the datacentre, the folder, the name of the host. */
    private static ObjectNode placed(VcenterClient vcenter, ObjectNode object, Map<String, ObjectNode> ancestors) {
        object.put("vcenter", vcenter.settings().host());
        ObjectNode host = ancestors.get(object.at("/runtime/host/value").asText());
        if (host != null) {
            object.put("hostName", host.path("name").asText());
        }
        List<String> names = new ArrayList<>();
        Optional<ObjectNode> above = above(object, ancestors);
        while (above.isPresent() && names.size() < ancestors.size()) {
            ObjectNode each = above.get();
            if (each.path("type").asText().equals("Datacenter") && !object.has("datacenter")) {
                object.put("datacenter", each.path("moref").asText());
            }
            names.addFirst(each.path("name").asText());
            above = above(each, ancestors);
        }
        object.set("folder", JsonNodeFactory.instance.textNode("/" + String.join("/", names)));
        return object;
    }

    private static Optional<ObjectNode> above(ObjectNode object, Map<String, ObjectNode> ancestors) {
        // A vApp's parent is a resource pool, which is in no folder.
        for (String field : List.of("parentFolder", "parentVApp", "parent")) {
            ObjectNode found = ancestors.get(object.path(field).path("value").asText());
            if (found != null) {
                return Optional.of(found);
            }
        }
        return Optional.empty();
    }

    /** Two vCenters may well be called alike, and one may get another name. */
    private static String account(Xml about, VcenterClient vcenter) {
        return about.text("instanceUuid").isEmpty() ? vcenter.settings().host() : about.text("instanceUuid");
    }
}
