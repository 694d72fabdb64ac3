-- Why: who may see what, said once, for every table that later migrations add.
--
-- Identity is transaction-local: the setting mcp_memory.agent names the caller. Two roles stand beside the owner when
-- the login may create them (settings mcp_memory.app_role and mcp_memory.worker_role, empty otherwise): the
-- application role, which every agent's transaction takes, and the worker role of background work. Without them the
-- owner itself is held by the policies, and steps out of them only under the setting mcp_memory.maintenance.

CREATE FUNCTION current_agent() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('mcp_memory.agent', true), '');

CREATE FUNCTION visible(agent_id text, shared boolean) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN agent_id = current_setting('mcp_memory.agent', true)
    OR (shared AND current_setting('mcp_memory.agent', true) <> '');

CREATE FUNCTION under_maintenance() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(current_setting('mcp_memory.maintenance', true), '') = 'on';

-- What protect() was told of each table, so that it can be said again when the roles change.
CREATE TABLE protected_tables (
    name     regclass PRIMARY KEY,
    readable text NOT NULL,
    writable text NOT NULL
);

CREATE FUNCTION apply_policies(target regclass, readable text, writable text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    app_role    text := nullif(current_setting('mcp_memory.app_role', true), '');
    worker_role text := nullif(current_setting('mcp_memory.worker_role', true), '');
    policy      name;
    owner_sees  text := CASE WHEN app_role IS NULL THEN 'mcp_memory.under_maintenance()' ELSE 'true' END;
BEGIN
    FOR policy IN SELECT polname FROM pg_policy WHERE polrelid = target LOOP
        EXECUTE format('DROP POLICY %I ON %s', policy, target);
    END LOOP;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY readable ON %s FOR SELECT USING (%s)', target, readable);
    EXECUTE format('CREATE POLICY addable ON %s FOR INSERT WITH CHECK (%s)', target, writable);
    EXECUTE format('CREATE POLICY changeable ON %s FOR UPDATE USING (%s) WITH CHECK (%s)', target, writable, writable);
    EXECUTE format('CREATE POLICY removable ON %s FOR DELETE USING (%s)', target, writable);
    EXECUTE format('CREATE POLICY owned ON %s TO CURRENT_USER USING (%s) WITH CHECK (%s)', target, owner_sees, owner_sees);
    IF app_role IS NOT NULL THEN
        EXECUTE format('CREATE POLICY worked_on ON %s TO %I USING (true) WITH CHECK (true)', target, worker_role);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I, %I', target, app_role, worker_role);
    END IF;
END $$;

CREATE FUNCTION protect(
    target   regclass,
    readable text DEFAULT 'mcp_memory.visible(agent_id, shared)',
    writable text DEFAULT 'agent_id = mcp_memory.current_agent()'
) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO mcp_memory.protected_tables (name, readable, writable)
    VALUES (target, readable, writable)
    ON CONFLICT (name) DO UPDATE SET readable = excluded.readable, writable = excluded.writable;
    SELECT mcp_memory.apply_policies(target, readable, writable);
$$;

-- Run again after every migration and when the roles have changed: it ends in the same state however often.
CREATE FUNCTION secure() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    app_role    text := nullif(current_setting('mcp_memory.app_role', true), '');
    worker_role text := nullif(current_setting('mcp_memory.worker_role', true), '');
BEGIN
    DELETE FROM mcp_memory.protected_tables t WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.name);
    PERFORM mcp_memory.apply_policies(name, readable, writable) FROM mcp_memory.protected_tables;
    IF app_role IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA mcp_memory TO %I, %I', app_role, worker_role);
        EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mcp_memory TO %I', worker_role);
        EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA mcp_memory TO %I, %I', app_role, worker_role);
    END IF;
END $$;

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
SELECT protect('idempotency_keys', 'agent_id = mcp_memory.current_agent()');

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
SELECT protect('audit_log', 'agent_id = mcp_memory.current_agent()');

-- Databases registered with an address of their own, kept when asked. Addresses hold passwords: no agent reads them.
CREATE TABLE registered_databases (
    name          text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,47}$'),
    url           text NOT NULL,
    registered_by text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now()
);
SELECT protect('registered_databases', 'false', 'false');
