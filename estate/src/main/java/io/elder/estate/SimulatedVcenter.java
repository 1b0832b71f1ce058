package io.elder.estate;

import io.elder.estate.Company.Machine;
import io.elder.estate.Site.Call;
import io.elder.estate.Site.Reply;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The company's vCenter: two datacentres, each with a cluster of three hosts. It answers the calls that reading an inventory
 * takes, with sessions, views and pages of at most fifty objects.
 */
public final class SimulatedVcenter implements SimulatedSystem {
    private static final int MOST_OBJECTS = 50;
    private static final String USERNAME = "elder@vsphere.local";
    private static final String INSTANCE = "6b1c9d42-7a55-4c0e-9b8f-0d2f6a1e5c30";
    private static final Pattern CALL = Pattern.compile("<(?:\\w+:)?Body[^>]*>\\s*<(?:\\w+:)?(\\w+)");
    private static final Pattern TYPE = Pattern.compile("<type>([^<]*)</type>");
    private static final Pattern PROPERTIES = Pattern.compile("<propSet><type>([^<]*)</type>(.*?)</propSet>");
    private static final Pattern PATH = Pattern.compile("<pathSet>([^<]*)</pathSet>");

    /** What the types that are asked for are to the types that there are. */
    private static final Map<String, Set<String>> KINDS_OF = Map.of(
            "Network", Set.of("Network", "DistributedVirtualPortgroup"),
            "ComputeResource", Set.of("ComputeResource", "ClusterComputeResource"));

    private final Company company;
    private final Site site = Site.start();
    private final String password = UUID.randomUUID().toString();
    private final Map<String, Session> sessions = new ConcurrentHashMap<>();
    private final AtomicInteger serial = new AtomicInteger();

    private record Session(Map<String, List<String>> views, Map<String, Rest> pages) {}

    /** What was not told yet, and how much of it at once. */
    private record Rest(List<String> objects, int most) {}

    /**
     * A managed object.
     *
     * @param properties by path, each as the element that holds its value
     */
    private record Thing(String type, String moref, Map<String, String> properties) {
        Thing text(String path, String value) {
            properties.put(path, value("xsd:string", value));
            return this;
        }

        Thing whole(String path, long value) {
            properties.put(path, value("xsd:long", Long.toString(value)));
            return this;
        }

        Thing yes(String path, boolean value) {
            properties.put(path, value("xsd:boolean", Boolean.toString(value)));
            return this;
        }

        Thing reference(String path, String toType, String to) {
            properties.put(path, "<val type=\"" + toType + "\" xsi:type=\"ManagedObjectReference\">" + to + "</val>");
            return this;
        }

        Thing references(String path, List<Thing> to) {
            StringBuilder list = new StringBuilder("<val xsi:type=\"ArrayOfManagedObjectReference\">");
            to.forEach(each -> list.append("<ManagedObjectReference type=\"" + each.type
                    + "\" xsi:type=\"ManagedObjectReference\">" + each.moref + "</ManagedObjectReference>"));
            properties.put(path, list.append("</val>").toString());
            return this;
        }

        private static String value(String type, String text) {
            return "<val xsi:type=\"" + type + "\">" + escaped(text) + "</val>";
        }
    }

    public SimulatedVcenter(Company company) {
        this.company = company;
        site.post("/sdk", this::answer);
    }

    @Override
    public Map<String, String> settings() {
        return Map.of(
                "VCENTER_ENABLED",
                "true",
                "VCENTER_HOST",
                "vcenter." + Company.DOMAIN,
                "VCENTER_ENDPOINT_URL",
                site.url(),
                "VCENTER_USERNAME",
                USERNAME,
                "VCENTER_PASSWORD",
                password);
    }

    /** Ends all sessions, as a restart does. */
    public void endSessions() {
        sessions.clear();
    }

    /** How many are logged in. */
    public int sessionCount() {
        return sessions.size();
    }

    @Override
    public void close() {
        site.close();
    }

