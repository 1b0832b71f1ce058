-- Rows that are to be purged and that others still refer to; the sink tries again until nothing does. One that comes back
-- is deleted at another time if ever, and has its whole time again.
CREATE TABLE pipeline.pending_purges (
    table_name text        NOT NULL,
    source_key text        NOT NULL,
    deleted_at timestamptz NOT NULL,
    noted_at   timestamptz NOT NULL DEFAULT now(),
    due_at     timestamptz NOT NULL DEFAULT now() + interval '1 minute',
    PRIMARY KEY (table_name, source_key)
);
CREATE INDEX pending_purges_due ON pipeline.pending_purges (due_at);
