package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.IDENTITIES;
import static io.elder.schemas.ElderTable.IDENTITY_GROUPS;
import static io.elder.schemas.ElderTable.IDENTITY_GROUP_MEMBERSHIPS;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;

import io.elder.schemas.ElderTable;
import io.elder.schemas.ResourceKey;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

/** Google Workspace. Fields are those of the Directory API, and the few that the fetcher adds to tell ids. */
public final class GoogleWorkspaceMapping implements Mapping {
    private static final String PROVIDER = "google_workspace";

    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.of(
            "google_workspace_customer", GoogleWorkspaceMapping::customer,
            "google_workspace_org_unit", GoogleWorkspaceMapping::orgUnit,
            "google_workspace_user", GoogleWorkspaceMapping::user,
            "google_workspace_group", GoogleWorkspaceMapping::group,
            "google_workspace_group_member", GoogleWorkspaceMapping::member));

    /** The row above all customers; every customer yields the same one. */
    private static final ResourceKey ROOT = new ResourceKey(PROVIDER, "*", PROVIDER, PROVIDER);

    /** What the API says of somebody who has never logged in. */
    private static final String NEVER = "1970-01-01T00:00:00.000Z";

    @Override
    public String provider() {
        return PROVIDER;
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> customer(Raw raw) {
        String id = raw.text("id");
        Optional<String> domain = raw.maybeText("domain");
        return List.of(
                Output.row(ORGANIZATIONS, ROOT.toString())
                        .set("name", "Google Workspace")
                        .set("type", "directory")
                        .set("is_active", true)
                        .attribute("provider", PROVIDER)
                        .build(),
                Output.row(ORGANIZATIONS, raw.key().toString())
                        .set("name", Output.within(255, "Google Workspace: " + domain.orElse(id)))
                        .set("type", "directory")
                        .set("is_active", true)
                        .refer("parent", ROOT)
                        .attribute("customer_id", id)
                        .attribute("domain", domain)
                        .attribute("provider", PROVIDER)
                        .build());
    }

    private static List<Output> orgUnit(Raw raw) {
        boolean isTop = raw.maybeText("parentOrgUnitPath").filter("/"::equals).isPresent();
        Optional<String> parent = raw.maybeText("parentOrgUnitId").filter(id -> !isTop);
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, raw.text("name")))
                .set("type", "organizational_unit")
                .set("description", raw.maybeText("description"))
                .set("is_active", true)
                .refer("parent", organization(raw, parent))
                .attribute("org_unit_id", raw.text("orgUnitId"))
                .attribute("org_unit_path", raw.text("orgUnitPath"))
                .attribute("customer_id", raw.key().account())
                .attribute("provider", PROVIDER)
                .build());
    }

    private static List<Output> user(Raw raw) {
        String email = raw.text("primaryEmail");
        Raw name = raw.in("name");
        Optional<String> fullName = name.maybeText("fullName");
        boolean isSuspended = raw.maybeYes("suspended").orElse(false);
        boolean isArchived = raw.maybeYes("archived").orElse(false);
        Optional<String> lastLogin = raw.maybeText("lastLoginTime").filter(time -> !time.equals(NEVER));
        ResourceKey organization = organization(raw, raw.maybeText("orgUnitId"));
        Output identity = Output.row(IDENTITIES, raw.key().toString())
                .set("username", Output.within(255, PROVIDER + ":" + email))
                .set("identity_type", "employee")
                .set("auth_provider", PROVIDER)
                .set("auth_provider_id", providerId(raw))
                .set("email", Output.within(255, email))
                .set("full_name", fullName.map(text -> Output.within(255, text)))
                .set("is_active", !isSuspended && !isArchived)
                .set("last_login_at", lastLogin)
                .refer("organization", organization)
                // Domains are proven to Google, and addresses in them are given out by the customer.
                .attribute("email_verified", true)
                .attribute("user_id", raw.key().id())
                .attribute("provider", PROVIDER)
                .build();
        Optional<Raw> job = raw.objects("organizations").stream()
                .filter(each -> each.maybeYes("primary").orElse(false))
                .findFirst()
                .or(() -> raw.objects("organizations").stream().findFirst());
        Output entity = Output.row(ENTITIES, raw.key().row("entity"))
                .set("name", Output.within(255, fullName.orElse(email)))
                .set("type", "user")
                .set("sub_type", "google_workspace_user")
                .set("external_id", Output.within(255, raw.key().id()))
                .set("status", isArchived ? "archived" : isSuspended ? "suspended" : "active")
                .refer("organization", organization)
                .attribute("email", email)
                .attribute("email_verified", true)
                .attribute("user_id", raw.key().id())
                .attribute("first_name", name.maybeText("givenName"))
                .attribute("last_name", name.maybeText("familyName"))
                .attribute("is_admin", raw.maybeYes("isAdmin"))
                .attribute("is_delegated_admin", raw.maybeYes("isDelegatedAdmin"))
                .attribute("is_enrolled_in_2sv", raw.maybeYes("isEnrolledIn2Sv"))
                .attribute("is_enforced_in_2sv", raw.maybeYes("isEnforcedIn2Sv"))
                .attribute("suspended", isSuspended)
                .attribute("suspension_reason", raw.maybeText("suspensionReason"))
                .attribute("archived", isArchived)
                .attribute("aliases", raw.maybe("aliases"))
                .attribute("department", job.flatMap(each -> each.maybeText("department")))
                .attribute("title", job.flatMap(each -> each.maybeText("title")))
                .attribute("org_unit_path", raw.maybeText("orgUnitPath"))
                .attribute("creation_time", raw.maybeText("creationTime"))
                .attribute("last_login_time", lastLogin)
                .attribute("provider", PROVIDER)
                .tags(PROVIDER, "user", "identity")
                .build();
        return List.of(identity, entity);
    }

    private static List<Output> group(Raw raw) {
        String email = raw.text("email");
        String name = raw.maybeText("name").orElse(email);
        Optional<String> description = raw.maybeText("description");
        Output group = Output.row(IDENTITY_GROUPS, raw.key().toString())
                // Not the display name: several groups may have the same.
                .set("name", Output.within(255, PROVIDER + ":" + email))
                .set("description", description.map(text -> Output.within(512, text)))
                .set("provider", PROVIDER)
                .set("provider_group_id", Output.within(512, raw.key().id()))
                .set("sync_enabled", false)
                .set("is_active", true)
                .attribute("email", email)
                .attribute("group_name", name)
                .attribute("provider", PROVIDER)
                .build();
        Output entity = Output.row(ENTITIES, raw.key().row("entity"))
                .set("name", Output.within(255, "Group: " + name))
                .set("type", "user")
                .set("sub_type", "google_workspace_group")
                .set("external_id", Output.within(255, raw.key().id()))
                .set("status", "active")
                .refer("organization", organization(raw, Optional.empty()))
                .attribute("email", email)
                .attribute("group_id", raw.key().id())
                .attribute("group_name", name)
                .attribute("description", description)
                .attribute("aliases", raw.maybe("aliases"))
                .attribute("admin_created", raw.maybeYes("adminCreated"))
                .attribute("direct_members_count", raw.maybe("directMembersCount"))
                .attribute("type", "group")
                .attribute("provider", PROVIDER)
                .tags(PROVIDER, "group", "identity")
                .build();
        return List.of(group, entity);
    }

    /** Members from outside have no row of their own, so none stands for their membership. */
    private static List<Output> member(Raw raw) {
        ResourceKey group = other(raw, "google_workspace_group", raw.text("groupId"));
        Optional<String> kind = raw.maybeText("memberKind");
        String type = raw.text("type");
        return switch (type) {
            case "USER" ->
                kind.filter("google_workspace_user"::equals)
                        .map(user -> List.of(Output.row(
                                        IDENTITY_GROUP_MEMBERSHIPS, raw.key().toString())
                                .set(
                                        "provider_member_id",
                                        Output.within(
                                                512, raw.maybeText("email").orElse(raw.text("id"))))
                                .refer("identity", other(raw, user, raw.text("id")))
                                .refer("group", group)
                                .attribute("role", raw.maybeText("role"))
                                .attribute("status", raw.maybeText("status"))
                                .build()))
                        .orElse(List.of());
            case "GROUP" ->
                kind.filter("google_workspace_group"::equals)
                        .map(nested -> List.of(within(raw, IDENTITY_GROUPS, other(raw, nested, raw.text("id")), group)))
                        .orElse(List.of());
            // All users of the customer, those to come included.
            case "CUSTOMER" -> List.of(within(raw, ORGANIZATIONS, organization(raw, Optional.empty()), group));
            case "EXTERNAL" -> List.of();
            default -> throw new UnmappedValue("type", type, "USER, GROUP, CUSTOMER or EXTERNAL");
        };
    }

    private static Output within(Raw raw, ElderTable table, ResourceKey member, ResourceKey group) {
        return Output.row(DEPENDENCIES, raw.key().row("dependency"))
                .set("source_type", table.noun())
                .set("target_type", IDENTITY_GROUPS.noun())
                .set("dependency_type", "member_of")
                .refer("source", member)
                .refer("target", group)
                .attribute("role", raw.maybeText("role"))
                .attribute("provider", PROVIDER)
                .build();
    }

    private static ResourceKey organization(Raw raw, Optional<String> orgUnit) {
        return orgUnit.map(id -> other(raw, "google_workspace_org_unit", id))
                .orElseGet(
                        () -> other(raw, "google_workspace_customer", raw.key().account()));
    }

    private static ResourceKey other(Raw raw, String kind, String id) {
        return new ResourceKey(PROVIDER, raw.key().account(), kind, id);
    }

    private static String providerId(Raw raw) {
        return Output.within(
                255, PROVIDER + ":" + raw.key().account() + ":" + raw.key().id());
    }
}
