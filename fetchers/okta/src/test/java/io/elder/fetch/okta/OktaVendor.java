package io.elder.fetch.okta;

import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.ScriptedServer;
import java.util.Map;
import java.util.Set;

/** An org with three users and two groups, of the vendor's own examples. */
final class OktaVendor {
    static final String TOKEN = "00-canary-token-4711";
    static final String DOMAIN = "127.0.0.1";
    static final String ALL = "filter=lastUpdated gt \"1970-01-01T00:00:00.000Z\"&limit=200";
    static final String WEST = "00g1emaKYZTWRYYRRTSK";
    static final String ENGINEERING = "00garwpuyxHaWOkdV0g4";
    static final Map<String, Integer> EXPECTED =
            Map.of("okta_org", 1, "okta_user", 3, "okta_group", 2, "okta_group_member", 4);

    private OktaVendor() {}

    static Map<String, String> settings(String url) {
        return Map.of("OKTA_DOMAIN", url, "OKTA_API_TOKEN", TOKEN, "OKTA_RATE_LIMIT", "1000");
    }

    static Set<String> secrets() {
        return Set.of(TOKEN, "canary-4711");
    }

    static void script(ScriptedServer vendor) {
        vendor.on("GET /api/v1/users?limit=1", "vendor/user-probe.json");
        vendor.on("GET /api/v1/groups?limit=1", "vendor/groups-2.json");
        vendor.on("GET /api/v1/users/me", "vendor/me.json");
        vendor.page("okta_org", "GET /.well-known/okta-organization", "vendor/org.json");
        String users = "/api/v1/users?" + ALL;
        vendor.page(
                "okta_user", "GET " + users + "&after", linked(vendor, "vendor/users-1.json", "/api/v1/users?", "u2"));
        vendor.page("okta_user", "GET " + users + "&after=u2", "vendor/users-2.json");
        vendor.page(
                "okta_group",
                "GET /api/v1/groups?limit=200&after",
                linked(vendor, "vendor/groups-1.json", "/api/v1/groups?limit=200&", "g2"));
        vendor.page("okta_group", "GET /api/v1/groups?limit=200&after=g2", "vendor/groups-2.json");
        String members = "/api/v1/groups/" + WEST + "/users?limit=200&";
        vendor.page(
                "okta_group_member",
                "GET " + members + "after",
                linked(vendor, "vendor/members-1.json", members, "m2"));
        vendor.page("okta_group_member", "GET " + members + "after=m2", "vendor/members-2.json");
        vendor.page(
                "okta_group_member",
                "GET /api/v1/groups/" + ENGINEERING + "/users?limit=200",
                "vendor/members-app.json");
    }

    /** With both links in one header, as a proxy may join them. */
    private static Answer linked(ScriptedServer vendor, String fixture, String path, String after) {
        String query = path.endsWith("?")
                ? ALL.replace(" ", "%20").replace("\"", "%22").replace(":", "%3A") + "&"
                : "";
        return vendor.ok(fixture)
                .header(
                        "Link",
                        "<{url}" + path + query + "self>; rel=\"self\", <{url}" + path + query + "after=" + after
                                + ">; rel=\"next\"");
    }
}
