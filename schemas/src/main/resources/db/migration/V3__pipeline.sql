-- The pipeline's own state. It can be rebuilt from the topics; the inventory's truth is not here.

-- Where the sink is in each partition, committed together with the rows.
CREATE TABLE pipeline.offsets (
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint  NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- A scope of a run is visible when as many marks were seen as are expected.
CREATE TABLE pipeline.scope_progress (
    run_id   text    NOT NULL,
    scope    text    NOT NULL,
    marks    integer NOT NULL DEFAULT 0,
    expected integer,
    outcome  text,
    reason   text,
    seen     bigint  NOT NULL DEFAULT 0,
    deleted  bigint  NOT NULL DEFAULT 0,
    held     bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, scope)
);

CREATE TABLE pipeline.runs (
    run_id           text PRIMARY KEY,
    job_id           integer,
    provider         text,
    started_at       timestamptz,
    deadline         timestamptz,
    trigger          text,
    status           text,
    error            text,
    next_run_at      timestamptz,
    -- The job's next_run_at when the run began: a job queued again meanwhile keeps its new time.
    next_run_at_seen timestamptz,
    sealed           text[],
    failed           text[],
    discovered       bigint,
    finished_at      timestamptz,
    visible_at       timestamptz,
    history_id       integer,
    created          bigint NOT NULL DEFAULT 0,
    updated          bigint NOT NULL DEFAULT 0,
    deleted          bigint NOT NULL DEFAULT 0
);
CREATE INDEX ix_runs_job ON pipeline.runs (job_id, started_at DESC);
CREATE INDEX ix_runs_unfinished ON pipeline.runs (started_at) WHERE visible_at IS NULL;

-- References to rows that have not arrived yet.
CREATE TABLE pipeline.pending_links (
    table_name text NOT NULL,
    source_key text NOT NULL,
    reference  text NOT NULL,
    target_key text NOT NULL,
    PRIMARY KEY (table_name, source_key, reference)
);
CREATE INDEX ix_pending_links_target ON pipeline.pending_links (target_key);

-- One row for a process to touch, to prove that it can write.
CREATE TABLE pipeline.heartbeat (
    id integer PRIMARY KEY,
    at timestamptz
);
INSERT INTO pipeline.heartbeat (id, at) VALUES (1, now());
