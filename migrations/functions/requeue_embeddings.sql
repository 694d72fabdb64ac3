-- after: 0022_vectors
-- A chunk that says something else now has no vector until it has been embedded again. Whoever
-- holds its lease has read the old text: without the lease that vector is not stored.
CREATE OR REPLACE FUNCTION requeue_embeddings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before  text := coalesce(current_setting('mcp_memory.maintenance', true), '');
    altered bigint[];
BEGIN
    SELECT array_agg(a.id ORDER BY a.id) INTO altered
    FROM after_update a
    JOIN before_update b ON b.id = a.id AND b.text_hash <> a.text_hash;
    IF altered IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(spaces_lock());
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    INSERT INTO vector_jobs (chunk_id, space_id, agent_id)
    SELECT a.id, m.id, a.agent_id
    FROM after_update a
    JOIN vector_spaces m ON m.state <> 'dropping'
    WHERE a.id = ANY (altered)
    ORDER BY a.id, m.id
    ON CONFLICT (chunk_id, space_id)
    DO UPDATE SET attempts = 0, next_try_at = now(), lease = NULL, problem = '';
    DELETE FROM vectors WHERE chunk_id = ANY (altered);
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER requeue_embeddings AFTER UPDATE ON chunks
REFERENCING OLD TABLE AS before_update NEW TABLE AS after_update
FOR EACH STATEMENT EXECUTE FUNCTION requeue_embeddings();
