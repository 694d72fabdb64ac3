DROP FUNCTION session_thread(text, integer, integer);
DROP FUNCTION match_phrase(text, text[], narrowing, integer);

CREATE OR REPLACE FUNCTION admits(chunk chunks, wanted narrowing) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN mcp_memory.visible((chunk).agent_id, (chunk).shared)
    AND (chunk).source = ANY ((wanted).sources)
    AND ((wanted).path_prefix IS NULL OR starts_with((chunk).path, (wanted).path_prefix))
    AND ((wanted).tags IS NULL OR (chunk).tags @> (wanted).tags)
    AND ((wanted).since IS NULL OR (chunk).occurred_at >= (wanted).since)
    AND ((wanted).until IS NULL OR (chunk).occurred_at < (wanted).until);

ALTER TYPE narrowing
    DROP ATTRIBUTE session,
    DROP ATTRIBUTE roles,
    DROP ATTRIBUTE speaker,
    DROP ATTRIBUTE origins,
    DROP ATTRIBUTE no_origins;

DROP TRIGGER requeue_embeddings ON chunks;
DROP FUNCTION requeue_embeddings();
DELETE FROM chunks WHERE source = 'transcripts';
DROP INDEX chunks_session;
DROP INDEX chunks_message;
ALTER TABLE chunks
    DROP CONSTRAINT chunks_of_messages,
    DROP CONSTRAINT chunks_message_fkey,
    DROP COLUMN message_id,
    DROP COLUMN session,
    DROP COLUMN seq,
    DROP COLUMN role,
    DROP COLUMN speaker,
    DROP COLUMN origin,
    DROP COLUMN context;

DROP TABLE transcript_files;
DROP TABLE summaries;
DROP TABLE session_messages;
DROP TABLE sessions;
