-- after: 0025_facts
-- The caller's own entities that share a word with a name, those with most in common first, then
-- those that hold a word that is a typo away from one of its words (`slips`). As the owner, since
-- under a policy the planner refuses the index of &&; and never row by row, since comparing each
-- with hundreds of typos costs far more than the planner thinks.
CREATE OR REPLACE FUNCTION near_entities(wanted text[], slips text[], most integer)
RETURNS TABLE (id bigint, name text, type text, normal text, common integer)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 50
SET search_path FROM CURRENT SET enable_seqscan = off AS $$
    SELECT DISTINCT ON (near.id) near.id, near.name, near.type, near.normal, near.common
    FROM (
        (SELECT e.id, e.name, e.type, e.normal,
                cardinality(ARRAY(SELECT unnest(e.words) INTERSECT SELECT unnest(wanted))) AS common
         FROM entities e
         WHERE e.words && wanted AND visible(e.agent_id, false)
         ORDER BY common DESC, cardinality(e.words), e.id
         LIMIT most)
        UNION ALL
        (SELECT e.id, e.name, e.type, e.normal, 0
         FROM entities e
         WHERE e.words && slips AND visible(e.agent_id, false)
         ORDER BY cardinality(e.words), e.id
         LIMIT most)
    ) near
    ORDER BY near.id, near.common DESC
$$;
