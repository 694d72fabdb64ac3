"""A schema as rows that can be compared: columns, indexes, policies, functions, grants."""

from mcp_memory.db.connection import Connection

_SCHEMA = """
SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'mcp_memory'::regnamespace
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), ''
FROM pg_constraint WHERE connamespace = 'mcp_memory'::regnamespace
UNION ALL
SELECT 'index', tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'mcp_memory'
UNION ALL
SELECT 'policy', tablename, policyname, coalesce(qual, ''), coalesce(with_check, '')
FROM pg_policies WHERE schemaname = 'mcp_memory'
UNION ALL
SELECT 'function', p.proname, pg_get_function_identity_arguments(p.oid), p.prosrc,
       coalesce(pg_get_function_sqlbody(p.oid), '')
FROM pg_proc p WHERE p.pronamespace = 'mcp_memory'::regnamespace
UNION ALL
SELECT 'execute', p.oid::regprocedure::text,
       (SELECT coalesce(string_agg(a::text, ' ' ORDER BY a::text), '') FROM unnest(p.proacl) a),
       p.prosecdef::text, ''
FROM pg_proc p WHERE p.pronamespace = 'mcp_memory'::regnamespace
UNION ALL
SELECT 'grant', c.relname, coalesce(array_to_string(c.relacl, ' '), ''),
       c.relrowsecurity::text, c.relforcerowsecurity::text
FROM pg_class c WHERE c.relnamespace = 'mcp_memory'::regnamespace AND c.relkind = 'r'
ORDER BY 1, 2, 3, 4, 5
"""


async def schema_of(conn: Connection) -> list[tuple[object, ...]]:
    """Everything a migration can leave behind."""
    return await (await conn.execute(_SCHEMA)).fetchall()
