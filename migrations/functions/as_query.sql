-- after: 0021_documents
-- The query that any of these lexemes answers.
CREATE OR REPLACE FUNCTION as_query(wanted text[]) RETURNS tsquery
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (
        SELECT string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ')
        FROM unnest(wanted) lexeme
    )::tsquery
$$;
