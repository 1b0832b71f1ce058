package io.elder.estate;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * The company's Fleet server, which knows its laptops: the REST API as the reference has it. Software and vulnerabilities are
 * made up.
 *
 * @see <a href="https://fleetdm.com/docs/rest-api/rest-api">the API</a>
 */
public final class SimulatedFleet implements SimulatedSystem {
    private static final String API = "/api/v1/fleet";
    private static final String TOKEN = "fleet-token-of-the-estate";
    private static final long GIBIBYTE = 1L << 30;

    private static final List<Release> PACKAGES = List.of(
            new Release(1, "Browser.app", "128.0.1", "apps", "darwin", true, List.of("CVE-2099-0101", "CVE-2099-0102")),
            new Release(2, "Browser.app", "140.0", "apps", "darwin", false, List.of()),
            new Release(3, "Chat.app", "4.41.105", "apps", "darwin", null, List.of()),
            new Release(4, "osquery", "5.17.0", "apps", "darwin", null, List.of()),
            new Release(5, "libtls", "3.0.13-0ubuntu3.1", "deb_packages", "ubuntu", true, List.of("CVE-2099-0202")),
            new Release(6, "libtls", "3.0.13-0ubuntu3.5", "deb_packages", "ubuntu", false, List.of()),
            new Release(7, "fetch-tool", "8.5.0-2ubuntu10", "deb_packages", "ubuntu", null, List.of("CVE-2099-0202")),
            new Release(8, "osquery", "5.17.0", "deb_packages", "ubuntu", null, List.of()));

    private final Company company;
    private final boolean isPremium;
    private final Site site;

    /** @param isOutdated of two versions, whether it is the one that laggards have; null where everybody has the same */
    private record Release(
            int id,
            String name,
            String version,
            String source,
            String platform,
            Boolean isOutdated,
            List<String> vulnerabilities) {
        boolean isOn(Company.Laptop laptop) {
            return platform.equals(laptop.platform())
                    && (isOutdated == null || isOutdated == (laptop.number() % 4 == 0));
        }
    }

    public SimulatedFleet(Company company) {
        this(company, true);
    }

    /** @param isPremium whether the licence has teams */
    public SimulatedFleet(Company company, boolean isPremium) {
        this.company = company;
        this.isPremium = isPremium;
        this.site = Site.start()
                .get(API + "/me", call -> Site.Reply.json(me()))
                .get(API + "/config", call -> Site.Reply.json(configuration()))
                .get(API + "/hosts", call -> page(call, "hosts", hosts(), false))
                .get(API + "/hosts/count", call -> count(hosts().size()))
                .get(API + "/hosts/{id}", this::host)
                .get(API + "/teams", this::teams)
                .get(API + "/teams/{id}/policies", call -> policiesOfTeam(call, all -> policies(call, all)))
                .get(API + "/os_versions", call -> page(call, "os_versions", osVersions(), true))
                .get(API + "/software/versions", call -> page(call, "software", software(), true))
                .get(API + "/vulnerabilities", call -> page(call, "vulnerabilities", vulnerabilities(), true))
                .get(API + "/global/policies", call -> policies(call, policies()))
                .get(API + "/policies/count", call -> count(policies().size()))
                .get(API + "/teams/{id}/policies/count", call -> policiesOfTeam(call, all -> count(all.size())))
                .gate(SimulatedFleet::refusal);
    }

    @Override
    public Map<String, String> settings() {
        return Map.of("FLEETDM_ENABLED", "true", "FLEETDM_URL", site.url(), "FLEETDM_API_TOKEN", TOKEN);
    }

    private static Optional<Site.Reply> refusal(Site.Call call) {
        return call.header("authorization").filter(("Bearer " + TOKEN)::equals).isPresent()
                ? Optional.empty()
                : Optional.of(error(401, "Authentication required", "Authentication required"));
    }

    private static Site.Reply error(int status, String message, String reason) {
        ObjectNode error = Site.JSON.createObjectNode().put("message", message);
        error.putArray("errors").addObject().put("name", "base").put("reason", reason);
        error.put("uuid", "00000000-0000-4000-8000-000000000000");
        return Site.Reply.json(status, error);
    }

    private static ObjectNode me() {
        ObjectNode answer = Site.JSON.createObjectNode();
        answer.putObject("user")
                .put("id", 7)
                .put("name", "Elder")
                .put("email", "elder@" + Company.DOMAIN)
                .put("api_only", true)
                .put("global_role", "observer")
                .putArray("teams");
        return answer;
    }

    private ObjectNode configuration() {
        ObjectNode answer = Site.JSON.createObjectNode();
        answer.putObject("org_info").put("org_name", "Example").put("org_logo_url", "");
        answer.putObject("server_settings").put("server_url", "https://fleet." + Company.DOMAIN);
        answer.putObject("smtp_settings").put("password", "********");
        answer.putObject("license").put("tier", isPremium ? "premium" : "free");
        return answer;
    }

    private List<ObjectNode> hosts() {
        return company.now().laptops().stream().map(this::host).toList();
    }

