-- after: 0021_documents
-- The anchors of a chunk: those in its text, where its message was said or its fact learned, and of
-- a document the file of its own path. Of no place no marks are made: this runs for every chunk
-- that is written.
CREATE OR REPLACE FUNCTION anchors_of(chunk chunks) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    marks text[] := anchors_in(chunk.heading || E'\n' || chunk.text);
    parts text[] := string_to_array(
        CASE WHEN chunk.document_id IS NOT NULL THEN chunk.path ELSE '' END, '/'
    );
    place jsonb;
BEGIN
    IF chunk.message_id IS NOT NULL THEN
        SELECT m.metadata INTO place FROM session_messages m WHERE m.id = chunk.message_id;
    ELSIF chunk.memory_id IS NOT NULL THEN
        SELECT jsonb_build_object('session', v.session_id) INTO place
        FROM memory_versions v
        WHERE v.memory_id = chunk.memory_id AND v.version = chunk.memory_version;
    END IF;
    IF place IS NOT NULL THEN
        marks := marks || ARRAY(
            SELECT anchor_mark(kind, place ->> kind)
            FROM unnest(ARRAY['pr', 'file', 'branch', 'session', 'cwd']) kind
            WHERE anchor_mark(kind, place ->> kind) IS NOT NULL
        );
    END IF;
    FOR n IN 1 .. cardinality(parts) LOOP
        marks := marks || anchor_mark('file', array_to_string(parts[n:], '/'));
    END LOOP;
    RETURN marks;
END $$;
