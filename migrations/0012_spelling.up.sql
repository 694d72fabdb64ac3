-- Why: a slip in a query's rarest word should not lose what it asks for, on servers without pg_trgm too.

-- The most common of these spellings, if the word itself stands in nothing that the caller sees; else NULL. Counts may
-- lag behind, so the word is looked for in the chunks.
CREATE FUNCTION mend_lexeme(word text, near text[]) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    mended text;
BEGIN
    SELECT c.lexeme INTO mended
    FROM lexeme_counts c
    WHERE c.lexeme = ANY (near) AND visible(c.agent_id, c.shared)
    GROUP BY c.lexeme
    ORDER BY sum(c.chunks) DESC, c.lexeme
    LIMIT 1;
    IF mended IS NULL OR EXISTS (
        SELECT FROM chunks c
        WHERE c.lexemes @@ (as_query(ARRAY[word]) && as_query(owner_lexemes(current_agent(), true)))
          AND visible(c.agent_id, c.shared)
    ) THEN
        RETURN NULL;
    END IF;
    RETURN mended;
END $$;
