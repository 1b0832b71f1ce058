package io.elder.schemas;

import static io.elder.schemas.ElderTable.Type.BOOLEAN;
import static io.elder.schemas.ElderTable.Type.DATE;
import static io.elder.schemas.ElderTable.Type.INTEGER;
import static io.elder.schemas.ElderTable.Type.JSON;
import static io.elder.schemas.ElderTable.Type.TEXT;
import static io.elder.schemas.ElderTable.Type.TIMESTAMP;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The tables of Elder's inventory as mappings see them: the columns that they may fill, and the rows that they may refer
 * to. Names are those of the current Elder (shape A of the three shapes met in the field); the sink translates them to the
 * shape that it finds. Constants are in dependency order: a row refers to rows of its own table or of tables above it.
 */
public enum ElderTable {
    ORGANIZATIONS(
            "organization",
            cols(
                    required("name", TEXT),
                    optional("type", TEXT),
                    optional("description", TEXT),
                    optional("cloud_provider", TEXT),
                    optional("cloud_account_id", TEXT),
                    optional("region", TEXT),
                    optional("is_active", BOOLEAN)),
            refs(optionalTo("parent", "organization"))),
    IDENTITIES(
            "identity",
            cols(
                    required("username", TEXT),
                    required("identity_type", TEXT),
                    required("auth_provider", TEXT),
                    optional("auth_provider_id", TEXT),
                    optional("email", TEXT),
                    optional("full_name", TEXT),
                    required("is_active", BOOLEAN),
                    optional("last_login_at", TEXT)),
            refs(optionalTo("organization", "organization"))),
    IDENTITY_GROUPS(
            "identity_group",
            cols(
                    required("name", TEXT),
                    optional("description", TEXT),
                    optional("ldap_dn", TEXT),
                    required("provider", TEXT),
                    required("provider_group_id", TEXT),
                    optional("sync_enabled", BOOLEAN),
                    required("is_active", BOOLEAN)),
            refs()),
    IDENTITY_GROUP_MEMBERSHIPS(
            "identity_group_membership",
            cols(optional("provider_member_id", TEXT)),
            refs(requiredTo("identity", "identity"), requiredTo("group", "identity_group"))),
    ENTITIES(
            "entity",
            cols(
                    required("name", TEXT),
                    required("type", TEXT),
                    required("sub_type", TEXT),
                    optional("external_id", TEXT),
                    optional("cloud_provider", TEXT),
                    optional("region", TEXT),
                    optional("status", TEXT)),
            refs(requiredTo("organization", "organization"), optionalTo("parent", "entity"))),
    NETWORKING_RESOURCES(
            "networking_resource",
            cols(
                    required("name", TEXT),
                    required("network_type", TEXT),
                    optional("description", TEXT),
                    optional("region", TEXT),
                    optional("location", TEXT),
                    optional("is_active", BOOLEAN)),
            refs(requiredTo("organization", "organization"), optionalTo("parent", "networking_resource"))),
    DATA_STORES(
            "data_store",
            cols(
                    required("name", TEXT),
                    required("storage_type", TEXT),
                    required("storage_provider", TEXT),
                    optional("location_region", TEXT),
                    optional("size_bytes", INTEGER),
                    optional("encryption_at_rest", BOOLEAN),
                    optional("access_control_type", TEXT),
                    optional("is_active", BOOLEAN)),
            refs(requiredTo("organization", "organization"))),
    SERVICES(
            "service",
            cols(
                    required("name", TEXT),
                    required("deployment_method", TEXT),
                    optional("description", TEXT),
                    optional("language", TEXT),
                    optional("port", INTEGER),
                    optional("is_public", BOOLEAN),
                    required("status", TEXT),
                    optional("domains", JSON),
                    optional("paths", JSON),
                    optional("notes", TEXT)),
            refs(requiredTo("organization", "organization"))),
    SOFTWARE(
            "software",
            cols(
                    required("name", TEXT),
                    required("software_type", TEXT),
                    optional("version", TEXT),
                    optional("vendor", TEXT),
                    optional("description", TEXT)),
            refs(requiredTo("organization", "organization"))),
    BUILTIN_SECRETS(
            "builtin_secret",
            cols(required("name", TEXT), required("secret_type", TEXT), optional("description", TEXT)),
            refs(requiredTo("organization", "organization"))),
    CERTIFICATES(
            "certificate",
            cols(
                    required("name", TEXT),
                    required("creator", TEXT),
                    required("cert_type", TEXT),
                    optional("common_name", TEXT),
                    optional("subject_alternative_names", JSON),
                    optional("issuer_common_name", TEXT),
                    optional("issuer_organization", TEXT),
                    required("issue_date", DATE),
                    required("expiration_date", DATE),
                    optional("not_after", TIMESTAMP),
                    required("status", TEXT)),
            refs(requiredTo("organization", "organization"))),
    NETWORK_ENTITY_MAPPINGS(
            "network_entity_mapping",
            cols(required("relationship_type", TEXT)),
            refs(requiredTo("network", "networking_resource"), requiredTo("entity", "entity"))),
    /** {@code source} and {@code target} may be rows of any table above; their tables are named by {@code source_type} and {@code target_type}. */
    DEPENDENCIES(
            "dependency",
            cols(required("source_type", TEXT), required("target_type", TEXT), required("dependency_type", TEXT)),
            refs(requiredTo("source", "any"), requiredTo("target", "any")));

