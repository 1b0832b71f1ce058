-- The captured tables as Elder's current release has them, without their references, and one that is not captured.
CREATE TABLE identities (
    tenant_id integer NOT NULL, identity_type varchar(32) NOT NULL, username varchar(255) NOT NULL, email varchar(255),
    full_name varchar(255), auth_provider varchar(32) NOT NULL, auth_provider_id varchar(255), password_hash varchar(255),
    is_active boolean NOT NULL, mfa_secret varchar(255), organization_id integer, id serial PRIMARY KEY,
    created_at timestamptz, updated_at timestamptz);
CREATE TABLE identity_groups (
    name varchar(255) NOT NULL, description varchar(512), ldap_dn varchar(512), is_active boolean NOT NULL,
    provider varchar(50), provider_group_id varchar(512), sync_enabled boolean, id serial PRIMARY KEY,
    created_at timestamptz, updated_at timestamptz);
CREATE TABLE identity_group_memberships (
    identity_id integer NOT NULL, group_id integer NOT NULL, expires_at varchar(255), provider_synced boolean,
    provider_synced_at varchar(255), provider_member_id varchar(512), id serial PRIMARY KEY,
    created_at timestamptz, updated_at timestamptz);
ALTER TABLE identity_group_memberships REPLICA IDENTITY FULL;
CREATE TABLE discovery_jobs (
    name varchar(255) NOT NULL, provider varchar(50) NOT NULL, config_json json NOT NULL,
    schedule_interval integer NOT NULL, enabled boolean NOT NULL, credential_type varchar(50), credential_id integer,
    credential_mapping json, last_run_at timestamptz, next_run_at timestamptz, id serial PRIMARY KEY,
    created_at timestamptz, updated_at timestamptz);
CREATE TABLE entities (id serial PRIMARY KEY, name text);
CREATE ROLE capture LOGIN REPLICATION PASSWORD 'canary-password';
GRANT SELECT ON identities, identity_groups, identity_group_memberships, discovery_jobs TO capture;
