-- after: 0021_documents
-- The chunks that carry any of these marks, the newest first. A session's own messages need no
-- mark.
CREATE OR REPLACE FUNCTION anchored(
    marks text[], narrowed search_filter, max_rows integer, enough integer DEFAULT 4000
)
RETURNS TABLE (chunk_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    meant bigint[];
BEGIN
    IF cardinality(marks) = 0 THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM unnest(marks) mark WHERE mark LIKE '=session:%') THEN
        meant := ARRAY(
            SELECT s.id FROM sessions s
            WHERE visible(s.agent_id, s.shared) AND '=session:' || lower(s.session_id) = ANY (marks)
        );
    END IF;
    RETURN QUERY
    SELECT found.id
    FROM (
        (SELECT c.id, c.occurred_at
         FROM chunks c
         WHERE c.lexemes @@ (as_query(marks) && as_query(owner_lexemes(current_agent(), true)))
           AND admits(c, narrowed)
         LIMIT enough)
        UNION
        (SELECT c.id, c.occurred_at
         FROM chunks c
         WHERE c.session = ANY (meant) AND admits(c, narrowed)
         LIMIT enough)
    ) found
    ORDER BY found.occurred_at DESC, found.id DESC
    LIMIT max_rows;
END $$;
