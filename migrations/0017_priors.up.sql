-- Why: what is newer or said to be more important goes before its equals, and what every search asks is planned once.

-- The evidence as before (0014), with the importance of a memory.
DROP FUNCTION gather_evidence(bigint[], bigint[], narrowing, text[], smallint, vector);
CREATE FUNCTION gather_evidence(
    matched bigint[], seeds bigint[], narrowed narrowing, wanted text[], wanted_model smallint, query vector
) RETURNS TABLE (
    chunk_id bigint, candidate boolean, thread text, place integer, role text, speaker text, tokens integer, message_tokens integer,
    asks boolean, dated boolean, occurred_at timestamptz, importance double precision, cosine real, alone real, hits real[]
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    queries tsquery[] := ARRAY(SELECT as_query(ARRAY[w]) FROM unnest(wanted) w);
    reached bigint[] := matched;
    beside  bigint[];
BEGIN
    IF 'transcripts' = ANY (narrowed.sources) THEN
        reached := ARRAY(
            SELECT unnest(matched)
            UNION
            SELECT n.id
            FROM unnest(seeds) s (id)
            JOIN chunks c ON c.id = s.id
            JOIN chunks n ON n.session = c.session AND n.seq BETWEEN c.seq - 2 AND c.seq + 2 AND n.position < 4
            WHERE admits(n, narrowed)
        );
        beside := ARRAY(
            SELECT n.id
            FROM unnest(reached) r (id)
            JOIN chunks k ON k.id = r.id
            JOIN chunks n ON n.session = k.session AND n.seq IN (k.seq - 1, k.seq + 1) AND n.position < 4
            WHERE visible(k.agent_id, k.shared) AND visible(n.agent_id, n.shared)
            EXCEPT
            SELECT unnest(reached)
        );
    END IF;
    RETURN QUERY
    SELECT c.id, r.is_candidate,
           coalesce('s' || c.session, 'd' || c.document_id, 'm' || c.memory_id || '.' || c.memory_version),
           coalesce(c.seq, c.position), c.role, c.speaker, c.tokens, coalesce(m.tokens, c.tokens), c.asks, c.dated, c.occurred_at, c.importance,
           (1 - (e.embedding <=> query))::real, (1 - (coalesce(e.alone, e.embedding) <=> query))::real,
           ARRAY(SELECT (ts_rank(c.lexemes, q.q) * 16.45)::real FROM unnest(queries) q (q))
    FROM (
        SELECT unnest(reached) AS id, true AS is_candidate
        UNION ALL
        SELECT unnest(beside), false
    ) r
    JOIN chunks c ON c.id = r.id
    LEFT JOIN session_messages m ON m.id = c.message_id
    LEFT JOIN chunk_embeddings e ON e.chunk_id = c.id AND e.model_id = wanted_model AND r.is_candidate
    WHERE visible(c.agent_id, c.shared);
END $$;

-- The entities that the caller knows by one of these names, folded; mentions are counted to 1,000. Planned once: every
-- search asks it, mostly for names that there are not.
CREATE FUNCTION known_entities(wanted text[]) RETURNS TABLE (normal text, entity_id bigint, names text[], mentions bigint)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    WITH known (normal, entity_id) AS (
        SELECT e.normal, e.id
        FROM entities e
        WHERE e.agent_id = current_agent() AND e.normal = ANY (wanted)
        UNION
        SELECT a.normal, a.entity_id
        FROM entity_aliases a
        WHERE a.agent_id = current_agent() AND a.normal = ANY (wanted)
        UNION
        SELECT n.normal, n.entity_id
        FROM unnest(wanted) w (normal)
        CROSS JOIN LATERAL (
            SELECT n.normal, n.entity_id
            FROM memory_mentions n
            WHERE n.shared AND n.normal = w.normal
            LIMIT 100
        ) n
    )
    SELECT k.normal, k.entity_id,
           ARRAY(SELECT e.name FROM entities e WHERE e.id = k.entity_id
                 UNION
                 SELECT a.alias FROM entity_aliases a WHERE a.entity_id = k.entity_id
                 UNION
                 SELECT unnest(n.known_as || n.name)
                 FROM (SELECT n.known_as, n.name
                       FROM memory_mentions n
                       WHERE n.entity_id = k.entity_id AND n.shared
                       LIMIT 20) n),
           (SELECT count(*) FROM (SELECT FROM memory_mentions n
                                  WHERE n.entity_id = k.entity_id
                                  LIMIT 1000) n)
    FROM known k
    ORDER BY k.normal, k.entity_id
    LIMIT 20;
END $$;
