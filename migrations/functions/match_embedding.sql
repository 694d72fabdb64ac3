-- after: 0022_vectors
-- The semantic route: nearest by cosine. Few admitted chunks are compared one by one, so that an
-- owner with ten rows among millions gets exactly those; many are found through the index of the
-- space. That an owner has many is seen in an index alone, if nothing but the sources narrows; only
-- when there are few, or a filter may leave few, are the admitted ones counted. The index is
-- searched as widely as such a search needs, the same however many rows are wanted: a longer list
-- continues a shorter one. Similarities are of the vectors as they are stored, of which no shorter
-- ones need to be made.
CREATE OR REPLACE FUNCTION match_embedding(
    wanted_space smallint, query vector, narrowed search_filter, max_rows integer,
    few integer DEFAULT 2000
) RETURNS TABLE (chunk_id bigint, similarity real)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    wide         search_filter;
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
        FROM vectors e
        WHERE e.space_id = wanted_space AND e.chunk_id = ANY (admitted)
        ORDER BY e.embedding <=> query, e.chunk_id DESC
        LIMIT max_rows;
        RETURN;
    END IF;
    IF size <= 4000 THEN
        -- As many as are looked at: 120 hits of messages, 100 ranked passages (search/kinds.py).
        PERFORM set_config(
            'hnsw.ef_search',
            CASE WHEN 'transcripts' = ANY (narrowed.sources) THEN '120' ELSE '100' END,
            true
        );
        EXECUTE format(
            $q$
            SELECT array_agg(near.chunk_id), array_agg(near.similarity)
            FROM (
                SELECT e.chunk_id, (1 - (e.embedding <=> $2))::real AS similarity
                FROM vectors e
                JOIN chunks c ON c.id = e.chunk_id
                WHERE e.space_id = %2$s AND admits(c, $3)
                ORDER BY (e.embedding::halfvec(%1$s)) <=> $2::halfvec(%1$s)
                LIMIT $4
            ) near
            $q$, size, wanted_space
        ) INTO nearest, similarities USING wanted_space, query, narrowed, max_rows;
        IF cardinality(nearest) >= max_rows THEN
            RETURN QUERY SELECT * FROM unnest(nearest, similarities);
            RETURN;
        END IF;
    END IF;
    -- There is no index, or its scan gave up (hnsw.max_scan_tuples) among rows of others that are
    -- nearer: all are compared.
    RETURN QUERY
    SELECT e.chunk_id, (1 - (e.embedding <=> query))::real
    FROM chunks c
    JOIN vectors e ON e.chunk_id = c.id AND e.space_id = wanted_space
    WHERE admits(c, narrowed)
    ORDER BY e.embedding <=> query, e.chunk_id DESC
    LIMIT max_rows;
END $$;
