-- Why: a vector space per model, filled from a durable queue while text search goes on without it.
--
-- Lock order, the same everywhere, so that nobody deadlocks: the lock of the spaces, the space's row, chunks, jobs.
-- Who writes chunks holds the lock of the spaces shared until the transaction ends; who adds, activates or gives up a
-- space holds it alone, and only for a moment: everything that takes long (queueing what is there, building the index,
-- deleting vectors) is a transaction of its own that comes later and can be repeated.

CREATE TABLE embedding_models (
    id           smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider     text NOT NULL,
    model        text NOT NULL,
    dimensions   integer NOT NULL CHECK (dimensions BETWEEN 1 AND 16000),
    state        text NOT NULL CHECK (state IN ('filling', 'active', 'dropping')),
    -- Whether its index is there and every chunk older than the space is queued.
    prepared     boolean NOT NULL DEFAULT false,
    -- Why its worker could not go on, when it could not.
    problem      text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    activated_at timestamptz,
    UNIQUE (provider, model, dimensions)
);
-- Searches and queries agree on one space at a time.
CREATE UNIQUE INDEX embedding_models_active ON embedding_models (state) WHERE state = 'active';
SELECT protect('embedding_models', 'mcp_memory.current_agent() IS NOT NULL', 'false');

CREATE TABLE chunk_embeddings (
    chunk_id  bigint NOT NULL,
    model_id  smallint NOT NULL REFERENCES embedding_models ON DELETE CASCADE,
    agent_id  text NOT NULL,
    embedding vector NOT NULL,
    PRIMARY KEY (chunk_id, model_id),
    FOREIGN KEY (chunk_id, agent_id) REFERENCES chunks (id, agent_id) ON DELETE CASCADE
);
SELECT protect('chunk_embeddings', 'EXISTS (SELECT FROM mcp_memory.chunks c WHERE c.id = chunk_id)', 'false');

-- What is still to be embedded. A row with a lease belongs to one worker until next_try_at; a row that failed too
-- often is set aside (next_try_at is infinity) and shown.
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
-- What never failed comes first, and of that the newest: what was just written does not wait behind a backfill.
CREATE INDEX embedding_jobs_due ON embedding_jobs (model_id, attempts, next_try_at DESC, chunk_id DESC);
SELECT protect('embedding_jobs', 'agent_id = mcp_memory.current_agent()', 'false');

-- The same text has the same vector in one space: found by its hash, it need not be computed again.
CREATE INDEX chunks_text_hash ON chunks (text_hash);

CREATE FUNCTION spaces_lock() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended('mcp_memory.embedding_models', 0);

-- Whoever writes a chunk has its vectors asked for in the same transaction. The shared lock is why no chunk slips
-- between a space that is being added and the chunks that are queued for it afterwards.
CREATE FUNCTION enqueue_embeddings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM pg_advisory_xact_lock_shared(spaces_lock());
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    INSERT INTO embedding_jobs (chunk_id, model_id, agent_id)
    SELECT added.id, m.id, added.agent_id
    FROM added
    JOIN embedding_models m ON m.state <> 'dropping';
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;
CREATE TRIGGER enqueue_embeddings AFTER INSERT ON chunks
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION enqueue_embeddings();

-- The id of the model's space, new or not. The first space of a database is active from the start.
CREATE FUNCTION add_embedding_model(new_provider text, new_model text, new_dimensions integer) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    new_id smallint;
BEGIN
    PERFORM pg_advisory_xact_lock(spaces_lock());
    SELECT id INTO new_id FROM embedding_models
    WHERE (provider, model, dimensions) = (new_provider, new_model, new_dimensions);
    IF NOT found THEN
        INSERT INTO embedding_models (provider, model, dimensions, state, activated_at)
        SELECT new_provider, new_model, new_dimensions,
               CASE WHEN taken THEN 'filling' ELSE 'active' END, CASE WHEN taken THEN NULL ELSE now() END
        FROM (SELECT EXISTS (SELECT FROM embedding_models WHERE state = 'active')) one (taken)
        RETURNING id INTO new_id;
    END IF;
    RETURN new_id;
END $$;

