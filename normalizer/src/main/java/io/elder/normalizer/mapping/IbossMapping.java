package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.IDENTITIES;
import static io.elder.schemas.ElderTable.IDENTITY_GROUPS;
import static io.elder.schemas.ElderTable.IDENTITY_GROUP_MEMBERSHIPS;
import static io.elder.schemas.ElderTable.NETWORKING_RESOURCES;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;
import static io.elder.schemas.ElderTable.SOFTWARE;
import static java.util.Map.entry;

import io.elder.schemas.ResourceKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;

/** iBoss. Fields are those that the first version of this connector read; nothing public says what the service answers. */
public final class IbossMapping implements Mapping {
    private static final String PROVIDER = "iboss";

    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.ofEntries(
            entry("iboss_tenant", IbossMapping::tenant),
            entry("iboss_user", IbossMapping::user),
            entry("iboss_group", IbossMapping::group),
            entry("iboss_group_member", IbossMapping::member),
            entry("iboss_policy", IbossMapping::policy),
            entry("iboss_application", IbossMapping::application),
            entry("iboss_application_usage", IbossMapping::usage),
            entry("iboss_connector", IbossMapping::connector)));

    private static final Set<String> HIGH_RISK = Set.of("malware", "phishing", "botnet");
    private static final Set<String> MEDIUM_RISK = Set.of("file-sharing", "proxy", "vpn");

    @Override
    public String provider() {
        return PROVIDER;
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> tenant(Raw raw) {
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set(
                        "name",
                        Output.within(
                                255, "iBoss: " + raw.maybeText("tenant_id").orElse("Default")))
                .set("type", "tenant")
                .set("is_active", true)
                .attribute("tenant_id", raw.maybeText("tenant_id"))
                .attribute("provider", PROVIDER)
                .build());
    }

    private static List<Output> user(Raw raw) {
        Optional<String> email = raw.maybeText("email");
        String username = raw.maybeText("username")
                .or(() -> email)
                .orElseThrow(() -> new RejectedRecord("username", "nothing", "a text there or in email"));
        Optional<String> first = raw.maybeText("firstName").or(() -> raw.maybeText("first_name"));
        Optional<String> last = raw.maybeText("lastName").or(() -> raw.maybeText("last_name"));
        String fullName = (first.orElse("") + " " + last.orElse("")).strip();
        boolean isActive = isActive(raw.maybeText("status"));
        Output identity = Output.row(IDENTITIES, raw.key().toString())
                .set("username", Output.within(255, PROVIDER + ":" + username))
                .set("identity_type", "employee")
                .set("auth_provider", PROVIDER)
                .set(
                        "auth_provider_id",
                        Output.within(
                                255,
                                PROVIDER + ":" + raw.key().account() + ":"
                                        + raw.key().id()))
                .set("email", email.map(text -> Output.within(255, text)))
                .set(
                        "full_name",
                        Optional.of(fullName).filter(text -> !text.isEmpty()).map(text -> Output.within(255, text)))
                .set("is_active", isActive)
                .refer("organization", tenant(raw.key()))
                .attribute("provider", PROVIDER)
                .build();
        Output entity = Output.row(ENTITIES, raw.key().row("entity"))
                .set("name", Output.within(255, username))
                .set("type", "user")
                .set("sub_type", "iboss_user")
                .set("external_id", Output.within(255, raw.key().id()))
                .set("status", isActive ? "active" : "inactive")
                .refer("organization", tenant(raw.key()))
                .attribute("iboss_user_id", raw.key().id())
                .attribute("email", email)
                .attribute("username", username)
                .attribute("first_name", first)
                .attribute("last_name", last)
                .attribute("department", raw.maybeText("department"))
                .attribute("groups", raw.maybe("groups"))
                .attribute("status", raw.maybeText("status"))
                .attribute("identity_type", "employee")
                .attribute("provider", PROVIDER)
                .tags(PROVIDER, "user", "identity")
                .build();
        return List.of(identity, entity);
    }

    private static boolean isActive(Optional<String> status) {
        return switch (status.orElse("active").toLowerCase(Locale.ROOT)) {
            case "active", "enabled" -> true;
            case "inactive", "disabled", "suspended", "locked" -> false;
            default ->
                throw new UnmappedValue(
                        "status", status.orElse(""), "active, enabled, inactive, disabled, suspended or locked");
        };
    }

    private static List<Output> group(Raw raw) {
        String name = raw.text("name");
        Output group = Output.row(IDENTITY_GROUPS, raw.key().toString())
                .set("name", Output.within(255, PROVIDER + ":" + name))
                .set("description", raw.maybeText("description").map(text -> Output.within(512, text)))
                .set("provider", PROVIDER)
                .set("provider_group_id", Output.within(512, raw.key().id()))
                .set("sync_enabled", false)
                .set("is_active", true)
                .attribute("provider", PROVIDER)
                .build();
        Output entity = Output.row(ENTITIES, raw.key().row("entity"))
                .set("name", Output.within(255, "Group: " + name))
                .set("type", "user")
                .set("sub_type", "iboss_group")
                .set("external_id", Output.within(255, raw.key().id()))
                .set("status", "active")
                .refer("organization", tenant(raw.key()))
                .attribute("iboss_group_id", raw.key().id())
                .attribute("group_name", name)
                .attribute("member_count", raw.maybe("memberCount").or(() -> raw.maybe("member_count")))
                .attribute("policies", raw.maybe("policies"))
                .attribute("identity_type", "group")
                .attribute("provider", PROVIDER)
                .tags(PROVIDER, "group", "identity")
                .build();
        return List.of(group, entity);
    }

    /** A group that no list names has no row, so its members have none either. */
    private static List<Output> member(Raw raw) {
        ResourceKey user = other(raw, "iboss_user", raw.text("userId"));
        return raw.maybeText("groupId")
                .map(id ->
                        List.of(Output.row(IDENTITY_GROUP_MEMBERSHIPS, raw.key().toString())
                                .set("provider_member_id", Output.within(512, raw.text("userId")))
                                .refer("identity", user)
                                .refer("group", other(raw, "iboss_group", id))
                                .build()))
                .orElse(List.of());
    }

    private static List<Output> policy(Raw raw) {
        String name = raw.text("name");
        Optional<Boolean> enabled = raw.maybeYes("enabled");
        return List.of(Output.row(ENTITIES, raw.key().toString())
                .set("name", Output.within(255, "Policy: " + name))
                .set("type", "security")
                .set("sub_type", "config")
                .set("external_id", Output.within(255, raw.key().id()))
                .set("status", enabled.map(yes -> yes ? "active" : "inactive"))
                .refer("organization", tenant(raw.key()))
                .attribute("iboss_policy_id", raw.key().id())
                .attribute("policy_name", name)
                .attribute("policy_type", raw.maybeText("type"))
                .attribute("enabled", enabled)
                .attribute("priority", raw.maybe("priority"))
                .attribute("categories", raw.maybe("categories"))
                .attribute("actions", raw.maybe("actions"))
                .attribute("provider", PROVIDER)
                .tags(PROVIDER, "policy", "security", "web-filtering")
                .build());
    }

    private static List<Output> application(Raw raw) {
        String name = raw.text("name");
        Optional<String> category = raw.maybeText("category");
        List<String> tags = new ArrayList<>(List.of(PROVIDER, "application", "software"));
        category.ifPresent(tags::add);
        category.map(text -> text.toLowerCase(Locale.ROOT)).ifPresent(text -> {
            if (HIGH_RISK.contains(text)) {
                tags.add("high-risk");
            } else if (MEDIUM_RISK.contains(text)) {
                tags.add("medium-risk");
            }
        });
        return List.of(Output.row(SOFTWARE, raw.key().toString())
                .set("name", Output.within(255, name))
                .set("software_type", "other")
                .set("vendor", raw.maybeText("vendor").map(text -> Output.within(255, text)))
                .refer("organization", tenant(raw.key()))
                .attribute("iboss_app_id", raw.key().id())
                .attribute("app_name", name)
                .attribute("category", category)
                .attribute("subcategory", raw.maybeText("subcategory"))
                .attribute("risk_score", raw.maybe("riskScore").or(() -> raw.maybe("risk_score")))
                .attribute("users_count", raw.maybe("usersCount").or(() -> raw.maybe("users_count")))
                .attribute("sessions_count", raw.maybe("sessionsCount").or(() -> raw.maybe("sessions_count")))
                .attribute("bytes_transferred", raw.maybe("bytesTransferred").or(() -> raw.maybe("bytes_transferred")))
                .attribute("last_seen", raw.maybe("lastSeen").or(() -> raw.maybe("last_seen")))
                .attribute("blocked", raw.maybeYes("blocked"))
                .attribute("vendor", raw.maybeText("vendor"))
                .attribute("resource_type", "application")
                .attribute("provider", PROVIDER)
                .tags(tags.toArray(String[]::new))
                .build());
    }

    private static List<Output> usage(Raw raw) {
        return List.of(Output.row(DEPENDENCIES, raw.key().row("dependency"))
                .set("source_type", IDENTITIES.noun())
                .set("target_type", SOFTWARE.noun())
                .set("dependency_type", "uses")
                .refer("source", other(raw, "iboss_user", id(raw, "userId")))
                .refer("target", other(raw, "iboss_application", id(raw, "applicationId")))
                .attribute("sessions_count", raw.maybe("sessionsCount"))
                .attribute("bytes_transferred", raw.maybe("bytesTransferred"))
                .attribute("provider", PROVIDER)
                .build());
    }

    private static List<Output> connector(Raw raw) {
        return List.of(Output.row(NETWORKING_RESOURCES, raw.key().toString())
                .set(
                        "name",
                        Output.within(
                                255,
                                raw.maybeText("name")
                                        .orElse("Connector-" + raw.key().id())))
                .set("network_type", "proxy")
                .set("location", raw.maybeText("location").map(text -> Output.within(255, text)))
                .set("is_active", true)
                .refer("organization", tenant(raw.key()))
                .attribute("iboss_connector_id", raw.key().id())
                .attribute("connector_type", raw.maybeText("type"))
                .attribute("location", raw.maybeText("location"))
                .attribute("ip_address", raw.maybeText("ipAddress").or(() -> raw.maybeText("ip_address")))
                .attribute("status", raw.maybeText("status"))
                .attribute("version", raw.maybe("version"))
                .attribute("last_seen", raw.maybe("lastSeen").or(() -> raw.maybe("last_seen")))
                .attribute("provider", PROVIDER)
                .tags(PROVIDER, "connector", "network", "gateway")
                .build());
    }

    /** Ids may be numbers or texts. */
    private static String id(Raw raw, String field) {
        return raw.maybe(field)
                .map(node -> node.asText(""))
                .filter(text -> !text.isBlank())
                .orElseThrow(() -> new RejectedRecord(field, "nothing", "an id"));
    }

    private static ResourceKey tenant(ResourceKey of) {
        return other(of, "iboss_tenant", of.account());
    }

    private static ResourceKey other(Raw raw, String kind, String id) {
        return other(raw.key(), kind, id);
    }

    private static ResourceKey other(ResourceKey of, String kind, String id) {
        return new ResourceKey(PROVIDER, of.account(), kind, id);
    }
}
