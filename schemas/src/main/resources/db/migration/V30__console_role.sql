-- The console's role: people's rights on jobs, and a look at the inventory. It gets no password here either.
DO $roles$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'elder_console') THEN
        CREATE ROLE elder_console NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object THEN NULL; -- made meanwhile for another database of the server
    WHEN insufficient_privilege THEN
        RAISE WARNING 'role elder_console was not created: % may not create roles. As a superuser: CREATE ROLE elder_console NOLOGIN; then migrate again', current_user;
END
$roles$;

-- Like grant_access for the worker: takes away what the role had and grants what it needs, at the end of every migration.
CREATE FUNCTION pipeline.grant_console_access()
    RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    relation record;
    name     text;
BEGIN
    IF to_regrole('elder_console') IS NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('pipeline.grant_access', 0));
    FOR relation IN
        SELECT c.oid::regclass AS name, c.relkind = 'S' AS is_sequence
        FROM pg_class c
        WHERE c.relnamespace IN ('public'::regnamespace, 'pipeline'::regnamespace)
            AND (EXISTS (SELECT 1 FROM aclexplode(c.relacl) g WHERE g.grantee = to_regrole('elder_console'))
                OR EXISTS (SELECT 1 FROM pg_attribute a, aclexplode(a.attacl) g
                    WHERE a.attrelid = c.oid AND g.grantee = to_regrole('elder_console')))
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM elder_console',
            CASE WHEN relation.is_sequence THEN 'SEQUENCE' ELSE 'TABLE' END, relation.name);
    END LOOP;
    GRANT USAGE ON SCHEMA public TO elder_console;

    -- The inventory is read, without what proves who somebody is and without secrets.
    FOR name IN SELECT i.table_name FROM pipeline.inventory() i WHERE i.table_name NOT IN ('identities', 'builtin_secrets') LOOP
        EXECUTE format('GRANT SELECT ON public.%I TO elder_console', name);
    END LOOP;
    PERFORM pipeline.grant_columns('elder_console', 'SELECT', 'identities', '{password_hash, mfa_secret}');
    PERFORM pipeline.grant_columns('elder_console', 'SELECT', 'builtin_secrets', '{secret_value, secret_json, value}');
    -- People make jobs, point them at secrets and delete them. Deleting a job deletes its history; nobody rewrites it.
    GRANT SELECT, INSERT, UPDATE, DELETE ON public.discovery_jobs TO elder_console;
    GRANT SELECT, DELETE ON public.discovery_history TO elder_console;
    name := pg_get_serial_sequence('public.discovery_jobs', 'id');
    IF name IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SEQUENCE %s TO elder_console', name);
    END IF;
END
$function$;
