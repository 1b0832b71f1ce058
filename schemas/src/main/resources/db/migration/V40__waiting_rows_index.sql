-- The sink looks up what waits for each key that arrives. Entries that the index keeps in a list of its own for later would
-- be read through every time.
ALTER INDEX pipeline.pending_rows_missing SET (fastupdate = off);
