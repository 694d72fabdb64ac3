-- after: 0024_messages
-- How the recipients of a message were woken: for its sender alone.
CREATE OR REPLACE FUNCTION wake_jobs_of(wanted bigint) RETURNS TABLE (
    agent text, kind text, state text, attempts integer, problem text, changed_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    RETURN QUERY
    SELECT b.agent_id, coalesce(r.kind, ''),
           CASE WHEN b.state <> 'due' THEN b.state
                WHEN r.id IS NULL THEN 'waiting' ELSE 'trying' END,
           coalesce(r.attempts, 0), coalesce(r.problem, ''), coalesce(r.ended_at, b.queued_at)
    FROM messages m
    JOIN wake_jobs b ON b.message_id = m.id
    LEFT JOIN wake_attempts r ON r.id = b.attempt_id
    WHERE m.id = wanted AND visible(m.agent_id, false)
    ORDER BY b.agent_id;
    PERFORM set_config('mcp_memory.maintenance', before, true);
END $$;
