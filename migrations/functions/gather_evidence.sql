-- after: 0022_vectors
-- Everything the ranking knows of the chunks that were found, and of the messages two around the
-- best of them, which become candidates too. `thread` is the session, the document or the fact,
-- `place` the message or the chunk in it. `cosine` is of the vector that a chunk is found by,
-- `alone` of that of its own text. `hits` says for each wanted lexeme how much of it there is (0, 1
-- for once, up to 1.6), as ts_rank saturates. Rows that are no candidates stand one message before
-- or after one. Each chunk is read once; only conversations have messages around one.
CREATE OR REPLACE FUNCTION gather_evidence(
    matched bigint[], seeds bigint[], narrowed search_filter, wanted text[], wanted_space smallint,
    query vector
) RETURNS TABLE (
    chunk_id bigint, candidate boolean, thread text, place integer, role text, speaker text,
    tokens integer, message_tokens integer, asks boolean, dated boolean, occurred_at timestamptz,
    importance double precision, cosine real, alone real, hits real[]
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    queries tsquery[] := ARRAY(SELECT as_query(ARRAY[w]) FROM unnest(wanted) w);
    reached bigint[] := matched;
    beside  bigint[];
BEGIN
    IF 'transcripts' = ANY (narrowed.sources) THEN
        -- Of a long message the first four chunks alone, which bounds the rows that come beside.
        reached := ARRAY(
            SELECT unnest(matched)
            UNION
            SELECT n.id
            FROM unnest(seeds) s (id)
            JOIN chunks c ON c.id = s.id
            JOIN chunks n ON n.session = c.session AND n.seq BETWEEN c.seq - 2 AND c.seq + 2
                AND n.position < 4
            WHERE admits(n, narrowed)
        );
        beside := ARRAY(
            SELECT n.id
            FROM unnest(reached) r (id)
            JOIN chunks k ON k.id = r.id
            JOIN chunks n ON n.session = k.session AND n.seq IN (k.seq - 1, k.seq + 1)
                AND n.position < 4
            WHERE visible(k.agent_id, k.shared) AND visible(n.agent_id, n.shared)
            EXCEPT
            SELECT unnest(reached)
        );
    END IF;
    -- A lexeme that stands once counts 1 by 16.45 (see match_lexemes).
    RETURN QUERY
    SELECT c.id, r.is_candidate,
           coalesce('s' || c.session, 'd' || c.document_id,
                    'm' || c.memory_id || '.' || c.memory_version),
           coalesce(c.seq, c.position), c.role, c.speaker, c.tokens, coalesce(m.tokens, c.tokens),
           c.asks, c.dated, c.occurred_at, c.importance,
           (1 - (e.embedding <=> query))::real,
           (1 - (coalesce(e.alone, e.embedding) <=> query))::real,
           ARRAY(SELECT (ts_rank(c.lexemes, q.q) * 16.45)::real FROM unnest(queries) q (q))
    FROM (
        SELECT unnest(reached) AS id, true AS is_candidate
        UNION ALL
        SELECT unnest(beside), false
    ) r
    JOIN chunks c ON c.id = r.id
    LEFT JOIN session_messages m ON m.id = c.message_id
    LEFT JOIN vectors e ON e.chunk_id = c.id AND e.space_id = wanted_space AND r.is_candidate
    WHERE visible(c.agent_id, c.shared);
END $$;
