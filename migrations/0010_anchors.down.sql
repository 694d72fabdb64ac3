DROP FUNCTION match_anchors(text, jsonb, narrowing, integer);
DROP FUNCTION anchored(text[], narrowing, integer, integer);
CREATE OR REPLACE FUNCTION mark_owner() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.lexemes := ts_delete(NEW.lexemes, mcp_memory.owner_lexemes(NEW.agent_id, true))
        || array_to_tsvector(mcp_memory.owner_lexemes(NEW.agent_id, NEW.shared));
    RETURN NEW;
END $$;
-- The marks that the owner's trigger does not know would be taken for words.
UPDATE chunks
SET lexemes = ts_delete(lexemes, ARRAY(SELECT mark FROM unnest(tsvector_to_array(lexemes)) mark WHERE mark LIKE '=%'))
WHERE cardinality(anchors_of(chunks)) > 0;
CREATE OR REPLACE FUNCTION words_of(chunk chunks) RETURNS text[]
LANGUAGE sql STABLE
RETURN tsvector_to_array(ts_delete((chunk).lexemes, mcp_memory.owner_lexemes((chunk).agent_id, true)));
DROP FUNCTION anchors_of(chunks);
DROP FUNCTION anchors_in(text);
DROP FUNCTION anchor_mark(text, text);
