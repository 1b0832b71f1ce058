package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.IDENTITIES;
import static io.elder.schemas.ElderTable.IDENTITY_GROUPS;
import static io.elder.schemas.ElderTable.IDENTITY_GROUP_MEMBERSHIPS;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;

import io.elder.schemas.ResourceKey;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

/** LDAP directories: OpenLDAP, Active Directory and their like. */
public final class LdapMapping implements Mapping {
    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.of(
            "ldap_directory", LdapMapping::directory,
            "ldap_ou", LdapMapping::organizationalUnit,
            "ldap_user", LdapMapping::user,
            "ldap_group", LdapMapping::group,
            "ldap_group_member", LdapMapping::member));

    @Override
    public String provider() {
        return "ldap";
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> directory(Raw raw) {
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, "LDAP: " + raw.key().account()))
                .set("type", "directory")
                .set("is_active", true)
                .attribute("ldap_dn", raw.text("base_dn"))
                .attribute("ldap_server", raw.text("server"))
                .attribute("vendor", raw.maybeText("vendor"))
                .attribute("provider", "ldap")
                .build());
    }

    private static List<Output> organizationalUnit(Raw raw) {
        Raw attributes = raw.in("attributes");
        String name = attributes.firstText("ou").orElseThrow(() -> new RejectedRecord("attributes.ou", "[]", "a name"));
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, name))
                .set("type", "organizational_unit")
                .set("description", attributes.firstText("description"))
                .set("is_active", true)
                .refer("parent", organization(raw, raw.maybeText("parent_ou_id")))
                .attribute("ldap_dn", raw.text("dn"))
                .attribute("ldap_server", raw.text("server"))
                .attribute("provider", "ldap")
                .build());
    }

    private static List<Output> user(Raw raw) {
        Raw attributes = raw.in("attributes");
        String username = raw.text("username");
        boolean enabled = raw.yes("enabled");
        Optional<String> email = raw.maybeText("email");
        Optional<String> fullName = raw.maybeText("full_name");
        ResourceKey organization = organization(raw, raw.maybeText("ou_id"));
        Output identity = Output.row(IDENTITIES, raw.key().toString())
                .set("username", Output.within(255, "ldap:" + username))
                .set("identity_type", identityType(attributes.texts("objectclass")))
                .set("auth_provider", "ldap")
                .set(
                        "auth_provider_id",
                        Output.within(
                                255,
                                "ldap:" + raw.key().account() + ":" + raw.key().id()))
                .set("email", email.map(address -> Output.within(255, address)))
                .set("full_name", fullName.map(name -> Output.within(255, name)))
                .set("is_active", enabled)
                .refer("organization", organization)
                .attribute("email_verified", raw.maybeYes("email_verified"))
                .build();
        String display = fullName.or(() -> attributes.firstText("displayname"))
                .or(() -> attributes.firstText("cn"))
                .or(() -> attributes.firstText("uid"))
                .or(() -> email)
                .orElse(username);
        Output entity = Output.row(ENTITIES, raw.key().row("entity"))
                .set("name", Output.within(255, display))
                .set("type", "user")
                .set("sub_type", "ldap_user")
                .set("external_id", Output.within(255, raw.key().id()))
                .set("status", enabled ? "active" : "inactive")
                .refer("organization", organization)
                .attribute("ldap_dn", raw.text("dn"))
                .attribute("cn", attributes.firstText("cn"))
                .attribute("uid", attributes.firstText("uid").orElse(username))
                .attribute("email", email)
                .attribute("first_name", attributes.firstText("givenname"))
                .attribute("last_name", attributes.firstText("sn"))
                .attribute("display_name", display)
                .attribute("provider", "ldap")
                .attribute("ldap_server", raw.text("server"))
                .tags("ldap", "user", "identity")
                .build();
        return List.of(identity, entity);
    }

    private static List<Output> group(Raw raw) {
        Raw attributes = raw.in("attributes");
        String cn = attributes.firstText("cn").orElseThrow(() -> new RejectedRecord("attributes.cn", "[]", "a name"));
        String dn = raw.text("dn");
        Optional<String> description = attributes.firstText("description");
        Output group = Output.row(IDENTITY_GROUPS, raw.key().toString())
                .set("name", Output.within(255, "ldap:" + cn))
                .set("description", description.map(text -> Output.within(512, text)))
                .set("ldap_dn", Output.within(512, dn))
                .set("provider", "ldap")
                .set("provider_group_id", Output.within(512, raw.key().id()))
                .set("sync_enabled", false)
                .set("is_active", true)
                .build();
        Output entity = Output.row(ENTITIES, raw.key().row("entity"))
                .set("name", Output.within(255, "Group: " + cn))
                .set("type", "user")
                .set("sub_type", "ldap_group")
                .set("external_id", Output.within(255, raw.key().id()))
                .set("status", "active")
                .refer("organization", organization(raw, raw.maybeText("ou_id")))
                .attribute("ldap_dn", dn)
                .attribute("cn", cn)
                .attribute("group_name", cn)
                .attribute("description", description)
                .attribute("member_count", raw.maybeWhole("member_count"))
                .attribute("type", "group")
                .attribute("provider", "ldap")
                .attribute("ldap_server", raw.text("server"))
                .tags("ldap", "group", "identity")
                .build();
        return List.of(group, entity);
    }

    /** A member that is neither a known user nor a known group lies outside the filters: no row stands for it. */
    private static List<Output> member(Raw raw) {
        ResourceKey group = other(raw, "ldap_group", raw.text("group_id"));
        String memberDn = raw.text("member_dn");
        Optional<String> kind = raw.maybeText("member_kind");
        if (kind.isEmpty()) {
            return List.of();
        }
        ResourceKey member = other(raw, kind.get(), raw.text("member_id"));
        return switch (kind.get()) {
            case "ldap_user" ->
                List.of(Output.row(IDENTITY_GROUP_MEMBERSHIPS, raw.key().toString())
                        .set("provider_member_id", Output.within(512, memberDn))
                        .refer("identity", member)
                        .refer("group", group)
                        .build());
            case "ldap_group" ->
                List.of(Output.row(DEPENDENCIES, raw.key().row("dependency"))
                        .set("source_type", IDENTITY_GROUPS.noun())
                        .set("target_type", IDENTITY_GROUPS.noun())
                        .set("dependency_type", "member_of")
                        .refer("source", member)
                        .refer("target", group)
                        .attribute("ldap_dn", memberDn)
                        .build());
            default -> throw new UnmappedValue("member_kind", kind.get(), "ldap_user or ldap_group");
        };
    }

    private static ResourceKey organization(Raw raw, Optional<String> organizationalUnit) {
        return organizationalUnit
                .map(id -> other(raw, "ldap_ou", id))
                .orElseGet(() -> other(raw, "ldap_directory", raw.text("base_dn")));
    }

    private static ResourceKey other(Raw raw, String kind, String id) {
        return new ResourceKey("ldap", raw.key().account(), kind, id);
    }

    private static String identityType(List<String> objectClasses) {
        List<String> lower = objectClasses.stream()
                .map(name -> name.toLowerCase(Locale.ROOT))
                .toList();
        // https://learn.microsoft.com/windows/win32/adschema/c-msds-managedserviceaccount, RFC 4519 section 3.3
        boolean service = lower.contains("msds-managedserviceaccount")
                || lower.contains("msds-groupmanagedserviceaccount")
                || (lower.contains("applicationprocess") && !lower.contains("person"));
        return service ? "service_account" : "employee";
    }
}
