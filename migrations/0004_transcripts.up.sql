-- Why: conversations kept word for word, found message by message, with a tree of summaries above them.

CREATE TABLE sessions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id   text NOT NULL,
    shared     boolean NOT NULL DEFAULT false,
    session_id text NOT NULL,
    source     text NOT NULL,
    -- Messages are numbered from 1 in order of arrival; whoever adds some holds this row until the transaction ends.
    last_seq   integer NOT NULL DEFAULT 0,
    messages   integer NOT NULL DEFAULT 0,
    first_at   timestamptz,
    last_at    timestamptz,
    -- The share of the context, in percent, that the agent was last asked to save at.
    flushed    smallint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (agent_id, session_id),
    UNIQUE (id, agent_id)
);
CREATE INDEX sessions_last_at ON sessions (agent_id, last_at DESC, id DESC);
SELECT protect('sessions');

CREATE TABLE session_messages (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id    text NOT NULL,
    shared      boolean NOT NULL DEFAULT false,
    session     bigint NOT NULL,
    seq         integer NOT NULL CHECK (seq > 0),
    external_id text NOT NULL,
    role        text NOT NULL CHECK (role IN ('user', 'assistant', 'system', 'tool')),
    speaker     text NOT NULL,
    source      text NOT NULL,
    content     text NOT NULL,
    tokens      integer NOT NULL,
    metadata    jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL,
    UNIQUE (id, agent_id),
    UNIQUE (session, seq),
    UNIQUE (session, external_id),
    FOREIGN KEY (session, agent_id) REFERENCES sessions (id, agent_id) ON DELETE CASCADE
);
-- The order of a conversation is that of its instants: what arrives late belongs between what was said before.
CREATE INDEX session_messages_spoken ON session_messages (session, created_at, seq);
CREATE INDEX session_messages_recent ON session_messages (agent_id, created_at DESC, id DESC);
CREATE INDEX session_messages_external_id ON session_messages (agent_id, external_id);
SELECT protect('session_messages');

-- A summary covers the messages seq_from to seq_to: itself (depth 1), or through the summaries whose parent it is.
CREATE TABLE summaries (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id   text NOT NULL,
    shared     boolean NOT NULL DEFAULT false,
    session    bigint NOT NULL,
    parent     bigint,
    depth      integer NOT NULL CHECK (depth > 0),
    seq_from   integer NOT NULL CHECK (seq_from > 0),
    seq_to     integer NOT NULL,
    summary    text NOT NULL,
    tokens     integer NOT NULL,
    lexemes    tsvector NOT NULL,
    -- A message spoken from after_at until before last_at belongs into the span; arriving later, it makes it stale.
    after_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    stale      boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (seq_to >= seq_from),
    UNIQUE (id, agent_id),
    FOREIGN KEY (session, agent_id) REFERENCES sessions (id, agent_id) ON DELETE CASCADE,
    FOREIGN KEY (parent, agent_id) REFERENCES summaries (id, agent_id) ON DELETE SET NULL (parent)
);
CREATE INDEX summaries_session ON summaries (session, seq_from);
CREATE INDEX summaries_parent ON summaries (parent);
CREATE INDEX summaries_agent ON summaries (agent_id);
SELECT protect('summaries');

-- How far each file has been read. The fingerprint is of its first bytes and of the last ones read: where it is
-- another one, so is the file of that name.
CREATE TABLE transcript_files (
    agent_id     text NOT NULL,
    path         text NOT NULL,
    read_to      bigint NOT NULL,
    fingerprint  bytea NOT NULL,
    state        jsonb NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (agent_id, path)
);
SELECT protect('transcript_files', 'agent_id = mcp_memory.current_agent()');

-- A message is found by its chunks. `context` is what is embedded in place of a short message's text: the message
-- between its neighbours.
ALTER TABLE chunks
    ADD COLUMN message_id bigint,
    ADD COLUMN session    bigint,
    ADD COLUMN seq        integer,
    ADD COLUMN role       text,
    ADD COLUMN speaker    text,
    ADD COLUMN origin     text,
    ADD COLUMN context    text,
    ADD CONSTRAINT chunks_message_fkey FOREIGN KEY (message_id, agent_id)
        REFERENCES session_messages (id, agent_id) ON DELETE CASCADE,
    ADD CONSTRAINT chunks_of_messages CHECK ((source = 'transcripts') = (message_id IS NOT NULL));
