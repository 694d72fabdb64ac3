-- Why: a client over HTTP proves with a key which agent it is. A key is shown once; here is only its hash.
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
SELECT protect('api_keys', 'false', 'false');
