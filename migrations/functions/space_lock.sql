-- after: 0022_vectors
-- Only one process at a time builds the index of a space and queues for it.
CREATE OR REPLACE FUNCTION space_lock(wanted smallint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended('mcp_memory.vector_spaces', wanted)
$$;
