-- after: 0021_documents
-- Add these counts; what is gone by now is not counted. In one order, so that two processes wait
-- for each other at most.
CREATE OR REPLACE FUNCTION add_usage(
    ids bigint[], agents text[], times_returned bigint[], times_fetched bigint[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    INSERT INTO chunk_usage AS known (chunk_id, agent_id, returned, fetched)
    SELECT u.id, u.agent, u.returned, u.fetched
    FROM unnest(ids, agents, times_returned, times_fetched) u (id, agent, returned, fetched)
    JOIN chunks c ON c.id = u.id
    ORDER BY u.id, u.agent
    ON CONFLICT (chunk_id, agent_id) DO UPDATE
    SET returned = known.returned + excluded.returned, fetched = known.fetched + excluded.fetched,
        last_at = now();
    PERFORM set_config('mcp_memory.maintenance', before, true);
END $$;
REVOKE EXECUTE ON FUNCTION add_usage(bigint[], text[], bigint[], bigint[]) FROM PUBLIC;
