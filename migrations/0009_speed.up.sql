-- Why: a search that costs the same in a large memory as in a small one, and less in both.
--
-- What is worked out for each row is written out as one expression a lexeme (a sub-select over the lexemes costs several
-- times as much), statements that never change keep their plan, and the number of an owner's chunks is asked of an index
-- alone.

CREATE OR REPLACE FUNCTION weigh_lexemes(wanted text[]) RETURNS TABLE (lexeme text, chunks bigint, weight real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    WITH counted AS (
        SELECT w.lexeme, coalesce(sum(c.chunks), 0)::bigint AS chunks
        FROM unnest(wanted) w (lexeme)
        LEFT JOIN lexeme_counts c ON c.lexeme = w.lexeme AND visible(c.agent_id, c.shared)
        GROUP BY w.lexeme
    ), corpus AS (
        SELECT coalesce(sum(c.chunks), 0) AS chunks
        FROM lexeme_counts c
        WHERE c.lexeme = '' AND visible(c.agent_id, c.shared)
    )
    SELECT counted.lexeme, counted.chunks,
           ln(1 + (greatest(corpus.chunks - counted.chunks, 0) + 0.5) / (counted.chunks + 0.5))::real
    FROM counted, corpus
    ORDER BY counted.chunks, counted.lexeme;
END $$;

-- The lexical route as before (0002), its arithmetic written out.
CREATE OR REPLACE FUNCTION match_lexemes(
    wanted text[], narrowed narrowing, max_rows integer, enough integer DEFAULT 1000
) RETURNS TABLE (chunk_id bigint, score real, coverage real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
SET synchronize_seqscans = off AS $$
DECLARE
    ordered text[];
    counts  bigint[];
    weighed text;
    covered text;
    mine    tsquery := as_query(owner_lexemes(current_agent(), true));
    seekers tsquery;
    used    integer := 1;
BEGIN
    SELECT array_agg(w.lexeme), array_agg(w.chunks),
           string_agg(format('%s * ts_rank(c.lexemes, %L)', w.weight, as_query(ARRAY[w.lexeme])), ' + '),
           '(' || string_agg(format(
               'CASE WHEN best.lexemes @@ %L THEN %s ELSE 0 END', as_query(ARRAY[w.lexeme]), w.weight
           ), ' + ') || ') / ' || sum(w.weight)
    INTO ordered, counts, weighed, covered
    FROM weigh_lexemes(wanted) w;
    IF ordered IS NULL THEN
        RETURN;
    END IF;
    WHILE used < cardinality(ordered) AND (SELECT sum(n) FROM unnest(counts[:used + 1]) n) <= enough LOOP
        used := used + 1;
    END LOOP;
    seekers := as_query(ordered[:used]);
    IF counts[1] > 4 * enough AND cardinality(ordered) > 1 THEN
        -- Every word is common: those that stand beside another of the query come first.
        seekers := seekers && as_query(ordered[2:3]);
    END IF;
    RETURN QUERY EXECUTE format(
        $q$
        SELECT best.id, best.score, (%2$s)::real
        FROM (
            SELECT found.id, found.score, found.lexemes
            FROM (
                SELECT c.id, c.lexemes, ((%1$s) * 16.45 / (0.75 + 0.25 * c.tokens / 100.0))::real AS score
                FROM chunks c
                WHERE c.lexemes @@ $1 AND admits(c, $2)
                LIMIT $3
            ) found
            ORDER BY found.score DESC, found.id DESC
            LIMIT $4
        ) best
        ORDER BY best.score DESC, best.id DESC
        $q$, weighed, covered
    ) USING seekers && mine, narrowed, 2 * enough, max_rows;
END $$;

-- The semantic route as before (0003). That an owner has many chunks is seen in an index alone, if nothing but the
-- sources narrows; only when he has few, or a filter may leave few, are the admitted ones counted.
CREATE OR REPLACE FUNCTION match_embedding(
    wanted_model smallint, query vector, narrowed narrowing, max_rows integer, few integer DEFAULT 2000
) RETURNS TABLE (chunk_id bigint, similarity real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    wide         narrowing;
    admitted     bigint[];
    nearest      bigint[];
    similarities real[];
    size         integer := vector_dims(query);
    has_many     boolean := false;
BEGIN
    wide.sources := narrowed.sources;
    IF narrowed IS NOT DISTINCT FROM wide THEN
        PERFORM FROM chunks c
        WHERE visible(c.agent_id, false) AND c.source = ANY (narrowed.sources)
        OFFSET few LIMIT 1;
        has_many := found;
    END IF;
    IF NOT has_many THEN
        SELECT array_agg(found.id) INTO admitted
        FROM (
            SELECT c.id
            FROM chunks c
            WHERE admits(c, narrowed)
            LIMIT few + 1
        ) found;
        has_many := coalesce(cardinality(admitted), 0) > few;
    END IF;
    IF NOT has_many THEN
        RETURN QUERY
        SELECT e.chunk_id, (1 - (e.embedding <=> query))::real
        FROM chunk_embeddings e
        WHERE e.model_id = wanted_model AND e.chunk_id = ANY (admitted)
        ORDER BY e.embedding <=> query, e.chunk_id DESC
        LIMIT max_rows;
        RETURN;
    END IF;
    IF size <= 4000 THEN
        EXECUTE format(
            $q$
            SELECT array_agg(near.chunk_id), array_agg(near.similarity)
            FROM (
                SELECT e.chunk_id, (1 - ((e.embedding::halfvec(%1$s)) <=> $2::halfvec(%1$s)))::real AS similarity
                FROM chunk_embeddings e
                JOIN chunks c ON c.id = e.chunk_id
                WHERE e.model_id = %2$s AND admits(c, $3)
                ORDER BY (e.embedding::halfvec(%1$s)) <=> $2::halfvec(%1$s)
                LIMIT $4
            ) near
            $q$, size, wanted_model
        ) INTO nearest, similarities USING wanted_model, query, narrowed, max_rows;
        IF cardinality(nearest) >= max_rows THEN
            RETURN QUERY SELECT * FROM unnest(nearest, similarities);
            RETURN;
        END IF;
    END IF;
    -- There is no index, or its scan gave up (hnsw.max_scan_tuples) among rows of others that are nearer: all are compared.
    RETURN QUERY
    SELECT e.chunk_id, (1 - (e.embedding <=> query))::real
    FROM chunks c
    JOIN chunk_embeddings e ON e.chunk_id = c.id AND e.model_id = wanted_model
    WHERE admits(c, narrowed)
    ORDER BY e.embedding <=> query, e.chunk_id DESC
    LIMIT max_rows;
END $$;

-- The evidence as before (0006), each chunk read once. Only conversations have messages around one.
CREATE OR REPLACE FUNCTION gather_evidence(
    matched bigint[], seeds bigint[], narrowed narrowing, wanted text[], wanted_model smallint, query vector
) RETURNS TABLE (
    chunk_id bigint, candidate boolean, thread text, place integer, role text, speaker text, tokens integer, message_tokens integer,
    asks boolean, dated boolean, occurred_at timestamptz, cosine real, hits real[]
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
           coalesce(c.seq, c.position), c.role, c.speaker, c.tokens, coalesce(m.tokens, c.tokens), c.asks, c.dated, c.occurred_at,
           (1 - (e.embedding <=> query))::real,
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
