-- after: 0021_documents
-- Said once, for every route; the planner inlines it. What tools said is found only by those who
-- ask for it. Of memories only what is so at `as_of` (now, when nobody says), and nothing that has
-- expired by now.
CREATE OR REPLACE FUNCTION admits(chunk chunks, wanted search_filter) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT mcp_memory.visible((chunk).agent_id, (chunk).shared)
        AND (chunk).source = ANY ((wanted).sources)
        AND ((wanted).path_prefix IS NULL OR starts_with((chunk).path, (wanted).path_prefix))
        AND ((wanted).tags IS NULL OR (chunk).tags @> (wanted).tags)
        AND ((wanted).since IS NULL OR (chunk).occurred_at >= (wanted).since)
        AND ((wanted).until IS NULL OR (chunk).occurred_at < (wanted).until)
        AND ((wanted).session IS NULL OR (chunk).session = (wanted).session)
        AND CASE WHEN (wanted).roles IS NULL THEN (chunk).role IS DISTINCT FROM 'tool'
                 ELSE (chunk).role = ANY ((wanted).roles) END
        AND ((wanted).speaker IS NULL OR lower((chunk).speaker) = lower((wanted).speaker))
        AND ((wanted).origins IS NULL OR (chunk).origin = ANY ((wanted).origins))
        AND ((wanted).no_origins IS NULL OR (chunk).origin <> ALL ((wanted).no_origins))
        AND CASE WHEN (chunk).truth IS NULL THEN true
                 WHEN (wanted).known_at IS NULL THEN
                     (chunk).truth @> coalesce((wanted).as_of, now())
                 ELSE mcp_memory.was_known(
                     (chunk).memory_id, (chunk).memory_version, coalesce((wanted).as_of, now()),
                     (wanted).known_at
                 ) END
        AND ((chunk).expires_at IS NULL OR (chunk).expires_at > now())
        AND ((wanted).memory_types IS NULL OR (chunk).memory_type = ANY ((wanted).memory_types))
        AND ((wanted).min_importance IS NULL OR (chunk).importance >= (wanted).min_importance)
        AND ((wanted).min_confidence IS NULL OR (chunk).confidence >= (wanted).min_confidence)
$$;
