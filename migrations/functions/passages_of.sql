-- after: 0021_documents
-- The chunks of these ids that the caller may see, as an answer shows them. Planned once.
CREATE OR REPLACE FUNCTION passages_of(wanted bigint[]) RETURNS TABLE (
    id bigint, agent_id text, source text, path text, title text, heading text, start_line integer,
    end_line integer, content text, tokens integer, occurred_at timestamptz, seq integer,
    memory_version integer, trust text, told_by text,
    ends_at timestamptz
)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    SELECT c.id, c.agent_id, c.source, c.path, c.title, c.heading, c.start_line, c.end_line, c.text,
           c.tokens,
           c.occurred_at, c.seq, v.version, v.trust, v.source, least(upper(c.truth), c.expires_at)
    FROM chunks c
    LEFT JOIN memory_versions v ON v.memory_id = c.memory_id AND v.version = c.memory_version
    WHERE c.id = ANY (wanted) AND visible(c.agent_id, c.shared);
END $$;
