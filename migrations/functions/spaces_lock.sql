-- after: 0022_vectors
-- The lock of the spaces: held shared by who writes chunks, alone by who adds, activates or retires
-- a space.
CREATE OR REPLACE FUNCTION spaces_lock() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended('mcp_memory.vector_spaces', 0)
$$;
