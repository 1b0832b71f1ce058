-- The worker's role and change capture's role. Neither gets a password here: `./elder migrate` sets them.
DO $roles$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'elder_worker') THEN
        CREATE ROLE elder_worker NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object THEN NULL; -- made meanwhile for another database of the server
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'role elder_worker is missing and % may not create roles', current_user
            USING HINT = 'As a superuser: CREATE ROLE elder_worker NOLOGIN; then migrate again.';
END
$roles$;

DO $roles$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'elder_cdc') THEN
        CREATE ROLE elder_cdc NOLOGIN REPLICATION;
    END IF;
EXCEPTION
    WHEN duplicate_object THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE WARNING 'role elder_cdc was not created: % may not create a role with REPLICATION. As a superuser: CREATE ROLE elder_cdc NOLOGIN REPLICATION; then migrate again', current_user;
END
$roles$;

-- Grants on the columns that a table has now, but for some.
CREATE FUNCTION pipeline.grant_columns(role_name text, privilege text, name text, hidden text[])
    RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    EXECUTE (
        SELECT format('GRANT %s (%s) ON public.%I TO %I', privilege, string_agg(quote_ident(a.attname), ', '), name, role_name)
        FROM pg_attribute a
        WHERE a.attrelid = to_regclass(format('public.%I', name))
            AND a.attnum > 0 AND NOT a.attisdropped AND NOT (a.attname = ANY (hidden)));
END
$function$;

-- Takes away what the two roles had, and grants what they need. Elder's old migrations gave elder_worker more than that,
-- and later releases of Elder may add columns: so this runs at the end of every migration, not once.
CREATE FUNCTION pipeline.grant_access()
    RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    role_name text;
    relation  record;
    name      text;
    -- What proves who somebody is, and what makes them powerful. The worker inserts the latter (they are mandatory) and
    -- never changes them.
    secrets   constant text[] := '{password_hash, mfa_secret}';
    powers    constant text[] := '{is_superuser, portal_role, mfa_enabled, must_change_password}';
    -- A job may be pointed at a secret by people only: the worker could otherwise read any secret through job_secret.
    pointers  constant text[] := '{credential_type, credential_id, credential_mapping}';
    values_of constant text[] := '{secret_value, secret_json, value}';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('pipeline.grant_access', 0));

    FOREACH role_name IN ARRAY '{elder_worker, elder_cdc}'::text[] LOOP
        CONTINUE WHEN to_regrole(role_name) IS NULL;
        FOR relation IN
            SELECT c.oid::regclass AS name, c.relkind = 'S' AS is_sequence
            FROM pg_class c
            WHERE c.relnamespace IN ('public'::regnamespace, 'pipeline'::regnamespace)
                AND (EXISTS (SELECT 1 FROM aclexplode(c.relacl) g WHERE g.grantee = to_regrole(role_name))
                    OR EXISTS (SELECT 1 FROM pg_attribute a, aclexplode(a.attacl) g
                        WHERE a.attrelid = c.oid AND g.grantee = to_regrole(role_name)))
        LOOP
            EXECUTE format('REVOKE ALL ON %s %s FROM %I',
                CASE WHEN relation.is_sequence THEN 'SEQUENCE' ELSE 'TABLE' END, relation.name, role_name);
        END LOOP;
        EXECUTE format('GRANT USAGE ON SCHEMA public, pipeline TO %I', role_name);
    END LOOP;

    -- elder_worker: what it fills
    FOR name IN SELECT i.table_name FROM pipeline.inventory() i WHERE i.table_name NOT IN ('identities', 'builtin_secrets') LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON public.%I TO elder_worker', name);
    END LOOP;
    PERFORM pipeline.grant_columns('elder_worker', 'SELECT', 'identities', secrets);
    PERFORM pipeline.grant_columns('elder_worker', 'INSERT', 'identities', secrets);
    PERFORM pipeline.grant_columns('elder_worker', 'UPDATE', 'identities', secrets || powers);
    PERFORM pipeline.grant_columns('elder_worker', 'SELECT', 'builtin_secrets', values_of);
    PERFORM pipeline.grant_columns('elder_worker', 'INSERT', 'builtin_secrets', values_of);
    PERFORM pipeline.grant_columns('elder_worker', 'UPDATE', 'builtin_secrets', values_of);
    -- An upsert tells an inserted row from an updated one by its xmax.
    GRANT SELECT (xmax) ON public.identities, public.builtin_secrets TO elder_worker;
    -- jobs and their history
    GRANT SELECT ON public.discovery_jobs TO elder_worker;
    PERFORM pipeline.grant_columns('elder_worker', 'INSERT', 'discovery_jobs', pointers);
    PERFORM pipeline.grant_columns('elder_worker', 'UPDATE', 'discovery_jobs', pointers);
    GRANT SELECT, INSERT, UPDATE ON public.discovery_history TO elder_worker;
    FOR name IN
        SELECT pg_get_serial_sequence(format('public.%I', t.table_name), 'id')
        FROM (SELECT i.table_name FROM pipeline.inventory() i UNION VALUES ('discovery_jobs'), ('discovery_history')) t
    LOOP
        IF name IS NOT NULL THEN
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO elder_worker', name);
        END IF;
    END LOOP;
    -- configuration, without licence keys and credentials
    GRANT SELECT (id, name, slug, is_active) ON public.tenants TO elder_worker;
    FOREACH name IN ARRAY '{cloud_accounts, google_workspace_providers, iam_providers}'::text[] LOOP
        PERFORM pipeline.grant_columns('elder_worker', 'SELECT', name, '{credentials_json, credentials, config_json, config}');
    END LOOP;
    -- its own state
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'pipeline' AND tablename <> 'flyway_schema_history' LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON pipeline.%I TO elder_worker', name);
    END LOOP;
    GRANT SELECT ON pipeline.flyway_schema_history TO elder_worker;

    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pipeline FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION pipeline.purge(text, text[]), pipeline.job_secret(integer), pipeline.inventory() TO elder_worker;

    -- elder_cdc: the captured columns
    IF to_regrole('elder_cdc') IS NOT NULL THEN
        PERFORM pipeline.grant_columns('elder_cdc', 'SELECT', 'discovery_jobs', '{config_json, config, credential_mapping}');
        PERFORM pipeline.grant_columns('elder_cdc', 'SELECT', 'identities', secrets);
        GRANT SELECT ON public.identity_groups, public.identity_group_memberships TO elder_cdc;
    END IF;
END
$function$;
