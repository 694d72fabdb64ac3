-- after: 0025_facts
-- Bring everything that is derived of the spans in line with them; whoever changes a memory or a
-- span calls it.
CREATE OR REPLACE FUNCTION settle(wanted bigint[]) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    UPDATE memory_spans d SET shared = t.shared
    FROM truths_of(wanted) t
    WHERE t.memory_id = d.memory_id AND t.version = d.version AND d.shared <> t.shared;

    UPDATE chunks d SET shared = t.shared, truth = t.truth, expires_at = t.expires_at
    FROM truths_of(wanted) t
    WHERE t.memory_id = d.memory_id AND t.version = d.memory_version
      AND (d.shared, d.truth, d.expires_at) IS DISTINCT FROM (t.shared, t.truth, t.expires_at);

    UPDATE memory_mentions d SET shared = t.shared, truth = t.truth, expires_at = t.expires_at
    FROM truths_of(wanted) t
    WHERE t.memory_id = d.memory_id AND t.version = d.version
      AND (d.shared, d.truth, d.expires_at) IS DISTINCT FROM (t.shared, t.truth, t.expires_at);

    UPDATE memory_relations d
    SET shared = t.shared, truth = t.truth * tstzrange(d.valid_from, d.valid_until),
        expires_at = t.expires_at
    FROM truths_of(wanted) t
    WHERE t.memory_id = d.memory_id AND t.version = d.version
      AND (d.shared, d.truth, d.expires_at)
          IS DISTINCT FROM (
              t.shared, t.truth * tstzrange(d.valid_from, d.valid_until), t.expires_at
          );

    UPDATE memory_links d SET shared = t.shared, truth = t.truth, expires_at = t.expires_at
    FROM truths_of(wanted) t
    WHERE t.memory_id = d.memory_id AND t.version = d.version
      AND (d.shared, d.truth, d.expires_at) IS DISTINCT FROM (t.shared, t.truth, t.expires_at);
$$;
