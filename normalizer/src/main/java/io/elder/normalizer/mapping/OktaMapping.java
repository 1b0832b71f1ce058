package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.IDENTITIES;
import static io.elder.schemas.ElderTable.IDENTITY_GROUPS;
import static io.elder.schemas.ElderTable.IDENTITY_GROUP_MEMBERSHIPS;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;

import io.elder.schemas.ResourceKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Okta: its org, users, groups and who is in them. */
public final class OktaMapping implements Mapping {
    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.of(
            "okta_org", OktaMapping::org,
            "okta_user", OktaMapping::user,
            "okta_group", OktaMapping::group,
            "okta_group_member", OktaMapping::member));

    @Override
    public String provider() {
        return "okta";
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> org(Raw raw) {
        String domain = raw.text("domain");
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, "Okta: " + domain))
                .set("type", "directory")
                .set("is_active", true)
                .attribute("okta_domain", domain)
                .attribute("okta_org_id", raw.maybeText("id"))
                .attribute("okta_pipeline", raw.maybeText("pipeline"))
                .attribute("provider", "okta")
                .build());
    }

    private static List<Output> user(Raw raw) {
        Raw profile = raw.in("profile");
        Status status = status(raw.text("status"));
        String login = profile.text("login");
        Optional<String> email = profile.maybeText("email");
        Optional<String> name = profile.maybeText("displayName").or(() -> fullName(profile));
        boolean isVerified = email.isPresent() && isVerified(raw, email.get(), status);
        Output identity = Output.row(IDENTITIES, raw.key().toString())
                .set("username", Output.within(255, "okta:" + login))
                .set("identity_type", "human")
                .set("auth_provider", "okta")
                .set("auth_provider_id", Output.within(255, raw.key().id()))
                .set("email", email.map(address -> Output.within(255, address)))
                .set("full_name", name.map(text -> Output.within(255, text)))
                .set("is_active", status.isActive())
                .set("last_login_at", raw.maybeText("lastLogin"))
                .refer("organization", org(raw.key().account()))
                .attribute("okta_id", raw.key().id())
                .attribute("okta_status", raw.text("status"))
                .attribute("email_verified", isVerified)
                .build();
        Output entity = Output.row(ENTITIES, raw.key().row("entity"))
                .set("name", Output.within(255, name.or(() -> email).orElse(login)))
                .set("type", "user")
                .set("sub_type", "okta_user")
                .set("external_id", Output.within(255, raw.key().id()))
                .set("status", raw.text("status").toLowerCase(Locale.ROOT))
                .refer("organization", org(raw.key().account()))
                .attribute("okta_id", raw.key().id())
                .attribute("okta_status", raw.text("status"))
                .attribute("okta_login", login)
                .attribute("okta_department", profile.maybeText("department"))
                .attribute("okta_title", profile.maybeText("title"))
                .attribute("okta_employee_number", profile.maybeText("employeeNumber"))
                .attribute("okta_manager", profile.maybeText("manager").or(() -> profile.maybeText("managerId")))
                .attribute("okta_sign_on", raw.in("credentials").in("provider").maybeText("type"))
                .attribute("email", email)
                .attribute("email_verified", isVerified)
                .attribute("first_name", profile.maybeText("firstName"))
                .attribute("last_name", profile.maybeText("lastName"))
                .attribute("display_name", name)
                .attribute("created_at", raw.maybeText("created"))
                .attribute("okta_domain", raw.key().account())
                .attribute("provider", "okta")
                .tags("okta", "user", "identity")
                .build();
        return List.of(identity, entity);
    }

    /**
     * What a status means.
     *
     * @param isActive whether the user may sign on, or may once he has done what Okta asks of him
     * @param wasActivated whether the account was taken into use
     */
    private record Status(boolean isActive, boolean wasActivated) {}

    /** https://developer.okta.com/docs/concepts/user-lifecycle/ */
    private static Status status(String word) {
        return switch (word) {
            case "ACTIVE", "PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY" -> new Status(true, true);
            case "PROVISIONED" -> new Status(true, false);
            case "STAGED", "ACTIVATING" -> new Status(false, false);
            case "SUSPENDED" -> new Status(false, true);
            case "DEPROVISIONED" -> new Status(false, false);
            default ->
                throw new UnmappedValue(
                        "status",
                        word,
                        "ACTIVE, PASSWORD_EXPIRED, LOCKED_OUT, RECOVERY, PROVISIONED, STAGED, ACTIVATING, SUSPENDED"
                                + " or DEPROVISIONED");
        };
    }

    /**
     * Okta says it of each address where it keeps it. Else an account that was taken into use counts: its owner had the
     * mail that activates it, or the directory that it comes from vouches for the address.
     */
    private static boolean isVerified(Raw raw, String email, Status status) {
        return raw.in("credentials").objects("emails").stream()
                .filter(each ->
                        each.maybeText("value").filter(email::equalsIgnoreCase).isPresent())
                .findFirst()
                .flatMap(each -> each.maybeText("status"))
                .map("VERIFIED"::equals)
                .orElse(status.wasActivated());
    }

    private static Optional<String> fullName(Raw profile) {
        String name = Stream.of(profile.maybeText("firstName"), profile.maybeText("lastName"))
                .flatMap(Optional::stream)
                .collect(Collectors.joining(" "));
        return name.isEmpty() ? Optional.empty() : Optional.of(name);
    }

    /** Only groups that Okta itself manages are Elder's to manage; what others manage is to be seen, and no more. */
    private static List<Output> group(Raw raw) {
        Raw profile = raw.in("profile");
        String name = profile.text("name");
        boolean isReadOnly = isReadOnly("type", raw.text("type"));
        Optional<String> description = profile.maybeText("description");
        List<Output> rows = new ArrayList<>();
        if (!isReadOnly) {
            rows.add(Output.row(IDENTITY_GROUPS, raw.key().toString())
                    .set("name", Output.within(255, "okta:" + name))
                    .set("description", description.map(text -> Output.within(512, text)))
                    .set("provider", "okta")
                    .set("provider_group_id", Output.within(512, raw.key().id()))
                    .set("is_active", true)
                    .build());
        }
        rows.add(Output.row(ENTITIES, raw.key().row("entity"))
                .set("name", Output.within(255, "Group: " + name))
                .set("type", "user")
                .set("sub_type", "okta_group")
                .set("external_id", Output.within(255, raw.key().id()))
                .set("status", "active")
                .refer("organization", org(raw.key().account()))
                .attribute("okta_id", raw.key().id())
                .attribute("okta_type", raw.text("type"))
                .attribute("read_only", isReadOnly)
                .attribute("group_name", name)
                .attribute("description", description)
                .attribute("ldap_dn", profile.maybeText("dn"))
                .attribute("created_at", raw.maybeText("created"))
                .attribute("type", "group")
                .attribute("okta_domain", raw.key().account())
                .attribute("provider", "okta")
                .tags("okta", "group", "identity")
                .build());
        return List.copyOf(rows);
    }

    private static List<Output> member(Raw raw) {
        ResourceKey user = other(raw, "okta_user", raw.text("user_id"));
        ResourceKey group = other(raw, "okta_group", raw.text("group_id"));
        if (!isReadOnly("group_type", raw.text("group_type"))) {
            return List.of(Output.row(IDENTITY_GROUP_MEMBERSHIPS, raw.key().toString())
                    .set("provider_member_id", Output.within(512, raw.text("user_id")))
                    .refer("identity", user)
                    .refer("group", group)
                    .build());
        }
        return List.of(Output.row(DEPENDENCIES, raw.key().row("dependency"))
                .set("source_type", IDENTITIES.noun())
                .set("target_type", ENTITIES.noun())
                .set("dependency_type", "member_of")
                .refer("source", user)
                .refer("target", group.row("entity"))
                .build());
    }

    private static boolean isReadOnly(String field, String type) {
        return switch (type) {
            case "OKTA_GROUP" -> false;
            case "APP_GROUP", "BUILT_IN" -> true;
            default -> throw new UnmappedValue(field, type, "OKTA_GROUP, APP_GROUP or BUILT_IN");
        };
    }

    private static ResourceKey org(String domain) {
        return new ResourceKey("okta", domain, "okta_org", domain);
    }

    private static ResourceKey other(Raw raw, String kind, String id) {
        return new ResourceKey("okta", raw.key().account(), kind, id);
    }
}
