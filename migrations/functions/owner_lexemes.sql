-- after: 0021_documents
-- Whose a chunk is stands among its lexemes too (`=owner:…`, `=shared`; no word begins with `=`),
-- so that the index itself narrows to what the caller may see: ten rows among millions are found as
-- quickly as ten among ten.
CREATE OR REPLACE FUNCTION owner_lexemes(agent_id text, shared boolean) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN shared THEN ARRAY['=owner:' || agent_id, '=shared']
        ELSE ARRAY['=owner:' || agent_id]
    END
$$;
