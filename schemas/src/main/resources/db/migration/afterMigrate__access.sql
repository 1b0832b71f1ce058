SELECT pipeline.publish_changes();
SELECT pipeline.grant_access();
