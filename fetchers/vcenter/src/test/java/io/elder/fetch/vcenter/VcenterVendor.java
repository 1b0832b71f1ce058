package io.elder.fetch.vcenter;

import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.ScriptedServer;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/** A vCenter of fixtures, in the words that a vCenter 8 uses. */
final class VcenterVendor {
    static final String PASSWORD = "pass<&>word-4711";

    static final Map<String, Integer> EXPECTED = Map.of(
            "vcenter_server",
            1,
            "vcenter_datacenter",
            2,
            "vcenter_cluster",
            1,
            "vcenter_host",
            2,
            "vcenter_vm",
            4,
            "vcenter_datastore",
            2,
            "vcenter_network",
            3);

    private VcenterVendor() {}

    static Map<String, String> settings(String url) {
        return Map.of(
                "VCENTER_HOST",
                "vcenter.example.com",
                "VCENTER_ENDPOINT_URL",
                url,
                "VCENTER_USERNAME",
                "elder@vsphere.local",
                "VCENTER_PASSWORD",
                PASSWORD);
    }

    static Set<String> secrets() {
        return Set.of(PASSWORD, VcenterClient.escaped(PASSWORD));
    }

    static void script(ScriptedServer vendor) {
        vendor.page("vcenter_server", call("RetrieveServiceContent"), "content.xml");
        vendor.page("", call("Login"), "login.xml");
        vendor.page("", call("DestroyView"), "done.xml");
        vendor.page("", call("Logout"), "done.xml");
        vendor.page("", call("CreateContainerView").and(says("<type>VirtualApp</type>")), "view-tree.xml");
        vendor.page("", retrieve("tree"), "tree.xml");
        kind(vendor, "datacenter", "Datacenter", "datacenters.xml");
        kind(vendor, "cluster", "ClusterComputeResource", "clusters.xml");
        kind(vendor, "host", "HostSystem", "hosts.xml");
        kind(vendor, "vm", "VirtualMachine", "vms-1.xml");
        vendor.page("vcenter_vm", next("vms-2"), "vms-2.xml");
        kind(vendor, "datastore", "Datastore", "datastores.xml");
        kind(vendor, "network", "Network", "networks-1.xml");
        vendor.page("vcenter_network", next("networks-2"), "networks-2.xml");
    }

    private static void kind(ScriptedServer vendor, String kind, String type, String fixture) {
        vendor.page(
                "",
                call("CreateContainerView").and(says("</container><type>" + type + "</type>")),
                "view-" + kind + ".xml");
        vendor.page("vcenter_" + kind, retrieve(kind), fixture);
    }

    static Predicate<Asked> call(String name) {
        return says("<soapenv:Body><" + name + " ");
    }

    private static Predicate<Asked> retrieve(String view) {
        return call("RetrievePropertiesEx").and(says("]" + view + "</obj>"));
    }

    static Predicate<Asked> next(String token) {
        return call("ContinueRetrievePropertiesEx").and(says("<token>" + token + "</token>"));
    }

    private static Predicate<Asked> says(String text) {
        return asked -> asked.path().equals("/sdk") && asked.body().contains(text);
    }

    /** A fault comes with status 500. */
    static Answer fault(ScriptedServer vendor, String name) {
        Answer fixture = vendor.ok("fault-" + name + ".xml");
        return Answer.of(500, fixture.body()).header("Content-Type", "text/xml; charset=utf-8");
    }
}
