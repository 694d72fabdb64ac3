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
INSERT INTO protected_tables (name) VALUES ('sessions');

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
INSERT INTO protected_tables (name) VALUES ('session_messages');

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
INSERT INTO protected_tables (name) VALUES ('summaries');

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
INSERT INTO protected_tables (name, readable)
VALUES ('transcript_files', 'agent_id = mcp_memory.current_agent()');

-- A message is found by its chunks.
ALTER TABLE chunks
    ADD CONSTRAINT chunks_message_fkey FOREIGN KEY (message_id, agent_id)
        REFERENCES session_messages (id, agent_id) ON DELETE CASCADE;
CREATE INDEX chunks_message ON chunks (message_id, position) WHERE message_id IS NOT NULL;
CREATE INDEX chunks_session ON chunks (session, seq) WHERE session IS NOT NULL;
