-- after: 0025_facts
-- When what the version says was told: when it occurred, else when we first heard it. A version
-- that only changes something beside the text tells nothing new.
CREATE OR REPLACE FUNCTION told_at(wanted bigint, wanted_version integer) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT (
        SELECT coalesce(v.occurred_at, (
            SELECT min(s.recorded_at)
            FROM mcp_memory.memory_versions w
            JOIN mcp_memory.memory_spans s ON s.memory_id = w.memory_id AND s.version = w.version
            WHERE w.memory_id = v.memory_id AND w.version <= v.version AND w.content = v.content
        ))
        FROM mcp_memory.memory_versions v
        WHERE v.memory_id = wanted AND v.version = wanted_version
    )
$$;
