package io.elder.fetch.fleetdm;

import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.ScriptedServer;
import java.util.Map;
import java.util.Set;

/** A Fleet server as the tests know it. */
final class FleetdmVendor {
    static final Map<String, Integer> EXPECTED = Map.of(
            "fleetdm_server", 1,
            "fleetdm_team", 2,
            "fleetdm_team_policy", 1,
            "fleetdm_os_version", 2,
            "fleetdm_software", 3,
            "fleetdm_vulnerability", 2,
            "fleetdm_policy", 2,
            "fleetdm_host", 3,
            "fleetdm_host_software", 3,
            "fleetdm_host_vulnerability", 3);

    private static final String API = "GET /api/v1/fleet/";

    private FleetdmVendor() {}

    static Map<String, String> settings(String url) {
        return Map.of("FLEETDM_URL", url, "FLEETDM_API_TOKEN", "canary-token-4711", "FLEETDM_PAGE_SIZE", "2");
    }

    static Set<String> secrets() {
        return Set.of(
                "canary-token-4711",
                "canary-smtp-4711",
                "canary-jira-4711",
                "canary-enroll-4711",
                "canary-nested-4711",
                "canary-options-4711",
                "canary-webhook-4711");
    }

    static void script(ScriptedServer vendor) {
        vendor.on(API + "me", "vendor/me.json");
        vendor.page("fleetdm_server", API + "config", "vendor/config.json");
        vendor.page("fleetdm_team", API + "teams?page=0", "vendor/teams.json");
        // Two teams fill the page, so the next is asked for.
        vendor.page("fleetdm_team", API + "teams?page=1", json(200, "{'teams': []}"));
        vendor.page("fleetdm_team_policy", API + "teams/1/policies", "vendor/team-policies.json");
        vendor.page("fleetdm_team_policy", API + "teams/2/policies", "vendor/no-policies.json");
        vendor.page("fleetdm_os_version", API + "os_versions", "vendor/os-versions.json");
        vendor.page("fleetdm_software", API + "software/versions?page=0&per_page=2", "vendor/software-1.json");
        vendor.page("fleetdm_software", API + "software/versions?page=1&per_page=2", "vendor/software-2.json");
        vendor.page("fleetdm_vulnerability", API + "vulnerabilities", "vendor/vulnerabilities.json");
        vendor.page("fleetdm_policy", API + "global/policies?page=0", "vendor/policies.json");
        // So does Fleet leave out lists of policies that are empty.
        vendor.page("fleetdm_policy", API + "global/policies?page=1", json(200, "{}"));
        vendor.on(API + "policies/count", json(200, "{'count': 2}"));
        vendor.on(API + "teams/2/policies/count", json(200, "{'count': 0}"));
        vendor.on(API + "hosts/count", "vendor/hosts-count.json");
        vendor.page("fleetdm_host", API + "hosts?page=0&per_page=2&order_key=id", "vendor/hosts-1.json");
        vendor.page("fleetdm_host", API + "hosts?page=1&per_page=2&order_key=id", "vendor/hosts-2.json");
        vendor.on(API + "hosts?page=0&per_page=1", "vendor/one-host.json");
        vendor.page("fleetdm_host_software", API + "hosts/11", "vendor/host-11.json");
        vendor.page("fleetdm_host_software", API + "hosts/12", "vendor/host-12.json");
        vendor.page("fleetdm_host_software", API + "hosts/13", "vendor/host-13.json");
        // They came with the software: nobody asks for them.
        vendor.page("fleetdm_host_vulnerability", API + "never", "vendor/vulnerabilities.json");
    }

    /** https://fleetdm.com/docs/rest-api/rest-api#api-errors */
    static Answer error(int status, String message, String reason) {
        return json(
                status,
                "{'message': '" + message + "', 'errors': [{'name': 'base', 'reason': '" + reason
                        + "'}], 'uuid': '00000000-0000-4000-8000-000000000000'}");
    }

    static Answer json(int status, String body) {
        return Answer.of(status, body.replace('\'', '"')).header("Content-Type", "application/json");
    }
}
