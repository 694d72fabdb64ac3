-- after: 0021_documents
-- A chunk's lexemes without its marks (of owner and anchors), which are no words: nobody counts how
-- common they are.
CREATE OR REPLACE FUNCTION words_of(chunk chunks) RETURNS text[]
LANGUAGE sql STABLE AS $$
    SELECT ARRAY(
        SELECT word FROM unnest(tsvector_to_array((chunk).lexemes)) word WHERE word NOT LIKE '=%'
    )
$$;
