-- after: 0022_vectors
-- The id of the model's space, new or not. The first space of a database is active from the start.
CREATE OR REPLACE FUNCTION add_vector_space(
    new_provider text, new_model text, new_dimensions integer
) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    new_id smallint;
BEGIN
    PERFORM pg_advisory_xact_lock(spaces_lock());
    SELECT id INTO new_id FROM vector_spaces
    WHERE (provider, model, dimensions) = (new_provider, new_model, new_dimensions);
    IF NOT found THEN
        INSERT INTO vector_spaces (provider, model, dimensions, state, activated_at)
        SELECT new_provider, new_model, new_dimensions,
               CASE WHEN taken THEN 'filling' ELSE 'active' END,
               CASE WHEN taken THEN NULL ELSE now() END
        FROM (SELECT EXISTS (SELECT FROM vector_spaces WHERE state = 'active')) one (taken)
        RETURNING id INTO new_id;
    END IF;
    RETURN new_id;
END $$;
REVOKE EXECUTE ON FUNCTION add_vector_space(text, text, integer) FROM PUBLIC;
