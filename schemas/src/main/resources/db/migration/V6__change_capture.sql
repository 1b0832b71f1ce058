-- What logical replication may carry out of the database. The column lists are the guard that no setting of a connector
-- can open: a job's config and credentials, password hashes and MFA secrets never leave.
SET LOCAL lock_timeout TO '10s';

-- Write-back needs the old row of a deleted membership. A column list must hold the replica identity, so this table has none.
ALTER TABLE public.identity_group_memberships REPLICA IDENTITY FULL;

-- Called at the end of every migration, so that a database where it was not permitted at first gets it later.
CREATE FUNCTION pipeline.publish_changes()
    RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    job_columns      text;
    identity_columns text;
BEGIN
    IF EXISTS (SELECT 1 FROM pg_publication WHERE pubname = 'elder_worker') THEN
        RETURN;
    END IF;
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO job_columns
    FROM pg_attribute
    WHERE attrelid = 'public.discovery_jobs'::regclass AND attnum > 0 AND NOT attisdropped
        AND attname NOT IN ('config_json', 'config', 'credential_mapping');
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO identity_columns
    FROM pg_attribute
    WHERE attrelid = 'public.identities'::regclass AND attnum > 0 AND NOT attisdropped
        AND attname NOT IN ('password_hash', 'mfa_secret');
    EXECUTE format(
        'CREATE PUBLICATION elder_worker FOR TABLE public.discovery_jobs (%s), public.identities (%s),
            public.identity_groups, public.identity_group_memberships', job_columns, identity_columns);
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE WARNING 'publication elder_worker was not created: % needs CREATE on database % for change capture', current_user, current_database();
END
$function$;
