-- after: 0021_documents
-- The anchor route: what carries an anchor that the caller gave, else one that the query names.
CREATE OR REPLACE FUNCTION match_anchors(
    query text, given jsonb, narrowed search_filter, max_rows integer
)
RETURNS TABLE (chunk_id bigint, is_given boolean)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    SELECT a.chunk_id, true
    FROM anchored(
        ARRAY(SELECT anchor_mark(g.key, g.value) FROM jsonb_each_text(given) g
              WHERE anchor_mark(g.key, g.value) IS NOT NULL),
        narrowed, max_rows
    ) a;
    IF NOT found THEN
        RETURN QUERY SELECT a.chunk_id, false
            FROM anchored(anchors_in(query), narrowed, max_rows) a;
    END IF;
END $$;
