package io.elder.console;

import static io.elder.console.Listing.field;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.console.Listing.Condition;
import io.elder.console.Listing.Field;
import io.elder.console.Listing.Kind;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.sql.DataSource;

/** The inventory in Elder's tables, read only, in any of the database's shapes. Soft-deleted rows are left out unless asked for. */
final class InventoryReader {
    static final Listing ENTITIES = listing(
            "entities",
            field("name", Kind.TEXT),
            field("type", Kind.LABEL, "type", "entity_type"),
            field("sub_type", Kind.TEXT),
            field("organization_id", Kind.NUMBER),
            field("parent_id", Kind.NUMBER),
            field("external_id", Kind.TEXT),
            field("cloud_provider", Kind.TEXT),
            field("region", Kind.TEXT),
            field("status", Kind.TEXT),
            field("tags", Kind.JSON),
            field("metadata", Kind.JSON, "metadata", "attributes"),
            field("last_seen_at", Kind.TIME));

    static final Listing ORGANIZATIONS = listing(
            "organizations",
            field("name", Kind.TEXT),
            field("type", Kind.TEXT, "type", "organization_type"),
            field("description", Kind.TEXT),
            field("tenant_id", Kind.NUMBER),
            field("parent_id", Kind.NUMBER),
            field("cloud_provider", Kind.TEXT),
            field("cloud_account_id", Kind.TEXT),
            field("region", Kind.TEXT),
            field("ldap_dn", Kind.TEXT),
            field("is_active", Kind.BOOLEAN),
            field("tags", Kind.JSON),
            field("metadata", Kind.JSON));

    /** Never a password hash or an MFA secret: the fields are named one by one. */
    static final Listing IDENTITIES = listing(
            "identities",
            field("username", Kind.TEXT),
            field("identity_type", Kind.LABEL, "identity_type", "type"),
            field("auth_provider", Kind.LABEL, "auth_provider", "provider"),
            field("auth_provider_id", Kind.TEXT, "auth_provider_id", "external_id"),
            field("email", Kind.TEXT),
            field("full_name", Kind.TEXT, "full_name", "display_name", "name"),
            field("is_active", Kind.BOOLEAN),
            field("tenant_id", Kind.NUMBER),
            field("organization_id", Kind.NUMBER),
            field("last_login_at", Kind.TEXT),
            field("metadata", Kind.JSON),
            field("last_seen_at", Kind.TIME));

    static final Listing GROUPS = listing(
            "identity_groups",
            field("name", Kind.TEXT),
            field("description", Kind.TEXT),
            field("provider", Kind.TEXT),
            field("provider_group_id", Kind.TEXT, "provider_group_id", "external_id"),
            field("ldap_dn", Kind.TEXT),
            field("sync_enabled", Kind.BOOLEAN),
            field("is_active", Kind.BOOLEAN),
            field("metadata", Kind.JSON));

    static final Listing MEMBERSHIPS = listing(
            "identity_group_memberships",
            field("identity_id", Kind.NUMBER),
            field("group_id", Kind.NUMBER),
            field("provider_member_id", Kind.TEXT),
            field("expires_at", Kind.TEXT));

    /** Tables of the inventory, and the column that tells their rows apart in the summary. */
    private static final Map<String, List<String>> SUMMARIZED = summarized();

    private final DataSource database;

    InventoryReader(DataSource database) {
        this.database = database;
    }

    /** A part of a list, and how long the whole list is. */
    record Page(List<ObjectNode> items, long total) {}

    Page page(Listing listing, Map<String, Object> filters, boolean includeDeleted, int limit, int offset)
            throws SQLException {
        try (Connection connection = database.getConnection()) {
            Columns columns = Columns.read(connection, listing.table());
            List<Condition> conditions = new ArrayList<>();
            filters.forEach((name, value) -> conditions.add(listing.equal(columns, name, value)));
            if (!includeDeleted && columns.find("deleted_at").isPresent()) {
                conditions.add(Condition.of("deleted_at IS NULL"));
            }
            long total = listing.count(connection, conditions);
            return new Page(
                    listing.rows(connection, columns, conditions, "ORDER BY id LIMIT " + limit + " OFFSET " + offset),
                    total);
        }
    }

