-- after: 0023_transcripts
-- A session's thread: its last seq, the summaries that no other covers, and the newest messages,
-- about as many as the budget holds. In one statement whose plan is kept, since whoever asks waits
-- for his first answer after a compaction. Not as the owner: the policies hold. The texts of a
-- tool's large messages would only be thrown away.
CREATE OR REPLACE FUNCTION session_thread(wanted text, budget integer, large integer)
RETURNS TABLE (
    last_seq integer, kind text, seq_from integer, seq_to integer, body text, tokens integer,
    role text,
    summary_id text, depth integer, stale boolean
)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    SELECT s.last_seq, p.kind, p.seq_from, p.seq_to, p.body, p.tokens, p.role, p.summary_id,
           p.depth, p.stale
    FROM sessions s
    LEFT JOIN LATERAL (
        SELECT 'summary' AS kind, u.seq_from, u.seq_to, u.summary AS body, u.tokens, '' AS role,
               u.id::text AS summary_id, u.depth, u.stale
        FROM summaries u
        WHERE u.session = s.id AND u.parent IS NULL
        UNION ALL
        SELECT 'message', newest.seq, newest.seq,
               CASE WHEN newest.role = 'tool' AND newest.tokens > large THEN ''
                   ELSE newest.content END,
               newest.tokens, newest.role, '', 0, false
        FROM (
            SELECT m.seq, m.content, m.tokens, m.role,
                   coalesce(sum(m.tokens) FILTER (WHERE m.role <> 'tool' OR m.tokens <= large)
                            OVER (ORDER BY m.seq DESC
                                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
                   AS newer_tokens
            FROM session_messages m
            WHERE m.session = s.id
            ORDER BY m.seq DESC
            LIMIT 1000
        ) newest
        WHERE newest.newer_tokens <= budget
    ) p ON true
    WHERE s.agent_id = current_agent() AND s.session_id = wanted
    ORDER BY p.seq_from;
END $$;
