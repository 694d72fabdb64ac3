-- after: 0022_vectors
-- A vector that comes late can change any answer that its chunk may stand in.
CREATE OR REPLACE FUNCTION tell_of_vectors() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    owners text[];
BEGIN
    SELECT array_agg(DISTINCT CASE WHEN c.shared THEN '*' ELSE c.agent_id END) INTO owners
    FROM come JOIN chunks c ON c.id = come.chunk_id;
    PERFORM tell_owners(owners);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tell_embedded AFTER INSERT ON vectors
REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION tell_of_vectors();

-- A vector that takes the place of one changes answers as a new one does.
CREATE OR REPLACE TRIGGER tell_reembedded AFTER UPDATE ON vectors
REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION tell_of_vectors();
