-- after: 0025_facts
-- Nothing may be its own predecessor, however long the way round; whoever chains memories takes
-- turns.
CREATE OR REPLACE FUNCTION refuse_cycle() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
        RAISE EXCEPTION
            USING ERRCODE = 'check_violation', CONSTRAINT = 'memories_acyclic', TABLE = 'memories',
            MESSAGE = 'a memory cannot supersede what supersedes it';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER refuse_cycle AFTER INSERT OR UPDATE OF supersedes ON memories
FOR EACH ROW WHEN (NEW.supersedes IS NOT NULL) EXECUTE FUNCTION refuse_cycle();
