-- after: 0021_documents
-- The most common of these spellings, if the word itself stands in nothing that the caller sees;
-- else NULL. Counts may lag behind, so the word is looked for in the chunks.
CREATE OR REPLACE FUNCTION fix_typo(word text, near text[]) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    fixed text;
BEGIN
    SELECT c.lexeme INTO fixed
    FROM word_counts c
    WHERE c.lexeme = ANY (near) AND visible(c.agent_id, c.shared)
    GROUP BY c.lexeme
    ORDER BY sum(c.chunks) DESC, c.lexeme
    LIMIT 1;
    IF fixed IS NULL OR EXISTS (
        SELECT FROM chunks c
        WHERE c.lexemes @@ (as_query(ARRAY[word]) && as_query(owner_lexemes(current_agent(), true)))
          AND visible(c.agent_id, c.shared)
    ) THEN
        RETURN NULL;
    END IF;
    RETURN fixed;
END $$;
