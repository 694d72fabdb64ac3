-- after: 0020_core
-- Replace every policy of a table by these: who may read and write its rows, and who may add some
-- (NULL: who may write).
CREATE OR REPLACE FUNCTION apply_policies(
    target regclass, readable text, writable text, addable text
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    app_role    text := nullif(current_setting('mcp_memory.app_role', true), '');
    worker_role text := nullif(current_setting('mcp_memory.worker_role', true), '');
    policy      name;
    owner_sees  text :=
        CASE WHEN app_role IS NULL THEN 'mcp_memory.under_maintenance()' ELSE 'true' END;
BEGIN
    FOR policy IN SELECT polname FROM pg_policy WHERE polrelid = target LOOP
        EXECUTE format('DROP POLICY %I ON %s', policy, target);
    END LOOP;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY readable ON %s FOR SELECT USING (%s)', target, readable);
    EXECUTE format('CREATE POLICY addable ON %s FOR INSERT WITH CHECK (%s)',
        target, coalesce(addable, writable));
    EXECUTE format('CREATE POLICY changeable ON %s FOR UPDATE USING (%s) WITH CHECK (%s)',
        target, writable, writable);
    EXECUTE format('CREATE POLICY removable ON %s FOR DELETE USING (%s)', target, writable);
    EXECUTE format('CREATE POLICY owned ON %s TO CURRENT_USER USING (%s) WITH CHECK (%s)',
        target, owner_sees, owner_sees);
    IF app_role IS NOT NULL THEN
        EXECUTE format('CREATE POLICY worked_on ON %s TO %I USING (true) WITH CHECK (true)',
            target, worker_role);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I, %I',
            target, app_role, worker_role);
    END IF;
END $$;
