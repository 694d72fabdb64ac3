-- after: 0024_messages
-- Whoever listens for an agent's mail holds this advisory lock, shared, on the connection that
-- listens: when it ends, however it ends, nobody listens any more.
CREATE OR REPLACE FUNCTION listening_key(agent text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended('listening/' || agent, 0)
$$;
