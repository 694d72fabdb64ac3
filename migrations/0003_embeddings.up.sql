-- Why: a vector space per model, filled from a durable queue while text search goes on without it.

CREATE TABLE embedding_models (
    id           smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider     text NOT NULL,
    model        text NOT NULL,
    dimensions   integer NOT NULL CHECK (dimensions BETWEEN 1 AND 16000),
    state        text NOT NULL CHECK (state IN ('filling', 'active')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    activated_at timestamptz,
    UNIQUE (provider, model, dimensions)
);
-- Searches and queries agree on one space at a time.
CREATE UNIQUE INDEX embedding_models_active ON embedding_models (state) WHERE state = 'active';
SELECT protect('embedding_models', 'true', 'false');

CREATE TABLE chunk_embeddings (
    chunk_id  bigint NOT NULL,
    model_id  smallint NOT NULL REFERENCES embedding_models ON DELETE CASCADE,
    agent_id  text NOT NULL,
    embedding vector NOT NULL,
    PRIMARY KEY (chunk_id, model_id),
    FOREIGN KEY (chunk_id, agent_id) REFERENCES chunks (id, agent_id) ON DELETE CASCADE
);
SELECT protect('chunk_embeddings', 'EXISTS (SELECT FROM mcp_memory.chunks c WHERE c.id = chunk_id)', 'false');

-- What is still to be embedded. A leased row belongs to one worker until then; a row that failed too often is set
-- aside (next_try_at is infinity) and shown.
CREATE TABLE embedding_jobs (
    chunk_id     bigint NOT NULL,
    model_id     smallint NOT NULL REFERENCES embedding_models ON DELETE CASCADE,
    agent_id     text NOT NULL,
    attempts     smallint NOT NULL DEFAULT 0,
    next_try_at  timestamptz NOT NULL DEFAULT now(),
    lease        uuid,
    problem      text NOT NULL DEFAULT '',
    PRIMARY KEY (chunk_id, model_id),
    FOREIGN KEY (chunk_id, agent_id) REFERENCES chunks (id, agent_id) ON DELETE CASCADE
);
CREATE INDEX embedding_jobs_due ON embedding_jobs (model_id, next_try_at, chunk_id);
SELECT protect('embedding_jobs', 'agent_id = mcp_memory.current_agent()', 'false');

-- The same text has the same vector in one space: found by its hash, it need not be computed again.
CREATE INDEX chunks_text_hash ON chunks (text_hash);

-- Whoever writes a chunk has its vectors asked for in the same transaction.
CREATE FUNCTION enqueue_embeddings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    INSERT INTO embedding_jobs (chunk_id, model_id, agent_id)
    SELECT added.id, m.id, added.agent_id
    FROM added
    CROSS JOIN embedding_models m;
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;
CREATE TRIGGER enqueue_embeddings AFTER INSERT ON chunks
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION enqueue_embeddings();

-- A new space with its index, and everything there is queued for it. The same model twice is the same space.
CREATE FUNCTION add_embedding_model(new_provider text, new_model text, new_dimensions integer) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    new_id smallint;
    kind   text := CASE WHEN new_dimensions <= 4000 THEN 'halfvec' END;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('mcp_memory.embedding_models', 0));
    SELECT id INTO new_id FROM embedding_models
    WHERE (provider, model, dimensions) = (new_provider, new_model, new_dimensions);
    IF found THEN
        RETURN new_id;
    END IF;
    INSERT INTO embedding_models (provider, model, dimensions, state)
    VALUES (new_provider, new_model, new_dimensions, 'filling')
    RETURNING id INTO new_id;
    IF kind IS NOT NULL THEN
        EXECUTE format(
            'CREATE INDEX %I ON chunk_embeddings USING hnsw ((embedding::%s(%s)) %s_cosine_ops) WHERE model_id = %s',
            'chunk_embeddings_model_' || new_id, kind, new_dimensions, kind, new_id
        );
    END IF;
    PERFORM queue_missing(new_id);
    RETURN new_id;
END $$;

-- Queue every chunk that the space has neither a vector nor a job for; how many.
CREATE FUNCTION queue_missing(wanted smallint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH queued AS (
        INSERT INTO embedding_jobs (chunk_id, model_id, agent_id)
        SELECT c.id, wanted, c.agent_id
        FROM chunks c
        WHERE NOT EXISTS (SELECT FROM chunk_embeddings e WHERE (e.chunk_id, e.model_id) = (c.id, wanted))
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM queued
$$;

-- The space that searches use from now on. The one before goes on being filled, so that going back loses nothing.
CREATE FUNCTION activate_embedding_model(wanted smallint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('mcp_memory.embedding_models', 0));
    UPDATE embedding_models SET state = 'filling' WHERE state = 'active' AND id <> wanted;
    UPDATE embedding_models SET state = 'active', activated_at = now() WHERE id = wanted;
$$;

CREATE FUNCTION drop_embedding_model(wanted smallint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format('DROP INDEX IF EXISTS %I', 'chunk_embeddings_model_' || wanted);
    DELETE FROM embedding_models WHERE id = wanted;
END $$;

-- Spaces are the worker's business (secure() lets it call everything); agents only search in them.
REVOKE EXECUTE ON FUNCTION
    add_embedding_model(text, text, integer), queue_missing(smallint),
    activate_embedding_model(smallint), drop_embedding_model(smallint)
FROM PUBLIC;

-- The semantic route: nearest by cosine. Few admitted chunks are compared one by one, so that an owner with ten rows
-- among millions gets exactly those; many are found through the index of the space.
CREATE FUNCTION match_embedding(
    wanted_model smallint, query vector, narrowed narrowing, max_rows integer, few integer DEFAULT 2000
) RETURNS TABLE (chunk_id bigint, similarity real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    admitted bigint[];
    size     integer := vector_dims(query);
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
        ORDER BY e.embedding <=> query
        LIMIT max_rows;
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format(
        $q$
        SELECT e.chunk_id, (1 - ((e.embedding::halfvec(%1$s)) <=> $2::halfvec(%1$s)))::real
        FROM chunk_embeddings e
        JOIN chunks c ON c.id = e.chunk_id
        WHERE e.model_id = %2$s AND admits(c, $3)
        ORDER BY (e.embedding::halfvec(%1$s)) <=> $2::halfvec(%1$s)
        LIMIT $4
        $q$, size, wanted_model
    ) USING wanted_model, query, narrowed, max_rows;
END $$;
CREATE INDEX chunks_shared ON chunks (source) WHERE shared;
