package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;
import static io.elder.schemas.ElderTable.SOFTWARE;
import static java.util.Map.entry;

import com.fasterxml.jackson.databind.JsonNode;
import io.elder.schemas.ElderTable;
import io.elder.schemas.ResourceKey;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

/** Fleet DM. Fields are those of Fleet's REST API, and the ids that the fetcher adds to links. */
public final class FleetdmMapping implements Mapping {
    private static final String PROVIDER = "fleetdm";

    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.ofEntries(
            entry("fleetdm_server", FleetdmMapping::server),
            entry("fleetdm_team", FleetdmMapping::team),
            entry("fleetdm_team_policy", FleetdmMapping::policy),
            entry("fleetdm_policy", FleetdmMapping::policy),
            entry("fleetdm_os_version", FleetdmMapping::osVersion),
            entry("fleetdm_software", FleetdmMapping::software),
            entry("fleetdm_vulnerability", FleetdmMapping::vulnerability),
            entry("fleetdm_host", FleetdmMapping::host),
            entry("fleetdm_host_software", FleetdmMapping::softwareOfHost),
            entry("fleetdm_host_vulnerability", FleetdmMapping::vulnerabilityOfHost)));

    /** The row above all servers; every server yields the same one. */
    private static final ResourceKey ROOT = new ResourceKey(PROVIDER, "*", PROVIDER, PROVIDER);

    @Override
    public String provider() {
        return PROVIDER;
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> server(Raw raw) {
        return List.of(
                Output.row(ORGANIZATIONS, ROOT.toString())
                        .set("name", "FleetDM")
                        .set("type", "endpoint_management")
                        .set("is_active", true)
                        .attribute("provider", PROVIDER)
                        .build(),
                Output.row(ORGANIZATIONS, raw.key().toString())
                        .set("name", Output.within(255, "FleetDM: " + raw.text("id")))
                        .set("type", "endpoint_management")
                        .set("is_active", true)
                        .refer("parent", ROOT)
                        .attribute("org_name", raw.in("org_info").maybeText("org_name"))
                        .attribute("server_url", raw.in("server_settings").maybeText("server_url"))
                        .attribute("license_tier", raw.in("license").maybeText("tier"))
                        .attribute("provider", PROVIDER)
                        .build());
    }

    private static List<Output> team(Raw raw) {
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, "Team: " + raw.text("name")))
                .set("type", "team")
                .set("description", raw.maybeText("description"))
                .set("is_active", true)
                .refer("parent", server(raw.key()))
                .attribute("fleetdm_team_id", raw.key().id())
                .attribute("host_count", raw.maybeWhole("host_count"))
                .attribute("user_count", raw.maybeWhole("user_count"))
                .attribute("provider", PROVIDER)
                .build());
    }

    private static List<Output> host(Raw raw) {
        String id = raw.key().id();
        String name = raw.maybeText("hostname")
                .or(() -> raw.maybeText("computer_name"))
                .orElse("Host-" + id);
        String status = raw.text("status");
        switch (status) {
            case "online", "offline", "mia", "missing", "new" -> {}
            default -> throw new UnmappedValue("status", status, "online, offline, mia, missing or new");
        }
        String platform = raw.maybeText("platform").orElse("unknown");
        List<Output> rows = new ArrayList<>();
        rows.add(Output.row(ENTITIES, raw.key().toString())
                .set("name", Output.within(255, name))
                .set("type", "compute")
                .set("sub_type", "fleetdm_host")
                .set("external_id", Output.within(255, raw.maybeText("uuid").orElse(id)))
                .set("status", status)
                .refer("organization", organization(raw))
                .attribute("fleetdm_host_id", id)
                .attribute("uuid", raw.maybeText("uuid"))
                .attribute("hostname", raw.maybeText("hostname"))
                .attribute("computer_name", raw.maybeText("computer_name"))
                .attribute("platform", raw.maybeText("platform"))
                .attribute("os_version", raw.maybeText("os_version"))
                .attribute("osquery_version", raw.maybeText("osquery_version"))
                .attribute("hardware_model", raw.maybeText("hardware_model"))
                .attribute("hardware_serial", raw.maybeText("hardware_serial"))
                .attribute("hardware_vendor", raw.maybeText("hardware_vendor"))
                .attribute("cpu_type", raw.maybeText("cpu_type"))
                .attribute("cpu_brand", raw.maybeText("cpu_brand"))
                .attribute("cpu_physical_cores", raw.maybeWhole("cpu_physical_cores"))
                .attribute("cpu_logical_cores", raw.maybeWhole("cpu_logical_cores"))
                .attribute("memory", raw.maybeWhole("memory"))
                .attribute(
                        "memory_gb",
                        raw.maybeWhole("memory").map(bytes -> Math.round(bytes * 100.0 / (1L << 30)) / 100.0))
                .attribute("primary_ip", raw.maybeText("primary_ip"))
                .attribute("primary_mac", raw.maybeText("primary_mac"))
                .attribute("public_ip", raw.maybeText("public_ip"))
                .attribute("disk_encryption_enabled", raw.maybeYes("disk_encryption_enabled"))
                .attribute("team_name", raw.maybeText("team_name"))
                .attribute("status", status)
                .attribute("seen_time", raw.maybeText("seen_time"))
                .attribute("uptime", raw.maybeWhole("uptime"))
                .attribute("issues", raw.maybe("issues"))
                .attribute("provider", PROVIDER)
                .tags(PROVIDER, "endpoint", platform)
                .build());
        raw.maybeText("os_version_id")
                .ifPresent(os -> rows.add(
                        link(raw, "os_version", "installed_on", SOFTWARE, key(raw, "fleetdm_os_version", os), raw.key())
                                .build()));
        return rows;
    }

    private static List<Output> osVersion(Raw raw) {
        List<Output> rows = new ArrayList<>();
        rows.add(Output.row(SOFTWARE, raw.key().toString())
                .set("name", Output.within(255, raw.maybeText("name_only").orElseGet(() -> raw.text("name"))))
                .set("version", raw.maybeText("version").map(text -> Output.within(100, text)))
                .set("software_type", "software")
                .refer("organization", server(raw.key()))
                .attribute("fleetdm_os_version_id", raw.key().id())
                .attribute("name", raw.maybeText("name"))
                .attribute("platform", raw.maybeText("platform"))
                .attribute("hosts_count", raw.maybeWhole("hosts_count"))
                .attribute("generated_cpes", raw.maybe("generated_cpes"))
                .attribute("provider", PROVIDER)
                .attribute("resource_type", "operating_system")
                .tags(PROVIDER, "software", "operating_system")
                .build());
        rows.addAll(vulnerabilities(raw));
        return rows;
    }

    private static List<Output> software(Raw raw) {
        String source = raw.maybeText("source").orElse("unknown");
        List<Output> rows = new ArrayList<>();
        rows.add(Output.row(SOFTWARE, raw.key().toString())
                .set("name", Output.within(255, raw.text("name")))
                .set("version", raw.maybeText("version").map(text -> Output.within(100, text)))
                .set("vendor", raw.maybeText("vendor").map(text -> Output.within(255, text)))
                .set("software_type", "software")
                .refer("organization", server(raw.key()))
                .attribute("fleetdm_software_id", raw.key().id())
                .attribute("software_name", raw.text("name"))
                .attribute("version", raw.maybeText("version"))
                .attribute("source", raw.maybeText("source"))
                .attribute("browser", raw.maybeText("browser"))
                .attribute("extension_id", raw.maybeText("extension_id"))
                .attribute("release", raw.maybeText("release"))
                .attribute("arch", raw.maybeText("arch"))
                .attribute("bundle_identifier", raw.maybeText("bundle_identifier"))
                .attribute("generated_cpe", raw.maybeText("generated_cpe"))
                .attribute("hosts_count", raw.maybeWhole("hosts_count"))
                .attribute("vulnerabilities_count", (long)
                        raw.objects("vulnerabilities").size())
                .attribute("provider", PROVIDER)
                .attribute("resource_type", "software")
                .tags(PROVIDER, "software", "application", source)
                .build());
        rows.addAll(vulnerabilities(raw));
        return rows;
    }

    /** What affects a piece of software; the same vulnerability may be listed twice, with different remedies. */
    private static List<Output> vulnerabilities(Raw raw) {
        Map<String, Output> links = new LinkedHashMap<>();
        for (Raw each : raw.objects("vulnerabilities")) {
            String cve = each.text("cve");
            links.putIfAbsent(
                    cve,
                    link(
                                    raw,
                                    "affected_by:" + cve,
                                    "affects",
                                    ENTITIES,
                                    key(raw, "fleetdm_vulnerability", cve),
                                    raw.key())
                            .attribute("resolved_in_version", each.maybeText("resolved_in_version"))
                            .build());
        }
        return List.copyOf(links.values());
    }

    private static List<Output> vulnerability(Raw raw) {
        String cve = raw.text("cve");
        Optional<JsonNode> score = raw.maybe("cvss_score").filter(JsonNode::isNumber);
        // Scores belong to Fleet Premium; without one there is no severity.
        Optional<String> severity = score.map(node -> severity(node.doubleValue()));
        List<String> tags = new ArrayList<>(List.of(PROVIDER, "vulnerability", "security"));
        severity.ifPresent(tags::add);
        tags.add(cve);
        return List.of(Output.row(ENTITIES, raw.key().toString())
                .set("name", Output.within(255, "CVE: " + cve))
                .set("type", "security")
                .set("sub_type", "vulnerability")
                .set("external_id", Output.within(255, cve))
                .set("status", "active")
                .refer("organization", server(raw.key()))
                .attribute("fleetdm_vuln_id", cve)
                .attribute("cve", cve)
                .attribute("cvss_score", score)
                .attribute("severity", severity)
                .attribute("epss_probability", raw.maybe("epss_probability"))
                .attribute("cisa_known_exploit", raw.maybeYes("cisa_known_exploit"))
                .attribute("hosts_count", raw.maybeWhole("hosts_count"))
                .attribute("details_link", raw.maybeText("details_link"))
                .attribute("description", raw.maybeText("cve_description"))
                .attribute("published", raw.maybeText("cve_published"))
                .attribute("provider", PROVIDER)
                .attribute("issue_type", "vulnerability")
                .tags(tags.toArray(String[]::new))
                .build());
    }

    /** https://nvd.nist.gov/vuln-metrics/cvss, version 3 */
    private static String severity(double score) {
        return score >= 9 ? "critical" : score >= 7 ? "high" : score >= 4 ? "medium" : "low";
    }

    private static List<Output> policy(Raw raw) {
        String name = raw.text("name");
        Optional<Long> passing = raw.maybeWhole("passing_host_count");
        Optional<Long> failing = raw.maybeWhole("failing_host_count");
        long hosts = passing.orElse(0L) + failing.orElse(0L);
        return List.of(Output.row(ENTITIES, raw.key().toString())
                .set("name", Output.within(255, "Policy: " + name))
                .set("type", "security")
                .set("sub_type", "compliance")
                .set("external_id", Output.within(255, raw.key().id()))
                .set("status", "active")
                .refer("organization", organization(raw))
                .attribute("fleetdm_policy_id", raw.key().id())
                .attribute("policy_name", name)
                .attribute("description", raw.maybeText("description"))
                .attribute("query", raw.maybeText("query"))
                .attribute("resolution", raw.maybeText("resolution"))
                .attribute("platform", raw.maybeText("platform"))
                .attribute("passing_host_count", passing)
                .attribute("failing_host_count", failing)
                .attribute(
                        "compliance_rate",
                        hosts == 0
                                ? Optional.empty()
                                : Optional.of(Math.round(passing.orElse(0L) * 10_000.0 / hosts) / 100.0))
                .attribute("critical", raw.maybeYes("critical"))
                .attribute("provider", PROVIDER)
                .attribute("issue_type", "compliance")
                .tags(PROVIDER, "policy", "security", "compliance")
                .build());
    }

    private static List<Output> softwareOfHost(Raw raw) {
        return List.of(link(
                        raw,
                        "dependency",
                        "installed_on",
                        SOFTWARE,
                        key(raw, "fleetdm_software", raw.text("software_id")),
                        key(raw, "fleetdm_host", raw.text("host_id")))
                .attribute("installed_paths", raw.maybe("installed_paths"))
                .attribute("last_opened_at", raw.maybeText("last_opened_at"))
                .build());
    }

    private static List<Output> vulnerabilityOfHost(Raw raw) {
        return List.of(link(
                        raw,
                        "dependency",
                        "affects",
                        ENTITIES,
                        key(raw, "fleetdm_vulnerability", raw.text("cve")),
                        key(raw, "fleetdm_host", raw.text("host_id")))
                .build());
    }

    /** A link whose target is a host, or the software of the record itself. */
    private static Output.Builder link(
            Raw raw, String name, String type, ElderTable sourceTable, ResourceKey source, ResourceKey target) {
        ElderTable targetTable = target.kind().equals("fleetdm_host") ? ENTITIES : SOFTWARE;
        return Output.row(DEPENDENCIES, raw.key().row(name))
                .set("source_type", sourceTable.noun())
                .set("target_type", targetTable.noun())
                .set("dependency_type", type)
                .refer("source", source)
                .refer("target", target)
                .attribute("provider", PROVIDER);
    }

    /** The team, which releases of 2026 call a fleet, or the server where there is none. */
    private static ResourceKey organization(Raw raw) {
        return raw.maybeWhole("team_id")
                .or(() -> raw.maybeWhole("fleet_id"))
                // Team 0 is "no team".
                .filter(id -> id > 0)
                .map(id -> key(raw, "fleetdm_team", String.valueOf(id)))
                .orElseGet(() -> server(raw.key()));
    }

    private static ResourceKey server(ResourceKey of) {
        return new ResourceKey(PROVIDER, of.account(), "fleetdm_server", of.account());
    }

    private static ResourceKey key(Raw raw, String kind, String id) {
        return new ResourceKey(PROVIDER, raw.key().account(), kind, id);
    }
}
