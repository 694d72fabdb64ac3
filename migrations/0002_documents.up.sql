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

-- The lexical route. Runs as the owner, because under a policy the planner refuses the index of @@ (it is not
-- leakproof); the same predicate is written out inside. How common each lexeme is, is counted up to `common` rows;
-- candidates come from the rarest lexemes, together at most about `common` rows, so the number ranked is bounded.
CREATE FUNCTION match_lexemes(
    wanted text[], narrowed narrowing, max_rows integer, common integer DEFAULT 5000
) RETURNS TABLE (chunk_id bigint, score real, coverage real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    counts    integer[];
    weights   real[];
    seekers   tsquery;
BEGIN
    SELECT array_agg(coalesce(found.n, 0) ORDER BY w.ordinality),
           array_agg(ln(1 + common / (coalesce(found.n, 0) + 0.5))::real ORDER BY w.ordinality)
    INTO counts, weights
    FROM unnest(wanted) WITH ORDINALITY w (lexeme, ordinality)
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS n
        FROM (
            SELECT FROM chunks c
            WHERE c.lexemes @@ as_query(ARRAY[w.lexeme]) AND visible(c.agent_id, c.shared)
            LIMIT common
        ) matching
    ) found;

    SELECT as_query(array_agg(rarest.lexeme))
    INTO seekers
    FROM (
        SELECT w.lexeme, counts[w.ordinality] AS n, w.ordinality,
               sum(counts[w.ordinality]) OVER (ORDER BY counts[w.ordinality], w.ordinality) AS together,
               row_number() OVER (ORDER BY counts[w.ordinality], w.ordinality) AS rank
        FROM unnest(wanted) WITH ORDINALITY w (lexeme, ordinality)
        WHERE counts[w.ordinality] > 0
    ) rarest
    WHERE rarest.together <= common OR rarest.rank = 1;

    IF seekers IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT candidate.id, sum(weights[hit.place] * hit.tf * 2.2 / (hit.tf + 0.3 + 0.9 * candidate.tokens / 100.0))::real,
           (sum(weights[hit.place]) / (SELECT sum(weight) FROM unnest(weights) weight))::real
    FROM (
        SELECT c.id, c.tokens, c.lexemes
        FROM chunks c
        WHERE c.lexemes @@ seekers AND admits(c, narrowed)
        LIMIT common
    ) candidate
    CROSS JOIN LATERAL (
        SELECT array_position(wanted, u.lexeme) AS place, greatest(cardinality(u.positions), 1) AS tf
        FROM unnest(candidate.lexemes) u
        WHERE u.lexeme = ANY (wanted)
    ) hit
    GROUP BY candidate.id
    ORDER BY 2 DESC, 1 DESC
    LIMIT max_rows;
END $$;