    private Reply answer(Call call) {
        Matcher name = CALL.matcher(call.body());
        if (!name.find()) {
            return Reply.xml(500, envelope("<soapenv:Fault><faultcode>ServerFaultCode</faultcode></soapenv:Fault>"));
        }
        String operation = name.group(1);
        if (operation.equals("RetrieveServiceContent")) {
            return returned(operation, content());
        }
        if (operation.equals("Login")) {
            if (!text(call, "userName").equals(USERNAME)
                    || !text(call, "password").equals(escaped(password))) {
                return fault("InvalidLogin", "Cannot complete login due to an incorrect user name or password.", "");
            }
            String key = UUID.randomUUID().toString();
            sessions.put(key, new Session(new ConcurrentHashMap<>(), new ConcurrentHashMap<>()));
            return returned(operation, "<key>" + key + "</key><userName>VSPHERE.LOCAL\\elder</userName>")
                    .with("Set-Cookie", "vmware_soap_session=\"" + key + "\"; Path=/; HttpOnly; Secure;");
        }
        String key = call.header("cookie").orElse("").replaceAll(".*vmware_soap_session=\"?([^\";]*).*", "$1");
        Session session = sessions.get(key);
        if (session == null) {
            return fault("NotAuthenticated", "The session is not authenticated.", "");
        }
        return switch (operation) {
            case "Logout" -> {
                sessions.remove(key);
                yield returned(operation, "");
            }
            case "CreateContainerView" -> {
                String view = "session[" + key + "]" + serial.incrementAndGet();
                session.views().put(view, all(TYPE, call.body()));
                yield Reply.xml(
                        200,
                        envelope("<" + operation + "Response xmlns=\"urn:vim25\"><returnval type=\"ContainerView\">"
                                + view + "</returnval></" + operation + "Response>"));
            }
            case "DestroyView" -> {
                session.views().remove(text(call, "_this"));
                yield returned(operation, "");
            }
            case "RetrievePropertiesEx" -> retrieve(call, session);
            case "ContinueRetrievePropertiesEx" ->
                Optional.ofNullable(session.pages().remove(text(call, "token")))
                        .map(rest -> page(operation, session, rest.objects(), rest.most()))
                        .orElseGet(() -> fault(
                                "InvalidArgument",
                                "A specified parameter was not correct: token",
                                "<invalidProperty>token</invalidProperty>"));
            default -> fault("MethodNotFound", operation + " is not simulated", "");
        };
    }

    private Reply retrieve(Call call, Session session) {
        String view = text(call, "obj");
        List<String> types = session.views().get(view);
        if (types == null) {
            return fault(
                    "ManagedObjectNotFound",
                    "The object has already been deleted or has not been completely created",
                    "<obj type=\"ContainerView\">" + escaped(view) + "</obj>");
        }
        Map<String, List<String>> wanted = new LinkedHashMap<>();
        Matcher sets = PROPERTIES.matcher(call.body());
        while (sets.find()) {
            wanted.put(sets.group(1), all(PATH, sets.group(2)));
        }
        List<String> objects = new ArrayList<>();
        for (Thing thing : inventory()) {
            if (types.stream().anyMatch(type -> isA(thing, type))) {
                List<String> paths = wanted.getOrDefault(
                        thing.type(),
                        wanted.entrySet().stream()
                                .filter(each -> isA(thing, each.getKey()))
                                .map(Map.Entry::getValue)
                                .findFirst()
                                .orElse(List.of()));
                StringBuilder object =
                        new StringBuilder("<objects><obj type=\"" + thing.type() + "\">" + thing.moref() + "</obj>");
                paths.stream()
                        .filter(thing.properties()::containsKey)
                        .forEach(path -> object.append("<propSet><name>" + path + "</name>"
                                + thing.properties().get(path) + "</propSet>"));
                objects.add(object.append("</objects>").toString());
            }
        }
        int most = text(call, "maxObjects").isEmpty() ? MOST_OBJECTS : Integer.parseInt(text(call, "maxObjects"));
        return page("RetrievePropertiesEx", session, objects, Math.min(most, MOST_OBJECTS));
    }

    private static boolean isA(Thing thing, String type) {
        return KINDS_OF.getOrDefault(type, Set.of(type)).contains(thing.type());
    }

    private static Reply page(String operation, Session session, List<String> objects, int most) {
        if (objects.isEmpty()) {
            return Reply.xml(200, envelope("<" + operation + "Response xmlns=\"urn:vim25\"/>"));
        }
        String token = "";
        if (objects.size() > most) {
            String name = UUID.randomUUID().toString();
            session.pages().put(name, new Rest(List.copyOf(objects.subList(most, objects.size())), most));
            token = "<token>" + name + "</token>";
        }
        return returned(operation, token + String.join("", objects.subList(0, Math.min(most, objects.size()))));
    }