CREATE INDEX chunks_message ON chunks (message_id, position) WHERE message_id IS NOT NULL;
CREATE INDEX chunks_session ON chunks (session, seq) WHERE session IS NOT NULL;

-- A chunk that says something else now has no vector until it has been embedded again. Whoever holds its lease has
-- read the old text: without the lease that vector is not stored.
CREATE FUNCTION requeue_embeddings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before  text := coalesce(current_setting('mcp_memory.maintenance', true), '');
    altered bigint[];
BEGIN
    SELECT array_agg(a.id ORDER BY a.id) INTO altered
    FROM after_update a
    JOIN before_update b ON b.id = a.id AND b.text_hash <> a.text_hash;
    IF altered IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(spaces_lock());
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    INSERT INTO embedding_jobs (chunk_id, model_id, agent_id)
    SELECT a.id, m.id, a.agent_id
    FROM after_update a
    JOIN embedding_models m ON m.state <> 'dropping'
    WHERE a.id = ANY (altered)
    ORDER BY a.id, m.id
    ON CONFLICT (chunk_id, model_id)
    DO UPDATE SET attempts = 0, next_try_at = now(), lease = NULL, problem = '';
    DELETE FROM chunk_embeddings WHERE chunk_id = ANY (altered);
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;
CREATE TRIGGER requeue_embeddings AFTER UPDATE ON chunks
REFERENCING OLD TABLE AS before_update NEW TABLE AS after_update
FOR EACH STATEMENT EXECUTE FUNCTION requeue_embeddings();

ALTER TYPE narrowing
    ADD ATTRIBUTE session    bigint,
    ADD ATTRIBUTE roles      text[],
    ADD ATTRIBUTE speaker    text,
    ADD ATTRIBUTE origins    text[],
    ADD ATTRIBUTE no_origins text[];

-- What tools said is found only by those who ask for it.
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

-- The exact route: chunks that hold the phrase letter by letter (but for case), newest first. The lexemes only find
-- the candidates, through their index; a phrase without any is looked for in everything admitted.
CREATE FUNCTION match_phrase(
    phrase text, wanted text[], narrowed narrowing, max_rows integer
) RETURNS TABLE (chunk_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    seekers tsquery := as_query(wanted);
BEGIN
    RETURN QUERY
    SELECT c.id
    FROM chunks c
    WHERE (seekers IS NULL OR c.lexemes @@ seekers)
      AND admits(c, narrowed)
      AND strpos(lower(c.text), lower(phrase)) > 0
    ORDER BY c.occurred_at DESC, c.id DESC
    LIMIT max_rows;
END $$;

-- A session's thread: its last seq, the summaries that no other covers, and the newest messages, about as many as the
-- budget holds. In one statement whose plan is kept, since whoever asks waits for his first answer after a compaction.
-- Not as the owner: the policies hold. The texts of a tool's large messages would only be thrown away.
CREATE FUNCTION session_thread(wanted text, budget integer, large integer) RETURNS TABLE (
    last_seq integer, kind text, seq_from integer, seq_to integer, body text, tokens integer, role text,
    summary_id text, depth integer, stale boolean
)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    SELECT s.last_seq, p.kind, p.seq_from, p.seq_to, p.body, p.tokens, p.role, p.summary_id, p.depth, p.stale
    FROM sessions s
    LEFT JOIN LATERAL (
        SELECT 'summary' AS kind, u.seq_from, u.seq_to, u.summary AS body, u.tokens, '' AS role,
               u.id::text AS summary_id, u.depth, u.stale
        FROM summaries u
        WHERE u.session = s.id AND u.parent IS NULL
        UNION ALL
        SELECT 'message', newest.seq, newest.seq,
               CASE WHEN newest.role = 'tool' AND newest.tokens > large THEN '' ELSE newest.content END,
               newest.tokens, newest.role, '', 0, false
        FROM (
            SELECT m.seq, m.content, m.tokens, m.role,
                   coalesce(sum(m.tokens) FILTER (WHERE m.role <> 'tool' OR m.tokens <= large)
                            OVER (ORDER BY m.seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
                   AS newer_tokens
            FROM session_messages m
            WHERE m.session = s.id
            ORDER BY m.seq DESC
            LIMIT 1000
        ) newest
        WHERE newest.newer_tokens <= budget
    ) p ON true
    WHERE s.agent_id = current_agent() AND s.session_id = wanted
    ORDER BY p.seq_from;
END $$;
