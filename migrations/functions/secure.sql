-- after: 0020_core
-- Every policy and grant, for the roles there are now. Run after every migration, after every
-- function that changed, and when the roles have changed: it ends in the same state however often.
CREATE OR REPLACE FUNCTION secure() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    app_role    text := nullif(current_setting('mcp_memory.app_role', true), '');
    worker_role text := nullif(current_setting('mcp_memory.worker_role', true), '');
BEGIN
    DELETE FROM mcp_memory.protected_tables t
    WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.name);
    PERFORM mcp_memory.apply_policies(name, readable, writable, addable)
    FROM mcp_memory.protected_tables;
    IF app_role IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA mcp_memory TO %I, %I', app_role, worker_role);
        EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mcp_memory TO %I', worker_role);
        EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA mcp_memory TO %I, %I',
            app_role, worker_role);
    END IF;
END $$;
