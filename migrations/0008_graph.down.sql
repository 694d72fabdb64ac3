DROP FUNCTION near_entities(text[], integer);
DROP FUNCTION settle(bigint[]);
DROP FUNCTION truths_of(bigint[]);

CREATE OR REPLACE FUNCTION admits(chunk chunks, wanted narrowing) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN mcp_memory.visible((chunk).agent_id, (chunk).shared)
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
    AND ((wanted).no_origins IS NULL OR (chunk).origin <> ALL ((wanted).no_origins));

DROP FUNCTION was_known(bigint, integer, timestamptz, timestamptz);
ALTER TYPE narrowing
    DROP ATTRIBUTE as_of,
    DROP ATTRIBUTE known_at,
    DROP ATTRIBUTE memory_types,
    DROP ATTRIBUTE min_importance,
    DROP ATTRIBUTE min_confidence;

DELETE FROM chunks WHERE source = 'graph';
DROP INDEX chunks_memory;
ALTER TABLE chunks
    DROP CONSTRAINT chunks_memory_truth,
    DROP CONSTRAINT chunks_of_memories,
    DROP CONSTRAINT chunks_memory_fkey,
    DROP COLUMN memory_id,
    DROP COLUMN memory_version,
    DROP COLUMN memory_type,
    DROP COLUMN importance,
    DROP COLUMN confidence,
    DROP COLUMN truth,
    DROP COLUMN expires_at;

DROP TABLE memory_links;
DROP TABLE memory_relations;
DROP TABLE memory_mentions;
DROP TABLE entity_aliases;
DROP TABLE entities;
DROP TABLE memory_spans;
DROP TABLE memory_versions;
DROP TABLE memories;
DROP FUNCTION refuse_cycle();
