INSERT INTO tenants (created_at, updated_at, id, name, slug, is_active) VALUES (now(), now(), 1, 'System', 'system', true);
INSERT INTO portal_users (created_at, updated_at, id, tenant_id, email, password_hash, is_active, email_verified) VALUES (now(), now(), 1, 1, 'admin@example.com', 'canary-portal', true, true);
INSERT INTO identities (created_at, updated_at, id, tenant_id, username, identity_type, auth_provider, password_hash, mfa_secret, is_active, is_superuser, mfa_enabled, must_change_password, portal_role)
VALUES (now(), now(), 1, 1, 'alice', 'HUMAN', 'LOCAL', 'canary-hash', 'canary-mfa', true, true, true, false, 'admin');
INSERT INTO identity_groups (created_at, updated_at, id, name, is_active, review_enabled, review_auto_apply) VALUES (now(), now(), 1, 'staff', true, false, false);
INSERT INTO identity_group_memberships (created_at, updated_at, id, identity_id, group_id) VALUES (now(), now(), 1, 1, 1);
INSERT INTO organizations (created_at, updated_at, id, tenant_id, name, organization_type) VALUES (now(), now(), 1, 1, 'Head office', 'department');
INSERT INTO entities (created_at, updated_at, id, organization_id, name, entity_type, unique_id) VALUES (now(), now(), 1, 1, 'printer', 'compute', 4711);
INSERT INTO builtin_secrets (created_at, updated_at, id, organization_id, name, secret_type, secret_value, secret_json, is_active)
VALUES (now(), now(), 1, 1, 'aws', 'api_key', 'canary-secret-1', '{"key": "canary-json-1"}', true), (now(), now(), 2, 1, 'other', 'api_key', 'canary-secret-2', NULL, true);
INSERT INTO discovery_jobs (created_at, updated_at, id, name, provider, config_json, schedule_interval, enabled, credential_type, credential_id)
VALUES (now(), now(), 1, 'nightly', 'aws', '{"secret": "canary-config"}', 3600, true, 'builtin_secret', 1), (now(), now(), 2, 'plain', 'aws', '{}', 3600, true, 'static', 2);
INSERT INTO discovery_history (id, job_id, started_at, status, entities_discovered, entities_created, entities_updated) VALUES (1, 1, now(), 'completed', 0, 0, 0);
SELECT setval(pg_get_serial_sequence(t, 'id'), 100) FROM unnest('{tenants, organizations, identities, identity_groups, identity_group_memberships, entities, builtin_secrets, discovery_jobs, discovery_history}'::text[]) t;
