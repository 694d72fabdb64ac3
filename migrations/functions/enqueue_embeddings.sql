-- after: 0022_vectors
-- Whoever writes a chunk has its vectors asked for in the same transaction. The shared lock is why
-- no chunk slips between a space that is being added and the chunks that are queued for it
-- afterwards.
CREATE OR REPLACE FUNCTION enqueue_embeddings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM pg_advisory_xact_lock_shared(spaces_lock());
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    INSERT INTO vector_jobs (chunk_id, space_id, agent_id)
    SELECT added.id, m.id, added.agent_id
    FROM added
    JOIN vector_spaces m ON m.state <> 'dropping';
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER enqueue_embeddings AFTER INSERT ON chunks
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION enqueue_embeddings();
