DROP FUNCTION passages_of(bigint[]);

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

CREATE OR REPLACE FUNCTION anchors_of(chunk chunks) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    place jsonb;
BEGIN
    IF chunk.message_id IS NOT NULL THEN
        SELECT m.metadata INTO place FROM session_messages m WHERE m.id = chunk.message_id;
    ELSIF chunk.memory_id IS NOT NULL THEN
        SELECT jsonb_build_object('session', v.session_id) INTO place
        FROM memory_versions v
        WHERE v.memory_id = chunk.memory_id AND v.version = chunk.memory_version;
    END IF;
    RETURN anchors_in(chunk.heading || E'\n' || chunk.text) || ARRAY(
        SELECT anchor_mark(kind, place ->> kind)
        FROM unnest(ARRAY['pr', 'file', 'branch', 'session', 'cwd']) kind
        WHERE anchor_mark(kind, place ->> kind) IS NOT NULL
    ) || ARRAY(
        SELECT anchor_mark('file', array_to_string(parts[n:], '/'))
        FROM string_to_array(CASE WHEN chunk.document_id IS NOT NULL THEN chunk.path END, '/') parts
        CROSS JOIN LATERAL generate_series(1, cardinality(parts)) n
    );
END $$;

CREATE OR REPLACE FUNCTION was_known(wanted bigint, wanted_version integer, instant timestamptz, known timestamptz)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT
    FROM mcp_memory.memory_spans s
    JOIN mcp_memory.memories m ON m.id = s.memory_id
    WHERE s.memory_id = wanted AND s.version = wanted_version
      AND tstzrange(s.valid_from, s.valid_until) @> instant
      AND tstzrange(s.recorded_at, s.retired_at) @> known
      AND m.forgotten_at IS NULL
);
