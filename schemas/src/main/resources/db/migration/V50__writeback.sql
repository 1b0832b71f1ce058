-- What write-back needs beyond the sink's rights: a line in Elder's audit log, where there is one. Called at the end of
-- every migration, after the worker's rights were taken and given anew.
CREATE FUNCTION pipeline.grant_writeback_access()
    RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    sequence text;
BEGIN
    IF to_regclass('public.audit_logs') IS NULL THEN
        RETURN;
    END IF;
    GRANT INSERT ON public.audit_logs TO elder_worker;
    IF EXISTS (SELECT 1 FROM pg_attribute
               WHERE attrelid = to_regclass('public.audit_logs') AND attname = 'id' AND NOT attisdropped) THEN
        sequence := pg_get_serial_sequence('public.audit_logs', 'id');
    END IF;
    IF sequence IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SEQUENCE %s TO elder_worker', sequence);
    END IF;
END
$function$;
