-- Why: Markdown documents with every version kept, and the chunks that search finds them by.

CREATE TABLE documents (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id    text NOT NULL,
    shared      boolean NOT NULL DEFAULT false,
    path        text NOT NULL,
    title       text NOT NULL,
    tags        text[] NOT NULL DEFAULT '{}',
    version     integer NOT NULL DEFAULT 1,
    tokens      integer NOT NULL,
    sha256      bytea NOT NULL,
    occurred_at timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    deleted_at  timestamptz,
    UNIQUE (id, agent_id)
);
-- A path is taken once per owner among the living; what was deleted waits beside it for undo or purge.
CREATE UNIQUE INDEX documents_path ON documents (agent_id, path) WHERE deleted_at IS NULL;
CREATE INDEX documents_shared_path ON documents (path) WHERE shared AND deleted_at IS NULL;
CREATE INDEX documents_deleted ON documents (agent_id, path, deleted_at) WHERE deleted_at IS NOT NULL;
SELECT protect('documents', 'mcp_memory.visible(agent_id, shared AND deleted_at IS NULL)');

CREATE TABLE document_versions (
    document_id bigint NOT NULL,
    version     integer NOT NULL,
    agent_id    text NOT NULL,
    shared      boolean NOT NULL,
    content     text NOT NULL,
    written_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document_id, version),
    FOREIGN KEY (document_id, agent_id) REFERENCES documents (id, agent_id) ON DELETE CASCADE
);
-- A version written while its document was private stays private when the document is shared later.
SELECT protect(
    'document_versions',
    'mcp_memory.visible(agent_id, shared) AND EXISTS (SELECT FROM mcp_memory.documents d WHERE d.id = document_id)'
);

-- One row for each piece of text that can be found, whatever it belongs to; everything a search filters by is on it.
CREATE TABLE chunks (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id    text NOT NULL,
    shared      boolean NOT NULL DEFAULT false,
    source      text NOT NULL CHECK (source IN ('documents', 'transcripts', 'graph')),
    document_id bigint,
    position    integer NOT NULL,
    path        text NOT NULL COLLATE "C",
    title       text NOT NULL,
    heading     text NOT NULL DEFAULT '',
    tags        text[] NOT NULL DEFAULT '{}',
    start_line  integer NOT NULL,
    end_line    integer NOT NULL,
    text        text NOT NULL,
    text_hash   bytea NOT NULL,
    tokens      integer NOT NULL,
    lexemes     tsvector NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, agent_id),
    FOREIGN KEY (document_id, agent_id) REFERENCES documents (id, agent_id) ON DELETE CASCADE,
    CHECK ((source = 'documents') = (document_id IS NOT NULL))
);
CREATE INDEX chunks_lexemes ON chunks USING gin (lexemes) WITH (fastupdate = off);
CREATE INDEX chunks_document ON chunks (document_id, position);
CREATE INDEX chunks_agent ON chunks (agent_id, source);
SELECT protect('chunks');

-- Everything a search may be narrowed by; NULL narrows nothing. Other kinds of memory add attributes.
CREATE TYPE narrowing AS (sources text[], path_prefix text, tags text[], since timestamptz, until timestamptz);

-- Said once, for every route; the planner inlines it.
CREATE FUNCTION admits(chunk chunks, wanted narrowing) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN mcp_memory.visible((chunk).agent_id, (chunk).shared)
    AND (chunk).source = ANY ((wanted).sources)
    AND ((wanted).path_prefix IS NULL OR starts_with((chunk).path, (wanted).path_prefix))
    AND ((wanted).tags IS NULL OR (chunk).tags @> (wanted).tags)
    AND ((wanted).since IS NULL OR (chunk).occurred_at >= (wanted).since)
    AND ((wanted).until IS NULL OR (chunk).occurred_at < (wanted).until);

-- The query that any of these lexemes answers.
CREATE FUNCTION as_query(wanted text[]) RETURNS tsquery
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ')
    FROM unnest(wanted) lexeme
)::tsquery;

-- Whose a chunk is stands among its lexemes too (`=owner:…`, `=shared`; no word begins with `=`), so that the index
-- itself narrows to what the caller may see: ten rows among millions are found as quickly as ten among ten.
CREATE FUNCTION owner_lexemes(agent_id text, shared boolean) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN shared THEN ARRAY['=owner:' || agent_id, '=shared'] ELSE ARRAY['=owner:' || agent_id] END;

CREATE FUNCTION mark_owner() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.lexemes := ts_delete(NEW.lexemes, mcp_memory.owner_lexemes(NEW.agent_id, true))
        || array_to_tsvector(mcp_memory.owner_lexemes(NEW.agent_id, NEW.shared));
    RETURN NEW;
END $$;
CREATE TRIGGER mark_owner BEFORE INSERT OR UPDATE OF lexemes, shared ON chunks
FOR EACH ROW EXECUTE FUNCTION mark_owner();

