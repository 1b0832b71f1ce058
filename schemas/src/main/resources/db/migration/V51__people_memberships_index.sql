-- The sink looks for memberships that people made: there are few of them among many.
SET LOCAL lock_timeout TO '10s';

CREATE INDEX IF NOT EXISTS ix_identity_group_memberships_of_people
    ON public.identity_group_memberships (identity_id, group_id) WHERE source_key IS NULL AND deleted_at IS NULL;

-- One of Elder's shapes has it under this name, the others had none.
CREATE INDEX IF NOT EXISTS ix_identity_group_memberships_identity_id
    ON public.identity_group_memberships (identity_id);