    private ObjectNode host(Company.Laptop laptop) {
        boolean isMac = laptop.platform().equals("darwin");
        int team = teamOf(laptop);
        return Site.JSON
                .createObjectNode()
                .put("created_at", laptop.since().toString())
                .put("updated_at", laptop.since().toString())
                .put("id", laptop.number())
                .put("detail_updated_at", laptop.since().toString())
                .put("seen_time", laptop.since().toString())
                .put("hostname", hostname(laptop))
                .put("uuid", "00000000-0000-4000-8000-%012d".formatted(laptop.number()))
                .put("platform", laptop.platform())
                .put("osquery_version", "5.17.0")
                .put("os_version", osName(laptop))
                .put("uptime", 86_400_000_000_000L)
                .put("memory", (isMac ? 24 : 32) * GIBIBYTE)
                .put("cpu_type", isMac ? "arm64e" : "x86_64")
                .put("cpu_brand", isMac ? "Apple M4" : "AMD Ryzen 7")
                .put("cpu_physical_cores", 8)
                .put("cpu_logical_cores", isMac ? 8 : 16)
                .put("hardware_vendor", isMac ? "Apple Inc." : "Example Computers")
                .put("hardware_model", isMac ? "Mac16,1" : "Notebook 14")
                .put("hardware_serial", "SN%08d".formatted(laptop.number()))
                .put("computer_name", hostname(laptop))
                .put("display_name", hostname(laptop))
                .put("primary_ip", "192.0.2." + (laptop.number() % 250 + 1))
                .put(
                        "primary_mac",
                        "02:00:00:00:%02x:%02x".formatted(laptop.number() / 256 % 256, laptop.number() % 256))
                .put("team_id", team == 0 ? null : team)
                .put("team_name", team == 0 ? null : team == 1 ? "Macs" : "Linux")
                .put("status", laptop.number() % 5 == 0 ? "offline" : "online")
                .<ObjectNode>set(
                        "issues",
                        Site.JSON.createObjectNode().put("failing_policies_count", laptop.number() % 4 == 0 ? 1 : 0));
    }

    private Site.Reply host(Site.Call call) {
        Optional<Company.Laptop> found = company.now().laptops().stream()
                .filter(laptop -> String.valueOf(laptop.number()).equals(call.variable("id")))
                .findFirst();
        return found.map(laptop -> {
                    ObjectNode host = host(laptop);
                    ArrayNode software = host.putArray("software");
                    PACKAGES.stream()
                            .filter(each -> each.isOn(laptop))
                            .forEach(each -> software.add(software(each)
                                    .put("last_opened_at", laptop.since().toString())));
                    return Site.Reply.json(Site.JSON.createObjectNode().<ObjectNode>set("host", host));
                })
                .orElseGet(() -> error(
                        404, "Resource Not Found", "Host " + call.variable("id") + " was not found in the datastore"));
    }

    private static String hostname(Company.Laptop laptop) {
        return (laptop.platform().equals("darwin") ? "mac-" : "linux-") + laptop.number();
    }

    private static String osName(Company.Laptop laptop) {
        return (laptop.platform().equals("darwin") ? "macOS " : "Ubuntu ") + laptop.osVersion();
    }

    private int teamOf(Company.Laptop laptop) {
        return !isPremium ? 0 : laptop.platform().equals("darwin") ? 1 : 2;
    }

    private Site.Reply teams(Site.Call call) {
        if (!isPremium) {
            return error(402, "Requires Fleet Premium license", "Requires Fleet Premium license");
        }
        List<ObjectNode> teams = new ArrayList<>();
        for (int id = 1; id <= 2; id++) {
            int team = id;
            ObjectNode each = Site.JSON
                    .createObjectNode()
                    .put("id", id)
                    .put("created_at", "2024-03-01T09:00:00Z")
                    .put("name", id == 1 ? "Macs" : "Linux")
                    .put("description", "")
                    .put("user_count", 0)
                    .put(
                            "host_count",
                            company.now().laptops().stream()
                                    .filter(laptop -> teamOf(laptop) == team)
                                    .count());
            each.putArray("secrets")
                    .addObject()
                    .put("secret", "enroll-" + TOKEN)
                    .put("team_id", id);
            teams.add(each);
        }
        return page(call, "teams", teams, false);
    }

    private List<ObjectNode> policies() {
        return List.of(
                policy(1, null, "Disk is encrypted", "darwin,linux", true, 0),
                policy(2, null, "Screen locks", "darwin", false, 0));
    }

    private Site.Reply policiesOfTeam(Site.Call call, Function<List<ObjectNode>, Site.Reply> answer) {
        if (!isPremium) {
            return error(402, "Requires Fleet Premium license", "Requires Fleet Premium license");
        }
        return switch (call.variable("id")) {
            case "1" -> answer.apply(List.of(policy(3, 1, "Browser is up to date", "darwin", false, 4)));
            case "2" -> answer.apply(List.of());
            default -> error(404, "Resource Not Found", "Team was not found in the datastore");
        };
    }

