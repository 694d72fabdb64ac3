"""Our schema as a whole: its tables, how much is in each, a moment of it, and its end."""

from collections.abc import Collection, Sequence

from psycopg import sql

from mcp_memory.postgres.connection import Connection

_TABLES = """
SELECT c.relname::text
FROM pg_class c
WHERE c.relnamespace = to_regnamespace('mcp_memory') AND c.relkind IN ('r', 'p')
ORDER BY c.relname
"""


async def tables(conn: Connection) -> list[str]:
    """The tables, by name; none where the database was never migrated."""
    return [str(row[0]) for row in await (await conn.execute(_TABLES)).fetchall()]


_COUNT = sql.SQL("SELECT count(*) FROM {}")


async def count_rows(conn: Connection) -> dict[str, int]:
    """How many rows each table has, for a transaction of maintenance."""
    counts: dict[str, int] = {}
    for table in await tables(conn):
        row = await (await conn.execute(_COUNT.format(_identifier(table)))).fetchone()
        counts[table] = int(row[0]) if row else 0
    return counts


# What holds no rows of agents, and has none in protected_tables: the history, and that list.
_UNPROTECTED = frozenset({"functions", "migrations", "protected_tables"})
# Until migration 25 protected_tables did not say it: what was so then, also by its name at 19.
_UNTIL_25 = [
    "agents",
    "doorbells",
    "embedding_models",
    "lexeme_changes",
    "lexeme_counts",
    "vector_spaces",
    "wake_leases",
    "word_changes",
    "word_counts",
]

_BOOKKEEPING = """
SELECT c.relname::text
FROM mcp_memory.protected_tables t
JOIN pg_class c ON c.oid = t.name
WHERE CASE
    WHEN to_jsonb(t) ? 'has_content' THEN to_jsonb(t) ->> 'has_content' = 'false'
    ELSE c.relname = ANY(%(until_25)s)
END
"""


async def bookkeeping(conn: Connection) -> set[str]:
    """The tables that have rows though nobody has written in the database yet."""
    if "protected_tables" not in await tables(conn):
        return set()
    rows = await (await conn.execute(_BOOKKEEPING, {"until_25": _UNTIL_25})).fetchall()
    return {*_UNPROTECTED, *(str(row[0]) for row in rows)}


_ONE_MOMENT = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY
"""


async def see_one_moment(conn: Connection) -> None:
    """Let the transaction that was just opened see what is there now, and nothing later."""
    await conn.execute(_ONE_MOMENT)


_EXPORT = """
SELECT pg_export_snapshot(), set_config('idle_in_transaction_session_timeout', '0', true)
"""


async def export_moment(conn: Connection) -> str:
    """The moment that the transaction sees, for others to see as long as it stays open."""
    row = await (await conn.execute(_EXPORT)).fetchone()
    assert row is not None
    return str(row[0])


_SESSION_ROLE = """
SELECT current_user::text
"""


async def session_role(conn: Connection) -> str:
    """Whom the session acts as."""
    row = await (await conn.execute(_SESSION_ROLE)).fetchone()
    assert row is not None
    return str(row[0])


_LOCK = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE;\n")

_MUST_BE_EMPTY = sql.SQL("""
DO $check$
BEGIN
    IF EXISTS (SELECT FROM {}) THEN
        RAISE EXCEPTION 'the table % has rows', {};
    END IF;
END
$check$;
""")

_DROP = sql.SQL("DROP SCHEMA IF EXISTS mcp_memory CASCADE;\n")


def clearing_script(known: Sequence[str], must_be_empty: Collection[str]) -> bytes:
    """Statements that remove the schema with these tables, unless one of the others has rows.

    They are for a transaction of maintenance. Until it ends, nobody reads or writes there.
    """
    locks = [_LOCK.format(_identifier(table)) for table in known]
    checks = [
        _MUST_BE_EMPTY.format(_identifier(table), sql.Literal(table))
        for table in known
        if table in must_be_empty
    ]
    return sql.Composed([*locks, *checks, _DROP]).as_bytes()


_ANALYZE = sql.SQL("ANALYZE {}")


async def analyze(conn: Connection) -> None:
    """Let the planner know what is in each table."""
    for table in await tables(conn):
        await conn.execute(_ANALYZE.format(_identifier(table)))


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier("mcp_memory", table)
