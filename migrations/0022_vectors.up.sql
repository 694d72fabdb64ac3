-- Why: a vector space per model, filled from a durable queue while text search goes on without it.
--
-- Lock order, the same everywhere, so that nobody deadlocks: the lock of the spaces, the space's row, chunks, jobs.
-- Who writes chunks holds the lock of the spaces shared until the transaction ends; who adds, activates or gives up a
-- space holds it alone, and only for a moment: everything that takes long (queueing what is there, building the index,
-- deleting vectors) is a transaction of its own that comes later and can be repeated.

CREATE TABLE vector_spaces (
    id           smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider     text NOT NULL,
    model        text NOT NULL,
    dimensions   integer NOT NULL CHECK (dimensions BETWEEN 1 AND 16000),
    state        text NOT NULL CHECK (state IN ('filling', 'active', 'dropping')),
    -- Whether its index is there and every chunk older than the space is queued.
    prepared     boolean NOT NULL DEFAULT false,
    -- Why its worker could not go on, when it could not.
    problem      text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    activated_at timestamptz,
    UNIQUE (provider, model, dimensions)
);
-- Searches and queries agree on one space at a time.
CREATE UNIQUE INDEX vector_spaces_active ON vector_spaces (state) WHERE state = 'active';
INSERT INTO protected_tables (name, readable, writable)
VALUES ('vector_spaces', 'mcp_memory.current_agent() IS NOT NULL', 'false');

CREATE TABLE vectors (
    chunk_id  bigint NOT NULL,
    space_id  smallint NOT NULL REFERENCES vector_spaces ON DELETE CASCADE,
    agent_id  text NOT NULL,
    embedding vector NOT NULL,
    -- The vector of a short message's own text, where the one it is found by is of the window around it.
    alone     vector,
    PRIMARY KEY (chunk_id, space_id),
    FOREIGN KEY (chunk_id, agent_id) REFERENCES chunks (id, agent_id) ON DELETE CASCADE
);
INSERT INTO protected_tables (name, readable, writable) VALUES (
    'vectors',
    'EXISTS (SELECT FROM mcp_memory.chunks c WHERE c.id = chunk_id)',
    'false'
);

-- What is still to be embedded. A row with a lease belongs to one worker until next_try_at; a row that failed too
-- often is set aside (next_try_at is infinity) and shown.
CREATE TABLE vector_jobs (
    chunk_id     bigint NOT NULL,
    space_id     smallint NOT NULL REFERENCES vector_spaces ON DELETE CASCADE,
    agent_id     text NOT NULL,
    attempts     smallint NOT NULL DEFAULT 0,
    next_try_at  timestamptz NOT NULL DEFAULT now(),
    lease        uuid,
    problem      text NOT NULL DEFAULT '',
    PRIMARY KEY (chunk_id, space_id),
    FOREIGN KEY (chunk_id, agent_id) REFERENCES chunks (id, agent_id) ON DELETE CASCADE
);
-- What never failed comes first, and of that the newest: what was just written does not wait behind a backfill.
CREATE INDEX vector_jobs_due ON vector_jobs (space_id, attempts, next_try_at DESC, chunk_id DESC);
INSERT INTO protected_tables (name, readable, writable)
VALUES ('vector_jobs', 'agent_id = mcp_memory.current_agent()', 'false');

-- The same text has the same vector in one space: found by its hash, it need not be computed again.
CREATE INDEX chunks_text_hash ON chunks (text_hash);
