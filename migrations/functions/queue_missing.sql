-- after: 0022_vectors
-- Queue chunks that the space has no job for and no vector, or only that of the window around them,
-- up to so many; how many. A chunk that somebody is deleting just now is passed over, not waited
-- for.
CREATE OR REPLACE FUNCTION queue_missing(wanted smallint, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    queued bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(space_lock(wanted));
    INSERT INTO vector_jobs (chunk_id, space_id, agent_id)
    SELECT c.id, wanted, c.agent_id
    FROM chunks c
    WHERE EXISTS (SELECT FROM vector_spaces m WHERE m.id = wanted AND m.state <> 'dropping')
      AND NOT EXISTS (
          SELECT FROM vectors e
          WHERE e.chunk_id = c.id AND e.space_id = wanted
              AND (c.context IS NULL OR e.alone IS NOT NULL)
      )
      AND NOT EXISTS (SELECT FROM vector_jobs j WHERE j.chunk_id = c.id AND j.space_id = wanted)
    LIMIT most
    FOR KEY SHARE OF c SKIP LOCKED
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END $$;
REVOKE EXECUTE ON FUNCTION queue_missing(smallint, integer) FROM PUBLIC;