    /** What a column holds, as it stands in {@code Row.values}: text, JSON, timestamps and dates are strings (ISO 8601). */
    public enum Type {
        TEXT,
        INTEGER,
        BOOLEAN,
        JSON,
        TIMESTAMP,
        DATE
    }

    public record Column(String name, Type type, boolean required) {}

    /**
     * A reference to another row by its entity key.
     *
     * @param noun the noun of the table referred to, or {@code any}
     */
    public record Reference(String name, String noun, boolean required) {}

    /** Looked up for every record and every reference. */
    private static final Map<String, ElderTable> BY_SQL_NAME =
            Arrays.stream(values()).collect(Collectors.toUnmodifiableMap(ElderTable::sqlName, table -> table));

    private static final Map<String, ElderTable> BY_NOUN =
            Arrays.stream(values()).collect(Collectors.toUnmodifiableMap(ElderTable::noun, table -> table));

    private final String sqlName = name().toLowerCase(Locale.ROOT);
    private final String noun;
    private final Map<String, Column> columns;
    private final Map<String, Reference> references;

    ElderTable(String noun, Map<String, Column> columns, Map<String, Reference> references) {
        this.noun = noun;
        this.columns = columns;
        this.references = references;
    }

    /** The table's name in SQL, and in {@code Row.table}. */
    public String sqlName() {
        return sqlName;
    }

    /** What {@code dependencies.source_type} and {@code target_type} call a row of this table. */
    public String noun() {
        return noun;
    }

    public Map<String, Column> columns() {
        return columns;
    }

    public Map<String, Reference> references() {
        return references;
    }

    public static Optional<ElderTable> findBySqlName(String sqlName) {
        return Optional.ofNullable(BY_SQL_NAME.get(sqlName));
    }

    public static Optional<ElderTable> findByNoun(String noun) {
        return Optional.ofNullable(BY_NOUN.get(noun));
    }

    private static Column required(String name, Type type) {
        return new Column(name, type, true);
    }

    private static Column optional(String name, Type type) {
        return new Column(name, type, false);
    }

    private static Reference requiredTo(String name, String noun) {
        return new Reference(name, noun, true);
    }

    private static Reference optionalTo(String name, String noun) {
        return new Reference(name, noun, false);
    }

    private static Map<String, Column> cols(Column... columns) {
        Map<String, Column> byName = new LinkedHashMap<>();
        for (Column column : columns) {
            byName.put(column.name(), column);
        }
        return Collections.unmodifiableMap(byName);
    }

    private static Map<String, Reference> refs(Reference... references) {
        Map<String, Reference> byName = new LinkedHashMap<>();
        for (Reference reference : references) {
            byName.put(reference.name(), reference);
        }
        return Collections.unmodifiableMap(byName);
    }
}
