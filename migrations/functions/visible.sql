-- after: 0020_core
-- The rule: mine, or shared. Written out wherever the owner looks for somebody.
CREATE OR REPLACE FUNCTION visible(agent_id text, shared boolean) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT agent_id = current_setting('mcp_memory.agent', true)
        OR (shared AND current_setting('mcp_memory.agent', true) <> '')
$$;