    /** As Fleet does: a list of policies that is empty is left out. */
    private static Site.Reply policies(Site.Call call, List<ObjectNode> all) {
        int size = call.whole("per_page", Math.max(1, all.size()));
        return call.whole("page", 0) * size < all.size()
                ? page(call, "policies", all, false)
                : Site.Reply.json(Site.JSON.createObjectNode());
    }

    private static Site.Reply count(int all) {
        return Site.Reply.json(Site.JSON.createObjectNode().put("count", all));
    }

    private ObjectNode policy(int id, Integer team, String name, String platform, boolean isCritical, int failEvery) {
        List<Company.Laptop> checked = company.now().laptops().stream()
                .filter(laptop -> platform.contains(laptop.platform().equals("darwin") ? "darwin" : "linux"))
                .toList();
        long failing = checked.stream()
                .filter(laptop -> failEvery > 0 && laptop.number() % failEvery == 0)
                .count();
        return Site.JSON
                .createObjectNode()
                .put("id", id)
                .put("name", name)
                .put("query", "SELECT 1;")
                .put("critical", isCritical)
                .put("description", "")
                .put("resolution", "Ask the helpdesk.")
                .put("platform", platform)
                .put("team_id", team)
                .put("author_id", 1)
                .put("passing_host_count", checked.size() - failing)
                .put("failing_host_count", failing);
    }

    private List<ObjectNode> osVersions() {
        Map<String, Long> hosts = new TreeMap<>();
        company.now().laptops().forEach(laptop -> hosts.merge(osName(laptop), 1L, Long::sum));
        List<ObjectNode> versions = new ArrayList<>();
        hosts.forEach((name, count) -> {
            boolean isMac = name.startsWith("macOS");
            ObjectNode version = Site.JSON
                    .createObjectNode()
                    .put("os_version_id", isMac ? 1 : 2)
                    .put("hosts_count", count)
                    .put("name", name)
                    .put("name_only", name.substring(0, name.indexOf(' ')))
                    .put("version", name.substring(name.indexOf(' ') + 1))
                    .put("platform", isMac ? "darwin" : "ubuntu");
            version.putArray("generated_cpes");
            version.putArray("vulnerabilities");
            versions.add(version);
        });
        return versions;
    }

    private List<ObjectNode> software() {
        return PACKAGES.stream()
                .filter(each -> hostsOf(each) > 0)
                .map(each -> software(each).put("hosts_count", hostsOf(each)))
                .toList();
    }

    private long hostsOf(Release software) {
        return company.now().laptops().stream().filter(software::isOn).count();
    }

    private static ObjectNode software(Release of) {
        ObjectNode software = Site.JSON
                .createObjectNode()
                .put("id", of.id())
                .put("name", of.name())
                .put("version", of.version())
                .put("source", of.source())
                .put("browser", "")
                .put("generated_cpe", "");
        if (of.vulnerabilities().isEmpty()) {
            return software.putNull("vulnerabilities");
        }
        ArrayNode vulnerabilities = software.putArray("vulnerabilities");
        of.vulnerabilities().forEach(cve -> vulnerabilities
                .addObject()
                .put("cve", cve)
                .put("details_link", "https://www.example.com/" + cve));
        return software;
    }

    private List<ObjectNode> vulnerabilities() {
        TreeSet<String> found = new TreeSet<>();
        PACKAGES.stream().filter(each -> hostsOf(each) > 0).forEach(each -> found.addAll(each.vulnerabilities()));
        return found.stream()
                .map(cve -> {
                    ObjectNode vulnerability = Site.JSON
                            .createObjectNode()
                            .put("cve", cve)
                            .put("created_at", "2024-03-01T09:00:00Z")
                            .put(
                                    "hosts_count",
                                    company.now().laptops().stream()
                                            .filter(laptop -> PACKAGES.stream()
                                                    .anyMatch(each -> each.isOn(laptop)
                                                            && each.vulnerabilities()
                                                                    .contains(cve)))
                                            .count())
                            .put("details_link", "https://www.example.com/" + cve);
                    if (isPremium) {
                        vulnerability.put("cvss_score", cve.endsWith("2") ? 9.8 : 5.3);
                    }
                    return vulnerability;
                })
                .toList();
    }

    /** @param isNew newer lists say how many there are, and whether there are more */
    private static Site.Reply page(Site.Call call, String name, List<ObjectNode> all, boolean isNew) {
        int size = call.whole("per_page", Math.max(1, all.size()));
        int from = Math.min(all.size(), call.whole("page", 0) * size);
        int to = Math.min(all.size(), from + size);
        ObjectNode answer = Site.JSON.createObjectNode();
        ArrayNode items = answer.putArray(name);
        all.subList(from, to).forEach(items::add);
        if (isNew) {
            answer.put("count", all.size());
            answer.putObject("meta").put("has_next_results", to < all.size()).put("has_previous_results", from > 0);
        }
        return Site.Reply.json(answer);
    }

    @Override
    public void close() {
        site.close();
    }
}