-- How many chunks of an owner hold a lexeme; '' counts the chunks themselves. A query knows its rare words by it
-- without touching the corpus. A count may lag behind by what stands in lexeme_changes: counts choose and weigh,
-- they never hide a chunk.
CREATE TABLE lexeme_counts (
    lexeme   text COLLATE "C" NOT NULL,
    agent_id text NOT NULL,
    shared   boolean NOT NULL,
    chunks   bigint NOT NULL,
    PRIMARY KEY (lexeme, agent_id, shared)
);
SELECT protect('lexeme_counts', 'mcp_memory.visible(agent_id, shared)', 'false');

-- What writers leave behind, a row a statement, so that none waits for another; merge_lexemes() adds them up.
CREATE TABLE lexeme_changes (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id text NOT NULL,
    shared   boolean NOT NULL,
    change   smallint NOT NULL CHECK (change IN (-1, 1)),
    chunks   integer NOT NULL,
    lexemes  text[] NOT NULL
);
CREATE INDEX lexeme_changes_agent ON lexeme_changes (agent_id);
SELECT protect('lexeme_changes', 'false', 'false');

-- What is left of a chunk's lexemes without the marks of its owner.
CREATE FUNCTION words_of(chunk chunks) RETURNS text[]
LANGUAGE sql STABLE
RETURN tsvector_to_array(ts_delete((chunk).lexemes, mcp_memory.owner_lexemes((chunk).agent_id, true)));

CREATE FUNCTION note_lexemes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    IF TG_OP = 'INSERT' THEN
        INSERT INTO lexeme_changes (agent_id, shared, change, chunks, lexemes)
        SELECT n.agent_id, n.shared, 1, count(DISTINCT n.id), array_agg(word)
        FROM come n CROSS JOIN LATERAL unnest(words_of(n)) word
        GROUP BY n.agent_id, n.shared;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO lexeme_changes (agent_id, shared, change, chunks, lexemes)
        SELECT o.agent_id, o.shared, -1, count(DISTINCT o.id), array_agg(word)
        FROM gone o CROSS JOIN LATERAL unnest(words_of(o)) word
        GROUP BY o.agent_id, o.shared;
    ELSE
        INSERT INTO lexeme_changes (agent_id, shared, change, chunks, lexemes)
        SELECT v.agent_id, v.shared, v.change, count(DISTINCT v.id), array_agg(word)
        FROM gone o
        JOIN come n ON n.id = o.id AND (n.shared, n.lexemes) IS DISTINCT FROM (o.shared, o.lexemes)
        CROSS JOIN LATERAL (VALUES (o.id, o.agent_id, o.shared, -1, words_of(o)),
                                   (n.id, n.agent_id, n.shared, 1, words_of(n)))
            v (id, agent_id, shared, change, words)
        CROSS JOIN LATERAL unnest(v.words) word
        GROUP BY v.agent_id, v.shared, v.change;
    END IF;
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;
CREATE TRIGGER note_added AFTER INSERT ON chunks
REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION note_lexemes();
CREATE TRIGGER note_removed AFTER DELETE ON chunks
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_lexemes();
CREATE TRIGGER note_changed AFTER UPDATE ON chunks
REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION note_lexemes();

-- Add up to `most` noted changes to the counts; how many there were. One caller at a time, and no writer waits.
CREATE FUNCTION merge_lexemes(most integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
    merged integer;
    spent  text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('mcp_memory.lexeme_counts', 0));
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    WITH taken AS (
        DELETE FROM lexeme_changes
        WHERE id IN (SELECT id FROM lexeme_changes ORDER BY id LIMIT most)
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
        INSERT INTO lexeme_counts AS known (lexeme, agent_id, shared, chunks)
        SELECT word, sums.agent_id, sums.shared, sums.chunks FROM sums
        ON CONFLICT (lexeme, agent_id, shared) DO UPDATE SET chunks = known.chunks + excluded.chunks
        RETURNING known.lexeme, known.chunks
    )
    SELECT (SELECT count(*) FROM taken), (SELECT array_agg(a.lexeme) FROM added a WHERE a.chunks <= 0)
    INTO merged, spent;
    DELETE FROM lexeme_counts c WHERE c.lexeme = ANY (spent) AND c.chunks <= 0;
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN merged;
END $$;

REVOKE EXECUTE ON FUNCTION merge_lexemes(integer) FROM PUBLIC;

-- How rare each wanted lexeme is among what the caller can see, rarest first. Weights are BM25's inverse document
-- frequency (Robertson, Sparck Jones).
CREATE FUNCTION weigh_lexemes(wanted text[]) RETURNS TABLE (lexeme text, chunks bigint, weight real)
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

-- The lexical route. Runs as the owner, because under a policy the planner refuses the index of @@ (it is not
-- leakproof); the same predicate is written out inside. Candidates come from the rarest lexemes that hold `enough`
-- chunks together, so that the number ranked, and the cost, does not grow with the corpus. What a repeated lexeme
-- adds saturates as ts_rank has it.
CREATE FUNCTION match_lexemes(
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