-- Only one process at a time builds the index of a space and queues for it.
CREATE FUNCTION space_lock(wanted smallint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended('mcp_memory.embedding_models', wanted);

CREATE FUNCTION index_embedding_model(wanted smallint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    size integer;
BEGIN
    PERFORM pg_advisory_xact_lock(space_lock(wanted));
    SELECT dimensions INTO size FROM embedding_models WHERE id = wanted AND state <> 'dropping';
    IF size <= 4000 THEN
        EXECUTE format(
            'CREATE INDEX IF NOT EXISTS %I ON chunk_embeddings'
            ' USING hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops) WHERE model_id = %s',
            'chunk_embeddings_model_' || wanted, size, wanted
        );
    END IF;
END $$;

-- Queue chunks that the space has neither a vector nor a job for, up to so many; how many. A chunk that somebody is
-- deleting just now is passed over, not waited for.
CREATE FUNCTION queue_missing(wanted smallint, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    queued bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(space_lock(wanted));
    INSERT INTO embedding_jobs (chunk_id, model_id, agent_id)
    SELECT c.id, wanted, c.agent_id
    FROM chunks c
    WHERE EXISTS (SELECT FROM embedding_models m WHERE m.id = wanted AND m.state <> 'dropping')
      AND NOT EXISTS (SELECT FROM chunk_embeddings e WHERE e.chunk_id = c.id AND e.model_id = wanted)
      AND NOT EXISTS (SELECT FROM embedding_jobs j WHERE j.chunk_id = c.id AND j.model_id = wanted)
    LIMIT most
    FOR KEY SHARE OF c SKIP LOCKED
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END $$;

-- The space that searches use from now on; false when there is none of that id. The one before goes on being filled,
-- so that going back loses nothing.
CREATE FUNCTION activate_embedding_model(wanted smallint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(spaces_lock());
    IF NOT EXISTS (SELECT FROM embedding_models WHERE id = wanted AND state <> 'dropping') THEN
        RETURN false;
    END IF;
    UPDATE embedding_models SET state = 'filling' WHERE state = 'active' AND id <> wanted;
    UPDATE embedding_models SET state = 'active', activated_at = now() WHERE id = wanted AND state <> 'active';
    RETURN true;
END $$;

-- From now on nothing is queued for the space, and nobody searches in it; false when it is active or not there.
CREATE FUNCTION retire_embedding_model(wanted smallint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(spaces_lock());
    UPDATE embedding_models SET state = 'dropping' WHERE id = wanted AND state <> 'active';
    RETURN found;
END $$;

-- One step of dropping what was retired: the index, then vectors and jobs, then the space; repeated until false.
-- Nothing is waited for that a writer holds, so no writer is ever in a deadlock with it. Processes may take the space
-- for the active one for two seconds after a switch (spaces/known.py): so long it stays.
CREATE FUNCTION drop_embedding_model(wanted smallint, most integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    index_name text := 'chunk_embeddings_model_' || wanted;
    vectors    bigint;
    jobs       bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(space_lock(wanted));
    IF NOT EXISTS (SELECT FROM embedding_models WHERE id = wanted AND state = 'dropping') THEN
        RETURN false;
    END IF;
    IF to_regclass(index_name) IS NOT NULL THEN
        PERFORM pg_sleep(greatest(0, extract(epoch FROM max(m.activated_at) + interval '3 s' - clock_timestamp())))
        FROM embedding_models m;
        EXECUTE format('DROP INDEX %I', index_name);
        RETURN true;
    END IF;
    DELETE FROM chunk_embeddings e
    USING (SELECT f.chunk_id FROM chunk_embeddings f WHERE f.model_id = wanted LIMIT most FOR UPDATE SKIP LOCKED) gone
    WHERE e.chunk_id = gone.chunk_id AND e.model_id = wanted;
    GET DIAGNOSTICS vectors = ROW_COUNT;
    DELETE FROM embedding_jobs j
    USING (SELECT f.chunk_id FROM embedding_jobs f WHERE f.model_id = wanted LIMIT most FOR UPDATE SKIP LOCKED) gone
    WHERE j.chunk_id = gone.chunk_id AND j.model_id = wanted;
    GET DIAGNOSTICS jobs = ROW_COUNT;
    IF vectors + jobs > 0 THEN
        RETURN true;
    END IF;
    DELETE FROM embedding_models WHERE id = wanted;
    RETURN false;
END $$;

-- Spaces are the worker's business (secure() lets it call everything); agents only search in them.
REVOKE EXECUTE ON FUNCTION
    add_embedding_model(text, text, integer), index_embedding_model(smallint), queue_missing(smallint, integer),
    activate_embedding_model(smallint), retire_embedding_model(smallint), drop_embedding_model(smallint, integer)
FROM PUBLIC;

-- The semantic route: nearest by cosine. Few admitted chunks are compared one by one, so that an owner with ten rows
-- among millions gets exactly those; many are found through the index of the space.
CREATE FUNCTION match_embedding(
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
CREATE INDEX chunks_shared ON chunks (source) WHERE shared;
