-- after: 0025_facts
-- Whether at `known` the version was held to be so at `instant`; never of what is forgotten by now.
-- By comparing: while a table has no statistics the planner takes the index of overlapping ranges
-- for `@>`, and reads every fact's spans for each fact.
CREATE OR REPLACE FUNCTION was_known(
    wanted bigint, wanted_version integer, instant timestamptz, known timestamptz
)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT EXISTS (
        SELECT
        FROM mcp_memory.memory_spans s
        JOIN mcp_memory.memories m ON m.id = s.memory_id
        WHERE s.memory_id = wanted AND s.version = wanted_version
          AND coalesce(s.valid_from <= instant, true) AND coalesce(instant < s.valid_until, true)
          AND s.recorded_at <= known AND coalesce(known < s.retired_at, true)
          AND m.forgotten_at IS NULL
    )
$$;
