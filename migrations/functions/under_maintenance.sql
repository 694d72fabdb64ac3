-- after: 0020_core
-- Whether the owner itself steps out of the policies, where there are no roles beside it.
CREATE OR REPLACE FUNCTION under_maintenance() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(current_setting('mcp_memory.maintenance', true), '') = 'on'
$$;
