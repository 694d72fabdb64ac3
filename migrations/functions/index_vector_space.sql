-- after: 0022_vectors
-- Build the index of a space where it is missing; halfvec has no index of more than 4,000
-- dimensions.
CREATE OR REPLACE FUNCTION index_vector_space(wanted smallint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    size integer;
BEGIN
    PERFORM pg_advisory_xact_lock(space_lock(wanted));
    SELECT dimensions INTO size FROM vector_spaces WHERE id = wanted AND state <> 'dropping';
    IF size <= 4000 THEN
        EXECUTE format(
            'CREATE INDEX IF NOT EXISTS %I ON vectors'
            ' USING hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops) WHERE space_id = %s',
            'vectors_space_' || wanted, size, wanted
        );
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION index_vector_space(smallint) FROM PUBLIC;
