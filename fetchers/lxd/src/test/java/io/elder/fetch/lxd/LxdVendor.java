package io.elder.fetch.lxd;

import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.ScriptedServer;
import java.util.Map;
import java.util.Set;

/** A cluster of two servers with two projects, as an LXD 5.0 answers. */
final class LxdVendor {
    static final Map<String, Integer> EXPECTED = Map.of(
            "lxd_server",
            1,
            "lxd_project",
            2,
            "lxd_instance",
            3,
            "lxd_image",
            2,
            "lxd_network",
            1,
            "lxd_storage_pool",
            2,
            "lxd_cluster_member",
            2);

    private LxdVendor() {}

    /** Without TLS, and so without a certificate of our own. */
    static Map<String, String> settings(String url) {
        return Map.of("LXD_URL", url);
    }

    static Set<String> secrets() {
        return Set.of(
                "canary-trust-password",
                "canary-loki",
                "canary-project",
                "canary-user",
                "canary-environment",
                "canary-cloud-init",
                "canary-snapshot",
                "canary-bgp",
                "canary-pool");
    }

    static void script(ScriptedServer vendor) {
        vendor.page("lxd_server", "GET /1.0", "server.json");
        vendor.page("lxd_project", "GET /1.0/projects?recursion=1", "projects.json");
        vendor.page("lxd_instance", "GET /1.0/instances?recursion=2&project=default", "instances-default.json");
        // As the query says it, not as the name is: &.
        vendor.page(
                "lxd_instance",
                asked -> asked.path().equals("/1.0/instances") && isShop(asked.parameters()),
                "instances-shop.json");
        vendor.page("lxd_image", "GET /1.0/images?recursion=1&project=default", "images-default.json");
        vendor.page(
                "lxd_image",
                asked -> asked.path().equals("/1.0/images") && isShop(asked.parameters()),
                "images-shop.json");
        vendor.page("lxd_network", "GET /1.0/networks?recursion=1&project=default", "networks-default.json");
        vendor.page("lxd_storage_pool", "GET /1.0/storage-pools?recursion=1", "pools.json");
        vendor.on("GET /1.0/cluster", "cluster.json");
        vendor.page("lxd_cluster_member", "GET /1.0/cluster/members?recursion=1", "members.json");
    }

    private static boolean isShop(Map<String, String> parameters) {
        return parameters.getOrDefault("project", "").equals("shop & co") && parameters.containsKey("recursion");
    }

    static Answer error(int status, String words) {
        return Answer.of(
                        status,
                        "{\"type\":\"error\",\"status\":\"\",\"status_code\":0,\"operation\":\"\",\"error_code\":"
                                + status + ",\"error\":\"" + words + "\",\"metadata\":null}")
                .header("Content-Type", "application/json");
    }
}
