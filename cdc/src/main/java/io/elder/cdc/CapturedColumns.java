package io.elder.cdc;

import io.elder.schemas.Topics;
import java.util.List;
import java.util.Map;

/**
 * The columns that may leave the database, over all shapes of Elder's tables; a database has those of its shape.
 *
 * <p>An allow-list: configurations, credential mappings, password hashes and second factors stay where they are, and so
 * does any column that is added tomorrow.
 */
final class CapturedColumns {
    static final Map<String, List<String>> BY_TABLE = Map.of(
            "discovery_jobs",
            List.of(
                    "id",
                    "name",
                    "provider",
                    "type",
                    "schedule_interval",
                    "schedule",
                    "enabled",
                    "is_active",
                    "credential_type",
                    "credential_id",
                    "status",
                    "organization_id",
                    "last_error",
                    "last_run_at",
                    "next_run_at",
                    "created_at",
                    "updated_at"),
            "identity_groups",
            List.of(
                    "id",
                    "name",
                    "type",
                    "ldap_dn",
                    "is_active",
                    "provider",
                    "provider_group_id",
                    "external_id",
                    "sync_enabled",
                    "tenant_id",
                    "source_key",
                    "deleted_at",
                    "run_id",
                    "created_at",
                    "updated_at"),
            "identities",
            List.of(
                    "id",
                    "tenant_id",
                    "identity_type",
                    "type",
                    "username",
                    "email",
                    "auth_provider",
                    "auth_provider_id",
                    "provider",
                    "external_id",
                    "is_active",
                    "organization_id",
                    "village_id",
                    "source_key",
                    "deleted_at",
                    "run_id",
                    "created_at",
                    "updated_at"),
            "identity_group_memberships",
            List.of(
                    "id",
                    "identity_id",
                    "group_id",
                    "role",
                    "is_active",
                    "expires_at",
                    "granted_via_request_id",
                    "provider_synced",
                    "provider_synced_at",
                    "provider_member_id",
                    "source_key",
                    "deleted_at",
                    "run_id",
                    "created_at",
                    "updated_at"));

    private CapturedColumns() {}

    static List<String> of(String table) {
        List<String> columns = BY_TABLE.get(table);
        if (columns == null) {
            throw new IllegalArgumentException("table " + table + " is not captured (expected: "
                    + String.join(", ", Topics.CAPTURED_TABLES) + ")");
        }
        return columns;
    }
}
