-- Rows that are to be purged and that others still refer to; the sink tries again until nothing does. One that comes back
-- is deleted at another time if ever, and has its whole time again.
CREATE TABLE pipeline.pending_purges (
    table_name text        NOT NULL,
    source_key text        NOT NULL,
    deleted_at timestamptz NOT NULL,
    tried_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (table_name, source_key)
);
