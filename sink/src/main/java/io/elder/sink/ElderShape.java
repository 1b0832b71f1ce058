package io.elder.sink;

import static java.util.Map.entry;

import io.elder.schemas.ElderTable;
import io.elder.schemas.db.DatabaseShape;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The three shapes of Elder's database met in the field, and how the names and words of {@link ElderTable} are spelt in each.
 * A name that is not listed here is the same in that shape, or has no column there; which of the two, the catalogue says.
 */
public enum ElderShape {
    /** First started on 3.2 or later. */
    A(Map.of()),

    /** First started on 3.1.x and upgraded since: its tables were never altered. */
    B(Map.of(
            "organizations.type", List.of("organization_type"),
            "entities.type", List.of("entity_type"))),

    /** Made by the Alembic chain. */
    C(Map.ofEntries(
            entry("identities.identity_type", List.of("type")),
            entry("identities.auth_provider", List.of("provider")),
            entry("identities.auth_provider_id", List.of("external_id")),
            entry("identities.full_name", List.of("name", "display_name")),
            entry("identity_groups.provider_group_id", List.of("external_id")),
            entry("networking_resources.network_type", List.of("type")),
            entry("data_stores.storage_type", List.of("type")),
            entry("data_stores.storage_provider", List.of("cloud_provider")),
            entry("data_stores.location_region", List.of("region")),
            entry("data_stores.encryption_at_rest", List.of("is_encrypted")),
            entry("services.deployment_method", List.of("type")),
            entry("software.software_type", List.of("type")),
            entry("builtin_secrets.secret_type", List.of("type")),
            entry("certificates.cert_type", List.of("type")),
            entry("certificates.subject_alternative_names", List.of("subject_alt_names")),
            entry("certificates.issuer_common_name", List.of("issuer")),
            entry("certificates.issue_date", List.of("issued_at")),
            entry("certificates.expiration_date", List.of("expires_at")),
            entry("network_entity_mappings.relationship_type", List.of("mapping_type")),
            entry("network_entity_mappings.network", List.of("networking_resource_id")),
            entry("dependencies.dependency_type", List.of("relationship_type"))));

    /**
     * Words that shape B's enums lack, and what stands for them; the word itself is kept in the row's payload. Looked up
     * after the enum's own labels, by {@code type.word}.
     */
    private static final Map<String, String> STAND_INS = Map.ofEntries(
            entry("authprovider.gcp", "oauth2"),
            entry("authprovider.authentik", "oauth2"),
            entry("authprovider.aws", "oauth2"),
            entry("authprovider.google_workspace", "oauth2"),
            entry("authprovider.iboss", "oauth2"),
            entry("entitytype.server", "compute"),
            entry("entitytype.container", "compute"),
            entry("entitytype.storage", "compute"),
            entry("entitytype.application", "compute"),
            entry("entitytype.service", "compute"),
            entry("entitytype.security", "security_issue"),
            entry("entitytype.identity", "user"),
            entry("entitytype.group", "user"),
            entry("authprovider.kubernetes", "oauth2"),
            entry("authprovider.okta", "oauth2"),
            entry("dependencytype.bound_to", "related_to"),
            entry("dependencytype.installed_on", "related_to"),
            entry("dependencytype.affects", "related_to"),
            entry("dependencytype.member_of", "part_of"),
            entry("dependencytype.contains", "part_of"),
            entry("dependencytype.runs_on", "depends_on"),
            entry("dependencytype.uses", "depends_on"),
            entry("dependencytype.routes_to", "related_to"),
            entry("dependencytype.attached_to", "related_to"),
            entry("dependencytype.connected_to", "related_to"),
            entry("dependencytype.secured_by", "related_to"),
            entry("identitytype.service", "service_account"));

    /** Columns that may not be null, have no default and nothing in a record: what a new row gets. Never updated. */
    static final Map<String, String> NEW_ROW = Map.ofEntries(
            entry("organizations.organization_type", "organization"),
            entry("identities.is_superuser", "false"),
            entry("identities.mfa_enabled", "false"),
            entry("identities.must_change_password", "false"),
            entry("identities.portal_role", "observer"),
            entry("identity_groups.review_enabled", "false"),
            entry("identity_groups.review_auto_apply", "false"),
            entry("entities.is_managed", "true"),
            entry("services.is_public", "false"),
            entry("certificates.auto_renew", "false"),
            entry("certificates.is_revoked", "false"));

    /** What a soft-deleted row's {@code status} says; Elder's own words where it has a list of them. */
    static final Map<String, String> DELETED_STATUS = Map.of(
            "entities", "deleted",
            "networking_resources", "deleted",
            "data_stores", "deleted",
            "software", "deleted",
            "services", "inactive",
            "certificates", "archived");

    private final Map<String, List<String>> names;

    ElderShape(Map<String, List<String>> names) {
        this.names = names;
    }

    /** The columns that hold a column or reference of {@link ElderTable}, if the table has them. */
    List<String> columns(ElderTable table, String name) {
        return names.getOrDefault(table.sqlName() + "." + name, List.of(name));
    }

    String referenceColumn(ElderTable table, String reference) {
        return names.getOrDefault(table.sqlName() + "." + reference, List.of(reference + "_id"))
                .getFirst();
    }

    /** The label of a PostgreSQL enum that means this word: labels differ in case between releases. */
    static Optional<String> label(String type, List<String> labels, String word) {
        Optional<String> own = labels.stream().filter(word::equalsIgnoreCase).findFirst();
        if (own.isPresent()) {
            return own;
        }
        String standIn = STAND_INS.get(type + "." + word.toLowerCase(Locale.ROOT));
        return standIn == null
                ? Optional.empty()
                : labels.stream().filter(standIn::equalsIgnoreCase).findFirst();
    }

    String jobConfigColumn() {
        return this == C ? "config" : "config_json";
    }

    String historyJobColumn() {
        return this == C ? "discovery_job_id" : "job_id";
    }

    /** {@code entities} or {@code resources}: what the history's counts are called after. */
    String historyCounts() {
        return this == C ? "resources" : "entities";
    }

    String historyPayloadColumn() {
        return this == C ? "metadata" : "results_json";
    }

    public static ElderShape detect(Connection connection) throws SQLException {
        return valueOf(DatabaseShape.detect(connection).name());
    }
}