    private static String content() {
        return "<rootFolder type=\"Folder\">group-d1</rootFolder>"
                + "<propertyCollector type=\"PropertyCollector\">propertyCollector</propertyCollector>"
                + "<viewManager type=\"ViewManager\">ViewManager</viewManager>"
                + "<about><name>VMware vCenter Server</name>"
                + "<fullName>VMware vCenter Server 8.0.3 build-24322831</fullName><vendor>VMware, Inc.</vendor>"
                + "<version>8.0.3</version><build>24322831</build><osType>linux-x64</osType>"
                + "<apiType>VirtualCenter</apiType><apiVersion>8.0.3.0</apiVersion><instanceUuid>" + INSTANCE
                + "</instanceUuid></about>"
                + "<sessionManager type=\"SessionManager\">SessionManager</sessionManager>";
    }

    /** All that there is at this moment. */
    private List<Thing> inventory() {
        List<Thing> all = new ArrayList<>();
        List<List<Thing>> hosts = new ArrayList<>();
        List<List<Thing>> stores = new ArrayList<>();
        List<List<Thing>> networks = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            String place = i == 0 ? "Frankfurt" : "Dublin";
            String dc = "datacenter-" + (i + 1);
            all.add(thing("Datacenter", dc, place, "Folder", "group-d1").text("overallStatus", "green"));
            for (String folder : List.of("vm", "host", "datastore", "network")) {
                all.add(thing("Folder", "group-" + folder.charAt(0) + (i + 1), folder, "Datacenter", dc));
            }
            stores.add(List.of(store(i, 0, place + "-vsan", "vsan"), store(i, 1, place + "-nfs-backup", "NFS41")));
            networks.add(List.of(
                    thing("Network", "network-" + i, "VM Network", "Folder", "group-n" + (i + 1))
                            .yes("summary.accessible", true),
                    portGroup(i, 0, "production"),
                    portGroup(i, 1, "development")));
            String cluster = "domain-c" + (i + 1);
            all.add(thing("ClusterComputeResource", cluster, place + " cluster", "Folder", "group-h" + (i + 1))
                    .text("summary.overallStatus", "green")
                    .whole("summary.numHosts", 3)
                    .whole("summary.numCpuCores", 96)
                    .whole("summary.numCpuThreads", 192)
                    .whole("summary.totalCpu", 249_600)
                    .whole("summary.totalMemory", 3L * (512L << 30))
                    .yes("configuration.dasConfig.enabled", true)
                    .yes("configuration.drsConfig.enabled", true));
            List<Thing> of = new ArrayList<>();
            for (int j = 0; j < 3; j++) {
                of.add(host(i, j, cluster)
                        .references("datastore", stores.get(i))
                        .references("network", networks.get(i)));
            }
            hosts.add(of);
            all.addAll(stores.get(i));
            all.addAll(networks.get(i));
            all.addAll(of);
        }
        for (Machine machine : company.now().machines(Company.Place.VCENTER)) {
            int i = machine.number() % 2;
            all.add(machine(machine, i, hosts.get(i).get(machine.number() % 3))
                    .references("datastore", List.of(stores.get(i).getFirst()))
                    .references(
                            "network",
                            List.of(networks.get(i).get(machine.environment().equals("production") ? 1 : 2))));
        }
        return all;
    }

    private static Thing host(int i, int j, String cluster) {
        String name = "esx-" + (i + 1) + (j + 1) + "." + Company.DOMAIN;
        return thing("HostSystem", "host-" + (i + 1) + (j + 1), name, "ClusterComputeResource", cluster)
                .text("runtime.connectionState", "connected")
                .text("runtime.powerState", "poweredOn")
                .yes("runtime.inMaintenanceMode", false)
                .text("summary.hardware.vendor", "Dell Inc.")
                .text("summary.hardware.model", "PowerEdge R650")
                .text("summary.hardware.uuid", uuid(name))
                .text("summary.hardware.cpuModel", "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz")
                .whole("summary.hardware.cpuMhz", 2600)
                .whole("summary.hardware.numCpuPkgs", 2)
                .whole("summary.hardware.numCpuCores", 32)
                .whole("summary.hardware.numCpuThreads", 64)
                .whole("summary.hardware.memorySize", 512L << 30)
                .text("summary.config.product.version", "8.0.3")
                .text("summary.config.product.build", "24280767")
                .text("summary.config.product.fullName", "VMware ESXi 8.0.3 build-24280767");
    }

    private static Thing store(int i, int j, String name, String type) {
        String moref = "datastore-" + (i + 1) + (j + 1);
        return thing("Datastore", moref, name, "Folder", "group-d" + (i + 1))
                .text("summary.type", type)
                .text("summary.url", "ds:///vmfs/volumes/" + uuid(name) + "/")
                .whole("summary.capacity", 20L << 40)
                .whole("summary.freeSpace", 8L << 40)
                .yes("summary.accessible", true)
                .text("summary.maintenanceMode", "normal")
                .yes("summary.multipleHostAccess", true);
    }

    private static Thing portGroup(int i, int j, String name) {
        String moref = "dvportgroup-" + (i + 1) + (j + 1);
        return thing("DistributedVirtualPortgroup", moref, name, "Folder", "group-n" + (i + 1))
                .yes("summary.accessible", true)
                .text("key", moref)
                .text("config.type", "earlyBinding")
                .whole("config.numPorts", 128)
                .reference("config.distributedVirtualSwitch", "VmwareDistributedVirtualSwitch", "dvs-" + (i + 1));
    }

    private static Thing machine(Machine machine, int i, Thing host) {
        Thing vm = thing("VirtualMachine", "vm-" + machine.number(), machine.name(), "Folder", "group-v" + (i + 1))
                .text("config.instanceUuid", uuid("instance " + machine.number()))
                .text("config.uuid", uuid("firmware " + machine.number()))
                .text("summary.config.instanceUuid", uuid("instance " + machine.number()))
                .yes("config.template", false)
                .text("config.guestId", "debian12_64Guest")
                .text("config.guestFullName", "Debian GNU/Linux 12 (64-bit)")
                .text("config.version", "vmx-21")
                .whole("config.hardware.numCPU", machine.cores())
                .whole("config.hardware.memoryMB", machine.gibibytes() * 1024L)
                .reference("runtime.host", "HostSystem", host.moref())
                .text("runtime.powerState", machine.isRunning() ? "poweredOn" : "poweredOff")
                .text("runtime.connectionState", "connected")
                .text("guest.toolsRunningStatus", machine.isRunning() ? "guestToolsRunning" : "guestToolsNotRunning")
                .text("guest.toolsVersionStatus2", "guestToolsUnmanaged");
        if (machine.isRunning()) {
            String address = "10.60." + (machine.number() / 250 % 250) + "." + (machine.number() % 250 + 1);
            vm.text("guest.hostName", machine.name() + "." + Company.DOMAIN).text("guest.ipAddress", address);
            vm.properties()
                    .put(
                            "guest.net",
                            "<val xsi:type=\"ArrayOfGuestNicInfo\"><GuestNicInfo xsi:type=\"GuestNicInfo\">"
                                    + "<network>" + machine.environment() + "</network><ipAddress>" + address
                                    + "</ipAddress><macAddress>00:50:56:"
                                    + String.format(
                                            "%02x:%02x:%02x",
                                            machine.number() >> 16 & 0x3f,
                                            machine.number() >> 8 & 0xff,
                                            machine.number() & 0xff)
                                    + "</macAddress><connected>true</connected></GuestNicInfo></val>");
        }
        return vm;
    }

    private static Thing thing(String type, String moref, String name, String parentType, String parent) {
        return new Thing(type, moref, new LinkedHashMap<>()).text("name", name).reference("parent", parentType, parent);
    }

    private static String uuid(String of) {
        return UUID.nameUUIDFromBytes(of.getBytes(StandardCharsets.UTF_8)).toString();
    }

    private static Reply returned(String operation, String value) {
        return Reply.xml(
                200,
                envelope("<" + operation + "Response xmlns=\"urn:vim25\">"
                        + (value.isEmpty() ? "" : "<returnval>" + value + "</returnval>") + "</" + operation
                        + "Response>"));
    }

    private static Reply fault(String type, String words, String detail) {
        return Reply.xml(
                500,
                envelope("<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>" + words
                        + "</faultstring><detail><" + type + "Fault xmlns=\"urn:vim25\" xsi:type=\"" + type + "\">"
                        + detail + "</" + type + "Fault></detail></soapenv:Fault>"));
    }

    private static String envelope(String body) {
        return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope"
                + " xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\""
                + " xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\""
                + " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n<soapenv:Body>\n" + body
                + "\n</soapenv:Body>\n</soapenv:Envelope>";
    }

    private static String text(Call call, String element) {
        Matcher matcher = Pattern.compile("<" + element + "(?: [^>]*)?>([^<]*)</" + element + ">")
                .matcher(call.body());
        return matcher.find() ? matcher.group(1) : "";
    }

    private static List<String> all(Pattern pattern, String text) {
        return pattern.matcher(text).results().map(each -> each.group(1)).toList();
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
