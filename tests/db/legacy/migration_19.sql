-- A database at migration 19 as commit 747b382 left it (pg_dump of PostgreSQL 18.4, without policies and grants, which
-- name roles): awkward rows in every table. Made once; that build is no more.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
CREATE SCHEMA mcp_memory;
CREATE TYPE mcp_memory.narrowing AS (
	sources text[],
	path_prefix text,
	tags text[],
	since timestamp with time zone,
	until timestamp with time zone,
	session bigint,
	roles text[],
	speaker text,
	origins text[],
	no_origins text[],
	as_of timestamp with time zone,
	known_at timestamp with time zone,
	memory_types text[],
	min_importance double precision,
	min_confidence double precision
);
CREATE FUNCTION mcp_memory.activate_embedding_model(wanted smallint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(spaces_lock());
    IF NOT EXISTS (SELECT FROM embedding_models WHERE id = wanted AND state <> 'dropping') THEN
        RETURN false;
    END IF;
    UPDATE embedding_models SET state = 'filling' WHERE state = 'active' AND id <> wanted;
    UPDATE embedding_models SET state = 'active', activated_at = now() WHERE id = wanted AND state <> 'active';
    RETURN true;
END $$;
CREATE FUNCTION mcp_memory.add_embedding_model(new_provider text, new_model text, new_dimensions integer) RETURNS smallint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION mcp_memory.add_usage(ids bigint[], agents text[], times_returned bigint[], times_fetched bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    INSERT INTO chunk_usage AS known (chunk_id, agent_id, returned, fetched)
    SELECT u.id, u.agent, u.returned, u.fetched
    FROM unnest(ids, agents, times_returned, times_fetched) u (id, agent, returned, fetched)
    JOIN chunks c ON c.id = u.id
    ORDER BY u.id, u.agent
    ON CONFLICT (chunk_id, agent_id) DO UPDATE
    SET returned = known.returned + excluded.returned, fetched = known.fetched + excluded.fetched, last_at = now();
    PERFORM set_config('mcp_memory.maintenance', before, true);
END $$;
CREATE FUNCTION mcp_memory.visible(agent_id text, shared boolean) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((agent_id = current_setting('mcp_memory.agent'::text, true)) OR (shared AND (current_setting('mcp_memory.agent'::text, true) <> ''::text)));
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE mcp_memory.memories (
    id bigint NOT NULL,
    agent_id text NOT NULL,
    shared boolean DEFAULT false NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    fingerprint bytea,
    supersedes bigint,
    expires_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    forgotten_at timestamp with time zone,
    forgotten_because text DEFAULT ''::text NOT NULL
);
ALTER TABLE ONLY mcp_memory.memories FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.memory_spans (
    memory_id bigint NOT NULL,
    version integer NOT NULL,
    agent_id text NOT NULL,
    shared boolean NOT NULL,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    recorded_at timestamp with time zone NOT NULL,
    retired_at timestamp with time zone,
    CONSTRAINT memory_spans_check CHECK ((valid_from < valid_until)),
    CONSTRAINT memory_spans_check1 CHECK ((recorded_at < retired_at))
);
ALTER TABLE ONLY mcp_memory.memory_spans FORCE ROW LEVEL SECURITY;
CREATE FUNCTION mcp_memory.was_known(wanted bigint, wanted_version integer, instant timestamp with time zone, known timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (EXISTS (SELECT FROM (mcp_memory.memory_spans s JOIN mcp_memory.memories m ON ((m.id = s.memory_id))) WHERE ((s.memory_id = was_known.wanted) AND (s.version = was_known.wanted_version) AND COALESCE((s.valid_from <= was_known.instant), true) AND COALESCE((was_known.instant < s.valid_until), true) AND (s.recorded_at <= was_known.known) AND COALESCE((was_known.known < s.retired_at), true) AND (m.forgotten_at IS NULL))));
CREATE TABLE mcp_memory.chunks (
    id bigint NOT NULL,
    agent_id text NOT NULL,
    shared boolean DEFAULT false NOT NULL,
    source text NOT NULL,
    document_id bigint,
    "position" integer NOT NULL,
    path text NOT NULL COLLATE pg_catalog."C",
    title text NOT NULL,
    heading text DEFAULT ''::text NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    start_line integer NOT NULL,
    end_line integer NOT NULL,
    text text NOT NULL,
    text_hash bytea NOT NULL,
    tokens integer NOT NULL,
    lexemes tsvector NOT NULL,
    occurred_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    message_id bigint,
    session bigint,
    seq integer,
    role text,
    speaker text,
    origin text,
    context text,
    asks boolean DEFAULT false NOT NULL,
    dated boolean DEFAULT false NOT NULL,
    memory_id bigint,
    memory_version integer,
    memory_type text,
    importance double precision,
    confidence double precision,
    truth tstzrange,
    expires_at timestamp with time zone,
    indexed_by smallint DEFAULT 0 NOT NULL,
    CONSTRAINT chunks_check CHECK (((source = 'documents'::text) = (document_id IS NOT NULL))),
    CONSTRAINT chunks_memory_truth CHECK (((memory_id IS NULL) = (truth IS NULL))),
    CONSTRAINT chunks_of_memories CHECK (((source = 'graph'::text) = (memory_id IS NOT NULL))),
    CONSTRAINT chunks_of_messages CHECK (((source = 'transcripts'::text) = (message_id IS NOT NULL))),
    CONSTRAINT chunks_source_check CHECK ((source = ANY (ARRAY['documents'::text, 'transcripts'::text, 'graph'::text])))
);
ALTER TABLE ONLY mcp_memory.chunks FORCE ROW LEVEL SECURITY;
CREATE FUNCTION mcp_memory.admits(chunk mcp_memory.chunks, wanted mcp_memory.narrowing) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (mcp_memory.visible((chunk).agent_id, (chunk).shared) AND ((chunk).source = ANY ((wanted).sources)) AND (((wanted).path_prefix IS NULL) OR starts_with((chunk).path, (wanted).path_prefix)) AND (((wanted).tags IS NULL) OR ((chunk).tags @> (wanted).tags)) AND (((wanted).since IS NULL) OR ((chunk).occurred_at >= (wanted).since)) AND (((wanted).until IS NULL) OR ((chunk).occurred_at < (wanted).until)) AND (((wanted).session IS NULL) OR ((chunk).session = (wanted).session)) AND CASE WHEN ((wanted).roles IS NULL) THEN ((chunk).role IS DISTINCT FROM 'tool'::text) ELSE ((chunk).role = ANY ((wanted).roles)) END AND (((wanted).speaker IS NULL) OR (lower((chunk).speaker) = lower((wanted).speaker))) AND (((wanted).origins IS NULL) OR ((chunk).origin = ANY ((wanted).origins))) AND (((wanted).no_origins IS NULL) OR ((chunk).origin <> ALL ((wanted).no_origins))) AND CASE WHEN ((chunk).truth IS NULL) THEN true WHEN ((wanted).known_at IS NULL) THEN ((chunk).truth @> COALESCE((wanted).as_of, now())) ELSE mcp_memory.was_known((chunk).memory_id, (chunk).memory_version, COALESCE((wanted).as_of, now()), (wanted).known_at) END AND (((chunk).expires_at IS NULL) OR ((chunk).expires_at > now())) AND (((wanted).memory_types IS NULL) OR ((chunk).memory_type = ANY ((wanted).memory_types))) AND (((wanted).min_importance IS NULL) OR ((chunk).importance >= (wanted).min_importance)) AND (((wanted).min_confidence IS NULL) OR ((chunk).confidence >= (wanted).min_confidence)));
CREATE FUNCTION mcp_memory.anchor_mark(kind text, value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT ((('='::text || anchor_mark.kind) || ':'::text) || "left"(NULLIF(given.bare, ''::text), 200)) FROM (SELECT CASE anchor_mark.kind WHEN 'pr'::text THEN "substring"(anchor_mark.value, '\d+'::text) WHEN 'file'::text THEN regexp_replace(lower(replace(btrim(anchor_mark.value), '\'::text, '/'::text)), '^(\./|/|~/)+'::text, ''::text) ELSE NULLIF(regexp_replace(lower(btrim(anchor_mark.value)), '/+$'::text, ''::text), ''::text) END AS "nullif") given(bare));
CREATE FUNCTION mcp_memory.anchored(marks text[], narrowed mcp_memory.narrowing, max_rows integer, enough integer DEFAULT 4000) RETURNS TABLE(chunk_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
DECLARE
    meant bigint[];
BEGIN
    IF cardinality(marks) = 0 THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM unnest(marks) mark WHERE mark LIKE '=session:%') THEN
        meant := ARRAY(
            SELECT s.id FROM sessions s
            WHERE visible(s.agent_id, s.shared) AND '=session:' || lower(s.session_id) = ANY (marks)
        );
    END IF;
    RETURN QUERY
    SELECT found.id
    FROM (
        (SELECT c.id, c.occurred_at
         FROM chunks c
         WHERE c.lexemes @@ (as_query(marks) && as_query(owner_lexemes(current_agent(), true))) AND admits(c, narrowed)
         LIMIT enough)
        UNION
        (SELECT c.id, c.occurred_at
         FROM chunks c
         WHERE c.session = ANY (meant) AND admits(c, narrowed)
         LIMIT enough)
    ) found
    ORDER BY found.occurred_at DESC, found.id DESC
    LIMIT max_rows;
END $$;
CREATE FUNCTION mcp_memory.anchors_in(content text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
DECLARE
    marks text[] := '{}';
    endings constant text := '(?:py|pyi|js|mjs|ts|tsx|jsx|go|rs|java|kt|swift|scala|c|h|cc|cpp|hpp|cs|rb|php|lua|pl|r|jl|sh|'
        || 'bash|ps1|sql|md|rst|txt|json|jsonl|ya?ml|toml|ini|cfg|conf|env|lock|html?|css|scss|vue|svelte|xml|csv|tsv|proto|'
        || 'ipynb|tf|gradle|log)';
BEGIN
    IF content ~ '\d' THEN
        marks := marks || ARRAY(
            SELECT anchor_mark('pr', m[1])
            FROM regexp_matches(
                content,
                '(?:\m(?:pr|mr|pull request|merge request)\s?[-#!:]{0,2}\s?|/(?:pull|merge_requests)/'
                || '|(?<![\w#&/]|issue |issues |ticket )#(?=\d\d))(\d{1,9})\M', 'gi'
            ) m
        ) || ARRAY(
            SELECT anchor_mark('session', m[1])
            FROM regexp_matches(content, '\msession(?: id)?\s?[:=#]?\s?["''`]?([a-z0-9_.:-]*\d[a-z0-9_.:-]*[a-z0-9])', 'gi') m
        );
    END IF;
    IF content ~ '\.\w' THEN
        marks := marks || ARRAY(
            SELECT anchor_mark('file', array_to_string(parts[n:], '/'))
            FROM regexp_matches(content, '((?:[\w.@+~-]*/)*[\w.@+-]*\w\.' || endings || ')\M(?!/|\.\w)', 'gi') m
            CROSS JOIN LATERAL string_to_array(m[1], '/') parts
            CROSS JOIN LATERAL generate_series(1, cardinality(parts)) n
        );
    END IF;
    IF content ~ '/|branch' THEN
        marks := marks || ARRAY(
            SELECT anchor_mark('branch', coalesce(m[1], m[2], m[3]))
            FROM regexp_matches(
                content,
                '\mbranch\s?:?\s?(?:["''`]([\w./-]*\w)["''`]|([\w.]*[-/][\w./-]*\w|main|master|develop|trunk|staging)\M)'
                || '|(?<![\w./-])((?:feature|feat|fix|bugfix|hotfix|release|chore|refactor)/[\w./-]*\w)', 'gi'
            ) m
        ) || ARRAY(
            SELECT anchor_mark('cwd', m[1])
            FROM regexp_matches(content, '(?:^|[\s"''`(=:])(~?/[\w.@+-]+(?:/[\w.@+-]+)+)', 'gi') m
        );
    END IF;
    RETURN ARRAY(SELECT DISTINCT mark FROM unnest(marks) mark WHERE mark IS NOT NULL ORDER BY mark LIMIT 100);
END $$;
CREATE FUNCTION mcp_memory.anchors_of(chunk mcp_memory.chunks) RETURNS text[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
DECLARE
    marks text[] := anchors_in(chunk.heading || E'\n' || chunk.text);
    parts text[] := string_to_array(CASE WHEN chunk.document_id IS NOT NULL THEN chunk.path ELSE '' END, '/');
    place jsonb;
BEGIN
    IF chunk.message_id IS NOT NULL THEN
        SELECT m.metadata INTO place FROM session_messages m WHERE m.id = chunk.message_id;
    ELSIF chunk.memory_id IS NOT NULL THEN
        SELECT jsonb_build_object('session', v.session_id) INTO place
        FROM memory_versions v
        WHERE v.memory_id = chunk.memory_id AND v.version = chunk.memory_version;
    END IF;
    IF place IS NOT NULL THEN
        marks := marks || ARRAY(
            SELECT anchor_mark(kind, place ->> kind)
            FROM unnest(ARRAY['pr', 'file', 'branch', 'session', 'cwd']) kind
            WHERE anchor_mark(kind, place ->> kind) IS NOT NULL
        );
    END IF;
    FOR n IN 1 .. cardinality(parts) LOOP
        marks := marks || anchor_mark('file', array_to_string(parts[n:], '/'));
    END LOOP;
    RETURN marks;
END $$;
CREATE FUNCTION mcp_memory.apply_policies(target regclass, readable text, writable text) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    app_role    text := nullif(current_setting('mcp_memory.app_role', true), '');
    worker_role text := nullif(current_setting('mcp_memory.worker_role', true), '');
    policy      name;
    owner_sees  text := CASE WHEN app_role IS NULL THEN 'mcp_memory.under_maintenance()' ELSE 'true' END;
BEGIN
    FOR policy IN SELECT polname FROM pg_policy WHERE polrelid = target LOOP
        EXECUTE format('DROP POLICY %I ON %s', policy, target);
    END LOOP;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY readable ON %s FOR SELECT USING (%s)', target, readable);
    EXECUTE format('CREATE POLICY addable ON %s FOR INSERT WITH CHECK (%s)', target, writable);
    EXECUTE format('CREATE POLICY changeable ON %s FOR UPDATE USING (%s) WITH CHECK (%s)', target, writable, writable);
    EXECUTE format('CREATE POLICY removable ON %s FOR DELETE USING (%s)', target, writable);
    EXECUTE format('CREATE POLICY owned ON %s TO CURRENT_USER USING (%s) WITH CHECK (%s)', target, owner_sees, owner_sees);
    IF app_role IS NOT NULL THEN
        EXECUTE format('CREATE POLICY worked_on ON %s TO %I USING (true) WITH CHECK (true)', target, worker_role);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I, %I', target, app_role, worker_role);
    END IF;
END $$;
CREATE FUNCTION mcp_memory.as_query(wanted text[]) RETURNS tsquery
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((SELECT string_agg(((''''::text || replace(replace(lexeme.lexeme, '\'::text, '\\'::text), ''''::text, ''''''::text)) || ''''::text), ' | '::text) AS string_agg FROM unnest(as_query.wanted) lexeme(lexeme)))::tsquery;
CREATE FUNCTION mcp_memory.bells_of(wanted bigint) RETURNS TABLE(agent text, kind text, state text, attempts integer, problem text, changed_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    RETURN QUERY
    SELECT b.agent_id, coalesce(r.kind, ''),
           CASE WHEN b.state <> 'due' THEN b.state WHEN r.id IS NULL THEN 'waiting' ELSE 'trying' END,
           coalesce(r.attempts, 0), coalesce(r.problem, ''), coalesce(r.ended_at, b.queued_at)
    FROM messages m
    JOIN bells b ON b.message_id = m.id
    LEFT JOIN rings r ON r.id = b.ring
    WHERE m.id = wanted AND visible(m.agent_id, false)
    ORDER BY b.agent_id;
    PERFORM set_config('mcp_memory.maintenance', before, true);
END $$;
CREATE FUNCTION mcp_memory.current_agent() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('mcp_memory.agent'::text, true), ''::text);
CREATE FUNCTION mcp_memory.delivery_states(wanted bigint) RETURNS TABLE(agent text, state text, note text, delivered_at timestamp with time zone, acknowledged_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    RETURN QUERY
    SELECT d.agent_id, state_now(d.state, d.expires_at), d.note, d.delivered_at, d.acknowledged_at
    FROM messages m
    JOIN deliveries d ON d.message_id = m.id
    WHERE m.id = wanted AND visible(m.agent_id, false)
    ORDER BY d.agent_id;
    PERFORM set_config('mcp_memory.maintenance', before, true);
END $$;
CREATE FUNCTION mcp_memory.drop_embedding_model(wanted smallint, most integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION mcp_memory.enqueue_embeddings() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION mcp_memory.forget_usage() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    DELETE FROM chunk_usage u USING gone WHERE u.chunk_id = gone.id;
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;
CREATE FUNCTION mcp_memory.gather_evidence(matched bigint[], seeds bigint[], narrowed mcp_memory.narrowing, wanted text[], wanted_model smallint, query public.vector) RETURNS TABLE(chunk_id bigint, candidate boolean, thread text, place integer, role text, speaker text, tokens integer, message_tokens integer, asks boolean, dated boolean, occurred_at timestamp with time zone, importance double precision, cosine real, alone real, hits real[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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
CREATE FUNCTION mcp_memory.index_embedding_model(wanted smallint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION mcp_memory.is_waiting(state text, leased_until timestamp with time zone, expires_at timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((state = ANY (ARRAY['queued'::text, 'delivered'::text])) AND ((leased_until IS NULL) OR (leased_until <= now())) AND ((expires_at IS NULL) OR (expires_at > now())));
CREATE FUNCTION mcp_memory.known_entities(wanted text[]) RETURNS TABLE(normal text, entity_id bigint, names text[], mentions bigint)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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
CREATE FUNCTION mcp_memory.let_add(target regclass, condition text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE mcp_memory.protected_tables SET addable = condition WHERE name = target;
    EXECUTE format('ALTER POLICY addable ON %s WITH CHECK (%s)', target, condition);
END $$;
CREATE FUNCTION mcp_memory.listening_key(agent text) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hashtextextended(('listening/'::text || agent), (0)::bigint);
CREATE FUNCTION mcp_memory.mark_owner() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.lexemes := ts_delete(
        NEW.lexemes, ARRAY(SELECT mark FROM unnest(tsvector_to_array(NEW.lexemes)) mark WHERE mark LIKE '=%')
    ) || array_to_tsvector(mcp_memory.owner_lexemes(NEW.agent_id, NEW.shared) || mcp_memory.anchors_of(NEW));
    RETURN NEW;
END $$;
CREATE FUNCTION mcp_memory.match_anchors(query text, given jsonb, narrowed mcp_memory.narrowing, max_rows integer) RETURNS TABLE(chunk_id bigint, is_given boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    RETURN QUERY
    SELECT a.chunk_id, true
    FROM anchored(
        ARRAY(SELECT anchor_mark(g.key, g.value) FROM jsonb_each_text(given) g WHERE anchor_mark(g.key, g.value) IS NOT NULL),
        narrowed, max_rows
    ) a;
    IF NOT found THEN
        RETURN QUERY SELECT a.chunk_id, false FROM anchored(anchors_in(query), narrowed, max_rows) a;
    END IF;
END $$;
CREATE FUNCTION mcp_memory.match_embedding(wanted_model smallint, query public.vector, narrowed mcp_memory.narrowing, max_rows integer, few integer DEFAULT 2000) RETURNS TABLE(chunk_id bigint, similarity real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $_$
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
        PERFORM set_config('hnsw.ef_search', CASE WHEN 'transcripts' = ANY (narrowed.sources) THEN '120' ELSE '100' END, true);
        EXECUTE format(
            $q$
            SELECT array_agg(near.chunk_id), array_agg(near.similarity)
            FROM (
                SELECT e.chunk_id, (1 - (e.embedding <=> $2))::real AS similarity
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
END $_$;
CREATE FUNCTION mcp_memory.match_lexemes(wanted text[], narrowed mcp_memory.narrowing, max_rows integer, enough integer DEFAULT 1000) RETURNS TABLE(chunk_id bigint, score real, coverage real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET synchronize_seqscans TO 'off'
    AS $_$
DECLARE
    ordered text[];
    counts  bigint[];
    ranks   text;
    weighed text;
    covered text;
    mine    tsquery := as_query(owner_lexemes(current_agent(), true));
    seekers tsquery;
    used    integer := 1;
BEGIN
    SELECT array_agg(w.lexeme), array_agg(w.chunks),
           string_agg(format('ts_rank(c.lexemes, %L) AS r%s', as_query(ARRAY[w.lexeme]), w.place), ', '),
           string_agg(format('%s * r%s', w.weight, w.place), ' + '),
           '(' || string_agg(format('CASE WHEN r%s > 0 THEN %s ELSE 0 END', w.place, w.weight), ' + ') || ') / '
               || sum(w.weight)
    INTO ordered, counts, ranks, weighed, covered
    FROM weigh_lexemes(wanted) WITH ORDINALITY w (lexeme, chunks, weight, place);
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
        SELECT best.id, best.score, (%3$s)::real
        FROM (
            SELECT found.*, ((%2$s) * 16.45 / (0.75 + 0.25 * found.tokens / 100.0))::real AS score
            FROM (
                SELECT c.id, c.tokens, %1$s
                FROM chunks c
                WHERE c.lexemes @@ $1 AND admits(c, $2)
                LIMIT $3
            ) found
            ORDER BY score DESC, found.id DESC
            LIMIT $4
        ) best
        ORDER BY best.score DESC, best.id DESC
        $q$, ranks, weighed, covered
    ) USING seekers && mine, narrowed, 2 * enough, max_rows;
END $_$;
CREATE FUNCTION mcp_memory.match_phrase(phrase text, wanted text[], narrowed mcp_memory.narrowing, max_rows integer) RETURNS TABLE(chunk_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
DECLARE
    seekers tsquery := as_query(wanted);
BEGIN
    RETURN QUERY
    SELECT c.id
    FROM chunks c
    WHERE (seekers IS NULL OR c.lexemes @@ seekers)
      AND admits(c, narrowed)
      AND strpos(lower(c.text), lower(phrase)) > 0
    ORDER BY c.occurred_at DESC, c.id DESC
    LIMIT max_rows;
END $$;
CREATE FUNCTION mcp_memory.mend_lexeme(word text, near text[]) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
DECLARE
    mended text;
BEGIN
    SELECT c.lexeme INTO mended
    FROM lexeme_counts c
    WHERE c.lexeme = ANY (near) AND visible(c.agent_id, c.shared)
    GROUP BY c.lexeme
    ORDER BY sum(c.chunks) DESC, c.lexeme
    LIMIT 1;
    IF mended IS NULL OR EXISTS (
        SELECT FROM chunks c
        WHERE c.lexemes @@ (as_query(ARRAY[word]) && as_query(owner_lexemes(current_agent(), true)))
          AND visible(c.agent_id, c.shared)
    ) THEN
        RETURN NULL;
    END IF;
    RETURN mended;
END $$;
CREATE FUNCTION mcp_memory.merge_lexemes(most integer DEFAULT 1000) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION mcp_memory.near_entities(wanted text[], slips text[], most integer) RETURNS TABLE(id bigint, name text, type text, normal text, common integer)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 50
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
    SELECT DISTINCT ON (near.id) near.id, near.name, near.type, near.normal, near.common
    FROM (
        (SELECT e.id, e.name, e.type, e.normal,
                cardinality(ARRAY(SELECT unnest(e.words) INTERSECT SELECT unnest(wanted))) AS common
         FROM entities e
         WHERE e.words && wanted AND visible(e.agent_id, false)
         ORDER BY common DESC, cardinality(e.words), e.id
         LIMIT most)
        UNION ALL
        (SELECT e.id, e.name, e.type, e.normal, 0
         FROM entities e
         WHERE e.words && slips AND visible(e.agent_id, false)
         ORDER BY cardinality(e.words), e.id
         LIMIT most)
    ) near
    ORDER BY near.id, near.common DESC
$$;
CREATE FUNCTION mcp_memory.note_lexemes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION mcp_memory.note_traits() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.asks := NEW.text ~ '[?？؟]';
    NEW.dated := NEW.text ~* ('\m(yesterday|today|tonight|tomorrow|ago|recently|since|weekend|deadline'
        || '|(last|next|this) (night|week|month|year|morning|afternoon|evening|summer|winter|spring|fall)'
        || '|(mon|tues|wednes|thurs|fri|satur|sun)day'
        || '|january|february|march|april|june|july|august|september|october|november|december'
        || '|(19|20)\d\d|\d{1,2}(st|nd|rd|th)|(few|two|three|four|five|six|\d+) (days|weeks|months|years))\M');
    RETURN NEW;
END $$;
CREATE FUNCTION mcp_memory.owner_lexemes(agent_id text, shared boolean) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN shared THEN ARRAY[('=owner:'::text || agent_id), '=shared'::text] ELSE ARRAY[('=owner:'::text || agent_id)] END;
CREATE FUNCTION mcp_memory.passages_of(wanted bigint[]) RETURNS TABLE(id bigint, agent_id text, source text, path text, title text, heading text, start_line integer, end_line integer, content text, tokens integer, occurred_at timestamp with time zone, seq integer, memory_version integer, trust text, told_by text, ends_at timestamp with time zone)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    RETURN QUERY
    SELECT c.id, c.agent_id, c.source, c.path, c.title, c.heading, c.start_line, c.end_line, c.text, c.tokens,
           c.occurred_at, c.seq, v.version, v.trust, v.source, least(upper(c.truth), c.expires_at)
    FROM chunks c
    LEFT JOIN memory_versions v ON v.memory_id = c.memory_id AND v.version = c.memory_version
    WHERE c.id = ANY (wanted) AND visible(c.agent_id, c.shared);
END $$;
CREATE FUNCTION mcp_memory.protect(target regclass, readable text DEFAULT 'mcp_memory.visible(agent_id, shared)'::text, writable text DEFAULT 'agent_id = mcp_memory.current_agent()'::text) RETURNS void
    LANGUAGE sql
    AS $$
    INSERT INTO mcp_memory.protected_tables (name, readable, writable)
    VALUES (target, readable, writable)
    ON CONFLICT (name) DO UPDATE SET readable = excluded.readable, writable = excluded.writable;
    SELECT mcp_memory.apply_policies(target, readable, writable);
$$;
CREATE FUNCTION mcp_memory.queue_bells() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    INSERT INTO bells (agent_id, message_id, priority)
    SELECT a.agent_id, a.message_id, a.priority
    FROM added a
    JOIN doorbells d ON d.agent_id = a.agent_id AND d.min_priority <= a.priority
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM pg_notify('mcp_memory_wake', 'due');
    END IF;
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;
CREATE FUNCTION mcp_memory.queue_missing(wanted smallint, most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
DECLARE
    queued bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(space_lock(wanted));
    INSERT INTO embedding_jobs (chunk_id, model_id, agent_id)
    SELECT c.id, wanted, c.agent_id
    FROM chunks c
    WHERE EXISTS (SELECT FROM embedding_models m WHERE m.id = wanted AND m.state <> 'dropping')
      AND NOT EXISTS (
          SELECT FROM chunk_embeddings e
          WHERE e.chunk_id = c.id AND e.model_id = wanted AND (c.context IS NULL OR e.alone IS NOT NULL)
      )
      AND NOT EXISTS (SELECT FROM embedding_jobs j WHERE j.chunk_id = c.id AND j.model_id = wanted)
    LIMIT most
    FOR KEY SHARE OF c SKIP LOCKED
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END $$;
CREATE FUNCTION mcp_memory.refuse_cycle() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('mcp_memory.supersedes/' || NEW.agent_id, 0));
    IF EXISTS (
        WITH RECURSIVE older (id) AS (
            SELECT NEW.supersedes
            UNION
            SELECT m.supersedes FROM older o JOIN memories m ON m.id = o.id
        )
        SELECT FROM older WHERE older.id = NEW.id
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'memories_acyclic', TABLE = 'memories',
            MESSAGE = 'a memory cannot supersede what supersedes it';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION mcp_memory.refuse_readdressing() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'a delivery stays with its message and its recipient' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION mcp_memory.requeue_embeddings() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
DECLARE
    before  text := coalesce(current_setting('mcp_memory.maintenance', true), '');
    altered bigint[];
BEGIN
    SELECT array_agg(a.id ORDER BY a.id) INTO altered
    FROM after_update a
    JOIN before_update b ON b.id = a.id AND b.text_hash <> a.text_hash;
    IF altered IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(spaces_lock());
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    INSERT INTO embedding_jobs (chunk_id, model_id, agent_id)
    SELECT a.id, m.id, a.agent_id
    FROM after_update a
    JOIN embedding_models m ON m.state <> 'dropping'
    WHERE a.id = ANY (altered)
    ORDER BY a.id, m.id
    ON CONFLICT (chunk_id, model_id)
    DO UPDATE SET attempts = 0, next_try_at = now(), lease = NULL, problem = '';
    DELETE FROM chunk_embeddings WHERE chunk_id = ANY (altered);
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;
CREATE FUNCTION mcp_memory.retire_embedding_model(wanted smallint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(spaces_lock());
    UPDATE embedding_models SET state = 'dropping' WHERE id = wanted AND state <> 'active';
    RETURN found;
END $$;
CREATE FUNCTION mcp_memory.secure() RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    app_role    text := nullif(current_setting('mcp_memory.app_role', true), '');
    worker_role text := nullif(current_setting('mcp_memory.worker_role', true), '');
BEGIN
    DELETE FROM mcp_memory.protected_tables t WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.name);
    PERFORM mcp_memory.apply_policies(name, readable, writable) FROM mcp_memory.protected_tables;
    PERFORM mcp_memory.let_add(name, addable) FROM mcp_memory.protected_tables WHERE addable IS NOT NULL;
    IF app_role IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA mcp_memory TO %I, %I', app_role, worker_role);
        EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mcp_memory TO %I', worker_role);
        EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA mcp_memory TO %I, %I', app_role, worker_role);
    END IF;
END $$;
CREATE FUNCTION mcp_memory.session_thread(wanted text, budget integer, large integer) RETURNS TABLE(last_seq integer, kind text, seq_from integer, seq_to integer, body text, tokens integer, role text, summary_id text, depth integer, stale boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
BEGIN
    RETURN QUERY
    SELECT s.last_seq, p.kind, p.seq_from, p.seq_to, p.body, p.tokens, p.role, p.summary_id, p.depth, p.stale
    FROM sessions s
    LEFT JOIN LATERAL (
        SELECT 'summary' AS kind, u.seq_from, u.seq_to, u.summary AS body, u.tokens, '' AS role,
               u.id::text AS summary_id, u.depth, u.stale
        FROM summaries u
        WHERE u.session = s.id AND u.parent IS NULL
        UNION ALL
        SELECT 'message', newest.seq, newest.seq,
               CASE WHEN newest.role = 'tool' AND newest.tokens > large THEN '' ELSE newest.content END,
               newest.tokens, newest.role, '', 0, false
        FROM (
            SELECT m.seq, m.content, m.tokens, m.role,
                   coalesce(sum(m.tokens) FILTER (WHERE m.role <> 'tool' OR m.tokens <= large)
                            OVER (ORDER BY m.seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
                   AS newer_tokens
            FROM session_messages m
            WHERE m.session = s.id
            ORDER BY m.seq DESC
            LIMIT 1000
        ) newest
        WHERE newest.newer_tokens <= budget
    ) p ON true
    WHERE s.agent_id = current_agent() AND s.session_id = wanted
    ORDER BY p.seq_from;
END $$;
CREATE FUNCTION mcp_memory.settle(wanted bigint[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
    UPDATE memory_spans d SET shared = t.shared
    FROM truths_of(wanted) t
    WHERE t.memory_id = d.memory_id AND t.version = d.version AND d.shared <> t.shared;
    UPDATE chunks d SET shared = t.shared, truth = t.truth, expires_at = t.expires_at
    FROM truths_of(wanted) t
    WHERE t.memory_id = d.memory_id AND t.version = d.memory_version
      AND (d.shared, d.truth, d.expires_at) IS DISTINCT FROM (t.shared, t.truth, t.expires_at);
    UPDATE memory_mentions d SET shared = t.shared, truth = t.truth, expires_at = t.expires_at
    FROM truths_of(wanted) t
    WHERE t.memory_id = d.memory_id AND t.version = d.version
      AND (d.shared, d.truth, d.expires_at) IS DISTINCT FROM (t.shared, t.truth, t.expires_at);
    UPDATE memory_relations d
    SET shared = t.shared, truth = t.truth * tstzrange(d.valid_from, d.valid_until), expires_at = t.expires_at
    FROM truths_of(wanted) t
    WHERE t.memory_id = d.memory_id AND t.version = d.version
      AND (d.shared, d.truth, d.expires_at)
          IS DISTINCT FROM (t.shared, t.truth * tstzrange(d.valid_from, d.valid_until), t.expires_at);
    UPDATE memory_links d SET shared = t.shared, truth = t.truth, expires_at = t.expires_at
    FROM truths_of(wanted) t
    WHERE t.memory_id = d.memory_id AND t.version = d.version
      AND (d.shared, d.truth, d.expires_at) IS DISTINCT FROM (t.shared, t.truth, t.expires_at);
$$;
CREATE FUNCTION mcp_memory.space_lock(wanted smallint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hashtextextended('mcp_memory.embedding_models'::text, (wanted)::bigint);
CREATE FUNCTION mcp_memory.spaces_lock() RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hashtextextended('mcp_memory.embedding_models'::text, (0)::bigint);
CREATE FUNCTION mcp_memory.state_now(state text, expires_at timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN ((state = ANY (ARRAY['queued'::text, 'delivered'::text])) AND (expires_at <= now())) THEN 'expired'::text ELSE state END;
CREATE FUNCTION mcp_memory.tell_everybody() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM tell_owners(ARRAY['*']);
    RETURN NULL;
END $$;
CREATE FUNCTION mcp_memory.tell_of_chunks() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
DECLARE
    owners text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(DISTINCT CASE WHEN shared THEN '*' ELSE agent_id END) INTO owners FROM come;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT CASE WHEN shared THEN '*' ELSE agent_id END) INTO owners FROM gone;
    ELSE
        SELECT array_agg(DISTINCT CASE WHEN shared THEN '*' ELSE agent_id END) INTO owners
        FROM (SELECT shared, agent_id FROM gone UNION ALL SELECT shared, agent_id FROM come) changed;
    END IF;
    PERFORM tell_owners(owners);
    RETURN NULL;
END $$;
CREATE FUNCTION mcp_memory.tell_of_vectors() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
DECLARE
    owners text[];
BEGIN
    SELECT array_agg(DISTINCT CASE WHEN c.shared THEN '*' ELSE c.agent_id END) INTO owners
    FROM come JOIN chunks c ON c.id = come.chunk_id;
    PERFORM tell_owners(owners);
    RETURN NULL;
END $$;
CREATE FUNCTION mcp_memory.tell_owners(owners text[]) RETURNS void
    LANGUAGE sql
    AS $$
    SELECT pg_notify('mcp_memory_epoch', owner) FROM unnest(owners) owner
$$;
CREATE TABLE mcp_memory.memory_versions (
    memory_id bigint NOT NULL,
    version integer NOT NULL,
    agent_id text NOT NULL,
    shared boolean NOT NULL,
    memory_type text NOT NULL,
    content text NOT NULL,
    tokens integer NOT NULL,
    reasoning text DEFAULT ''::text NOT NULL,
    importance double precision NOT NULL,
    confidence double precision NOT NULL,
    source text DEFAULT ''::text NOT NULL,
    trust text NOT NULL,
    session_id text DEFAULT ''::text NOT NULL,
    message_ids text[] DEFAULT '{}'::text[] NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    occurred_at timestamp with time zone,
    reason text DEFAULT ''::text NOT NULL,
    CONSTRAINT memory_versions_confidence_check CHECK (((confidence >= (0)::double precision) AND (confidence <= (1)::double precision))),
    CONSTRAINT memory_versions_importance_check CHECK (((importance >= (0)::double precision) AND (importance <= (1)::double precision))),
    CONSTRAINT memory_versions_memory_type_check CHECK ((memory_type = ANY (ARRAY['identity'::text, 'goal'::text, 'routine'::text, 'decision'::text, 'todo'::text, 'preference'::text, 'fact'::text, 'correlation'::text, 'prediction'::text, 'event'::text, 'feedback'::text, 'observation'::text, 'anomaly'::text]))),
    CONSTRAINT memory_versions_trust_check CHECK ((trust = ANY (ARRAY['user'::text, 'agent'::text, 'tool'::text, 'web'::text]))),
    CONSTRAINT memory_versions_version_check CHECK ((version > 0))
);
ALTER TABLE ONLY mcp_memory.memory_versions FORCE ROW LEVEL SECURITY;
CREATE FUNCTION mcp_memory.told_at(wanted bigint, wanted_version integer) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    RETURN (SELECT COALESCE(v.occurred_at, (SELECT min(s.recorded_at) AS min FROM (mcp_memory.memory_versions w JOIN mcp_memory.memory_spans s ON (((s.memory_id = w.memory_id) AND (s.version = w.version)))) WHERE ((w.memory_id = v.memory_id) AND (w.version <= v.version) AND (w.content = v.content)))) AS "coalesce" FROM mcp_memory.memory_versions v WHERE ((v.memory_id = told_at.wanted) AND (v.version = told_at.wanted_version)));
CREATE FUNCTION mcp_memory.truths_of(wanted bigint[]) RETURNS TABLE(memory_id bigint, version integer, shared boolean, truth tstzrange, expires_at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    AS $$
    SELECT v.memory_id, v.version, v.shared AND m.shared AND m.forgotten_at IS NULL,
           CASE WHEN s.memory_id IS NULL OR m.forgotten_at IS NOT NULL THEN 'empty'::tstzrange
                ELSE tstzrange(s.valid_from, s.valid_until) END,
           m.expires_at
    FROM memories m
    JOIN memory_versions v ON v.memory_id = m.id
    LEFT JOIN memory_spans s ON s.memory_id = v.memory_id AND s.version = v.version AND s.retired_at IS NULL
    WHERE m.id = ANY (wanted)
$$;
CREATE FUNCTION mcp_memory.under_maintenance() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (COALESCE(current_setting('mcp_memory.maintenance'::text, true), ''::text) = 'on'::text);
CREATE FUNCTION mcp_memory.weigh_lexemes(wanted text[]) RETURNS TABLE(lexeme text, chunks bigint, weight real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'mcp_memory', 'public', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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
CREATE FUNCTION mcp_memory.words_of(chunk mcp_memory.chunks) RETURNS text[]
    LANGUAGE sql STABLE
    RETURN ARRAY(SELECT word.word FROM unnest(tsvector_to_array((words_of.chunk).lexemes)) word(word) WHERE (word.word !~~ '=%'::text));
CREATE TABLE mcp_memory.agents (
    agent_id text NOT NULL,
    first_seen timestamp with time zone DEFAULT now() NOT NULL,
    last_seen timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY mcp_memory.agents FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.api_keys (
    id text NOT NULL,
    secret_hash bytea NOT NULL,
    agent_id text NOT NULL,
    scopes text[] NOT NULL,
    databases text[],
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_agent_id_check CHECK ((agent_id ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$'::text)),
    CONSTRAINT api_keys_databases_check CHECK ((cardinality(databases) > 0)),
    CONSTRAINT api_keys_id_check CHECK ((id ~ '^[0-9a-f]{12}$'::text)),
    CONSTRAINT api_keys_scopes_check CHECK (((cardinality(scopes) > 0) AND (scopes <@ ARRAY['read'::text, 'write'::text, 'admin'::text]))),
    CONSTRAINT api_keys_secret_hash_check CHECK ((octet_length(secret_hash) = 32))
);
ALTER TABLE ONLY mcp_memory.api_keys FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.audit_log (
    id bigint NOT NULL,
    agent_id text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    action text NOT NULL,
    kind text NOT NULL,
    object_id text NOT NULL
);
ALTER TABLE ONLY mcp_memory.audit_log FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.audit_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.bells (
    agent_id text NOT NULL,
    message_id bigint NOT NULL,
    priority smallint NOT NULL,
    state text DEFAULT 'due'::text NOT NULL,
    ring uuid,
    queued_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT bells_state_check CHECK ((state = ANY (ARRAY['due'::text, 'rung'::text, 'given_up'::text, 'not_needed'::text])))
);
ALTER TABLE ONLY mcp_memory.bells FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.channel_subscriptions (
    agent_id text NOT NULL,
    channel text NOT NULL,
    subscribed_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY mcp_memory.channel_subscriptions FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.chunk_embeddings (
    chunk_id bigint NOT NULL,
    model_id smallint NOT NULL,
    agent_id text NOT NULL,
    embedding public.vector NOT NULL,
    alone public.vector
);
ALTER TABLE ONLY mcp_memory.chunk_embeddings FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.chunk_usage (
    chunk_id bigint NOT NULL,
    agent_id text NOT NULL,
    returned bigint DEFAULT 0 NOT NULL,
    fetched bigint DEFAULT 0 NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY mcp_memory.chunk_usage FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.chunks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.chunks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.deliveries (
    agent_id text NOT NULL,
    message_id bigint NOT NULL,
    sender text NOT NULL,
    priority smallint NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    expires_at timestamp with time zone,
    leased_until timestamp with time zone,
    claim uuid,
    delivered_at timestamp with time zone,
    acknowledged_at timestamp with time zone,
    note text DEFAULT ''::text NOT NULL,
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'delivered'::text, 'acknowledged'::text, 'expired'::text])))
);
ALTER TABLE ONLY mcp_memory.deliveries FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.document_versions (
    document_id bigint NOT NULL,
    version integer NOT NULL,
    agent_id text NOT NULL,
    shared boolean NOT NULL,
    content text NOT NULL,
    written_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY mcp_memory.document_versions FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.documents (
    id bigint NOT NULL,
    agent_id text NOT NULL,
    shared boolean DEFAULT false NOT NULL,
    path text NOT NULL,
    title text NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    tokens integer NOT NULL,
    sha256 bytea NOT NULL,
    occurred_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone
);
ALTER TABLE ONLY mcp_memory.documents FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.documents ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.documents_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.doorbells (
    agent_id text NOT NULL,
    min_priority smallint NOT NULL,
    announced_at timestamp with time zone DEFAULT now() NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    problem text DEFAULT ''::text NOT NULL,
    next_try_at timestamp with time zone DEFAULT now() NOT NULL,
    lease uuid,
    leased_until timestamp with time zone,
    route_digest text DEFAULT ''::text NOT NULL
);
ALTER TABLE ONLY mcp_memory.doorbells FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.embedding_jobs (
    chunk_id bigint NOT NULL,
    model_id smallint NOT NULL,
    agent_id text NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    next_try_at timestamp with time zone DEFAULT now() NOT NULL,
    lease uuid,
    problem text DEFAULT ''::text NOT NULL
);
ALTER TABLE ONLY mcp_memory.embedding_jobs FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.embedding_models (
    id smallint NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    dimensions integer NOT NULL,
    state text NOT NULL,
    prepared boolean DEFAULT false NOT NULL,
    problem text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    activated_at timestamp with time zone,
    CONSTRAINT embedding_models_dimensions_check CHECK (((dimensions >= 1) AND (dimensions <= 16000))),
    CONSTRAINT embedding_models_state_check CHECK ((state = ANY (ARRAY['filling'::text, 'active'::text, 'dropping'::text])))
);
ALTER TABLE ONLY mcp_memory.embedding_models FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.embedding_models ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.embedding_models_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.entities (
    id bigint NOT NULL,
    agent_id text NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    normal text NOT NULL,
    words text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY mcp_memory.entities FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.entities ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.entities_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.entity_aliases (
    agent_id text NOT NULL,
    type text NOT NULL,
    normal text NOT NULL,
    alias text NOT NULL,
    entity_id bigint NOT NULL,
    merged boolean DEFAULT false NOT NULL
);
ALTER TABLE ONLY mcp_memory.entity_aliases FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.idempotency_keys (
    agent_id text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    response jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY mcp_memory.idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.lexeme_changes (
    id bigint NOT NULL,
    agent_id text NOT NULL,
    shared boolean NOT NULL,
    change smallint NOT NULL,
    chunks integer NOT NULL,
    lexemes text[] NOT NULL,
    CONSTRAINT lexeme_changes_change_check CHECK ((change = ANY (ARRAY['-1'::integer, 1])))
);
ALTER TABLE ONLY mcp_memory.lexeme_changes FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.lexeme_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.lexeme_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.lexeme_counts (
    lexeme text NOT NULL COLLATE pg_catalog."C",
    agent_id text NOT NULL,
    shared boolean NOT NULL,
    chunks bigint NOT NULL
);
ALTER TABLE ONLY mcp_memory.lexeme_counts FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.memories ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.memories_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.memory_links (
    id bigint NOT NULL,
    memory_id bigint NOT NULL,
    version integer NOT NULL,
    agent_id text NOT NULL,
    shared boolean NOT NULL,
    target_id bigint NOT NULL,
    relation_type text NOT NULL,
    truth tstzrange NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT memory_links_check CHECK ((target_id <> memory_id)),
    CONSTRAINT memory_links_relation_type_check CHECK ((relation_type = ANY (ARRAY['related_to'::text, 'contradicts'::text, 'updates'::text, 'caused_by'::text, 'result_of'::text, 'part_of'::text, 'triggers'::text, 'reinforces'::text, 'weakens'::text, 'violated'::text, 'predicts'::text, 'confirmed'::text, 'overrides'::text])))
);
ALTER TABLE ONLY mcp_memory.memory_links FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.memory_links ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.memory_links_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.memory_mentions (
    memory_id bigint NOT NULL,
    version integer NOT NULL,
    agent_id text NOT NULL,
    shared boolean NOT NULL,
    entity_id bigint NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    normal text NOT NULL,
    known_as text[] DEFAULT '{}'::text[] NOT NULL,
    truth tstzrange NOT NULL,
    expires_at timestamp with time zone
);
ALTER TABLE ONLY mcp_memory.memory_mentions FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.memory_relations (
    id bigint NOT NULL,
    memory_id bigint NOT NULL,
    version integer NOT NULL,
    agent_id text NOT NULL,
    shared boolean NOT NULL,
    subject_id bigint NOT NULL,
    relation text NOT NULL,
    object_id bigint NOT NULL,
    subject text NOT NULL,
    object text NOT NULL,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    truth tstzrange NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT memory_relations_check CHECK ((valid_from < valid_until)),
    CONSTRAINT memory_relations_relation_check CHECK ((relation ~ '^[a-z][a-z0-9_]{0,62}$'::text))
);
ALTER TABLE ONLY mcp_memory.memory_relations FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.memory_relations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.memory_relations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.messages (
    id bigint NOT NULL,
    agent_id text NOT NULL,
    recipients text[] NOT NULL,
    is_public boolean NOT NULL,
    thread_id bigint NOT NULL,
    reply_to bigint,
    subject text NOT NULL,
    content text NOT NULL,
    type text NOT NULL,
    channel text NOT NULL,
    priority smallint NOT NULL,
    sent_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT messages_priority_check CHECK (((priority >= 0) AND (priority <= 10))),
    CONSTRAINT messages_recipients_check CHECK ((cardinality(recipients) > 0))
);
ALTER TABLE ONLY mcp_memory.messages FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.messages ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME mcp_memory.messages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.migrations (
    number integer NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE mcp_memory.protected_tables (
    name regclass NOT NULL,
    readable text NOT NULL,
    writable text NOT NULL,
    addable text
);
CREATE TABLE mcp_memory.registered_databases (
    name text NOT NULL,
    url text NOT NULL,
    registered_by text NOT NULL,
    registered_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT registered_databases_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,47}$'::text))
);
ALTER TABLE ONLY mcp_memory.registered_databases FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.rings (
    id uuid NOT NULL,
    agent_id text NOT NULL,
    kind text NOT NULL,
    state text DEFAULT 'trying'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    problem text DEFAULT ''::text NOT NULL,
    begun_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT rings_state_check CHECK ((state = ANY (ARRAY['trying'::text, 'rung'::text, 'given_up'::text, 'not_needed'::text])))
);
ALTER TABLE ONLY mcp_memory.rings FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.session_messages (
    id bigint NOT NULL,
    agent_id text NOT NULL,
    shared boolean DEFAULT false NOT NULL,
    session bigint NOT NULL,
    seq integer NOT NULL,
    external_id text NOT NULL,
    role text NOT NULL,
    speaker text NOT NULL,
    source text NOT NULL,
    content text NOT NULL,
    tokens integer NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT session_messages_role_check CHECK ((role = ANY (ARRAY['user'::text, 'assistant'::text, 'system'::text, 'tool'::text]))),
    CONSTRAINT session_messages_seq_check CHECK ((seq > 0))
);
ALTER TABLE ONLY mcp_memory.session_messages FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.session_messages ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.session_messages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.sessions (
    id bigint NOT NULL,
    agent_id text NOT NULL,
    shared boolean DEFAULT false NOT NULL,
    session_id text NOT NULL,
    source text NOT NULL,
    last_seq integer DEFAULT 0 NOT NULL,
    messages integer DEFAULT 0 NOT NULL,
    first_at timestamp with time zone,
    last_at timestamp with time zone,
    flushed smallint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY mcp_memory.sessions FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.sessions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.sessions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.summaries (
    id bigint NOT NULL,
    agent_id text NOT NULL,
    shared boolean DEFAULT false NOT NULL,
    session bigint NOT NULL,
    parent bigint,
    depth integer NOT NULL,
    seq_from integer NOT NULL,
    seq_to integer NOT NULL,
    summary text NOT NULL,
    tokens integer NOT NULL,
    lexemes tsvector NOT NULL,
    after_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    stale boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT summaries_check CHECK ((seq_to >= seq_from)),
    CONSTRAINT summaries_depth_check CHECK ((depth > 0)),
    CONSTRAINT summaries_seq_from_check CHECK ((seq_from > 0))
);
ALTER TABLE ONLY mcp_memory.summaries FORCE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.summaries ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mcp_memory.summaries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE mcp_memory.transcript_files (
    agent_id text NOT NULL,
    path text NOT NULL,
    read_to bigint NOT NULL,
    fingerprint bytea NOT NULL,
    state jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY mcp_memory.transcript_files FORCE ROW LEVEL SECURITY;
CREATE TABLE mcp_memory.wake_routes (
    agent_id text NOT NULL,
    route jsonb NOT NULL,
    added_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT wake_routes_route_check CHECK ((jsonb_typeof(COALESCE(NULLIF((route -> 'token'::text), 'null'::jsonb), '{}'::jsonb)) = 'object'::text))
);
ALTER TABLE ONLY mcp_memory.wake_routes FORCE ROW LEVEL SECURITY;
COPY mcp_memory.agents (agent_id, first_seen, last_seen) FROM stdin;
alice	2026-11-30 22:17:57.391386+00	2026-11-30 22:17:57.391386+00
bob	2026-11-30 22:17:54.96655+00	2026-11-30 22:17:58.708034+00
\.
COPY mcp_memory.api_keys (id, secret_hash, agent_id, scopes, databases, created_at, expires_at, revoked_at) FROM stdin;
0123456789ab	\\xabababababababababababababababababababababababababababababababab	bob	{read,write}	\N	2026-11-30 22:17:59.660022+00	\N	2026-11-30 22:17:59.660022+00
\.
COPY mcp_memory.audit_log (id, agent_id, at, action, kind, object_id) FROM stdin;
1	bob	2026-11-30 22:17:54.98213+00	write	document	1
2	bob	2026-11-30 22:17:55.573782+00	write	document	1
3	bob	2026-11-30 22:17:55.788062+00	write	document	2
4	bob	2026-11-30 22:17:56.355361+00	write	document	3
5	bob	2026-11-30 22:17:56.456059+00	delete	document	3
6	bob	2026-11-30 22:17:56.495021+00	begin	session	s-1
7	bob	2026-11-30 22:17:56.555696+00	store	memory	m1
8	bob	2026-11-30 22:17:56.76347+00	store	memory	m2
9	bob	2026-11-30 22:17:56.920624+00	store	memory	m3
10	alice	2026-11-30 22:17:57.398937+00	write	document	4
11	alice	2026-11-30 22:17:57.537405+00	write	document	4
12	alice	2026-11-30 22:17:57.606091+00	write	document	5
13	alice	2026-11-30 22:17:57.653456+00	write	document	6
14	alice	2026-11-30 22:17:57.704117+00	delete	document	6
15	alice	2026-11-30 22:17:57.728064+00	begin	session	s-1
16	alice	2026-11-30 22:17:57.802474+00	store	memory	m4
17	alice	2026-11-30 22:17:57.930757+00	store	memory	m5
18	alice	2026-11-30 22:17:58.045126+00	store	memory	m6
19	alice	2026-11-30 22:17:58.170092+00	send	message	1
20	alice	2026-11-30 22:17:58.206137+00	send	message	2
21	bob	2026-11-30 22:17:58.722079+00	write	document	1
22	bob	2026-11-30 22:17:58.918922+00	write	document	1
23	bob	2026-11-30 22:17:59.004057+00	write	document	7
24	bob	2026-11-30 22:17:59.093563+00	delete	document	7
25	bob	2026-11-30 22:17:59.456868+00	send	message	3
26	bob	2026-11-30 22:17:59.470129+00	send	message	4
27	alice	2026-11-30 22:17:59.66156+00	write	document	
\.
COPY mcp_memory.bells (agent_id, message_id, priority, state, ring, queued_at) FROM stdin;
bob	1	9	due	00000000-0000-0000-0000-000000000001	2026-11-30 22:17:59.667396+00
bob	2	5	due	00000000-0000-0000-0000-000000000001	2026-11-30 22:17:59.667396+00
alice	3	9	due	\N	2026-11-30 22:17:59.667396+00
alice	4	5	due	\N	2026-11-30 22:17:59.667396+00
\.
COPY mcp_memory.channel_subscriptions (agent_id, channel, subscribed_at) FROM stdin;
bob	ops	2026-11-30 22:17:57.040208+00
alice	ops	2026-11-30 22:17:58.162067+00
\.
COPY mcp_memory.chunk_embeddings (chunk_id, model_id, agent_id, embedding, alone) FROM stdin;
2	1	bob	[-0.3916491,0.21330607,-0.084638424,0.06495115,0.8343262,-0.08048371,-0.116440676,-0.27128017]	\N
3	1	bob	[-0.41837442,0.05442314,-0.68685293,-0.22144566,0.28752333,-0.41120526,-0.18715632,-0.120037295]	\N
5	1	bob	[-0.3029727,0.15317246,0.5459751,0.36644977,0.3147701,-0.0639541,-0.3146944,0.50016856]	[-0.22166504,0.08561052,-0.059584487,0.118689105,0.019807419,-0.18072005,-0.07308922,0.9420743]
6	1	bob	[-0.031378094,0.051185194,0.46807387,0.038541686,0.20813298,-0.03276943,0.14125054,0.843488]	[0.0997012,0.14599887,0.4970117,0.31353995,0.37576827,-0.13126737,-0.60553765,0.31353995]
7	1	bob	[0.158083,-0.96825844,-0.0790415,0,0.158083,0,-0.0790415,0]	\N
9	1	bob	[-0.33888358,-0.16924582,-0.32874972,-0.42278892,-0.07470678,0.52795696,0.2621597,0.4654455]	\N
10	1	bob	[0.52467245,-0.0041425405,-0.115666196,-0.07735842,-0.34285605,0.34285605,0.38116378,0.5700459]	\N
11	1	bob	[0.24936186,-0.5119619,-0.51944554,-0.10547497,0.13878371,0,0.44257,-0.42383483]	\N
13	1	alice	[-0.3916491,0.21330607,-0.084638424,0.06495115,0.8343262,-0.08048371,-0.116440676,-0.27128017]	\N
14	1	alice	[-0.45083687,-0.10448275,-0.75713325,0.033475693,0.36782014,-0.13836439,-0.22701405,-0.07406977]	\N
18	1	alice	[0.158083,-0.96825844,-0.0790415,0,0.158083,0,-0.0790415,0]	\N
19	1	alice	[0.02703332,0.07009764,0.5076339,0.02441357,0.18974441,-0.0068586026,0.15282139,0.82259524]	[0.20799194,-0.00831723,0.20799194,-0.21353677,0.00554482,0,0.40212184,0.840285]
16	1	alice	[-0.3007198,0.0050777397,0.40671453,0.5255616,0.3475821,0.15917422,-0.31229997,0.4735284]	[-0.20714942,-0.2426185,-0.19642155,0.5303177,0.1735311,0.38239896,-0.12460498,0.62172234]
17	1	alice	[-0.05090887,-0.023833657,0.41743684,0.15484843,0.24497882,0.091171,0.11744978,0.8464558]	[0.0997012,0.14599887,0.4970117,0.31353995,0.37576827,-0.13126737,-0.60553765,0.31353995]
20	1	alice	[-0.30497703,-0.31472272,-0.35056007,-0.0189271,0.048504997,0.70857143,0.14310071,0.39972994]	\N
21	1	alice	[0.26770684,-0.26770684,-0.22215943,0.36937094,-0.074947886,0.66379404,0.1720337,0.4416346]	\N
22	1	alice	[0.1088106,-0.58847946,-0.4896156,0.29745904,0.226088,0.3900292,0.24019569,-0.22959612]	\N
26	1	bob	[-0.031378094,0.051185194,0.46807387,0.038541686,0.20813298,-0.03276943,0.14125054,0.843488]	[0.0997012,0.14599887,0.4970117,0.31353995,0.37576827,-0.13126737,-0.60553765,0.31353995]
27	1	bob	[0.158083,-0.96825844,-0.0790415,0,0.158083,0,-0.0790415,0]	\N
28	1	bob	[0.02703332,0.07009764,0.5076339,0.02441357,0.18974441,-0.0068586026,0.15282139,0.82259524]	[0.20799194,-0.00831723,0.20799194,-0.21353677,0.00554482,0,0.40212184,0.840285]
8	1	bob	[-0.031378094,0.051185194,0.46807387,0.038541686,0.20813298,-0.03276943,0.14125054,0.843488]	[0.20799194,-0.00831723,0.20799194,-0.21353677,0.00554482,0,0.40212184,0.840285]
25	1	bob	[-0.031378094,0.051185194,0.46807387,0.038541686,0.20813298,-0.03276943,0.14125054,0.843488]	[-0.22166504,0.08561052,-0.059584487,0.118689105,0.019807419,-0.18072005,-0.07308922,0.9420743]
2	2	bob	[1,0,0.5,-1]	[0,1,0,0]
3	2	bob	[1,0,0.5,-1]	[0,1,0,0]
\.
COPY mcp_memory.chunk_usage (chunk_id, agent_id, returned, fetched, last_at) FROM stdin;
3	alice	1	0	2026-11-30 22:17:58.349585+00
14	alice	1	0	2026-11-30 22:17:58.349585+00
3	bob	2	0	2026-11-30 22:17:59.614103+00
14	bob	1	0	2026-11-30 22:17:59.614103+00
\.
COPY mcp_memory.chunks (id, agent_id, shared, source, document_id, "position", path, title, heading, tags, start_line, end_line, text, text_hash, tokens, lexemes, occurred_at, created_at, message_id, session, seq, role, speaker, origin, context, asks, dated, memory_id, memory_version, memory_type, importance, confidence, truth, expires_at, indexed_by) FROM stdin;
2	bob	f	documents	1	0	notes/awkward.md	Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$	Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$	{}	1	7	# Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$\n\nLine two \\N \\. ünïcödé 漢字 🦊 %s {braces}\n\nSee PR #421 in src/app/main.py on branch feature/x-1.\n\nsecond version, yesterday?	\\x6a322c2c2a79b2d973914de550e32ff1e9adc71233a18dd967ec7a33448b9def	59	'#421':26 '1':41 '421':27 '=branch:feature/x-1' '=file:app/main.py' '=file:awkward.md' '=file:main.py' '=file:notes/awkward.md' '=file:src/app/main.py' '=owner:bob' '=pr:421' 'and':2,8 'app':32 'awkward' 'awkward.md' 'backslash':3,9 'brace':23 'branch':36 'dollar':6,12 'doubl':5,11 'featur':39 'feature/x-1':37 'in':28 'line':13 'main':33 'main.py':30 'md' 'n':15 'note' 'notes/awkward.md' 'on':35 'pr':25 'py':34 'quot':4,10 's':22 'second':42 'see':24 'src':31 'src/app/main.py':29 'tab':1,7 'two':14 'unicod':17 'version':43 'x':40 'x-1':38 'yesterday':44 '~in:2026-11' '~on:2026-11-29' '~on:2026-11-30' 'ünïcödé':16 '字':20 '漢':19 '漢字':18 '🦊':21	2026-11-30 22:17:55.573782+00	2026-11-30 22:17:55.573782+00	\N	\N	\N	\N	\N	\N	\N	t	t	\N	\N	\N	\N	\N	\N	\N	1
3	bob	t	documents	2	0	shared/bob.md	bob.md		{x,"ö y"}	1	1	Shared text of bob about marmalade.	\\xe2a40c442d81bba6d4e9f7a34b4a14dab744bb9a2e509c982df311f9df94b017	7	'=file:bob.md' '=file:shared/bob.md' '=owner:bob' '=shared' 'about':5 'bob':4 'bob.md' 'marmalad':6 'md' 'o' 'of':3 'share':1 'shared/bob.md' 'text':2 'x' 'y' '~in:2026-11' '~on:2026-11-30' 'ö'	2026-11-30 22:17:55.788062+00	2026-11-30 22:17:55.788062+00	\N	\N	\N	\N	\N	\N	\N	f	f	\N	\N	\N	\N	\N	\N	\N	1
5	bob	f	transcripts	\N	0	s-1	user		{}	1	1	Hello, I am bob. When is the deadline?	\\xee7bc4249df6696b9b476a9a7453077dd288bd3198b633489772daadff40c6ca	11	'=owner:bob' 'am':3 'bob':4 'deadlin':8 'hello':1 'i':2 'is':6 'the':7 'when':5 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:56.521507+00	2026-11-30 22:17:56.495021+00	1	1	1	user		mcp	user: Hello, I am bob. When is the deadline?\nassistant: Next week on Friday.	t	t	\N	\N	\N	\N	\N	\N	\N	1
6	bob	f	transcripts	\N	0	s-1	assistant		{}	1	1	Next week on Friday.	\\x13337389def78ca2f5e387ee5db57dde5346eac22d007f131c5822099c1149e3	5	'=owner:bob' 'friday':4 'next':1 'on':3 'week':2 '~in:2026-11' '~in:2026-12' '~on:2026-11-27' '~on:2026-11-30' '~on:2026-12-07' '~on:2026-12-08' '~on:2026-12-09' '~on:2026-12-10' '~on:2026-12-11' '~on:2026-12-12' '~on:2026-12-13'	2026-11-30 22:17:56.521784+00	2026-11-30 22:17:56.495021+00	2	1	2	assistant		mcp	user: Hello, I am bob. When is the deadline?\nassistant: Next week on Friday.\nuser: a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word	f	t	\N	\N	\N	\N	\N	\N	\N	1
7	bob	f	transcripts	\N	0	s-1	tool		{}	1	2	exit 1\n\\.	\\x70c890f830d9f8d9e47fa079c368c3e8dbed850d78e66916a9101891a9fec11d	4	'1':2 '=owner:bob' 'exit':1 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:56.521802+00	2026-11-30 22:17:56.495021+00	3	1	3	tool		mcp	\N	f	f	\N	\N	\N	\N	\N	\N	\N	1
9	bob	t	graph	\N	0	graph/m1	fact	Bob, Acme	{}	1	1	bob works with Carol at Acme.	\\x8c37ec329400a969aeab163ed57b558439503da7ca0bc8200a21104888ca2864	7	'=owner:bob' '=shared' 'acm':2,8 'at':7 'bob':1,3 'carol':6 'with':5 'work':4 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:56.590943+00	2026-11-30 22:17:56.555696+00	\N	\N	\N	\N	\N		\N	f	f	1	1	fact	0.6	1	(,)	\N	1
10	bob	f	graph	\N	0	graph/m2	preference		{}	1	1	bob likes tea.	\\x69cfa0add820e1a35377a7c3228fbff16cd738ac8b9a47bfa14695e1540801cf	4	'=owner:bob' 'bob':1 'like':2 'tea':3 '~in:2020-01' '~in:2026-11' '~on:2020-01-01' '~on:2026-11-30'	2020-01-01 00:00:00+00	2026-11-30 22:17:56.76347+00	\N	\N	\N	\N	\N		\N	f	f	2	1	preference	0.9	1	["2020-01-01 00:00:00+00",)	\N	1
11	bob	f	graph	\N	0	graph/m3	todo		{}	1	1	bob forgot this.	\\x1b6724ae90c112897be57877598a23e12f8b44ab6011109afcdb9e763927ff3c	4	'=owner:bob' 'bob':1 'forgot':2 'this':3 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:56.929062+00	2026-11-30 22:17:56.920624+00	\N	\N	\N	\N	\N		\N	f	f	3	1	todo	0.8	1	(,)	\N	1
13	alice	f	documents	4	0	notes/awkward.md	Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$	Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$	{}	1	7	# Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$\n\nLine two \\N \\. ünïcödé 漢字 🦊 %s {braces}\n\nSee PR #421 in src/app/main.py on branch feature/x-1.\n\nsecond version, yesterday?	\\x6a322c2c2a79b2d973914de550e32ff1e9adc71233a18dd967ec7a33448b9def	59	'#421':26 '1':41 '421':27 '=branch:feature/x-1' '=file:app/main.py' '=file:awkward.md' '=file:main.py' '=file:notes/awkward.md' '=file:src/app/main.py' '=owner:alice' '=pr:421' 'and':2,8 'app':32 'awkward' 'awkward.md' 'backslash':3,9 'brace':23 'branch':36 'dollar':6,12 'doubl':5,11 'featur':39 'feature/x-1':37 'in':28 'line':13 'main':33 'main.py':30 'md' 'n':15 'note' 'notes/awkward.md' 'on':35 'pr':25 'py':34 'quot':4,10 's':22 'second':42 'see':24 'src':31 'src/app/main.py':29 'tab':1,7 'two':14 'unicod':17 'version':43 'x':40 'x-1':38 'yesterday':44 '~in:2026-11' '~on:2026-11-29' '~on:2026-11-30' 'ünïcödé':16 '字':20 '漢':19 '漢字':18 '🦊':21	2026-11-30 22:17:57.537405+00	2026-11-30 22:17:57.537405+00	\N	\N	\N	\N	\N	\N	\N	t	t	\N	\N	\N	\N	\N	\N	\N	1
14	alice	t	documents	5	0	shared/alice.md	alice.md		{x,"ö y"}	1	1	Shared text of alice about marmalade.	\\xddd5bebc388cfaca22366a859dd7cc7ab31d2eff168e5480a76d87c7c621952c	7	'=file:alice.md' '=file:shared/alice.md' '=owner:alice' '=shared' 'about':5 'alic':4 'alice.md' 'marmalad':6 'md' 'o' 'of':3 'share':1 'shared/alice.md' 'text':2 'x' 'y' '~in:2026-11' '~on:2026-11-30' 'ö'	2026-11-30 22:17:57.606091+00	2026-11-30 22:17:57.606091+00	\N	\N	\N	\N	\N	\N	\N	f	f	\N	\N	\N	\N	\N	\N	\N	1
16	alice	f	transcripts	\N	0	s-1	user		{}	1	1	Hello, I am alice. When is the deadline?	\\x577783f355e4e26825f4754bdf739ba8c59109e950b9f118e6abf6e8aff6ac73	11	'=owner:alice' 'alic':4 'am':3 'deadlin':8 'hello':1 'i':2 'is':6 'the':7 'when':5 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:57.749899+00	2026-11-30 22:17:57.728064+00	5	2	1	user		mcp	user: Hello, I am alice. When is the deadline?\nassistant: Next week on Friday.	t	t	\N	\N	\N	\N	\N	\N	\N	1
21	alice	f	graph	\N	0	graph/m5	preference		{}	1	1	alice likes tea.	\\x6e76afb7c9632840687d5ecb933d7ac67715c94fe44197b31f32b2cc5f8e0b0a	4	'=owner:alice' 'alic':1 'like':2 'tea':3 '~in:2020-01' '~in:2026-11' '~on:2020-01-01' '~on:2026-11-30'	2020-01-01 00:00:00+00	2026-11-30 22:17:57.930757+00	\N	\N	\N	\N	\N		\N	f	f	5	1	preference	0.9	1	["2020-01-01 00:00:00+00",)	\N	1
22	alice	f	graph	\N	0	graph/m6	todo		{}	1	1	alice forgot this.	\\x76f8b64d8d0ddc1d9c649ec8ff1dd4cdf47275af74a5d9d7e6e1e0047941eeab	4	'=owner:alice' 'alic':1 'forgot':2 'this':3 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:58.06653+00	2026-11-30 22:17:58.045126+00	\N	\N	\N	\N	\N		\N	f	f	6	1	todo	0.8	1	(,)	\N	1
17	alice	f	transcripts	\N	0	s-1	assistant		{}	1	1	Next week on Friday.	\\xbccb63e908c75ba77eee6e5842d25317f59666aa6008eebb6475984cf02c7621	5	'=owner:alice' 'friday':4 'next':1 'on':3 'week':2 '~in:2026-11' '~in:2026-12' '~on:2026-11-27' '~on:2026-11-30' '~on:2026-12-07' '~on:2026-12-08' '~on:2026-12-09' '~on:2026-12-10' '~on:2026-12-11' '~on:2026-12-12' '~on:2026-12-13'	2026-11-30 22:17:57.75419+00	2026-11-30 22:17:57.728064+00	6	2	2	assistant		mcp	user: Hello, I am alice. When is the deadline?\nassistant: Next week on Friday.\nuser: a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word	f	t	\N	\N	\N	\N	\N	\N	\N	1
18	alice	f	transcripts	\N	0	s-1	tool		{}	1	2	exit 1\n\\.	\\x70c890f830d9f8d9e47fa079c368c3e8dbed850d78e66916a9101891a9fec11d	4	'1':2 '=owner:alice' 'exit':1 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:57.754214+00	2026-11-30 22:17:57.728064+00	7	2	3	tool		mcp	\N	f	f	\N	\N	\N	\N	\N	\N	\N	1
19	alice	f	transcripts	\N	0	s-1	user		{}	1	1	a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word 	\\x026d1edc052f133e1469de2bb47fbb59058057505aef69877238cf4eb149680a	44	'=owner:alice' 'a':1 'b':3 'b\\\\n':2 'n':4 'word':5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:57.754226+00	2026-11-30 22:17:57.728064+00	8	2	4	user		mcp	assistant: Next week on Friday.\nuser: a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word	f	f	\N	\N	\N	\N	\N	\N	\N	1
20	alice	f	graph	\N	0	graph/m4	fact	Alice, Acme	{}	1	1	alice works with Carol at Acme.	\\xffec5149772ac2209bbbdba57a7c4ea1b44a5b2a106ab31b308950ce67796471	7	'=owner:alice' 'acm':2,8 'alic':1,3 'at':7 'carol':6 'with':5 'work':4 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:57.82268+00	2026-11-30 22:17:57.802474+00	\N	\N	\N	\N	\N		\N	f	f	4	1	fact	0.6	1	(,)	\N	1
25	bob	f	transcripts	\N	0	s-1	user		{}	1	1	Hello, I am bob. When is the deadline?	\\xd272d1545344eb73a6fc8744efc9afc01356a1c3328495f572203b2ddba453df	11	'=owner:bob' 'am':3 'bob':4 'deadlin':8 'hello':1 'i':2 'is':6 'the':7 'when':5 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:59.141399+00	2026-11-30 22:17:59.117927+00	9	1	5	user		mcp	user: a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word\nuser: Hello, I am bob. When is the deadline?\nassistant: Next week on Friday.	t	t	\N	\N	\N	\N	\N	\N	\N	1
26	bob	f	transcripts	\N	0	s-1	assistant		{}	1	1	Next week on Friday.	\\x13337389def78ca2f5e387ee5db57dde5346eac22d007f131c5822099c1149e3	5	'=owner:bob' 'friday':4 'next':1 'on':3 'week':2 '~in:2026-11' '~in:2026-12' '~on:2026-11-27' '~on:2026-11-30' '~on:2026-12-07' '~on:2026-12-08' '~on:2026-12-09' '~on:2026-12-10' '~on:2026-12-11' '~on:2026-12-12' '~on:2026-12-13'	2026-11-30 22:17:59.141554+00	2026-11-30 22:17:59.117927+00	10	1	6	assistant		mcp	user: Hello, I am bob. When is the deadline?\nassistant: Next week on Friday.\nuser: a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word	f	t	\N	\N	\N	\N	\N	\N	\N	1
27	bob	f	transcripts	\N	0	s-1	tool		{}	1	2	exit 1\n\\.	\\x70c890f830d9f8d9e47fa079c368c3e8dbed850d78e66916a9101891a9fec11d	4	'1':2 '=owner:bob' 'exit':1 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:59.141571+00	2026-11-30 22:17:59.117927+00	11	1	7	tool		mcp	\N	f	f	\N	\N	\N	\N	\N	\N	\N	1
28	bob	f	transcripts	\N	0	s-1	user		{}	1	1	a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word 	\\x026d1edc052f133e1469de2bb47fbb59058057505aef69877238cf4eb149680a	44	'=owner:bob' 'a':1 'b':3 'b\\\\n':2 'n':4 'word':5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:59.141582+00	2026-11-30 22:17:59.117927+00	12	1	8	user		mcp	assistant: Next week on Friday.\nuser: a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word	f	f	\N	\N	\N	\N	\N	\N	\N	1
8	bob	f	transcripts	\N	0	s-1	user		{}	1	1	a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word 	\\x69e134cd70fef1f07ba88e2248a16559b48ae6a7734060960fe8462c7c7329bd	44	'=owner:bob' 'a':1 'b':3 'b\\\\n':2 'n':4 'word':5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44 '~in:2026-11' '~on:2026-11-30'	2026-11-30 22:17:56.521812+00	2026-11-30 22:17:56.495021+00	4	1	4	user		mcp	assistant: Next week on Friday.\nuser: a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word\nuser: Hello, I am bob. When is the deadline?	f	f	\N	\N	\N	\N	\N	\N	\N	1
\.
COPY mcp_memory.deliveries (agent_id, message_id, sender, priority, state, expires_at, leased_until, claim, delivered_at, acknowledged_at, note) FROM stdin;
bob	1	alice	9	queued	\N	\N	\N	\N	\N	
bob	2	alice	5	queued	\N	\N	\N	\N	\N	
alice	3	bob	9	queued	\N	\N	\N	\N	\N	
alice	4	bob	5	queued	\N	\N	\N	\N	\N	
\.
COPY mcp_memory.document_versions (document_id, version, agent_id, shared, content, written_at) FROM stdin;
1	1	bob	f	# Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$\r\n\nLine two \\N \\. ünïcödé 漢字 🦊 %s {braces}\n\nSee PR #421 in src/app/main.py on branch feature/x-1.\n	2026-11-30 22:17:54.98213+00
1	2	bob	f	# Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$\r\n\nLine two \\N \\. ünïcödé 漢字 🦊 %s {braces}\n\nSee PR #421 in src/app/main.py on branch feature/x-1.\n\nsecond version, yesterday?	2026-11-30 22:17:55.573782+00
2	1	bob	t	Shared text of bob about marmalade.	2026-11-30 22:17:55.788062+00
3	1	bob	f	to be deleted	2026-11-30 22:17:56.355361+00
4	1	alice	f	# Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$\r\n\nLine two \\N \\. ünïcödé 漢字 🦊 %s {braces}\n\nSee PR #421 in src/app/main.py on branch feature/x-1.\n	2026-11-30 22:17:57.398937+00
4	2	alice	f	# Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$\r\n\nLine two \\N \\. ünïcödé 漢字 🦊 %s {braces}\n\nSee PR #421 in src/app/main.py on branch feature/x-1.\n\nsecond version, yesterday?	2026-11-30 22:17:57.537405+00
5	1	alice	t	Shared text of alice about marmalade.	2026-11-30 22:17:57.606091+00
6	1	alice	f	to be deleted	2026-11-30 22:17:57.653456+00
1	3	bob	f	# Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$\r\n\nLine two \\N \\. ünïcödé 漢字 🦊 %s {braces}\n\nSee PR #421 in src/app/main.py on branch feature/x-1.\n\nsecond version, yesterday?\n# Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$\r\n\nLine two \\N \\. ünïcödé 漢字 🦊 %s {braces}\n\nSee PR #421 in src/app/main.py on branch feature/x-1.\n	2026-11-30 22:17:58.722079+00
1	4	bob	f	# Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$\r\n\nLine two \\N \\. ünïcödé 漢字 🦊 %s {braces}\n\nSee PR #421 in src/app/main.py on branch feature/x-1.\n\nsecond version, yesterday?	2026-11-30 22:17:58.918922+00
7	1	bob	f	to be deleted	2026-11-30 22:17:59.004057+00
\.
COPY mcp_memory.documents (id, agent_id, shared, path, title, tags, version, tokens, sha256, occurred_at, created_at, updated_at, deleted_at) FROM stdin;
2	bob	t	shared/bob.md	bob.md	{x,"ö y"}	1	7	\\x6cda8976265e06083cddb5c1f97bf5f50af008378b5982f12473b88edee061d4	\N	2026-11-30 22:17:55.788062+00	2026-11-30 22:17:55.788062+00	\N
3	bob	f	old/deleted.md	deleted.md	{}	1	3	\\x5c0ec488b34759d09b48672b0cc8e0322d898c0a6c2d467c4fea1af97778e3f4	\N	2026-11-30 22:17:56.355361+00	2026-11-30 22:17:56.355361+00	2026-11-30 22:17:56.456059+00
4	alice	f	notes/awkward.md	Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$	{}	2	59	\\xf3ebaf6e1f199bcc402cacb9eadefa2e252591ab840a1d51b347a200cf0d910e	\N	2026-11-30 22:17:57.398937+00	2026-11-30 22:17:57.537405+00	\N
5	alice	t	shared/alice.md	alice.md	{x,"ö y"}	1	7	\\x8f0b5711b31abb040ae196ecb017a1992cb945c6739d0b3fa9875d617d54c73b	\N	2026-11-30 22:17:57.606091+00	2026-11-30 22:17:57.606091+00	\N
6	alice	f	old/deleted.md	deleted.md	{}	1	3	\\x5c0ec488b34759d09b48672b0cc8e0322d898c0a6c2d467c4fea1af97778e3f4	\N	2026-11-30 22:17:57.653456+00	2026-11-30 22:17:57.653456+00	2026-11-30 22:17:57.704117+00
1	bob	f	notes/awkward.md	Tabs\tand \\backslashes\\ 'quotes' "double" $$dollar$$	{}	4	59	\\xf3ebaf6e1f199bcc402cacb9eadefa2e252591ab840a1d51b347a200cf0d910e	\N	2026-11-30 22:17:54.98213+00	2026-11-30 22:17:58.918922+00	\N
7	bob	f	old/deleted.md	deleted.md	{}	1	3	\\x5c0ec488b34759d09b48672b0cc8e0322d898c0a6c2d467c4fea1af97778e3f4	\N	2026-11-30 22:17:59.004057+00	2026-11-30 22:17:59.004057+00	2026-11-30 22:17:59.093563+00
\.
COPY mcp_memory.doorbells (agent_id, min_priority, announced_at, failures, problem, next_try_at, lease, leased_until, route_digest) FROM stdin;
bob	3	2026-11-30 22:17:59.666283+00	2	refused	2026-11-30 22:17:59.666283+00	0b1fb37f-2818-4788-b529-8004ab5f68de	2026-11-30 22:17:59.666283+00	d1
alice	0	2026-11-30 22:17:59.666283+00	0		2026-11-30 22:17:59.666283+00	\N	\N	
\.
COPY mcp_memory.embedding_jobs (chunk_id, model_id, agent_id, attempts, next_try_at, lease, problem) FROM stdin;
28	2	bob	9	infinity	c3b4bc41-a90a-445d-a734-67998a218598	failed\t\\
27	2	bob	9	infinity	1ca34d36-cd7c-45f6-badd-1e0132bd6ff4	failed\t\\
\.
COPY mcp_memory.embedding_models (id, provider, model, dimensions, state, prepared, problem, created_at, activated_at) FROM stdin;
1	hashing	hashing-v1	8	active	t		2026-11-30 22:17:55.186095+00	2026-11-30 22:17:55.186095+00
2	openai	big'model	4	filling	f	no key	2026-11-30 22:17:59.642449+00	\N
3	hashing	gone	3	dropping	f		2026-11-30 22:17:59.642449+00	\N
\.
COPY mcp_memory.entities (id, agent_id, name, type, normal, words, created_at) FROM stdin;
1	bob	Acme	company	acme	{acm,acme}	2026-11-30 22:17:56.555696+00
2	bob	Bob	person	bob	{bob}	2026-11-30 22:17:56.555696+00
3	alice	Acme	company	acme	{acm,acme}	2026-11-30 22:17:57.802474+00
4	alice	Alice	person	alice	{alic,alice}	2026-11-30 22:17:57.802474+00
\.
COPY mcp_memory.entity_aliases (agent_id, type, normal, alias, entity_id, merged) FROM stdin;
bob	company	ac	A\\C	1	t
alice	company	ac	A\\C	3	t
\.
COPY mcp_memory.idempotency_keys (agent_id, key, request_hash, response, created_at) FROM stdin;
bob	k-bob	\\x96828e9f040d93a18380c1a93c3d9cf761784408d9edee322874029b57ff4ba5	{"path": "shared/bob.md", "chunks": 1, "changed": true, "created": true, "version": 1, "pending_embeddings": 0}	2026-11-30 22:17:55.788062+00
alice	k-alice	\\x3e8bdf2b8767cd2b1d35fd79af8f1eee428f4ae917edf8f95d0c5bbf146d5b53	{"path": "shared/alice.md", "chunks": 1, "changed": true, "created": true, "version": 1, "pending_embeddings": 0}	2026-11-30 22:17:57.606091+00
\.
COPY mcp_memory.lexeme_changes (id, agent_id, shared, change, chunks, lexemes) FROM stdin;
4	bob	t	1	1	{about,bob,bob.md,marmalad,md,o,of,share,shared/bob.md,text,x,y,~in:2026-11,~on:2026-11-30,ö}
5	bob	f	1	1	{be,delet,deleted.md,md,old,old/deleted.md,to,~in:2026-11,~on:2026-11-30}
6	bob	f	-1	1	{be,delet,deleted.md,md,old,old/deleted.md,to,~in:2026-11,~on:2026-11-30}
7	bob	f	1	4	{am,bob,deadlin,hello,i,is,the,when,~in:2026-11,~on:2026-11-30,friday,next,on,week,~in:2026-11,~in:2026-12,~on:2026-11-27,~on:2026-11-30,~on:2026-12-07,~on:2026-12-08,~on:2026-12-09,~on:2026-12-10,~on:2026-12-11,~on:2026-12-12,~on:2026-12-13,1,exit,~in:2026-11,~on:2026-11-30,a,b,"b\\\\n",n,word,~in:2026-11,~on:2026-11-30}
8	bob	t	1	1	{acm,at,bob,carol,with,work,~in:2026-11,~on:2026-11-30}
9	bob	f	1	1	{bob,like,tea,~in:2020-01,~in:2026-11,~on:2020-01-01,~on:2026-11-30}
10	bob	f	1	1	{bob,forgot,this,~in:2026-11,~on:2026-11-30}
11	alice	f	1	1	{#421,1,421,and,app,awkward,awkward.md,backslash,brace,branch,dollar,doubl,featur,feature/x-1,in,line,main,main.py,md,n,note,notes/awkward.md,on,pr,py,quot,s,see,src,src/app/main.py,tab,two,unicod,x,x-1,~in:2026-11,~on:2026-11-30,ünïcödé,字,漢,漢字,🦊}
12	alice	f	-1	1	{#421,1,421,and,app,awkward,awkward.md,backslash,brace,branch,dollar,doubl,featur,feature/x-1,in,line,main,main.py,md,n,note,notes/awkward.md,on,pr,py,quot,s,see,src,src/app/main.py,tab,two,unicod,x,x-1,~in:2026-11,~on:2026-11-30,ünïcödé,字,漢,漢字,🦊}
13	alice	f	1	1	{#421,1,421,and,app,awkward,awkward.md,backslash,brace,branch,dollar,doubl,featur,feature/x-1,in,line,main,main.py,md,n,note,notes/awkward.md,on,pr,py,quot,s,second,see,src,src/app/main.py,tab,two,unicod,version,x,x-1,yesterday,~in:2026-11,~on:2026-11-29,~on:2026-11-30,ünïcödé,字,漢,漢字,🦊}
14	alice	t	1	1	{about,alic,alice.md,marmalad,md,o,of,share,shared/alice.md,text,x,y,~in:2026-11,~on:2026-11-30,ö}
15	alice	f	1	1	{be,delet,deleted.md,md,old,old/deleted.md,to,~in:2026-11,~on:2026-11-30}
16	alice	f	-1	1	{be,delet,deleted.md,md,old,old/deleted.md,to,~in:2026-11,~on:2026-11-30}
17	alice	f	1	4	{alic,am,deadlin,hello,i,is,the,when,~in:2026-11,~on:2026-11-30,friday,next,on,week,~in:2026-11,~in:2026-12,~on:2026-11-27,~on:2026-11-30,~on:2026-12-07,~on:2026-12-08,~on:2026-12-09,~on:2026-12-10,~on:2026-12-11,~on:2026-12-12,~on:2026-12-13,1,exit,~in:2026-11,~on:2026-11-30,a,b,"b\\\\n",n,word,~in:2026-11,~on:2026-11-30}
18	alice	f	1	1	{acm,alic,at,carol,with,work,~in:2026-11,~on:2026-11-30}
19	alice	f	1	1	{alic,like,tea,~in:2020-01,~in:2026-11,~on:2020-01-01,~on:2026-11-30}
20	alice	f	1	1	{alic,forgot,this,~in:2026-11,~on:2026-11-30}
21	bob	f	1	1	{#421,1,421,and,app,awkward,awkward.md,backslash,brace,branch,dollar,doubl,featur,feature/x-1,in,line,main,main.py,md,n,note,notes/awkward.md,on,pr,py,quot,s,see,src,src/app/main.py,tab,two,unicod,x,x-1,~in:2026-11,~on:2026-11-30,ünïcödé,字,漢,漢字,🦊}
22	bob	f	-1	1	{#421,1,421,and,app,awkward,awkward.md,backslash,brace,branch,dollar,doubl,featur,feature/x-1,in,line,main,main.py,md,n,note,notes/awkward.md,on,pr,py,quot,s,see,src,src/app/main.py,tab,two,unicod,x,x-1,~in:2026-11,~on:2026-11-30,ünïcödé,字,漢,漢字,🦊}
23	bob	f	1	1	{be,delet,deleted.md,md,old,old/deleted.md,to,~in:2026-11,~on:2026-11-30}
24	bob	f	-1	1	{be,delet,deleted.md,md,old,old/deleted.md,to,~in:2026-11,~on:2026-11-30}
25	bob	f	1	4	{am,bob,deadlin,hello,i,is,the,when,~in:2026-11,~on:2026-11-30,friday,next,on,week,~in:2026-11,~in:2026-12,~on:2026-11-27,~on:2026-11-30,~on:2026-12-07,~on:2026-12-08,~on:2026-12-09,~on:2026-12-10,~on:2026-12-11,~on:2026-12-12,~on:2026-12-13,1,exit,~in:2026-11,~on:2026-11-30,a,b,"b\\\\n",n,word,~in:2026-11,~on:2026-11-30}
26	alice	f	1	1	{pending,'q'}
\.
COPY mcp_memory.lexeme_counts (lexeme, agent_id, shared, chunks) FROM stdin;
backslash	bob	f	1
pr	bob	f	1
x-1	bob	f	1
s	bob	f	1
dollar	bob	f	1
awkward	bob	f	1
app	bob	f	1
see	bob	f	1
src/app/main.py	bob	f	1
notes/awkward.md	bob	f	1
yesterday	bob	f	1
note	bob	f	1
字	bob	f	1
1	bob	f	1
branch	bob	f	1
漢字	bob	f	1
line	bob	f	1
~on:2026-11-29	bob	f	1
two	bob	f	1
in	bob	f	1
doubl	bob	f	1
🦊	bob	f	1
~on:2026-11-30	bob	f	1
421	bob	f	1
version	bob	f	1
漢	bob	f	1
on	bob	f	1
main	bob	f	1
#421	bob	f	1
md	bob	f	1
ünïcödé	bob	f	1
py	bob	f	1
~in:2026-11	bob	f	1
x	bob	f	1
feature/x-1	bob	f	1
and	bob	f	1
src	bob	f	1
n	bob	f	1
second	bob	f	1
main.py	bob	f	1
quot	bob	f	1
brace	bob	f	1
awkward.md	bob	f	1
featur	bob	f	1
tab	bob	f	1
unicod	bob	f	1
	bob	f	1
\.
COPY mcp_memory.memories (id, agent_id, shared, version, fingerprint, supersedes, expires_at, created_at, forgotten_at, forgotten_because) FROM stdin;
1	bob	t	1	\\x2f1743bb690d86493e78ed547c295a8fbfbfccdfab6483e5f471141225dbf0a5	\N	\N	2026-11-30 22:17:56.555696+00	\N	
2	bob	f	1	\\x41a47e6e84f4088887be3b0cca2ecedbc1f44220f4fc3fc09ba57706534a670a	\N	\N	2026-11-30 22:17:56.76347+00	\N	
4	alice	f	1	\\xffc6ebf8f83ec4b93e041eb34df815dedfcf77ac4c3d65c03c259a3f6a4638f9	\N	\N	2026-11-30 22:17:57.802474+00	\N	
5	alice	f	1	\\xaea9d59dc6b6d0c6c37a4f426165d6839cd2634e3bc434d17f18841d59560fd3	\N	\N	2026-11-30 22:17:57.930757+00	\N	
3	bob	f	1	\\x9f082b4f487ce48ccfa1c0b1ebaf5b50ef1f4f0fe16023a19c1071c88fd19ec2	\N	\N	2026-11-30 22:17:56.920624+00	2026-11-30 22:17:59.67626+00	asked
6	alice	f	1	\\x957f3e25f0730748c9b288a74bef481ee7e443d2ab7ccb9db8c1c6802b925141	\N	\N	2026-11-30 22:17:58.045126+00	2026-11-30 22:17:59.67626+00	asked
7	alice	f	1	\N	4	\N	2026-11-30 22:17:59.682248+00	\N	
\.
COPY mcp_memory.memory_links (id, memory_id, version, agent_id, shared, target_id, relation_type, truth, expires_at) FROM stdin;
1	1	1	bob	f	3	related_to	(,)	\N
2	1	1	bob	f	2	related_to	(,)	\N
\.
COPY mcp_memory.memory_mentions (memory_id, version, agent_id, shared, entity_id, name, type, normal, known_as, truth, expires_at) FROM stdin;
1	1	bob	t	2	Bob	person	bob	{}	(,)	\N
1	1	bob	t	1	Acme	company	acme	{}	(,)	\N
4	1	alice	f	4	Alice	person	alice	{}	(,)	\N
4	1	alice	f	3	Acme	company	acme	{}	(,)	\N
\.
COPY mcp_memory.memory_relations (id, memory_id, version, agent_id, shared, subject_id, relation, object_id, subject, object, valid_from, valid_until, truth, expires_at) FROM stdin;
1	1	1	bob	t	2	works_at	1	Bob	Acme	\N	\N	(,)	\N
2	4	1	alice	f	4	works_at	3	Alice	Acme	\N	\N	(,)	\N
\.
COPY mcp_memory.memory_spans (memory_id, version, agent_id, shared, valid_from, valid_until, recorded_at, retired_at) FROM stdin;
1	1	bob	t	\N	\N	2026-11-30 22:17:56.590943+00	\N
2	1	bob	f	2020-01-01 00:00:00+00	\N	2026-11-30 22:17:56.787386+00	\N
3	1	bob	f	\N	\N	2026-11-30 22:17:56.929062+00	\N
4	1	alice	f	\N	\N	2026-11-30 22:17:57.82268+00	\N
5	1	alice	f	2020-01-01 00:00:00+00	\N	2026-11-30 22:17:57.940564+00	\N
6	1	alice	f	\N	\N	2026-11-30 22:17:58.06653+00	\N
\.
COPY mcp_memory.memory_versions (memory_id, version, agent_id, shared, memory_type, content, tokens, reasoning, importance, confidence, source, trust, session_id, message_ids, tags, occurred_at, reason) FROM stdin;
1	1	bob	t	fact	bob works with Carol at Acme.	7		0.6	1		agent		{}	{}	\N	
2	1	bob	f	preference	bob likes tea.	4		0.9	1		agent		{}	{}	\N	
3	1	bob	f	todo	bob forgot this.	4		0.8	1		agent		{}	{}	\N	
4	1	alice	f	fact	alice works with Carol at Acme.	7		0.6	1		agent		{}	{}	\N	
5	1	alice	f	preference	alice likes tea.	4		0.9	1		agent		{}	{}	\N	
6	1	alice	f	todo	alice forgot this.	4		0.8	1		agent		{}	{}	\N	
\.
COPY mcp_memory.messages (id, agent_id, recipients, is_public, thread_id, reply_to, subject, content, type, channel, priority, sent_at, expires_at) FROM stdin;
1	alice	{bob}	f	1	\N		Mail with 'quotes'\tand tab	message		9	2026-11-30 22:17:58.170092+00	\N
2	alice	{bob}	t	2	\N		to all	note		5	2026-11-30 22:17:58.206137+00	\N
3	bob	{alice}	f	3	\N		Mail with 'quotes'\tand tab	message		9	2026-11-30 22:17:59.456868+00	\N
4	bob	{alice}	t	4	\N		to all	note		5	2026-11-30 22:17:59.470129+00	\N
\.
COPY mcp_memory.migrations (number, name, sha256, applied_at) FROM stdin;
1	core	b196ae911f6ea35d55b146fa7cc306270751821f14cd6a3ee0b65a41163c16b0	2026-11-30 22:17:54.35428+00
2	documents	0001f6bff239215cc56fbd7157af3c29c7c3fc8d92d6ac892e8fd23074f568a3	2026-11-30 22:17:54.390359+00
3	embeddings	035203a51744b04185838c5c9597448a82fa9c9c0d091afee891d33e9961448c	2026-11-30 22:17:54.458088+00
4	transcripts	9bf5439f24ff1032861f359f56cc3f6cd3616948c234fa1a8843812669f63385	2026-11-30 22:17:54.50535+00
5	keys	a470451269af5c21647b0ad1d57bc08720b3f2ccd2878b9fe206884044c69a79	2026-11-30 22:17:54.567588+00
6	recall	08c6d742ac26ad08a631d4f32399c3505b696a0e75acbc3486acd7981a9bcbf9	2026-11-30 22:17:54.582435+00
7	messages	d2833ee0313cfdd201c612f595fad0aea849bfc8d5d0a32fc13bae250722ca1e	2026-11-30 22:17:54.614141+00
8	graph	40bd9fa198b9305d4d159db2c32a2c712f47a5005d932e35bbe3fe08f8888016	2026-11-30 22:17:54.663072+00
9	speed	3371ab0e9bc988940add274377a2642bb942b296c9c80fc038b5487835418059	2026-11-30 22:17:54.736268+00
10	anchors	28b4f63f4b677a65356cd2523d84cd4438be35b2ed2363b20d4a48fbb7d93818	2026-11-30 22:17:54.739418+00
11	usage	13e4adfc1f267ba1ffffe4ad097c6fa844179e04fc434c54a7cdb9ca91ee4f5c	2026-11-30 22:17:54.746653+00
12	spelling	ce465cc96ee8d40e87b8057ff37e5231df2f5f4365543c9a45b297ce478631bd	2026-11-30 22:17:54.75074+00
13	wake	4a3b1967338c3cd70c6f2ad0fc2e526d5874b47415f485a6e7e5033d054935ea	2026-11-30 22:17:54.752485+00
14	alone	427059c0d108e3c81934aee0c38d7af4f6f293d52ec05ec3641a39a0847f7d27	2026-11-30 22:17:54.774827+00
15	names	0630c38e0b80c8015c818c18b3d1ab78495e04e0500ff191d892f66767650696	2026-11-30 22:17:54.777061+00
16	renewal	0a54d79f0717e2208b2705458424bada8bfd8d9b6c73f458ef1984167e812477	2026-11-30 22:17:54.782703+00
17	priors	6b50ec16700b8b9e304eaf9dff7477d747058f59064503657af7791ec9c47659	2026-11-30 22:17:54.7954+00
18	depth	6151411497878eb87bb352ab75b74a6799843280347f5dd2a7e2411c9a69f324	2026-11-30 22:17:54.79707+00
19	routes	39226a25148042b464c0fbe432701a44f17b07cd2ae1d38c1dcd4b4ae1890d65	2026-11-30 22:17:54.80017+00
\.
COPY mcp_memory.protected_tables (name, readable, writable, addable) FROM stdin;
mcp_memory.idempotency_keys	agent_id = mcp_memory.current_agent()	agent_id = mcp_memory.current_agent()	\N
mcp_memory.audit_log	agent_id = mcp_memory.current_agent()	agent_id = mcp_memory.current_agent()	\N
mcp_memory.registered_databases	false	false	\N
mcp_memory.documents	mcp_memory.visible(agent_id, shared AND deleted_at IS NULL)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.document_versions	mcp_memory.visible(agent_id, shared) AND EXISTS (SELECT FROM mcp_memory.documents d WHERE d.id = document_id)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.chunks	mcp_memory.visible(agent_id, shared)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.lexeme_counts	mcp_memory.visible(agent_id, shared)	false	\N
mcp_memory.lexeme_changes	false	false	\N
mcp_memory.embedding_models	mcp_memory.current_agent() IS NOT NULL	false	\N
mcp_memory.chunk_embeddings	EXISTS (SELECT FROM mcp_memory.chunks c WHERE c.id = chunk_id)	false	\N
mcp_memory.embedding_jobs	agent_id = mcp_memory.current_agent()	false	\N
mcp_memory.sessions	mcp_memory.visible(agent_id, shared)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.session_messages	mcp_memory.visible(agent_id, shared)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.summaries	mcp_memory.visible(agent_id, shared)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.transcript_files	agent_id = mcp_memory.current_agent()	agent_id = mcp_memory.current_agent()	\N
mcp_memory.api_keys	false	false	\N
mcp_memory.agents	mcp_memory.current_agent() IS NOT NULL	agent_id = mcp_memory.current_agent()	\N
mcp_memory.channel_subscriptions	mcp_memory.current_agent() IS NOT NULL	agent_id = mcp_memory.current_agent()	\N
mcp_memory.messages	agent_id = mcp_memory.current_agent() OR mcp_memory.current_agent() = ANY (recipients)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.memories	mcp_memory.visible(agent_id, shared AND forgotten_at IS NULL)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.memory_versions	mcp_memory.visible(agent_id, shared) AND EXISTS (SELECT FROM mcp_memory.memories m WHERE m.id = memory_id)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.memory_spans	mcp_memory.visible(agent_id, shared)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.entities	agent_id = mcp_memory.current_agent()	agent_id = mcp_memory.current_agent()	\N
mcp_memory.entity_aliases	agent_id = mcp_memory.current_agent()	agent_id = mcp_memory.current_agent()	\N
mcp_memory.memory_mentions	mcp_memory.visible(agent_id, shared)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.memory_relations	mcp_memory.visible(agent_id, shared)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.memory_links	mcp_memory.visible(agent_id, shared)	agent_id = mcp_memory.current_agent()	\N
mcp_memory.chunk_usage	agent_id = mcp_memory.current_agent()	false	\N
mcp_memory.wake_routes	false	false	\N
mcp_memory.doorbells	false	false	\N
mcp_memory.rings	false	false	\N
mcp_memory.bells	false	false	\N
mcp_memory.deliveries	agent_id = mcp_memory.current_agent()	agent_id = mcp_memory.current_agent()	sender = mcp_memory.current_agent() AND state = 'queued' AND leased_until IS NULL
\.
COPY mcp_memory.registered_databases (name, url, registered_by, registered_at) FROM stdin;
far	postgresql://u:p%40ss@far/db	alice	2026-11-30 22:17:59.660985+00
\.
COPY mcp_memory.rings (id, agent_id, kind, state, attempts, problem, begun_at, ended_at) FROM stdin;
00000000-0000-0000-0000-000000000001	bob	webhook	trying	3	E	2026-11-30 22:17:59.666755+00	\N
00000000-0000-0000-0000-000000000002	bob	webhook	rung	1		2026-11-30 22:17:59.666755+00	2026-11-30 22:17:59.666755+00
00000000-0000-0000-0000-000000000003	alice	webhook	given_up	7	x	2026-11-30 22:17:59.666755+00	2026-11-30 22:17:59.666755+00
00000000-0000-0000-0000-000000000004	alice	webhook	not_needed	0		2026-11-30 22:17:59.666755+00	2026-11-30 22:17:59.666755+00
\.
COPY mcp_memory.session_messages (id, agent_id, shared, session, seq, external_id, role, speaker, source, content, tokens, metadata, created_at) FROM stdin;
1	bob	f	1	1	25a9c5daec2846f69bc85837bbe31454	user		mcp	Hello, I am bob. When is the deadline?	11	{}	2026-11-30 22:17:56.521507+00
2	bob	f	1	2	ee62efb1d4614423aa73dbe698b8ac0b	assistant		mcp	Next week on Friday.	5	{}	2026-11-30 22:17:56.521784+00
3	bob	f	1	3	99e61b9a1e164cbfac43aff37b3d5084	tool		mcp	exit 1\n\\.\n	5	{}	2026-11-30 22:17:56.521802+00
4	bob	f	1	4	f917a3edac774cc9a1623d9ed3f935da	user		mcp	a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word 	44	{}	2026-11-30 22:17:56.521812+00
5	alice	f	2	1	4a46d81b2d77468d9f9df398b869feff	user		mcp	Hello, I am alice. When is the deadline?	11	{}	2026-11-30 22:17:57.749899+00
6	alice	f	2	2	b85a0bfc0ddc4dc5a1b58e58f7ba4b43	assistant		mcp	Next week on Friday.	5	{}	2026-11-30 22:17:57.75419+00
7	alice	f	2	3	a1e087c998fd42419a6d270a3b49d5f6	tool		mcp	exit 1\n\\.\n	5	{}	2026-11-30 22:17:57.754214+00
8	alice	f	2	4	75df5a73a7eb4148ada6c6f5ff4b8916	user		mcp	a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word 	44	{}	2026-11-30 22:17:57.754226+00
9	bob	f	1	5	8dafcd4c54fe401bbe1d7cb857786172	user		mcp	Hello, I am bob. When is the deadline?	11	{}	2026-11-30 22:17:59.141399+00
10	bob	f	1	6	c3ef464c3b1444d487f55fd7682f2013	assistant		mcp	Next week on Friday.	5	{}	2026-11-30 22:17:59.141554+00
11	bob	f	1	7	37852b94a18744ebac3157d86b861650	tool		mcp	exit 1\n\\.\n	5	{}	2026-11-30 22:17:59.141571+00
12	bob	f	1	8	fa896c45c3f74702a04102bff74123cd	user		mcp	a\tb\\n word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word 	44	{}	2026-11-30 22:17:59.141582+00
\.
COPY mcp_memory.sessions (id, agent_id, shared, session_id, source, last_seq, messages, first_at, last_at, flushed, created_at) FROM stdin;
2	alice	f	s-1	mcp	4	4	2026-11-30 22:17:57.749899+00	2026-11-30 22:17:57.754226+00	0	2026-11-30 22:17:57.728064+00
1	bob	f	s-1	mcp	8	8	2026-11-30 22:17:56.521507+00	2026-11-30 22:17:59.141582+00	0	2026-11-30 22:17:56.495021+00
\.
COPY mcp_memory.summaries (id, agent_id, shared, session, parent, depth, seq_from, seq_to, summary, tokens, lexemes, after_at, last_at, stale, created_at) FROM stdin;
1	alice	f	2	\N	1	1	2	Sum'd	3	'sum':1	-infinity	2026-11-30 22:17:59.674855+00	t	2026-11-30 22:17:59.674855+00
2	bob	f	1	\N	1	1	2	Sum'd	3	'sum':1	-infinity	2026-11-30 22:17:59.674855+00	t	2026-11-30 22:17:59.674855+00
\.
COPY mcp_memory.transcript_files (agent_id, path, read_to, fingerprint, state, updated_at) FROM stdin;
alice	/tmp/a b\\c.jsonl	12	\\x00ff	{"n": [1, null]}	2026-11-30 22:17:59.674113+00
\.
COPY mcp_memory.wake_routes (agent_id, route, added_at) FROM stdin;
bob	{"url": "http://127.0.0.1:1/x", "kind": "webhook", "token": {"env": "T"}}	2026-11-30 22:17:59.665661+00
\.
SELECT pg_catalog.setval('mcp_memory.audit_log_id_seq', 27, true);
SELECT pg_catalog.setval('mcp_memory.chunks_id_seq', 28, true);
SELECT pg_catalog.setval('mcp_memory.documents_id_seq', 7, true);
SELECT pg_catalog.setval('mcp_memory.embedding_models_id_seq', 3, true);
SELECT pg_catalog.setval('mcp_memory.entities_id_seq', 4, true);
SELECT pg_catalog.setval('mcp_memory.lexeme_changes_id_seq', 26, true);
SELECT pg_catalog.setval('mcp_memory.memories_id_seq', 7, true);
SELECT pg_catalog.setval('mcp_memory.memory_links_id_seq', 2, true);
SELECT pg_catalog.setval('mcp_memory.memory_relations_id_seq', 2, true);
SELECT pg_catalog.setval('mcp_memory.messages_id_seq', 4, true);
SELECT pg_catalog.setval('mcp_memory.session_messages_id_seq', 12, true);
SELECT pg_catalog.setval('mcp_memory.sessions_id_seq', 2, true);
SELECT pg_catalog.setval('mcp_memory.summaries_id_seq', 2, true);
ALTER TABLE ONLY mcp_memory.agents
    ADD CONSTRAINT agents_pkey PRIMARY KEY (agent_id);
ALTER TABLE ONLY mcp_memory.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.bells
    ADD CONSTRAINT bells_pkey PRIMARY KEY (agent_id, message_id);
ALTER TABLE ONLY mcp_memory.channel_subscriptions
    ADD CONSTRAINT channel_subscriptions_pkey PRIMARY KEY (channel, agent_id);
ALTER TABLE ONLY mcp_memory.chunk_embeddings
    ADD CONSTRAINT chunk_embeddings_pkey PRIMARY KEY (chunk_id, model_id);
ALTER TABLE ONLY mcp_memory.chunk_usage
    ADD CONSTRAINT chunk_usage_pkey PRIMARY KEY (chunk_id, agent_id);
ALTER TABLE ONLY mcp_memory.chunks
    ADD CONSTRAINT chunks_id_agent_id_key UNIQUE (id, agent_id);
ALTER TABLE ONLY mcp_memory.chunks
    ADD CONSTRAINT chunks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (agent_id, message_id);
ALTER TABLE ONLY mcp_memory.document_versions
    ADD CONSTRAINT document_versions_pkey PRIMARY KEY (document_id, version);
ALTER TABLE ONLY mcp_memory.documents
    ADD CONSTRAINT documents_id_agent_id_key UNIQUE (id, agent_id);
ALTER TABLE ONLY mcp_memory.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.doorbells
    ADD CONSTRAINT doorbells_pkey PRIMARY KEY (agent_id);
ALTER TABLE ONLY mcp_memory.embedding_jobs
    ADD CONSTRAINT embedding_jobs_pkey PRIMARY KEY (chunk_id, model_id);
ALTER TABLE ONLY mcp_memory.embedding_models
    ADD CONSTRAINT embedding_models_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.embedding_models
    ADD CONSTRAINT embedding_models_provider_model_dimensions_key UNIQUE (provider, model, dimensions);
ALTER TABLE ONLY mcp_memory.entities
    ADD CONSTRAINT entities_agent_id_type_normal_key UNIQUE (agent_id, type, normal);
ALTER TABLE ONLY mcp_memory.entities
    ADD CONSTRAINT entities_id_agent_id_key UNIQUE (id, agent_id);
ALTER TABLE ONLY mcp_memory.entities
    ADD CONSTRAINT entities_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.entity_aliases
    ADD CONSTRAINT entity_aliases_pkey PRIMARY KEY (agent_id, type, normal);
ALTER TABLE ONLY mcp_memory.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (agent_id, key);
ALTER TABLE ONLY mcp_memory.lexeme_changes
    ADD CONSTRAINT lexeme_changes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.lexeme_counts
    ADD CONSTRAINT lexeme_counts_pkey PRIMARY KEY (lexeme, agent_id, shared);
ALTER TABLE ONLY mcp_memory.memories
    ADD CONSTRAINT memories_id_agent_id_key UNIQUE (id, agent_id);
ALTER TABLE ONLY mcp_memory.memories
    ADD CONSTRAINT memories_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.memories
    ADD CONSTRAINT memories_supersedes_key UNIQUE (supersedes);
ALTER TABLE ONLY mcp_memory.memory_links
    ADD CONSTRAINT memory_links_memory_id_version_target_id_relation_type_key UNIQUE (memory_id, version, target_id, relation_type);
ALTER TABLE ONLY mcp_memory.memory_links
    ADD CONSTRAINT memory_links_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.memory_mentions
    ADD CONSTRAINT memory_mentions_pkey PRIMARY KEY (memory_id, version, entity_id, normal);
ALTER TABLE ONLY mcp_memory.memory_relations
    ADD CONSTRAINT memory_relations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.memory_spans
    ADD CONSTRAINT memory_spans_apart EXCLUDE USING gist (int8range(memory_id, memory_id, '[]'::text) WITH &&, tstzrange(valid_from, valid_until) WITH &&, tstzrange(recorded_at, retired_at) WITH &&);
ALTER TABLE ONLY mcp_memory.memory_versions
    ADD CONSTRAINT memory_versions_pkey PRIMARY KEY (memory_id, version, agent_id);
ALTER TABLE ONLY mcp_memory.messages
    ADD CONSTRAINT messages_id_agent_id_key UNIQUE (id, agent_id);
ALTER TABLE ONLY mcp_memory.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (number);
ALTER TABLE ONLY mcp_memory.protected_tables
    ADD CONSTRAINT protected_tables_pkey PRIMARY KEY (name);
ALTER TABLE ONLY mcp_memory.registered_databases
    ADD CONSTRAINT registered_databases_pkey PRIMARY KEY (name);
ALTER TABLE ONLY mcp_memory.rings
    ADD CONSTRAINT rings_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.session_messages
    ADD CONSTRAINT session_messages_id_agent_id_key UNIQUE (id, agent_id);
ALTER TABLE ONLY mcp_memory.session_messages
    ADD CONSTRAINT session_messages_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.session_messages
    ADD CONSTRAINT session_messages_session_external_id_key UNIQUE (session, external_id);
ALTER TABLE ONLY mcp_memory.session_messages
    ADD CONSTRAINT session_messages_session_seq_key UNIQUE (session, seq);
ALTER TABLE ONLY mcp_memory.sessions
    ADD CONSTRAINT sessions_agent_id_session_id_key UNIQUE (agent_id, session_id);
ALTER TABLE ONLY mcp_memory.sessions
    ADD CONSTRAINT sessions_id_agent_id_key UNIQUE (id, agent_id);
ALTER TABLE ONLY mcp_memory.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.summaries
    ADD CONSTRAINT summaries_id_agent_id_key UNIQUE (id, agent_id);
ALTER TABLE ONLY mcp_memory.summaries
    ADD CONSTRAINT summaries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY mcp_memory.transcript_files
    ADD CONSTRAINT transcript_files_pkey PRIMARY KEY (agent_id, path);
ALTER TABLE ONLY mcp_memory.wake_routes
    ADD CONSTRAINT wake_routes_pkey PRIMARY KEY (agent_id);
CREATE INDEX api_keys_agent ON mcp_memory.api_keys USING btree (agent_id);
CREATE INDEX audit_log_agent_at ON mcp_memory.audit_log USING btree (agent_id, at);
CREATE INDEX bells_due ON mcp_memory.bells USING btree (agent_id, queued_at) WHERE (state = 'due'::text);
CREATE INDEX bells_message ON mcp_memory.bells USING btree (message_id);
CREATE INDEX bells_ring ON mcp_memory.bells USING btree (ring) WHERE (ring IS NOT NULL);
CREATE INDEX channel_subscriptions_agent ON mcp_memory.channel_subscriptions USING btree (agent_id);
CREATE INDEX chunk_embeddings_model_1 ON mcp_memory.chunk_embeddings USING hnsw (((embedding)::public.halfvec(8)) public.halfvec_cosine_ops) WHERE (model_id = 1);
CREATE INDEX chunk_embeddings_model_2 ON mcp_memory.chunk_embeddings USING hnsw (((embedding)::public.halfvec(4)) public.halfvec_cosine_ops) WHERE (model_id = 2);
CREATE INDEX chunks_agent ON mcp_memory.chunks USING btree (agent_id, source);
CREATE INDEX chunks_document ON mcp_memory.chunks USING btree (document_id, "position");
CREATE INDEX chunks_indexed_by ON mcp_memory.chunks USING btree (indexed_by);
CREATE INDEX chunks_lexemes ON mcp_memory.chunks USING gin (lexemes) WITH (fastupdate=off);
CREATE INDEX chunks_memory ON mcp_memory.chunks USING btree (memory_id, memory_version, "position") WHERE (memory_id IS NOT NULL);
CREATE INDEX chunks_message ON mcp_memory.chunks USING btree (message_id, "position") WHERE (message_id IS NOT NULL);
CREATE INDEX chunks_session ON mcp_memory.chunks USING btree (session, seq) WHERE (session IS NOT NULL);
CREATE INDEX chunks_shared ON mcp_memory.chunks USING btree (source) WHERE shared;
CREATE INDEX chunks_text_hash ON mcp_memory.chunks USING btree (text_hash);
CREATE INDEX deliveries_expiring ON mcp_memory.deliveries USING btree (expires_at) WHERE ((expires_at IS NOT NULL) AND (state = ANY (ARRAY['queued'::text, 'delivered'::text])));
CREATE INDEX deliveries_message ON mcp_memory.deliveries USING btree (message_id);
CREATE INDEX deliveries_unread ON mcp_memory.deliveries USING btree (agent_id, priority DESC, message_id) WHERE (state = ANY (ARRAY['queued'::text, 'delivered'::text]));
CREATE INDEX documents_deleted ON mcp_memory.documents USING btree (agent_id, path, deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE UNIQUE INDEX documents_path ON mcp_memory.documents USING btree (agent_id, path) WHERE (deleted_at IS NULL);
CREATE INDEX documents_shared_path ON mcp_memory.documents USING btree (path) WHERE (shared AND (deleted_at IS NULL));
CREATE INDEX embedding_jobs_due ON mcp_memory.embedding_jobs USING btree (model_id, attempts, next_try_at DESC, chunk_id DESC);
CREATE UNIQUE INDEX embedding_models_active ON mcp_memory.embedding_models USING btree (state) WHERE (state = 'active'::text);
CREATE INDEX entities_normal ON mcp_memory.entities USING btree (agent_id, normal);
CREATE INDEX entities_words ON mcp_memory.entities USING gin (words);
CREATE INDEX entity_aliases_entity ON mcp_memory.entity_aliases USING btree (entity_id);
CREATE INDEX entity_aliases_normal ON mcp_memory.entity_aliases USING btree (agent_id, normal);
CREATE INDEX idempotency_keys_created_at ON mcp_memory.idempotency_keys USING btree (created_at);
CREATE INDEX lexeme_changes_agent ON mcp_memory.lexeme_changes USING btree (agent_id);
CREATE INDEX memories_agent ON mcp_memory.memories USING btree (agent_id, created_at DESC, id DESC);
CREATE INDEX memories_expires ON mcp_memory.memories USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE UNIQUE INDEX memories_fingerprint ON mcp_memory.memories USING btree (agent_id, fingerprint) WHERE (forgotten_at IS NULL);
CREATE INDEX memories_forgotten ON mcp_memory.memories USING btree (forgotten_at) WHERE (forgotten_at IS NOT NULL);
CREATE INDEX memory_links_target ON mcp_memory.memory_links USING btree (target_id);
CREATE INDEX memory_mentions_entity ON mcp_memory.memory_mentions USING btree (entity_id, memory_id);
CREATE INDEX memory_mentions_normal ON mcp_memory.memory_mentions USING btree (normal) WHERE shared;
CREATE INDEX memory_relations_object ON mcp_memory.memory_relations USING btree (object_id, id);
CREATE INDEX memory_relations_subject ON mcp_memory.memory_relations USING btree (subject_id, id);
CREATE INDEX memory_relations_version ON mcp_memory.memory_relations USING btree (memory_id, version);
CREATE UNIQUE INDEX memory_spans_current ON mcp_memory.memory_spans USING btree (memory_id, version) WHERE (retired_at IS NULL);
CREATE INDEX memory_spans_version ON mcp_memory.memory_spans USING btree (memory_id, version);
CREATE INDEX memory_versions_source ON mcp_memory.memory_versions USING btree (agent_id, source) WHERE (source <> ''::text);
CREATE INDEX messages_reply_to ON mcp_memory.messages USING btree (reply_to) WHERE (reply_to IS NOT NULL);
CREATE INDEX messages_sender ON mcp_memory.messages USING btree (agent_id, id);
CREATE INDEX messages_thread ON mcp_memory.messages USING btree (thread_id, id);
CREATE INDEX rings_given_up ON mcp_memory.rings USING btree (agent_id, ended_at) WHERE (state = 'given_up'::text);
CREATE UNIQUE INDEX rings_trying ON mcp_memory.rings USING btree (agent_id) WHERE (state = 'trying'::text);
CREATE INDEX session_messages_external_id ON mcp_memory.session_messages USING btree (agent_id, external_id);
CREATE INDEX session_messages_recent ON mcp_memory.session_messages USING btree (agent_id, created_at DESC, id DESC);
CREATE INDEX session_messages_spoken ON mcp_memory.session_messages USING btree (session, created_at, seq);
CREATE INDEX sessions_last_at ON mcp_memory.sessions USING btree (agent_id, last_at DESC, id DESC);
CREATE INDEX summaries_agent ON mcp_memory.summaries USING btree (agent_id);
CREATE INDEX summaries_parent ON mcp_memory.summaries USING btree (parent);
CREATE INDEX summaries_session ON mcp_memory.summaries USING btree (session, seq_from);
CREATE TRIGGER enqueue_embeddings AFTER INSERT ON mcp_memory.chunks REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.enqueue_embeddings();
CREATE TRIGGER forget_usage AFTER DELETE ON mcp_memory.chunks REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.forget_usage();
CREATE TRIGGER mark_owner BEFORE INSERT OR UPDATE OF lexemes, shared ON mcp_memory.chunks FOR EACH ROW EXECUTE FUNCTION mcp_memory.mark_owner();
CREATE TRIGGER note_added AFTER INSERT ON mcp_memory.chunks REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.note_lexemes();
CREATE TRIGGER note_changed AFTER UPDATE ON mcp_memory.chunks REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.note_lexemes();
CREATE TRIGGER note_removed AFTER DELETE ON mcp_memory.chunks REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.note_lexemes();
CREATE TRIGGER note_traits BEFORE INSERT OR UPDATE OF text ON mcp_memory.chunks FOR EACH ROW EXECUTE FUNCTION mcp_memory.note_traits();
CREATE TRIGGER queue_bells AFTER INSERT ON mcp_memory.deliveries REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.queue_bells();
CREATE TRIGGER refuse_cycle AFTER INSERT OR UPDATE OF supersedes ON mcp_memory.memories FOR EACH ROW WHEN ((new.supersedes IS NOT NULL)) EXECUTE FUNCTION mcp_memory.refuse_cycle();
CREATE TRIGGER refuse_readdressing BEFORE UPDATE OF agent_id, message_id, sender, priority, expires_at ON mcp_memory.deliveries FOR EACH ROW EXECUTE FUNCTION mcp_memory.refuse_readdressing();
CREATE TRIGGER requeue_embeddings AFTER UPDATE ON mcp_memory.chunks REFERENCING OLD TABLE AS before_update NEW TABLE AS after_update FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.requeue_embeddings();
CREATE TRIGGER tell_added AFTER INSERT ON mcp_memory.chunks REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.tell_of_chunks();
CREATE TRIGGER tell_changed AFTER UPDATE ON mcp_memory.chunks REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.tell_of_chunks();
CREATE TRIGGER tell_embedded AFTER INSERT ON mcp_memory.chunk_embeddings REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.tell_of_vectors();
CREATE TRIGGER tell_reembedded AFTER UPDATE ON mcp_memory.chunk_embeddings REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.tell_of_vectors();
CREATE TRIGGER tell_removed AFTER DELETE ON mcp_memory.chunks REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.tell_of_chunks();
CREATE TRIGGER tell_switched AFTER DELETE OR UPDATE ON mcp_memory.embedding_models FOR EACH STATEMENT EXECUTE FUNCTION mcp_memory.tell_everybody();
ALTER TABLE ONLY mcp_memory.bells
    ADD CONSTRAINT bells_agent_id_message_id_fkey FOREIGN KEY (agent_id, message_id) REFERENCES mcp_memory.deliveries(agent_id, message_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.bells
    ADD CONSTRAINT bells_ring_fkey FOREIGN KEY (ring) REFERENCES mcp_memory.rings(id);
ALTER TABLE ONLY mcp_memory.chunk_embeddings
    ADD CONSTRAINT chunk_embeddings_chunk_id_agent_id_fkey FOREIGN KEY (chunk_id, agent_id) REFERENCES mcp_memory.chunks(id, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.chunk_embeddings
    ADD CONSTRAINT chunk_embeddings_model_id_fkey FOREIGN KEY (model_id) REFERENCES mcp_memory.embedding_models(id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.chunks
    ADD CONSTRAINT chunks_document_id_agent_id_fkey FOREIGN KEY (document_id, agent_id) REFERENCES mcp_memory.documents(id, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.chunks
    ADD CONSTRAINT chunks_memory_fkey FOREIGN KEY (memory_id, memory_version, agent_id) REFERENCES mcp_memory.memory_versions(memory_id, version, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.chunks
    ADD CONSTRAINT chunks_message_fkey FOREIGN KEY (message_id, agent_id) REFERENCES mcp_memory.session_messages(id, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.deliveries
    ADD CONSTRAINT deliveries_message_id_sender_fkey FOREIGN KEY (message_id, sender) REFERENCES mcp_memory.messages(id, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.document_versions
    ADD CONSTRAINT document_versions_document_id_agent_id_fkey FOREIGN KEY (document_id, agent_id) REFERENCES mcp_memory.documents(id, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.embedding_jobs
    ADD CONSTRAINT embedding_jobs_chunk_id_agent_id_fkey FOREIGN KEY (chunk_id, agent_id) REFERENCES mcp_memory.chunks(id, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.embedding_jobs
    ADD CONSTRAINT embedding_jobs_model_id_fkey FOREIGN KEY (model_id) REFERENCES mcp_memory.embedding_models(id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.entity_aliases
    ADD CONSTRAINT entity_aliases_entity_id_agent_id_fkey FOREIGN KEY (entity_id, agent_id) REFERENCES mcp_memory.entities(id, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.memories
    ADD CONSTRAINT memories_supersedes_agent_id_fkey FOREIGN KEY (supersedes, agent_id) REFERENCES mcp_memory.memories(id, agent_id) ON DELETE SET NULL (supersedes);
ALTER TABLE ONLY mcp_memory.memory_links
    ADD CONSTRAINT memory_links_memory_id_version_agent_id_fkey FOREIGN KEY (memory_id, version, agent_id) REFERENCES mcp_memory.memory_versions(memory_id, version, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.memory_links
    ADD CONSTRAINT memory_links_target_id_fkey FOREIGN KEY (target_id) REFERENCES mcp_memory.memories(id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.memory_mentions
    ADD CONSTRAINT memory_mentions_entity_id_agent_id_fkey FOREIGN KEY (entity_id, agent_id) REFERENCES mcp_memory.entities(id, agent_id);
ALTER TABLE ONLY mcp_memory.memory_mentions
    ADD CONSTRAINT memory_mentions_memory_id_version_agent_id_fkey FOREIGN KEY (memory_id, version, agent_id) REFERENCES mcp_memory.memory_versions(memory_id, version, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.memory_relations
    ADD CONSTRAINT memory_relations_memory_id_version_agent_id_fkey FOREIGN KEY (memory_id, version, agent_id) REFERENCES mcp_memory.memory_versions(memory_id, version, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.memory_relations
    ADD CONSTRAINT memory_relations_object_id_agent_id_fkey FOREIGN KEY (object_id, agent_id) REFERENCES mcp_memory.entities(id, agent_id);
ALTER TABLE ONLY mcp_memory.memory_relations
    ADD CONSTRAINT memory_relations_subject_id_agent_id_fkey FOREIGN KEY (subject_id, agent_id) REFERENCES mcp_memory.entities(id, agent_id);
ALTER TABLE ONLY mcp_memory.memory_spans
    ADD CONSTRAINT memory_spans_memory_id_version_agent_id_fkey FOREIGN KEY (memory_id, version, agent_id) REFERENCES mcp_memory.memory_versions(memory_id, version, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.memory_versions
    ADD CONSTRAINT memory_versions_memory_id_agent_id_fkey FOREIGN KEY (memory_id, agent_id) REFERENCES mcp_memory.memories(id, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.messages
    ADD CONSTRAINT messages_reply_to_fkey FOREIGN KEY (reply_to) REFERENCES mcp_memory.messages(id) ON DELETE SET NULL;
ALTER TABLE ONLY mcp_memory.session_messages
    ADD CONSTRAINT session_messages_session_agent_id_fkey FOREIGN KEY (session, agent_id) REFERENCES mcp_memory.sessions(id, agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY mcp_memory.summaries
    ADD CONSTRAINT summaries_parent_agent_id_fkey FOREIGN KEY (parent, agent_id) REFERENCES mcp_memory.summaries(id, agent_id) ON DELETE SET NULL (parent);
ALTER TABLE ONLY mcp_memory.summaries
    ADD CONSTRAINT summaries_session_agent_id_fkey FOREIGN KEY (session, agent_id) REFERENCES mcp_memory.sessions(id, agent_id) ON DELETE CASCADE;
ALTER TABLE mcp_memory.agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.bells ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.channel_subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.chunk_embeddings ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.chunk_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.chunks ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.document_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.doorbells ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.embedding_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.embedding_models ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.entities ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.entity_aliases ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.lexeme_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.lexeme_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.memories ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.memory_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.memory_mentions ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.memory_relations ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.memory_spans ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.memory_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.registered_databases ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.rings ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.session_messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.summaries ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.transcript_files ENABLE ROW LEVEL SECURITY;
ALTER TABLE mcp_memory.wake_routes ENABLE ROW LEVEL SECURITY;
