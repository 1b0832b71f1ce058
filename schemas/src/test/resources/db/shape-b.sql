-- Run after shape-a.sql: makes of it what Elder 3.1.6 created, where three tables and every time stamp differ.
CREATE TYPE entitytype AS ENUM ('datacenter', 'vpc', 'subnet', 'compute', 'network', 'user', 'security_issue');
CREATE TYPE dependencytype AS ENUM ('DEPENDS_ON', 'RELATED_TO', 'PART_OF');

ALTER TABLE organizations
    DROP COLUMN slug, DROP COLUMN display_name, DROP COLUMN type, DROP COLUMN cloud_provider, DROP COLUMN cloud_account_id,
    DROP COLUMN region, DROP COLUMN is_active, DROP COLUMN settings, DROP COLUMN tags, DROP COLUMN metadata,
    DROP CONSTRAINT organizations_owner_group_id_fkey,
    DROP CONSTRAINT organizations_owner_identity_id_fkey,
    ALTER COLUMN tenant_id SET NOT NULL,
    ADD COLUMN organization_type varchar(50) NOT NULL,
    ADD COLUMN village_id varchar(32) UNIQUE,
    ADD COLUMN ldap_dn varchar(512),
    ADD COLUMN saml_group varchar(255),
    ADD CONSTRAINT organizations_owner_group_id_fkey FOREIGN KEY (owner_group_id) REFERENCES identity_groups(id) ON DELETE SET NULL,
    ADD CONSTRAINT organizations_owner_identity_id_fkey FOREIGN KEY (owner_identity_id) REFERENCES identities(id) ON DELETE SET NULL;

ALTER TABLE entities
    DROP COLUMN type, DROP COLUMN external_id, DROP COLUMN cloud_provider, DROP COLUMN region, DROP COLUMN status,
    DROP COLUMN is_managed, DROP COLUMN metadata, DROP COLUMN last_seen_at,
    ALTER COLUMN name SET NOT NULL,
    ALTER COLUMN organization_id SET NOT NULL,
    ALTER COLUMN sub_type TYPE varchar(50),
    ADD COLUMN unique_id bigint NOT NULL UNIQUE,
    ADD COLUMN description text,
    ADD COLUMN entity_type entitytype NOT NULL,
    ADD COLUMN status_metadata json,
    ADD COLUMN default_metadata json,
    ADD COLUMN is_active boolean,
    ADD COLUMN village_id varchar(32) UNIQUE,
    ADD COLUMN owner_identity_id integer REFERENCES identities(id) ON DELETE SET NULL,
    ADD COLUMN attributes json;

ALTER TABLE dependencies
    DROP COLUMN dependency_type,
    ALTER COLUMN tenant_id SET NOT NULL,
    ALTER COLUMN source_type TYPE varchar(50), ALTER COLUMN source_type DROP NOT NULL,
    ALTER COLUMN target_type TYPE varchar(50), ALTER COLUMN target_type DROP NOT NULL,
    ALTER COLUMN source_id DROP NOT NULL,
    ALTER COLUMN target_id DROP NOT NULL,
    ADD COLUMN source_entity_id integer NOT NULL REFERENCES entities(id) ON DELETE CASCADE,
    ADD COLUMN target_entity_id integer NOT NULL REFERENCES entities(id) ON DELETE CASCADE,
    ADD COLUMN dependency_type dependencytype NOT NULL;

DO $stamps$
DECLARE
    stamp record;
BEGIN
    FOR stamp IN
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name IN ('created_at', 'updated_at')
            AND (table_name, column_name) <> ('dependencies', 'updated_at')
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN %I SET NOT NULL', stamp.table_name, stamp.column_name);
    END LOOP;
END
$stamps$;
