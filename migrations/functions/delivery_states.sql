-- after: 0024_messages
-- What became of a message at each recipient: for its sender alone.
CREATE OR REPLACE FUNCTION delivery_states(wanted bigint) RETURNS TABLE (
    agent text, state text, note text, delivered_at timestamptz, acknowledged_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    RETURN QUERY
    SELECT d.agent_id, state_now(d.state, d.expires_at), d.note, d.delivered_at, d.acknowledged_at
    FROM messages m
    JOIN deliveries d ON d.message_id = m.id
    WHERE m.id = wanted AND visible(m.agent_id, false)
    ORDER BY d.agent_id;
    PERFORM set_config('mcp_memory.maintenance', before, true);
END $$;
