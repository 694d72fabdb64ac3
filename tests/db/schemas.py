"""A schema as rows that can be compared: columns, constraints, functions, triggers, grants."""

from collections.abc import Iterable

from mcp_memory.postgres.connection import Connection

Row = tuple[object, ...]

_SCHEMA = """
SELECT 'column', c.relname, a.attnum || ' ' || a.attname, format_type(a.atttypid, a.atttypmod),
       concat_ws(' ', a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid))
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'mcp_memory'::regnamespace AND c.relkind <> 'i'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), ''
FROM pg_constraint WHERE connamespace = 'mcp_memory'::regnamespace
UNION ALL
SELECT 'index', tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'mcp_memory'
UNION ALL
SELECT 'policy', tablename, policyname, coalesce(qual, ''),
       concat_ws(' ', with_check, cmd, permissive, roles)
FROM pg_policies WHERE schemaname = 'mcp_memory'
UNION ALL
SELECT 'function', p.proname, pg_get_function_identity_arguments(p.oid),
       pg_get_functiondef(p.oid), coalesce(obj_description(p.oid, 'pg_proc'), '')
FROM pg_proc p WHERE p.pronamespace = 'mcp_memory'::regnamespace
UNION ALL
SELECT 'execute', p.oid::regprocedure::text,
       (SELECT coalesce(string_agg(a::text, ' ' ORDER BY a::text), '') FROM unnest(p.proacl) a),
       p.prosecdef::text, ''
FROM pg_proc p WHERE p.pronamespace = 'mcp_memory'::regnamespace
UNION ALL
SELECT 'trigger', t.tgrelid::regclass::text, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled::text
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'mcp_memory'::regnamespace AND NOT t.tgisinternal
UNION ALL
SELECT 'grant', c.relname, coalesce(array_to_string(c.relacl, ' '), ''),
       c.relrowsecurity::text, c.relforcerowsecurity::text
FROM pg_class c WHERE c.relnamespace = 'mcp_memory'::regnamespace AND c.relkind IN ('r', 'S')
ORDER BY 1, 2, 3, 4, 5
"""


async def schema_of(conn: Connection) -> list[Row]:
    """Everything a migration can leave behind."""
    return await (await conn.execute(_SCHEMA)).fetchall()


def without_indexes_of_spaces(rows: Iterable[Row]) -> set[Row]:
    """The schema without what each vector space adds to it."""
    return {row for row in rows if not (row[0] == "index" and "vectors_space_" in str(row[2]))}


_PROTECTION = """
SELECT name::text, readable, writable, addable
FROM mcp_memory.protected_tables
ORDER BY name::text
"""


async def protection_of(conn: Connection) -> list[Row]:
    """Which table is protected how."""
    return await (await conn.execute(_PROTECTION)).fetchall()
