-- after: 0025_facts
-- What is so of these memories as far as we know now: when each version holds, and who may see it.
-- A forgotten memory holds at no time and is nobody else's to see.
CREATE OR REPLACE FUNCTION truths_of(wanted bigint[])
RETURNS TABLE (
    memory_id bigint, version integer, shared boolean, truth tstzrange, expires_at timestamptz
)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT v.memory_id, v.version, v.shared AND m.shared AND m.forgotten_at IS NULL,
           CASE WHEN s.memory_id IS NULL OR m.forgotten_at IS NOT NULL THEN 'empty'::tstzrange
                ELSE tstzrange(s.valid_from, s.valid_until) END,
           m.expires_at
    FROM memories m
    JOIN memory_versions v ON v.memory_id = m.id
    LEFT JOIN memory_spans s ON s.memory_id = v.memory_id AND s.version = v.version
        AND s.retired_at IS NULL
    WHERE m.id = ANY (wanted)
$$;
