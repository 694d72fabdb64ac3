-- Why: what a database of the last unreleased build (migration 19) lacks to be one of today's at its newest number.
--
-- No row is touched. Functions, triggers and policies go; the runner makes them again from migrations/functions. Tables,
-- columns, constraints, indexes and sequences get the names that they have in a fresh database.

-- What calls a function goes before it. In one statement, since some have bodies that depend on one another; without
-- CASCADE, so that what somebody else made of them is refused, not dropped.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
        FROM pg_trigger t
        JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE NOT t.tgisinternal AND p.pronamespace = 'mcp_memory'::regnamespace
        UNION ALL
        SELECT format('DROP POLICY %I ON %s', l.polname, l.polrelid::regclass)
        FROM pg_policy l
        JOIN pg_class c ON c.oid = l.polrelid
        WHERE c.relnamespace = 'mcp_memory'::regnamespace
    LOOP
        EXECUTE statement;
    END LOOP;
    EXECUTE (
        SELECT 'DROP FUNCTION ' || string_agg(p.oid::regprocedure::text, ', ')
        FROM pg_proc p
        WHERE p.pronamespace = 'mcp_memory'::regnamespace
    );
END $$;

ALTER TYPE narrowing RENAME TO search_filter;
ALTER TABLE embedding_models RENAME TO vector_spaces;
ALTER TABLE chunk_embeddings RENAME TO vectors;
ALTER TABLE vectors RENAME COLUMN model_id TO space_id;
ALTER TABLE embedding_jobs RENAME TO vector_jobs;
ALTER TABLE vector_jobs RENAME COLUMN model_id TO space_id;
ALTER TABLE lexeme_counts RENAME TO word_counts;
ALTER TABLE lexeme_changes RENAME TO word_changes;
ALTER TABLE doorbells RENAME TO wake_leases;
ALTER TABLE rings RENAME TO wake_attempts;
ALTER TABLE bells RENAME TO wake_jobs;
ALTER TABLE wake_jobs RENAME COLUMN ring TO attempt_id;

-- A constraint's index is renamed with it. Of two prefixes the longer one counts.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        WITH prefixes (old, new) AS (
            VALUES ('chunk_embeddings_model_', 'vectors_space_'),
                   ('chunk_embeddings_', 'vectors_'),
                   ('embedding_jobs_model_', 'vector_jobs_space_'),
                   ('embedding_jobs_', 'vector_jobs_'),
                   ('embedding_models_', 'vector_spaces_'),
                   ('lexeme_counts_', 'word_counts_'),
                   ('lexeme_changes_', 'word_changes_'),
                   ('doorbells_', 'wake_leases_'),
                   ('rings_', 'wake_attempts_'),
                   ('bells_ring_fkey', 'wake_jobs_attempt_id_fkey'),
                   ('bells_ring', 'wake_jobs_attempt'),
                   ('bells_', 'wake_jobs_')
        ), old_names (oid, name, beginning) AS (
            SELECT k.oid, k.conname, format('ALTER TABLE %s RENAME CONSTRAINT', k.conrelid::regclass)
            FROM pg_constraint k
            WHERE k.connamespace = 'mcp_memory'::regnamespace
            UNION ALL
            SELECT c.oid, c.relname, CASE c.relkind WHEN 'S' THEN 'ALTER SEQUENCE' ELSE 'ALTER INDEX' END
            FROM pg_class c
            WHERE c.relnamespace = 'mcp_memory'::regnamespace AND c.relkind IN ('i', 'S')
              AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.conname = c.relname)
        )
        SELECT DISTINCT ON (o.beginning, o.name)
               format(CASE WHEN o.beginning LIKE '%CONSTRAINT' THEN '%s %I TO %I' ELSE '%s %I RENAME TO %I' END,
                      o.beginning, o.name, p.new || substr(o.name, length(p.old) + 1))
        FROM old_names o
        JOIN prefixes p ON starts_with(o.name, p.old)
        ORDER BY o.beginning, o.name, length(p.old) DESC
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;

ALTER TABLE protected_tables
    ALTER COLUMN readable SET DEFAULT 'mcp_memory.visible(agent_id, shared)',
    ALTER COLUMN writable SET DEFAULT 'agent_id = mcp_memory.current_agent()';
