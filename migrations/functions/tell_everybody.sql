-- after: 0022_vectors
-- Another space answers from now on.
CREATE OR REPLACE FUNCTION tell_everybody() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM tell_owners(ARRAY['*']);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tell_switched AFTER UPDATE OR DELETE ON vector_spaces
FOR EACH STATEMENT EXECUTE FUNCTION tell_everybody();
