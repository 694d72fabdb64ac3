-- Why: who may see what, said once, for every table that later migrations add; and the tables of the whole database.
--
-- Identity is transaction-local: the setting mcp_memory.agent names the caller. Two roles stand beside the owner when
-- the login may create them (settings mcp_memory.app_role and mcp_memory.worker_role, empty otherwise): the
-- application role, which every agent's transaction takes, and the worker role of background work. Without them the
-- owner itself is held by the policies, and steps out of them only under the setting mcp_memory.maintenance.

-- Who may see and write the rows of each table, as conditions; secure() makes its policies of them, again whenever the
-- roles change. Every migration that adds a table with content adds its row here. `addable` is there where other rows
-- may be added than changed.
CREATE TABLE protected_tables (
    name     regclass PRIMARY KEY,
    readable text NOT NULL DEFAULT 'mcp_memory.visible(agent_id, shared)',
    writable text NOT NULL DEFAULT 'agent_id = mcp_memory.current_agent()',
    addable  text
);

-- The first answer to a write that carried an idempotency key: ids and numbers, never the text that was written.
CREATE TABLE idempotency_keys (
    agent_id     text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    response     jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (agent_id, key)
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
INSERT INTO protected_tables (name, readable)
VALUES ('idempotency_keys', 'agent_id = mcp_memory.current_agent()');

-- Who did what to which object, without any text of it. The application adds and reads its own rows only.
CREATE TABLE audit_log (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id  text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    action    text NOT NULL,
    kind      text NOT NULL,
    object_id text NOT NULL
);
CREATE INDEX audit_log_agent_at ON audit_log (agent_id, at);
INSERT INTO protected_tables (name, readable)
VALUES ('audit_log', 'agent_id = mcp_memory.current_agent()');

-- Databases registered with an address of their own, kept when asked. Addresses hold passwords: no agent reads them.
CREATE TABLE registered_databases (
    name          text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,47}$'),
    url           text NOT NULL,
    registered_by text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO protected_tables (name, readable, writable)
VALUES ('registered_databases', 'false', 'false');

-- A client over HTTP proves with a key which agent it is. A key is shown once; here is only its hash.
CREATE TABLE api_keys (
    id          text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{12}$'),
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    agent_id    text NOT NULL CHECK (agent_id ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$'),
    scopes      text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'write', 'admin']),
    databases   text[] CHECK (cardinality(databases) > 0), -- NULL: all of them
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    -- A revoked key stays: once there was a key, a server never again answers without one.
    revoked_at  timestamptz
);
CREATE INDEX api_keys_agent ON api_keys (agent_id);
-- No agent reads or writes them: only the worker does, for the door and for a person at the command line.
INSERT INTO protected_tables (name, readable, writable)
VALUES ('api_keys', 'false', 'false');
