-- after: 0025_facts
-- The entities that the caller knows by one of these names, folded; mentions are counted to 1,000.
-- Planned once: every search asks it, mostly for names that there are not.
CREATE OR REPLACE FUNCTION known_entities(wanted text[])
RETURNS TABLE (normal text, entity_id bigint, names text[], mentions bigint)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    WITH known (normal, entity_id) AS (
        SELECT e.normal, e.id
        FROM entities e
        WHERE e.agent_id = current_agent() AND e.normal = ANY (wanted)
        UNION
        SELECT a.normal, a.entity_id
        FROM entity_aliases a
        WHERE a.agent_id = current_agent() AND a.normal = ANY (wanted)
        UNION
        SELECT n.normal, n.entity_id
        FROM unnest(wanted) w (normal)
        CROSS JOIN LATERAL (
            SELECT n.normal, n.entity_id
            FROM memory_mentions n
            WHERE n.shared AND n.normal = w.normal
            LIMIT 100
        ) n
    )
    SELECT k.normal, k.entity_id,
           ARRAY(SELECT e.name FROM entities e WHERE e.id = k.entity_id
                 UNION
                 SELECT a.alias FROM entity_aliases a WHERE a.entity_id = k.entity_id
                 UNION
                 SELECT unnest(n.known_as || n.name)
                 FROM (SELECT n.known_as, n.name
                       FROM memory_mentions n
                       WHERE n.entity_id = k.entity_id AND n.shared
                       LIMIT 20) n),
           (SELECT count(*) FROM (SELECT FROM memory_mentions n
                                  WHERE n.entity_id = k.entity_id
                                  LIMIT 1000) n)
    FROM known k
    ORDER BY k.normal, k.entity_id
    LIMIT 20;
END $$;
