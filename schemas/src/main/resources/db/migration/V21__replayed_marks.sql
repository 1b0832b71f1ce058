-- Which marks were counted, so that one that is read again (offsets set back, a rebuild) counts once.
ALTER TABLE pipeline.scope_progress ADD COLUMN noted integer[] NOT NULL DEFAULT '{}';

-- Finds the newer run that supersedes one whose marks never came.
CREATE INDEX ix_runs_visible ON pipeline.runs (started_at) WHERE visible_at IS NOT NULL;
