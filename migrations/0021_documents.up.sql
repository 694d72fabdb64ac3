-- Why: Markdown documents with every version kept, and the chunks that search finds everything by.

CREATE TABLE documents (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id    text NOT NULL,
    shared      boolean NOT NULL DEFAULT false,
    path        text NOT NULL,
    title       text NOT NULL,
    tags        text[] NOT NULL DEFAULT '{}',
    version     integer NOT NULL DEFAULT 1,
    tokens      integer NOT NULL,
    sha256      bytea NOT NULL,
    occurred_at timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    deleted_at  timestamptz,
    UNIQUE (id, agent_id)
);
-- A path is taken once per owner among the living; what was deleted waits beside it for undo or purge.
CREATE UNIQUE INDEX documents_path ON documents (agent_id, path) WHERE deleted_at IS NULL;
CREATE INDEX documents_shared_path ON documents (path) WHERE shared AND deleted_at IS NULL;
CREATE INDEX documents_deleted ON documents (agent_id, path, deleted_at) WHERE deleted_at IS NOT NULL;
INSERT INTO protected_tables (name, readable)
VALUES ('documents', 'mcp_memory.visible(agent_id, shared AND deleted_at IS NULL)');

CREATE TABLE document_versions (
    document_id bigint NOT NULL,
    version     integer NOT NULL,
    agent_id    text NOT NULL,
    shared      boolean NOT NULL,
    content     text NOT NULL,
    written_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document_id, version),
    FOREIGN KEY (document_id, agent_id) REFERENCES documents (id, agent_id) ON DELETE CASCADE
);
-- A version written while its document was private stays private when the document is shared later.
INSERT INTO protected_tables (name, readable) VALUES (
    'document_versions',
    'mcp_memory.visible(agent_id, shared) AND EXISTS (SELECT FROM mcp_memory.documents d WHERE d.id = document_id)'
);

-- One row for each piece of text that can be found, whatever it belongs to; everything a search filters by is on it.
CREATE TABLE chunks (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id    text NOT NULL,
    shared      boolean NOT NULL DEFAULT false,
    source      text NOT NULL CHECK (source IN ('documents', 'transcripts', 'graph')),
    document_id bigint,
    position    integer NOT NULL,
    path        text NOT NULL COLLATE "C",
    title       text NOT NULL,
    heading     text NOT NULL DEFAULT '',
    tags        text[] NOT NULL DEFAULT '{}',
    start_line  integer NOT NULL,
    end_line    integer NOT NULL,
    text        text NOT NULL,
    text_hash   bytea NOT NULL,
    tokens      integer NOT NULL,
    lexemes     tsvector NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Of a message. `context` is embedded in place of a short message's text: the message between its neighbours.
    message_id  bigint,
    session     bigint,
    seq         integer,
    role        text,
    speaker     text,
    origin      text, -- of a fact too: its source
    context     text,
    -- What a text is like, noted when it is written: whether it asks something, and whether it names a time.
    asks        boolean NOT NULL DEFAULT false,
    dated       boolean NOT NULL DEFAULT false,
    -- Of a version of a fact.
    memory_id      bigint,
    memory_version integer,
    memory_type    text,
    importance     double precision,
    confidence     double precision,
    truth          tstzrange,
    expires_at     timestamptz,
    -- By which way of indexing its lexemes were worked out (text/findable.py). Whoever says otherwise of a chunk what it
    -- is found by sets it to 0, to have it indexed again.
    indexed_by  smallint NOT NULL DEFAULT 0,
    UNIQUE (id, agent_id),
    FOREIGN KEY (document_id, agent_id) REFERENCES documents (id, agent_id) ON DELETE CASCADE,
    CHECK ((source = 'documents') = (document_id IS NOT NULL)),
    CONSTRAINT chunks_of_messages CHECK ((source = 'transcripts') = (message_id IS NOT NULL)),
    CONSTRAINT chunks_of_memories CHECK ((source = 'graph') = (memory_id IS NOT NULL)),
    CONSTRAINT chunks_memory_truth CHECK ((memory_id IS NULL) = (truth IS NULL))
);
CREATE INDEX chunks_lexemes ON chunks USING gin (lexemes) WITH (fastupdate = off);
CREATE INDEX chunks_document ON chunks (document_id, position);
CREATE INDEX chunks_agent ON chunks (agent_id, source);
CREATE INDEX chunks_shared ON chunks (source) WHERE shared;
CREATE INDEX chunks_indexed_by ON chunks (indexed_by);
INSERT INTO protected_tables (name) VALUES ('chunks');

-- Everything a search may be narrowed by; NULL narrows nothing. admits() says what each means.
CREATE TYPE search_filter AS (
    sources        text[],
    path_prefix    text,
    tags           text[],
    since          timestamptz,
    until          timestamptz,
    session        bigint,
    roles          text[],
    speaker        text,
    origins        text[],
    no_origins     text[],
    as_of          timestamptz,
    known_at       timestamptz,
    memory_types   text[],
    min_importance double precision,
    min_confidence double precision
);

-- How many chunks of an owner hold a lexeme; '' counts the chunks themselves. A query knows its rare words by it
-- without touching the corpus. A count may lag behind by what stands in word_changes: counts choose and weigh,
-- they never hide a chunk.
CREATE TABLE word_counts (
    lexeme   text COLLATE "C" NOT NULL,
    agent_id text NOT NULL,
    shared   boolean NOT NULL,
    chunks   bigint NOT NULL,
    PRIMARY KEY (lexeme, agent_id, shared)
);
INSERT INTO protected_tables (name, readable, writable)
VALUES ('word_counts', 'mcp_memory.visible(agent_id, shared)', 'false');

-- What writers leave behind, a row a statement, so that none waits for another; merge_lexemes() adds them up.
CREATE TABLE word_changes (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id text NOT NULL,
    shared   boolean NOT NULL,
    change   smallint NOT NULL CHECK (change IN (-1, 1)),
    chunks   integer NOT NULL,
    lexemes  text[] NOT NULL
);
CREATE INDEX word_changes_agent ON word_changes (agent_id);
INSERT INTO protected_tables (name, readable, writable)
VALUES ('word_changes', 'false', 'false');

-- How often what is remembered was of use, counted by who used it, without a write to the row that was read. No foreign
-- key: its check would lock the chunk's row, and reading changes nothing of it.
CREATE TABLE chunk_usage (
    chunk_id bigint NOT NULL,
    agent_id text NOT NULL,
    returned bigint NOT NULL DEFAULT 0,
    fetched  bigint NOT NULL DEFAULT 0,
    last_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chunk_id, agent_id)
);
INSERT INTO protected_tables (name, readable, writable)
VALUES ('chunk_usage', 'agent_id = mcp_memory.current_agent()', 'false');
