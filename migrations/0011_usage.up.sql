-- Why: how often what is remembered was of use, without a write to the row that was read.
--
-- Counted by who used it. No foreign key: its check would lock the chunk's row, and reading changes nothing of it.
CREATE TABLE chunk_usage (
    chunk_id bigint NOT NULL,
    agent_id text NOT NULL,
    returned bigint NOT NULL DEFAULT 0,
    fetched  bigint NOT NULL DEFAULT 0,
    last_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chunk_id, agent_id)
);
SELECT protect('chunk_usage', 'agent_id = mcp_memory.current_agent()', 'false');

-- Add these counts; what is gone by now is not counted. In one order, so that two processes wait for each other at most.
CREATE FUNCTION add_usage(ids bigint[], agents text[], times_returned bigint[], times_fetched bigint[]) RETURNS void
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
    SET returned = known.returned + excluded.returned, fetched = known.fetched + excluded.fetched, last_at = now();
    PERFORM set_config('mcp_memory.maintenance', before, true);
END $$;
REVOKE EXECUTE ON FUNCTION add_usage(bigint[], text[], bigint[], bigint[]) FROM PUBLIC;

CREATE FUNCTION forget_usage() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    DELETE FROM chunk_usage u USING gone WHERE u.chunk_id = gone.id;
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;
CREATE TRIGGER forget_usage AFTER DELETE ON chunks
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_usage();
