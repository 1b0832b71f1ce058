package io.elder.fetch.authentik;

import io.elder.fetch.testkit.ScriptedServer;
import java.util.Map;
import java.util.Set;

/** A server with three users and two groups, one within the other. */
final class AuthentikVendor {
    static final String TOKEN = "canary-token-4711";
    static final Map<String, Integer> EXPECTED =
            Map.of("authentik_server", 1, "authentik_user", 3, "authentik_group", 2, "authentik_group_member", 4);

    private AuthentikVendor() {}

    static Map<String, String> settings(String url) {
        return Map.of("AUTHENTIK_DOMAIN", url, "AUTHENTIK_API_TOKEN", TOKEN, "AUTHENTIK_RATE_LIMIT", "1000");
    }

    static Set<String> secrets() {
        return Set.of(TOKEN, "canary-4711");
    }

    static void script(ScriptedServer vendor) {
        vendor.on("GET /api/v3/core/users/?page_size=1", "vendor/probe.json");
        vendor.on("GET /api/v3/core/groups/?page_size=1", "vendor/groups-2.json");
        vendor.on("GET /api/v3/core/users/me/", "vendor/me.json");
        vendor.page("authentik_server", "GET /api/v3/admin/version/", "vendor/version.json");
        vendor.page("authentik_user", "GET /api/v3/core/users/?page_size=100&page=1", "vendor/users-1.json");
        vendor.page("authentik_user", "GET /api/v3/core/users/?page_size=100&page=2", "vendor/users-2.json");
        vendor.page("authentik_group", "GET /api/v3/core/groups/?page_size=100&page=1", "vendor/groups-1.json");
        vendor.page("authentik_group", "GET /api/v3/core/groups/?page_size=100&page=2", "vendor/groups-2.json");
        // Members come with their groups.
        vendor.page("authentik_group_member", "GET /api/v3/core/groups/?never=asked", "vendor/groups-1.json");
    }
}
