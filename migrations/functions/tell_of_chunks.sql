-- after: 0021_documents
-- Whose answers are old now, since what they could stand on has changed.
CREATE OR REPLACE FUNCTION tell_of_chunks() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    owners text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(DISTINCT CASE WHEN shared THEN '*' ELSE agent_id END) INTO owners
        FROM come;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT CASE WHEN shared THEN '*' ELSE agent_id END) INTO owners
        FROM gone;
    ELSE
        SELECT array_agg(DISTINCT CASE WHEN shared THEN '*' ELSE agent_id END) INTO owners
        FROM (
            SELECT shared, agent_id FROM gone UNION ALL SELECT shared, agent_id FROM come
        ) changed;
    END IF;
    PERFORM tell_owners(owners);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tell_added AFTER INSERT ON chunks
REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION tell_of_chunks();

CREATE OR REPLACE TRIGGER tell_removed AFTER DELETE ON chunks
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION tell_of_chunks();

CREATE OR REPLACE TRIGGER tell_changed AFTER UPDATE ON chunks
REFERENCING OLD TABLE AS gone NEW TABLE AS come
FOR EACH STATEMENT EXECUTE FUNCTION tell_of_chunks();
