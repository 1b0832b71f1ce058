-- What the pipeline needs to know of a row, added to tables of every shape. Nullable and without defaults, so that no
-- table is rewritten and rows that people made stay as they are. Better to fail and be run again than to make every
-- query of Elder queue behind a lock that isn't granted.
SET LOCAL lock_timeout TO '10s';

-- The tables that the pipeline fills, parents first, and what dependencies.source_type and target_type call their rows.
CREATE OR REPLACE FUNCTION pipeline.inventory()
    RETURNS TABLE (place integer, table_name text, noun text)
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $function$
    VALUES (1, 'organizations', 'organization'),
           (2, 'identities', 'identity'),
           (3, 'identity_groups', 'identity_group'),
           (4, 'identity_group_memberships', 'identity_group_membership'),
           (5, 'entities', 'entity'),
           (6, 'networking_resources', 'networking_resource'),
           (7, 'data_stores', 'data_store'),
           (8, 'services', 'service'),
           (9, 'software', 'software'),
           (10, 'builtin_secrets', 'builtin_secret'),
           (11, 'certificates', 'certificate'),
           (12, 'network_entity_mappings', 'network_entity_mapping'),
           (13, 'dependencies', 'dependency')
$function$;

DO $columns$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT table_name FROM pipeline.inventory() ORDER BY place LOOP
        EXECUTE format(
            'ALTER TABLE public.%I
                ADD COLUMN IF NOT EXISTS source_key text,
                ADD COLUMN IF NOT EXISTS run_id text,
                ADD COLUMN IF NOT EXISTS observed_at timestamptz,
                ADD COLUMN IF NOT EXISTS last_seen_at timestamptz,
                ADD COLUMN IF NOT EXISTS deleted_at timestamptz,
                ADD COLUMN IF NOT EXISTS content_hash bigint', name);
        EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON public.%I (source_key)', 'ux_' || name || '_source_key', name);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON public.%I (deleted_at) WHERE deleted_at IS NOT NULL', 'ix_' || name || '_deleted_at', name);
    END LOOP;
END
$columns$;

ALTER TABLE public.discovery_jobs
    ADD COLUMN IF NOT EXISTS status varchar(64),
    ADD COLUMN IF NOT EXISTS last_error text,
    ADD COLUMN IF NOT EXISTS organization_id integer;
