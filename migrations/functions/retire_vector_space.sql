-- after: 0022_vectors
-- From now on nothing is queued for the space, and nobody searches in it; false when it is active
-- or not there.
CREATE OR REPLACE FUNCTION retire_vector_space(wanted smallint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(spaces_lock());
    UPDATE vector_spaces SET state = 'dropping' WHERE id = wanted AND state <> 'active';
    RETURN found;
END $$;
REVOKE EXECUTE ON FUNCTION retire_vector_space(smallint) FROM PUBLIC;
