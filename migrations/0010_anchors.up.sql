-- Why: what a text is about by name (a pull request, a file, a branch, a session, a folder) is found by that name.
--
-- An anchor stands among a chunk's lexemes as `=pr:42`, beside the marks of its owner: no word begins with `=`. The same
-- function reads texts when they are written and queries when they are asked.

-- The mark of an anchor; NULL where the value says nothing.
CREATE FUNCTION anchor_mark(kind text, value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT '=' || kind || ':' || left(nullif(bare, ''), 200)
    FROM (SELECT CASE kind
        WHEN 'pr' THEN substring(value FROM '\d+')
        WHEN 'file' THEN regexp_replace(lower(replace(btrim(value), '\', '/')), '^(\./|/|~/)+', '')
        ELSE nullif(regexp_replace(lower(btrim(value)), '/+$', ''), '')
    END) given (bare)
);

-- The marks of the anchors that a text names. A file is found by its name and by each longer end of its path.
CREATE FUNCTION anchors_in(content text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
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

-- The anchors of a chunk: those in its text, and where its message was said or its memory learned.
CREATE FUNCTION anchors_of(chunk chunks) RETURNS text[]
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
    );
END $$;

CREATE OR REPLACE FUNCTION mark_owner() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.lexemes := ts_delete(
        NEW.lexemes, ARRAY(SELECT mark FROM unnest(tsvector_to_array(NEW.lexemes)) mark WHERE mark LIKE '=%')
    ) || array_to_tsvector(mcp_memory.owner_lexemes(NEW.agent_id, NEW.shared) || mcp_memory.anchors_of(NEW));
    RETURN NEW;
END $$;
UPDATE chunks SET lexemes = lexemes WHERE cardinality(anchors_of(chunks)) > 0;

-- Marks are no words: nobody counts how common they are.
CREATE OR REPLACE FUNCTION words_of(chunk chunks) RETURNS text[]
LANGUAGE sql STABLE
RETURN ARRAY(SELECT word FROM unnest(tsvector_to_array((chunk).lexemes)) word WHERE word NOT LIKE '=%');

-- The chunks that carry any of these marks, the newest first. A session's own messages need no mark.
CREATE FUNCTION anchored(marks text[], narrowed narrowing, max_rows integer, enough integer DEFAULT 4000)
RETURNS TABLE (chunk_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
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

-- The anchor route: what carries an anchor that the caller gave, else one that the query names.
CREATE FUNCTION match_anchors(query text, given jsonb, narrowed narrowing, max_rows integer)
RETURNS TABLE (chunk_id bigint, is_given boolean)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
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
