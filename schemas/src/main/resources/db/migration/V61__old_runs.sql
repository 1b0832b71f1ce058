-- Finds the runs of the same job, whose run ids are alike up to the last dot: those that supersede one, and those that are forgotten.
CREATE INDEX ix_runs_of_job ON pipeline.runs (regexp_replace(run_id, '[.][^.]*$', ''), started_at);
DROP INDEX pipeline.ix_runs_visible;

-- Kept for the last run of a job only.
DELETE FROM pipeline.scope_progress p USING pipeline.runs o
WHERE o.run_id = p.run_id AND o.visible_at IS NOT NULL AND EXISTS (
    SELECT FROM pipeline.runs n
    WHERE regexp_replace(n.run_id, '[.][^.]*$', '') = regexp_replace(o.run_id, '[.][^.]*$', '')
      AND n.visible_at IS NOT NULL AND n.started_at > o.started_at);
