-- Finds the runs of the same job, whose run ids are alike up to the last dot: those that supersede one, and those that are forgotten.
CREATE INDEX ix_runs_of_job ON pipeline.runs (regexp_replace(run_id, '[.][^.]*$', ''), started_at);
DROP INDEX pipeline.ix_runs_visible;
