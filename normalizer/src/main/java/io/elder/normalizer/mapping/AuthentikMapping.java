package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.IDENTITIES;
import static io.elder.schemas.ElderTable.IDENTITY_GROUPS;
import static io.elder.schemas.ElderTable.IDENTITY_GROUP_MEMBERSHIPS;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;

import com.fasterxml.jackson.databind.JsonNode;
import io.elder.schemas.ResourceKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;

/** Authentik: its server, users, groups in groups and who is in them. */
public final class AuthentikMapping implements Mapping {
    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.of(
            "authentik_server", AuthentikMapping::server,
            "authentik_user", AuthentikMapping::user,
            "authentik_group", AuthentikMapping::group,
            "authentik_group_member", AuthentikMapping::member));

    @Override
    public String provider() {
        return "authentik";
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> server(Raw raw) {
        String domain = raw.text("domain");
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, "Authentik: " + domain))
                .set("type", "directory")
                .set("is_active", true)
                .attribute("authentik_domain", domain)
                .attribute("version", raw.maybeText("version_current"))
                .attribute("provider", "authentik")
                .build());
    }

    private static List<Output> user(Raw raw) {
        long pk = raw.maybeWhole("pk").orElseThrow(() -> new RejectedRecord("pk", "nothing", "a whole number"));
        String username = raw.text("username");
        String type = raw.maybeText("type").orElse("internal");
        boolean isActive = raw.yes("is_active");
        Optional<String> email = raw.maybeText("email");
        Optional<String> name = raw.maybeText("name");
        boolean isVerified = email.isPresent() && isVerified(raw);
        Output identity = Output.row(IDENTITIES, raw.key().toString())
                .set("username", Output.within(255, "authentik:" + username))
                .set("identity_type", identityType(type))
                .set("auth_provider", "authentik")
                .set("auth_provider_id", String.valueOf(pk))
                .set("email", email.map(address -> Output.within(255, address)))
                .set("full_name", name.map(text -> Output.within(255, text)))
                .set("is_active", isActive)
                .set("last_login_at", raw.maybeText("last_login"))
                .refer("organization", server(raw.key().account()))
                .attribute("authentik_pk", pk)
                .attribute("authentik_type", type)
                .attribute("email_verified", isVerified)
                .build();
        Output entity = Output.row(ENTITIES, raw.key().row("entity"))
                .set("name", Output.within(255, name.orElse(username)))
                .set("type", "user")
                .set("sub_type", "authentik_user")
                .set("external_id", String.valueOf(pk))
                .set("status", isActive ? "active" : "inactive")
                .refer("organization", server(raw.key().account()))
                .attribute("authentik_pk", pk)
                .attribute("authentik_username", username)
                .attribute("authentik_uuid", raw.maybeText("uuid"))
                .attribute("authentik_type", type)
                .attribute("authentik_path", raw.maybeText("path"))
                .attribute("email", email)
                .attribute("email_verified", isVerified)
                .attribute("name", name)
                .attribute("is_active", isActive)
                .attribute("is_superuser", raw.maybeYes("is_superuser"))
                .attribute("created_at", raw.maybeText("date_joined"))
                .attribute("custom_attributes", raw.maybe("attributes"))
                .attribute("authentik_domain", raw.key().account())
                .attribute("provider", "authentik")
                .tags("authentik", "user", "identity")
                .build();
        return List.of(identity, entity);
    }

    /** https://docs.goauthentik.io/users-sources/user/user_basic_operations */
    private static String identityType(String type) {
        return switch (type) {
            case "internal", "external" -> "employee";
            case "service_account", "internal_service_account" -> "service_account";
            default ->
                throw new UnmappedValue(
                        "type", type, "internal, external, service_account or internal_service_account");
        };
    }

    /** Authentik itself vouches for no address; who checks addresses says so in this attribute. */
    private static boolean isVerified(Raw raw) {
        return raw.in("attributes")
                .maybe("email_verified")
                .map(JsonNode::booleanValue)
                .orElse(false);
    }

    private static List<Output> group(Raw raw) {
        String name = raw.text("name");
        List<String> parents = parents(raw);
        List<Output> rows = new ArrayList<>();
        rows.add(Output.row(IDENTITY_GROUPS, raw.key().toString())
                .set("name", Output.within(255, "authentik:" + name))
                .set("description", Output.within(512, "Authentik group: " + name))
                .set("provider", "authentik")
                .set("provider_group_id", raw.key().id())
                .set("is_active", true)
                .build());
        rows.add(Output.row(ENTITIES, raw.key().row("entity"))
                .set("name", Output.within(255, "Group: " + name))
                .set("type", "user")
                .set("sub_type", "authentik_group")
                .set("external_id", raw.key().id())
                .set("status", "active")
                .refer("organization", server(raw.key().account()))
                .attribute("authentik_pk", raw.key().id())
                .attribute("authentik_uuid", raw.key().id())
                .attribute("name", name)
                .attribute("group_name", name)
                .attribute("is_superuser", raw.maybeYes("is_superuser"))
                .attribute("parent", raw.maybeText("parent"))
                .attribute("parent_name", raw.maybeText("parent_name"))
                .attribute("parents", raw.maybe("parents"))
                .attribute("member_count", raw.maybe("users").map(JsonNode::size))
                .attribute("custom_attributes", raw.maybe("attributes"))
                .attribute("type", "group")
                .attribute("authentik_domain", raw.key().account())
                .attribute("provider", "authentik")
                .tags("authentik", "group", "identity")
                .build());
        for (String parent : parents) {
            rows.add(Output.row(DEPENDENCIES, raw.key().row("parent:" + parent))
                    .set("source_type", IDENTITY_GROUPS.noun())
                    .set("target_type", IDENTITY_GROUPS.noun())
                    .set("dependency_type", "member_of")
                    .refer("source", raw.key())
                    .refer("target", other(raw, "authentik_group", parent))
                    .build());
        }
        return List.copyOf(rows);
    }

    /** Several, or one in older releases. */
    private static List<String> parents(Raw raw) {
        TreeSet<String> parents = new TreeSet<>(raw.texts("parents"));
        raw.maybeText("parent").ifPresent(parents::add);
        return List.copyOf(parents);
    }

    private static List<Output> member(Raw raw) {
        String user = raw.text("user_id");
        return List.of(Output.row(IDENTITY_GROUP_MEMBERSHIPS, raw.key().toString())
                .set("provider_member_id", user)
                .refer("identity", other(raw, "authentik_user", user))
                .refer("group", other(raw, "authentik_group", raw.text("group_id")))
                .build());
    }

    private static ResourceKey server(String domain) {
        return new ResourceKey("authentik", domain, "authentik_server", domain);
    }

    private static ResourceKey other(Raw raw, String kind, String id) {
        return new ResourceKey("authentik", raw.key().account(), kind, id);
    }
}
