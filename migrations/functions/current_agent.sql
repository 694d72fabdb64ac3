-- after: 0020_core
-- Why: who may see what, said once, for every table that later migrations add.
--
-- Identity is transaction-local: the setting mcp_memory.agent names the caller. Two roles stand
-- beside the owner when the login may create them (settings mcp_memory.app_role and
-- mcp_memory.worker_role, empty otherwise): the application role, which every agent's transaction
-- takes, and the worker role of background work. Without them the owner itself is held by the
-- policies, and steps out of them only under the setting mcp_memory.maintenance.
CREATE OR REPLACE FUNCTION current_agent() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('mcp_memory.agent', true), '')
$$;
