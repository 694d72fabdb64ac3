-- after: 0021_documents
-- How rare each wanted lexeme is among what the caller can see, rarest first. Weights are BM25's
-- inverse document frequency (Robertson, Sparck Jones). Planned once.
CREATE OR REPLACE FUNCTION weigh_lexemes(wanted text[])
RETURNS TABLE (lexeme text, chunks bigint, weight real)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    WITH counted AS (
        SELECT w.lexeme, coalesce(sum(c.chunks), 0)::bigint AS chunks
        FROM unnest(wanted) w (lexeme)
        LEFT JOIN word_counts c ON c.lexeme = w.lexeme AND visible(c.agent_id, c.shared)
        GROUP BY w.lexeme
    ), corpus AS (
        SELECT coalesce(sum(c.chunks), 0) AS chunks
        FROM word_counts c
        WHERE c.lexeme = '' AND visible(c.agent_id, c.shared)
    )
    SELECT counted.lexeme, counted.chunks,
           ln(1 + (greatest(corpus.chunks - counted.chunks, 0) + 0.5)
                  / (counted.chunks + 0.5))::real
    FROM counted, corpus
    ORDER BY counted.chunks, counted.lexeme;
END $$;
