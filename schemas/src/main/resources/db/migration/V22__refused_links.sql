-- What a row waits for although nothing will bring it: somebody has to change a setting. It fails the runs of the row's
-- scope until then. Null where the row waits for another that is on its way.
ALTER TABLE pipeline.pending_rows
    ADD COLUMN scope  text,
    ADD COLUMN reason text;
CREATE INDEX pending_rows_blocked ON pipeline.pending_rows (scope) WHERE reason IS NOT NULL;

-- The record that wants the reference, so that it can be a dead letter if a site's own constraint refuses it later.
ALTER TABLE pipeline.pending_links
    ADD COLUMN record           bytea,
    ADD COLUMN source_partition integer,
    ADD COLUMN source_offset    bigint;
