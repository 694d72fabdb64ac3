DROP TRIGGER tell_reembedded ON chunk_embeddings;
CREATE OR REPLACE FUNCTION queue_missing(wanted smallint, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    queued bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(space_lock(wanted));
    INSERT INTO embedding_jobs (chunk_id, model_id, agent_id)
    SELECT c.id, wanted, c.agent_id
    FROM chunks c
    WHERE EXISTS (SELECT FROM embedding_models m WHERE m.id = wanted AND m.state <> 'dropping')
      AND NOT EXISTS (SELECT FROM chunk_embeddings e WHERE e.chunk_id = c.id AND e.model_id = wanted)
      AND NOT EXISTS (SELECT FROM embedding_jobs j WHERE j.chunk_id = c.id AND j.model_id = wanted)
    LIMIT most
    FOR KEY SHARE OF c SKIP LOCKED
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END $$;
CREATE OR REPLACE FUNCTION anchors_of(chunk chunks) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    place jsonb;
BEGIN
    IF chunk.message_id IS NOT NULL THEN
        SELECT m.metadata INTO place FROM session_messages m WHERE m.id = chunk.message_id;
    ELSIF chunk.memory_id IS NOT NULL THEN
        SELECT jsonb_build_object('session', v.session_id) INTO place
        FROM memory_versions v
        WHERE v.memory_id = chunk.memory_id AND v.version = chunk.memory_version;
    END IF;
    RETURN anchors_in(chunk.heading || E'\n' || chunk.text) || ARRAY(
        SELECT anchor_mark(kind, place ->> kind)
        FROM unnest(ARRAY['pr', 'file', 'branch', 'session', 'cwd']) kind
        WHERE anchor_mark(kind, place ->> kind) IS NOT NULL
    );
END $$;
DROP FUNCTION told_at(bigint, integer);
DROP INDEX chunks_indexed_by;
ALTER TABLE chunks DROP COLUMN indexed_by;
