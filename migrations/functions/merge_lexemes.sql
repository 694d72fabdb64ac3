-- after: 0021_documents
-- Add up to `most` noted changes to the counts; how many there were. One caller at a time, and no
-- writer waits.
CREATE OR REPLACE FUNCTION merge_lexemes(most integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
    merged integer;
    spent  text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('mcp_memory.word_counts', 0));
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    WITH taken AS (
        DELETE FROM word_changes
        WHERE id IN (SELECT id FROM word_changes ORDER BY id LIMIT most)
        RETURNING agent_id, shared, change, chunks, lexemes
    ), sums AS (
        SELECT word, t.agent_id, t.shared, sum(t.change) AS chunks
        FROM taken t CROSS JOIN LATERAL unnest(t.lexemes) word
        GROUP BY word, t.agent_id, t.shared
        HAVING sum(t.change) <> 0
        UNION ALL
        SELECT '', t.agent_id, t.shared, sum(t.change * t.chunks)
        FROM taken t
        GROUP BY t.agent_id, t.shared
    ), added AS (
        INSERT INTO word_counts AS known (lexeme, agent_id, shared, chunks)
        SELECT word, sums.agent_id, sums.shared, sums.chunks FROM sums
        ON CONFLICT (lexeme, agent_id, shared) DO UPDATE SET chunks = known.chunks + excluded.chunks
        RETURNING known.lexeme, known.chunks
    )
    SELECT (SELECT count(*) FROM taken),
           (SELECT array_agg(a.lexeme) FROM added a WHERE a.chunks <= 0)
    INTO merged, spent;
    DELETE FROM word_counts c WHERE c.lexeme = ANY (spent) AND c.chunks <= 0;
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN merged;
END $$;
REVOKE EXECUTE ON FUNCTION merge_lexemes(integer) FROM PUBLIC;
