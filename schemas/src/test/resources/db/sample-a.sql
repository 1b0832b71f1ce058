INSERT INTO tenants (id, name, slug, is_active) VALUES (1, 'System', 'system', true);
INSERT INTO portal_users (id, tenant_id, email, password_hash, is_active, email_verified) VALUES (1, 1, 'admin@example.com', 'canary-portal', true, true);
INSERT INTO identities (id, tenant_id, username, identity_type, auth_provider, password_hash, mfa_secret, is_active, is_superuser, mfa_enabled, must_change_password, portal_role)
VALUES (1, 1, 'alice', 'HUMAN', 'LOCAL', 'canary-hash', 'canary-mfa', true, true, true, false, 'admin');
INSERT INTO identity_groups (id, name, is_active, review_enabled, review_auto_apply) VALUES (1, 'staff', true, false, false);
INSERT INTO identity_group_memberships (id, identity_id, group_id) VALUES (1, 1, 1);
INSERT INTO organizations (id, tenant_id, name) VALUES (1, 1, 'Head office');
INSERT INTO entities (id, organization_id, name, type) VALUES (1, 1, 'printer', 'compute');
INSERT INTO builtin_secrets (id, organization_id, name, secret_type, secret_value, secret_json, is_active)
VALUES (1, 1, 'aws', 'api_key', 'canary-secret-1', '{"key": "canary-json-1"}', true), (2, 1, 'other', 'api_key', 'canary-secret-2', NULL, true);
INSERT INTO discovery_jobs (id, name, provider, config_json, schedule_interval, enabled, credential_type, credential_id)
VALUES (1, 'nightly', 'aws', '{"secret": "canary-config"}', 3600, true, 'builtin_secret', 1), (2, 'plain', 'aws', '{}', 3600, true, 'static', 2);
INSERT INTO discovery_history (id, job_id, started_at, status, entities_discovered, entities_created, entities_updated) VALUES (1, 1, now(), 'completed', 0, 0, 0);
SELECT setval(pg_get_serial_sequence(t, 'id'), 100) FROM unnest('{tenants, organizations, identities, identity_groups, identity_group_memberships, entities, builtin_secrets, discovery_jobs, discovery_history}'::text[]) t;
