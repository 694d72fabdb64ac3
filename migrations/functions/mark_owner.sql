-- after: 0021_documents
-- A chunk's lexemes with the marks of its owner and its anchors, and no other marks.
CREATE OR REPLACE FUNCTION mark_owner() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.lexemes := ts_delete(
        NEW.lexemes,
        ARRAY(SELECT mark FROM unnest(tsvector_to_array(NEW.lexemes)) mark WHERE mark LIKE '=%')
    ) || array_to_tsvector(
        mcp_memory.owner_lexemes(NEW.agent_id, NEW.shared) || mcp_memory.anchors_of(NEW)
    );
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER mark_owner BEFORE INSERT OR UPDATE OF lexemes, shared ON chunks
FOR EACH ROW EXECUTE FUNCTION mark_owner();
