SELECT pipeline.publish_changes();
SELECT pipeline.grant_access();
SELECT pipeline.grant_console_access();
