CREATE OR REPLACE FUNCTION was_known(wanted bigint, wanted_version integer, instant timestamptz, known timestamptz)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT
    FROM mcp_memory.memory_spans s
    WHERE s.memory_id = wanted AND s.version = wanted_version
      AND tstzrange(s.valid_from, s.valid_until) @> instant
      AND tstzrange(s.recorded_at, s.retired_at) @> known
);
DROP FUNCTION near_entities(text[], text[], integer);
CREATE FUNCTION near_entities(wanted text[], most integer) RETURNS TABLE (entity_id bigint, common integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT e.id, cardinality(ARRAY(SELECT unnest(e.words) INTERSECT SELECT unnest(wanted)))
    FROM entities e
    WHERE e.words && wanted AND visible(e.agent_id, false)
    ORDER BY 2 DESC, cardinality(e.words), e.id
    LIMIT most
$$;
