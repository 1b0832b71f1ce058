SELECT pipeline.publish_changes();
SELECT pipeline.grant_access();
-- The sink's own state that came after the function above.
GRANT SELECT, INSERT, UPDATE, DELETE ON pipeline.pending_rows, pipeline.name_claims TO elder_worker;
