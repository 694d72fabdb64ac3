-- Why: what an earlier version indexed is brought up to date in the background, whatever a newer one finds texts by.

-- By which way of indexing a chunk's lexemes were worked out (text/findable.py); what was there before is of the first,
-- 0. Whoever says otherwise of a chunk what it is found by sets it to 0, to have it renewed.
ALTER TABLE chunks ADD COLUMN indexed_by smallint NOT NULL DEFAULT 0;
CREATE INDEX chunks_indexed_by ON chunks (indexed_by);

-- When what the version says was told: when it occurred, else when we first heard it. A version that only changes
-- something beside the text tells nothing new.
CREATE FUNCTION told_at(wanted bigint, wanted_version integer) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN (
    SELECT coalesce(v.occurred_at, (
        SELECT min(s.recorded_at)
        FROM memory_versions w
        JOIN memory_spans s ON s.memory_id = w.memory_id AND s.version = w.version
        WHERE w.memory_id = v.memory_id AND w.version <= v.version AND w.content = v.content
    ))
    FROM memory_versions v
    WHERE v.memory_id = wanted AND v.version = wanted_version
);

-- The anchors of a chunk as before (0010); a document stands for the file of its own path too.
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
    ) || ARRAY(
        SELECT anchor_mark('file', array_to_string(parts[n:], '/'))
        FROM string_to_array(CASE WHEN chunk.document_id IS NOT NULL THEN chunk.path END, '/') parts
        CROSS JOIN LATERAL generate_series(1, cardinality(parts)) n
    );
END $$;

-- Queue as before (0003), and also what has but the vector of the window around it (0014).
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
      AND NOT EXISTS (
          SELECT FROM chunk_embeddings e
          WHERE e.chunk_id = c.id AND e.model_id = wanted AND (c.context IS NULL OR e.alone IS NOT NULL)
      )
      AND NOT EXISTS (SELECT FROM embedding_jobs j WHERE j.chunk_id = c.id AND j.model_id = wanted)
    LIMIT most
    FOR KEY SHARE OF c SKIP LOCKED
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END $$;

-- Let it be looked for in every space; searches go on with the vectors that are there.
UPDATE embedding_models SET prepared = false WHERE state <> 'dropping';

-- A vector that takes the place of one changes answers as a new one does.
CREATE TRIGGER tell_reembedded AFTER UPDATE ON chunk_embeddings
REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION tell_of_vectors();
