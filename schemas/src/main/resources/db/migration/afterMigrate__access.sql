-- Processes may migrate at the same time, and this is outside Flyway's own lock.
SELECT pg_advisory_xact_lock(hashtext('pipeline.access'));
SELECT pipeline.publish_changes();
SELECT pipeline.grant_access();
SELECT pipeline.grant_writeback_access();
SELECT pipeline.grant_console_access();
