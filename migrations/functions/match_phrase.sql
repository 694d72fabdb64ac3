-- after: 0021_documents
-- The exact route: chunks that hold the phrase letter by letter (but for case), newest first. The
-- lexemes only find the candidates, through their index; a phrase without any is looked for in
-- everything admitted.
CREATE OR REPLACE FUNCTION match_phrase(
    phrase text, wanted text[], narrowed search_filter, max_rows integer
) RETURNS TABLE (chunk_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    seekers tsquery := as_query(wanted);
BEGIN
    RETURN QUERY
    SELECT c.id
    FROM chunks c
    WHERE (seekers IS NULL OR c.lexemes @@ seekers)
      AND admits(c, narrowed)
      AND strpos(lower(c.text), lower(phrase)) > 0
    ORDER BY c.occurred_at DESC, c.id DESC
    LIMIT max_rows;
END $$;
