-- Why: ranking by more than two numbers, and answers that are kept while they are true.

-- What a text is like, noted when it is written: whether it asks something, and whether it names a time.
ALTER TABLE chunks
    ADD COLUMN asks  boolean NOT NULL DEFAULT false,
    ADD COLUMN dated boolean NOT NULL DEFAULT false;

CREATE FUNCTION note_traits() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.asks := NEW.text ~ '[?？؟]';
    NEW.dated := NEW.text ~* ('\m(yesterday|today|tonight|tomorrow|ago|recently|since|weekend|deadline'
        || '|(last|next|this) (night|week|month|year|morning|afternoon|evening|summer|winter|spring|fall)'
        || '|(mon|tues|wednes|thurs|fri|satur|sun)day'
        || '|january|february|march|april|june|july|august|september|october|november|december'
        || '|(19|20)\d\d|\d{1,2}(st|nd|rd|th)|(few|two|three|four|five|six|\d+) (days|weeks|months|years))\M');
    RETURN NEW;
END $$;
CREATE TRIGGER note_traits BEFORE INSERT OR UPDATE OF text ON chunks
FOR EACH ROW EXECUTE FUNCTION note_traits();
UPDATE chunks SET text = text;

-- Everything the ranking knows of the chunks that were found, and of the messages two around the best of them, which
-- become candidates too. `thread` is the session or the document, `place` the message or the chunk in it. `hits` says
-- for each wanted lexeme how much of it there is (0, 1 for once, up to 1.6), as ts_rank saturates. Rows that are no
-- candidates stand one message before or after one.
CREATE FUNCTION gather_evidence(
    matched bigint[], seeds bigint[], narrowed narrowing, wanted text[], wanted_model smallint, query vector
) RETURNS TABLE (
    chunk_id bigint, candidate boolean, thread text, place integer, role text, speaker text, tokens integer, message_tokens integer,
    asks boolean, dated boolean, occurred_at timestamptz, cosine real, hits real[]
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    queries  tsquery[] := ARRAY(SELECT as_query(ARRAY[w]) FROM unnest(wanted) WITH ORDINALITY w (w, o) ORDER BY o);
    reached  bigint[] := matched || ARRAY(
        SELECT n.id
        FROM unnest(seeds) s (id)
        JOIN chunks c ON c.id = s.id
        JOIN chunks n ON n.session = c.session AND n.seq BETWEEN c.seq - 2 AND c.seq + 2 AND n.position < 4
        WHERE admits(n, narrowed)
    );
BEGIN
    RETURN QUERY
    WITH candidates AS MATERIALIZED (
        SELECT c.id, c.session, c.seq FROM chunks c WHERE c.id = ANY (reached) AND visible(c.agent_id, c.shared)
    ), all_rows AS (
        SELECT k.id, true AS is_candidate FROM candidates k
        UNION ALL
        SELECT DISTINCT n.id, false
        FROM candidates k
        JOIN chunks n ON n.session = k.session AND n.seq IN (k.seq - 1, k.seq + 1) AND n.position < 4
        WHERE visible(n.agent_id, n.shared) AND n.id <> ALL (reached)
    )
    SELECT c.id, r.is_candidate,
           CASE WHEN c.session IS NULL THEN 'd' || c.document_id ELSE 's' || c.session END,
           coalesce(c.seq, c.position), c.role, c.speaker, c.tokens, coalesce(m.tokens, c.tokens), c.asks, c.dated, c.occurred_at,
           (SELECT (1 - (e.embedding <=> query))::real FROM chunk_embeddings e
            WHERE e.chunk_id = c.id AND e.model_id = wanted_model AND r.is_candidate),
           ARRAY(SELECT (ts_rank(c.lexemes, q.q) * 16.45)::real FROM unnest(queries) WITH ORDINALITY q (q, o) ORDER BY q.o)
    FROM all_rows r
    JOIN chunks c ON c.id = r.id
    LEFT JOIN session_messages m ON m.id = c.message_id;
END $$;

-- Whoever keeps answers must hear when they are old. Each change of what can be found notifies its owner's name,
-- or * when others see it too, inside the writing transaction: nobody hears of what was rolled back.

CREATE FUNCTION tell_owners(owners text[]) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_notify('mcp_memory_epoch', owner) FROM unnest(owners) owner
$$;

CREATE FUNCTION tell_of_chunks() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    owners text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(DISTINCT CASE WHEN shared THEN '*' ELSE agent_id END) INTO owners FROM come;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT CASE WHEN shared THEN '*' ELSE agent_id END) INTO owners FROM gone;
    ELSE
        SELECT array_agg(DISTINCT CASE WHEN shared THEN '*' ELSE agent_id END) INTO owners
        FROM (SELECT shared, agent_id FROM gone UNION ALL SELECT shared, agent_id FROM come) changed;
    END IF;
    PERFORM tell_owners(owners);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_added AFTER INSERT ON chunks
REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION tell_of_chunks();
CREATE TRIGGER tell_removed AFTER DELETE ON chunks
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION tell_of_chunks();
CREATE TRIGGER tell_changed AFTER UPDATE ON chunks
REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION tell_of_chunks();

-- A vector that comes late can change any answer that its chunk may stand in.
CREATE FUNCTION tell_of_vectors() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    owners text[];
BEGIN
    SELECT array_agg(DISTINCT CASE WHEN c.shared THEN '*' ELSE c.agent_id END) INTO owners
    FROM come JOIN chunks c ON c.id = come.chunk_id;
    PERFORM tell_owners(owners);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_embedded AFTER INSERT ON chunk_embeddings
REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION tell_of_vectors();

CREATE FUNCTION tell_everybody() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM tell_owners(ARRAY['*']);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_switched AFTER UPDATE OR DELETE ON embedding_models
FOR EACH STATEMENT EXECUTE FUNCTION tell_everybody();