    /** The members of a group, as identities; empty if there is no such group. */
    Optional<List<ObjectNode>> members(int group) throws SQLException {
        try (Connection connection = database.getConnection()) {
            if (GROUPS.count(connection, List.of(Condition.of("id = ?", group))) == 0) {
                return Optional.empty();
            }
            Columns memberships = Columns.read(connection, MEMBERSHIPS.table());
            String live = memberships.find("deleted_at").isPresent() ? " AND deleted_at IS NULL" : "";
            Columns identities = Columns.read(connection, IDENTITIES.table());
            Condition members = Condition.of(
                    "id IN (SELECT identity_id FROM identity_group_memberships WHERE group_id = ?" + live + ")", group);
            return Optional.of(IDENTITIES.rows(connection, identities, List.of(members), "ORDER BY username, id"));
        }
    }

    /** Live and soft-deleted rows of every table of the inventory, by type where it has one. */
    ObjectNode summary() throws SQLException {
        ArrayNode tables = JsonNodeFactory.instance.arrayNode();
        long live = 0;
        try (Connection connection = database.getConnection()) {
            for (Map.Entry<String, List<String>> table : SUMMARIZED.entrySet()) {
                Columns columns = Columns.read(connection, table.getKey());
                if (columns.exists()) {
                    ObjectNode counted = count(connection, columns, table.getValue());
                    live += counted.path("live").asLong();
                    tables.add(counted);
                }
            }
        }
        ObjectNode summary = JsonNodeFactory.instance.objectNode();
        summary.put("live", live);
        summary.set("tables", tables);
        return summary;
    }

    private static ObjectNode count(Connection connection, Columns columns, List<String> typeSpellings)
            throws SQLException {
        String type = columns.find(typeSpellings)
                .map(column -> "lower(" + column + "::text)")
                .orElse("NULL");
        String deleted = columns.find("deleted_at").isPresent() ? "deleted_at IS NOT NULL" : "false";
        String sql = "SELECT coalesce(" + type + ", ''), count(*) FILTER (WHERE NOT (" + deleted
                + ")), count(*) FILTER (WHERE " + deleted + ") FROM " + columns.table() + " GROUP BY 1 ORDER BY 1";
        ObjectNode counted = JsonNodeFactory.instance.objectNode();
        counted.put("table", columns.table());
        ObjectNode types = JsonNodeFactory.instance.objectNode();
        long live = 0;
        long gone = 0;
        try (PreparedStatement statement = connection.prepareStatement(sql);
                ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                live += rows.getLong(2);
                gone += rows.getLong(3);
                if (!rows.getString(1).isEmpty()) {
                    types.put(rows.getString(1), rows.getLong(2));
                }
            }
        }
        counted.put("live", live);
        counted.put("deleted", gone);
        counted.set("types", types);
        return counted;
    }

    private static Listing listing(String table, Field... own) {
        List<Field> fields = new ArrayList<>();
        fields.add(field("id", Kind.NUMBER));
        fields.addAll(List.of(own));
        fields.add(field("source_key", Kind.TEXT));
        fields.add(field("run_id", Kind.TEXT));
        fields.add(field("observed_at", Kind.TIME));
        fields.add(field("deleted_at", Kind.TIME));
        fields.add(field("created_at", Kind.TIME));
        fields.add(field("updated_at", Kind.TIME));
        return new Listing(table, List.copyOf(fields));
    }

    private static Map<String, List<String>> summarized() {
        Map<String, List<String>> tables = new LinkedHashMap<>();
        tables.put("organizations", List.of("type", "organization_type"));
        tables.put("identities", List.of("identity_type", "type"));
        tables.put("identity_groups", List.of("provider"));
        tables.put("identity_group_memberships", List.of());
        tables.put("entities", List.of("sub_type"));
        tables.put("networking_resources", List.of("network_type", "type"));
        tables.put("data_stores", List.of("storage_type", "type"));
        tables.put("services", List.of("deployment_method", "type"));
        tables.put("software", List.of("software_type", "type"));
        tables.put("builtin_secrets", List.of("secret_type", "type"));
        tables.put("certificates", List.of("cert_type", "type"));
        tables.put("network_entity_mappings", List.of("relationship_type", "mapping_type"));
        tables.put("dependencies", List.of("dependency_type", "relationship_type"));
        return tables;
    }
}
