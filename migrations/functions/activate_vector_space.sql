-- after: 0022_vectors
-- The space that searches use from now on; false when there is none of that id. The one before goes
-- on being filled, so that going back loses nothing.
CREATE OR REPLACE FUNCTION activate_vector_space(wanted smallint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(spaces_lock());
    IF NOT EXISTS (SELECT FROM vector_spaces WHERE id = wanted AND state <> 'dropping') THEN
        RETURN false;
    END IF;
    UPDATE vector_spaces SET state = 'filling' WHERE state = 'active' AND id <> wanted;
    UPDATE vector_spaces SET state = 'active', activated_at = now()
    WHERE id = wanted AND state <> 'active';
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION activate_vector_space(smallint) FROM PUBLIC;
