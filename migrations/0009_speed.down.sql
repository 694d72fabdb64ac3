CREATE OR REPLACE FUNCTION weigh_lexemes(wanted text[]) RETURNS TABLE (lexeme text, chunks bigint, weight real)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
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
    ORDER BY counted.chunks, counted.lexeme
$$;

CREATE OR REPLACE FUNCTION match_lexemes(
    wanted text[], narrowed narrowing, max_rows integer, enough integer DEFAULT 1000
) RETURNS TABLE (chunk_id bigint, score real, coverage real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
SET synchronize_seqscans = off AS $$
DECLARE
    ordered text[];
    counts  bigint[];
    weights real[];
    queries tsquery[];
    mine    tsquery := as_query(owner_lexemes(current_agent(), true));
    seekers tsquery;
    used    integer := 1;
BEGIN
    SELECT array_agg(w.lexeme), array_agg(w.chunks), array_agg(w.weight), array_agg(as_query(ARRAY[w.lexeme]))
    INTO ordered, counts, weights, queries
    FROM weigh_lexemes(wanted) w;
    WHILE used < cardinality(ordered) AND (SELECT sum(n) FROM unnest(counts[:used + 1]) n) <= enough LOOP
        used := used + 1;
    END LOOP;
    seekers := as_query(ordered[:used]);
    IF counts[1] > 4 * enough AND cardinality(ordered) > 1 THEN
        -- Every word is common: those that stand beside another of the query come first.
        seekers := seekers && as_query(ordered[2:3]);
    END IF;
    RETURN QUERY
    SELECT found.id,
           (SELECT sum(w.weight * ts_rank(found.lexemes, w.query) * 16.45 / (0.75 + 0.25 * found.tokens / 100.0))
            FROM unnest(weights, queries) w (weight, query))::real,
           (SELECT coalesce(sum(w.weight) FILTER (WHERE found.lexemes @@ w.query), 0) / sum(w.weight)
            FROM unnest(weights, queries) w (weight, query))::real
    FROM (
        SELECT c.id, c.lexemes, c.tokens
        FROM chunks c
        WHERE c.lexemes @@ (seekers && mine) AND admits(c, narrowed)
        LIMIT 2 * enough
    ) found
    ORDER BY 2 DESC, 1 DESC
    LIMIT max_rows;
END $$;

CREATE OR REPLACE FUNCTION match_embedding(
    wanted_model smallint, query vector, narrowed narrowing, max_rows integer, few integer DEFAULT 2000
) RETURNS TABLE (chunk_id bigint, similarity real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    admitted     bigint[];
    nearest      bigint[];
    similarities real[];
    size         integer := vector_dims(query);
BEGIN
    SELECT array_agg(found.id) INTO admitted
    FROM (
        SELECT c.id
        FROM chunks c
        WHERE admits(c, narrowed)
        LIMIT few + 1
    ) found;
    IF coalesce(cardinality(admitted), 0) <= few OR size > 4000 THEN
        RETURN QUERY
        SELECT e.chunk_id, (1 - (e.embedding <=> query))::real
        FROM chunk_embeddings e
        WHERE e.model_id = wanted_model AND e.chunk_id = ANY (admitted)
        ORDER BY e.embedding <=> query, e.chunk_id DESC
        LIMIT max_rows;
        RETURN;
    END IF;
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
    -- The scan of the index gave up (hnsw.max_scan_tuples) among rows of others that are nearer: all are compared.
    RETURN QUERY
    SELECT e.chunk_id, (1 - (e.embedding <=> query))::real
    FROM chunks c
    JOIN chunk_embeddings e ON e.chunk_id = c.id AND e.model_id = wanted_model
    WHERE admits(c, narrowed)
    ORDER BY e.embedding <=> query, e.chunk_id DESC
    LIMIT max_rows;
END $$;

CREATE OR REPLACE FUNCTION gather_evidence(
    matched bigint[], seeds bigint[], narrowed narrowing, wanted text[], wanted_model smallint, query vector
) RETURNS TABLE (
    chunk_id bigint, candidate boolean, thread text, place integer, role text, speaker text, tokens integer, message_tokens integer,
    asks boolean, dated boolean, occurred_at timestamptz, cosine real, hits real[]
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    queries  tsquery[] := ARRAY(SELECT as_query(ARRAY[w]) FROM unnest(wanted) WITH ORDINALITY w (w, o) ORDER BY o);
    reached  bigint[] := matched || ARRAY(
        SELECT n.id
        FROM unnest(seeds) s (id)
        JOIN chunks c ON c.id = s.id
        JOIN chunks n ON n.session = c.session AND n.seq BETWEEN c.seq - 2 AND c.seq + 2 AND n.position < 4
        WHERE admits(n, narrowed)
    );
BEGIN
    RETURN QUERY
    WITH candidates AS MATERIALIZED (
        SELECT c.id, c.session, c.seq FROM chunks c WHERE c.id = ANY (reached) AND visible(c.agent_id, c.shared)
    ), all_rows AS (
        SELECT k.id, true AS is_candidate FROM candidates k
        UNION ALL
        SELECT DISTINCT n.id, false
        FROM candidates k
        JOIN chunks n ON n.session = k.session AND n.seq IN (k.seq - 1, k.seq + 1) AND n.position < 4
        WHERE visible(n.agent_id, n.shared) AND n.id <> ALL (reached)
    )
    SELECT c.id, r.is_candidate,
           CASE WHEN c.session IS NULL THEN 'd' || c.document_id ELSE 's' || c.session END,
           coalesce(c.seq, c.position), c.role, c.speaker, c.tokens, coalesce(m.tokens, c.tokens), c.asks, c.dated, c.occurred_at,
           (SELECT (1 - (e.embedding <=> query))::real FROM chunk_embeddings e
            WHERE e.chunk_id = c.id AND e.model_id = wanted_model AND r.is_candidate),
           ARRAY(SELECT (ts_rank(c.lexemes, q.q) * 16.45)::real FROM unnest(queries) WITH ORDINALITY q (q, o) ORDER BY q.o)
    FROM all_rows r
    JOIN chunks c ON c.id = r.id
    LEFT JOIN session_messages m ON m.id = c.message_id;
END $$;
