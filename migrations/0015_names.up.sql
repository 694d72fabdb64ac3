-- Why: a name that is misspelt, or is the initials of another, should be proposed too; and what is forgotten was never
-- known, whoever asks.

-- Names get what they are near to by (graph/names.py): their words as they are written, and their initials.
UPDATE entities e
SET words = ARRAY(
    SELECT w FROM unnest(e.words) w
    UNION
    SELECT w
    FROM (SELECT e.normal UNION SELECT a.normal FROM entity_aliases a WHERE a.entity_id = e.id) n (name)
    CROSS JOIN LATERAL regexp_split_to_table(n.name, ' ') w
    UNION
    SELECT string_agg(left(w, 1), '' ORDER BY place)
    FROM (SELECT e.normal UNION SELECT a.normal FROM entity_aliases a WHERE a.entity_id = e.id) n (name)
    CROSS JOIN LATERAL regexp_split_to_table(n.name, ' ') WITH ORDINALITY s (w, place)
    GROUP BY n.name
    HAVING count(*) > 1
    ORDER BY 1
);

-- The caller's own entities that share a word with a name, those with most in common first, then those that hold a word
-- that is a slip away from one of its words. As the owner, since under a policy the planner refuses the index of &&; and
-- never row by row, since comparing each with hundreds of slips costs far more than the planner thinks.
DROP FUNCTION near_entities(text[], integer);
CREATE FUNCTION near_entities(wanted text[], slips text[], most integer)
RETURNS TABLE (id bigint, name text, type text, normal text, common integer)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 50 SET search_path FROM CURRENT SET enable_seqscan = off AS $$
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

-- Whether at `known` the version was held to be so at `instant`; never of what is forgotten by now.
CREATE OR REPLACE FUNCTION was_known(wanted bigint, wanted_version integer, instant timestamptz, known timestamptz)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT
    FROM mcp_memory.memory_spans s
    JOIN mcp_memory.memories m ON m.id = s.memory_id
    WHERE s.memory_id = wanted AND s.version = wanted_version
      AND tstzrange(s.valid_from, s.valid_until) @> instant
      AND tstzrange(s.recorded_at, s.retired_at) @> known
      AND m.forgotten_at IS NULL
);
