-- after: 0021_documents
-- Note what a statement adds to the counts of words, and what it takes from them.
CREATE OR REPLACE FUNCTION note_lexemes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    IF TG_OP = 'INSERT' THEN
        INSERT INTO word_changes (agent_id, shared, change, chunks, lexemes)
        SELECT n.agent_id, n.shared, 1, count(DISTINCT n.id), array_agg(word)
        FROM come n CROSS JOIN LATERAL unnest(words_of(n)) word
        GROUP BY n.agent_id, n.shared;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO word_changes (agent_id, shared, change, chunks, lexemes)
        SELECT o.agent_id, o.shared, -1, count(DISTINCT o.id), array_agg(word)
        FROM gone o CROSS JOIN LATERAL unnest(words_of(o)) word
        GROUP BY o.agent_id, o.shared;
    ELSE
        INSERT INTO word_changes (agent_id, shared, change, chunks, lexemes)
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

CREATE OR REPLACE TRIGGER note_added AFTER INSERT ON chunks
REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION note_lexemes();

CREATE OR REPLACE TRIGGER note_removed AFTER DELETE ON chunks
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_lexemes();

CREATE OR REPLACE TRIGGER note_changed AFTER UPDATE ON chunks
REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION note_lexemes();
