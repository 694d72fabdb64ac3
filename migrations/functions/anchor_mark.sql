-- after: 0021_documents
-- The mark of an anchor (a pull request, a file, a branch, a session, a folder), NULL where the
-- value says nothing. It stands among a chunk's lexemes as `=pr:42`, beside the marks of its owner:
-- no word begins with `=`.
CREATE OR REPLACE FUNCTION anchor_mark(kind text, value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (
        SELECT '=' || kind || ':' || left(nullif(bare, ''), 200)
        FROM (SELECT CASE kind
            WHEN 'pr' THEN substring(value FROM '\d+')
            WHEN 'file' THEN
                regexp_replace(lower(replace(btrim(value), '\', '/')), '^(\./|/|~/)+', '')
            ELSE nullif(regexp_replace(lower(btrim(value)), '/+$', ''), '')
        END) given (bare)
    )
$$;
