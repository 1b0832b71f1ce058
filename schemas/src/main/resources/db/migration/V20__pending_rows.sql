-- Rows that can't be written yet because a row that they must refer to has not arrived; the sink writes them when it has.
CREATE TABLE pipeline.pending_rows (
    source_key       text    PRIMARY KEY,
    table_name       text    NOT NULL,
    missing          text[]  NOT NULL,
    record           bytea   NOT NULL,
    source_partition integer NOT NULL,
    source_offset    bigint  NOT NULL
);
CREATE INDEX pending_rows_missing ON pipeline.pending_rows USING gin (missing);

-- Live rows that had to take a suffixed name because another live row holds the plain one; the first is promoted when it goes.
CREATE TABLE pipeline.name_claims (
    table_name text NOT NULL,
    name       text NOT NULL,
    source_key text NOT NULL,
    PRIMARY KEY (table_name, name, source_key)
);
CREATE INDEX name_claims_source_key ON pipeline.name_claims (table_name, source_key);

-- What kept a run's rows from being written, e.g. a missing organisation; it fails the run.
ALTER TABLE pipeline.runs ADD COLUMN problem text;
