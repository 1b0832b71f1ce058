-- The few things that the worker may do only in a fixed way. They run with the owner's rights, so each has a pinned
-- search_path, takes table names from a fixed list, and may be called by nobody who is not granted it (V5, afterMigrate).

-- Deletes those of the rows that no other row refers to, children before parents, and says how many. Elder's foreign keys
-- to organizations and identities cascade, so a plain DELETE could take rows with it that people made.
CREATE FUNCTION pipeline.delete_unreferenced(name text, ids integer[])
    RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    target      regclass := to_regclass(format('public.%I', name));
    target_noun text;
    conditions  text := '';
    reference   record;
    deleted     bigint := 0;
    round       bigint;
BEGIN
    SELECT i.noun INTO target_noun FROM pipeline.inventory() i WHERE i.table_name = name;
    IF target_noun IS NULL THEN
        RAISE EXCEPTION 'table: % (expected: one of %)', name,
            (SELECT string_agg(i.table_name, ', ' ORDER BY i.place) FROM pipeline.inventory() i);
    END IF;

    FOR reference IN
        SELECT c.conrelid::regclass AS referrer, a.attname AS referring
        FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'f' AND c.confrelid = target AND cardinality(c.conkey) = 1
        UNION
        -- References without a foreign key.
        SELECT a.attrelid::regclass, a.attname
        FROM (VALUES ('organizations', 'identities', 'organization_id'),
                     ('organizations', 'discovery_jobs', 'organization_id'),
                     ('identities', 'identity_groups', 'owner_identity_id'),
                     ('identity_groups', 'identity_groups', 'owner_group_id')) AS soft (referred, referrer, referring)
        JOIN pg_attribute a ON a.attrelid = to_regclass(format('public.%I', soft.referrer)) AND a.attname = soft.referring
        WHERE soft.referred = name AND NOT a.attisdropped
    LOOP
        conditions := conditions
            || format(' AND NOT EXISTS (SELECT 1 FROM %s r WHERE r.%I = t.id)', reference.referrer, reference.referring);
    END LOOP;
    IF name <> 'dependencies' THEN
        conditions := conditions
            || format(' AND NOT EXISTS (SELECT 1 FROM public.dependencies r WHERE r.source_id = t.id AND r.source_type = %L)', target_noun)
            || format(' AND NOT EXISTS (SELECT 1 FROM public.dependencies r WHERE r.target_id = t.id AND r.target_type = %L)', target_noun);
    END IF;

    -- Each round frees the parents of the rows that it deleted.
    LOOP
        EXECUTE format('DELETE FROM %s t WHERE t.id = ANY ($1)', target) || conditions USING ids;
        GET DIAGNOSTICS round = ROW_COUNT;
        deleted := deleted + round;
        EXIT WHEN round = 0 OR deleted = cardinality(ids);
    END LOOP;
    RETURN deleted;
END
$function$;

-- Deletes rows for good: only rows of the inventory that were deleted softly before, and that nothing refers to.
CREATE FUNCTION pipeline.purge(table_name text, source_keys text[])
    RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    ids integer[];
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pipeline.inventory() i WHERE i.table_name = purge.table_name) THEN
        RAISE EXCEPTION 'table: % (expected: one of %)', table_name,
            (SELECT string_agg(i.table_name, ', ' ORDER BY i.place) FROM pipeline.inventory() i);
    END IF;
    -- The lock keeps a new child from slipping in between the look at the references and the deletion.
    EXECUTE format(
        'SELECT array_agg(id) FROM (SELECT id FROM public.%I
             WHERE source_key = ANY ($1) AND deleted_at IS NOT NULL ORDER BY id FOR UPDATE) locked', table_name)
        INTO ids USING source_keys;
    RETURN pipeline.delete_unreferenced(table_name, coalesce(ids, '{}'));
END
$function$;

-- The one active secret that this job refers to, as text: JSON where it is stored as such, else the bare value; null if
-- there is none. Rows are read as JSON because the columns differ between shapes; where jobs have no credential columns
-- there is nothing to return.
CREATE FUNCTION pipeline.job_secret(job_id integer)
    RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT coalesce(nullif(secret -> 'secret_json', 'null'::jsonb)::text, secret ->> 'secret_value', secret ->> 'value')
    FROM (SELECT to_jsonb(j) AS job FROM public.discovery_jobs j WHERE j.id = job_secret.job_id) AS jobs
    JOIN LATERAL (
        SELECT to_jsonb(s) AS secret
        FROM public.builtin_secrets s
        WHERE s.id = (job ->> 'credential_id')::integer
    ) AS secrets ON job ->> 'credential_type' = 'builtin_secret'
    WHERE secret ->> 'is_active' IS DISTINCT FROM 'false' AND secret ->> 'deleted_at' IS NULL
$function$;

-- Empties the inventory before it is rebuilt from the topics: deletes the rows that the pipeline made. One that a row made
-- by people refers to is kept, with its id, and forgets what was written to it, so that the rebuild writes it anew.
CREATE FUNCTION pipeline.empty_inventory()
    RETURNS TABLE (table_name text, deleted bigint, kept bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    ids integer[];
BEGIN
    FOR table_name IN SELECT i.table_name FROM pipeline.inventory() i ORDER BY i.place DESC LOOP
        EXECUTE format(
            'SELECT array_agg(id) FROM (SELECT id FROM public.%I WHERE source_key IS NOT NULL ORDER BY id FOR UPDATE) locked',
            table_name) INTO ids;
        deleted := pipeline.delete_unreferenced(table_name, coalesce(ids, '{}'));
        EXECUTE format('UPDATE public.%I SET run_id = NULL, observed_at = NULL, content_hash = NULL WHERE source_key IS NOT NULL', table_name);
        GET DIAGNOSTICS kept = ROW_COUNT;
        RETURN NEXT;
    END LOOP;
    DELETE FROM pipeline.pending_links;
    DELETE FROM pipeline.pending_rows;
    DELETE FROM pipeline.name_claims;
END
$function$;
