-- after: 0022_vectors
-- One step of dropping what was retired: the index, then vectors and jobs, then the space; repeated
-- until false. Nothing is waited for that a writer holds, so no writer is ever in a deadlock with
-- it. Processes may take the space for the active one for two seconds after a switch
-- (vectors/spaces.py, SpaceCache): so long it stays.
CREATE OR REPLACE FUNCTION drop_vector_space(wanted smallint, most integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    index_name  text := 'vectors_space_' || wanted;
    old_vectors bigint;
    old_jobs    bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(space_lock(wanted));
    IF NOT EXISTS (SELECT FROM vector_spaces WHERE id = wanted AND state = 'dropping') THEN
        RETURN false;
    END IF;
    IF to_regclass(index_name) IS NOT NULL THEN
        PERFORM pg_sleep(greatest(0,
            extract(epoch FROM max(m.activated_at) + interval '3 s' - clock_timestamp())))
        FROM vector_spaces m;
        EXECUTE format('DROP INDEX %I', index_name);
        RETURN true;
    END IF;
    DELETE FROM vectors e
    USING (
        SELECT f.chunk_id FROM vectors f
        WHERE f.space_id = wanted LIMIT most FOR UPDATE SKIP LOCKED
    ) gone
    WHERE e.chunk_id = gone.chunk_id AND e.space_id = wanted;
    GET DIAGNOSTICS old_vectors = ROW_COUNT;
    DELETE FROM vector_jobs j
    USING (
        SELECT f.chunk_id FROM vector_jobs f
        WHERE f.space_id = wanted LIMIT most FOR UPDATE SKIP LOCKED
    ) gone
    WHERE j.chunk_id = gone.chunk_id AND j.space_id = wanted;
    GET DIAGNOSTICS old_jobs = ROW_COUNT;
    IF old_vectors + old_jobs > 0 THEN
        RETURN true;
    END IF;
    DELETE FROM vector_spaces WHERE id = wanted;
    RETURN false;
END $$;
REVOKE EXECUTE ON FUNCTION drop_vector_space(smallint, integer) FROM PUBLIC;
