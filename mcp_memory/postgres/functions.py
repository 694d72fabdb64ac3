"""The SQL functions of the schema: a file each, applied after the tables whenever it has changed.

`migrations/functions/NAME.sql` is always the living text of the function NAME, with the triggers
that call it and who may not. Its first line names the migration whose tables it is for
(`-- after: 0021_documents`). Bodies are quoted and not checked while they are applied, so the
order of the files does not matter.

Servers of two versions use one database side by side. So what callers notice of a function
(arguments, columns, what it means) never changes: a function that does so gets a new name.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcp_memory.errors import MigrationFailed
from mcp_memory.postgres.connection import Connection

_AFTER = re.compile(r"-- after: (\d{4})_[a-z0-9_]+\n")


@dataclass(frozen=True, slots=True)
class SqlFunction:
    """The text of one function; `after` is the number of the migration whose tables it needs."""

    name: str
    after: int
    text: str
    sha256: str


def load_functions(folder: Path) -> tuple[SqlFunction, ...]:
    """The functions of a folder, by name."""
    return tuple(_read(path) for path in sorted(folder.glob("*.sql")))


def _read(path: Path) -> SqlFunction:
    text = path.read_text("utf-8")
    match = _AFTER.match(text)
    if match is None:
        raise MigrationFailed(path.name, "its first line is not -- after: NNNN_what")
    return SqlFunction(path.stem, int(match[1]), text, hashlib.sha256(text.encode()).hexdigest())


_RECORDED = """
SELECT name, sha256
FROM mcp_memory.functions
"""


async def find_outdated_functions(
    conn: Connection, functions: Sequence[SqlFunction], number: int
) -> list[SqlFunction]:
    """Those that a database at migration `number` lacks, or has another text of."""
    rows = await (await conn.execute(_RECORDED)).fetchall()
    recorded = {str(name): str(sha256) for name, sha256 in rows}
    return [
        function
        for function in functions
        if function.after <= number and recorded.get(function.name) != function.sha256
    ]


# A body may speak of functions and tables that are yet to come.
_UNCHECKED = """
SELECT set_config('check_function_bodies', 'off', true)
"""

_RECORD = """
INSERT INTO mcp_memory.functions (name, sha256, after)
VALUES (%(name)s, %(sha256)s, %(after)s)
ON CONFLICT (name) DO UPDATE
SET sha256 = excluded.sha256, after = excluded.after, applied_at = now()
"""


async def apply_functions(conn: Connection, functions: Sequence[SqlFunction], number: int) -> None:
    """Apply what is outdated, in the open transaction of the schema's owner."""
    await conn.execute(_UNCHECKED)
    for function in await find_outdated_functions(conn, functions, number):
        await conn.execute(function.text.encode())
        parameters = {
            "name": function.name,
            "sha256": function.sha256,
            "after": function.after,
        }
        await conn.execute(_RECORD, parameters)


_FORGET = """
WITH forgotten AS (
    DELETE FROM mcp_memory.functions WHERE after >= %(number)s RETURNING name
)
SELECT format('DROP FUNCTION %%s CASCADE', p.oid::regprocedure)
FROM forgotten
JOIN pg_proc p ON p.proname = forgotten.name
WHERE p.pronamespace = 'mcp_memory'::regnamespace
"""


async def drop_functions(conn: Connection, number: int) -> None:
    """Drop the functions of a migration and of later ones, with the triggers that call them."""
    for (statement,) in await (await conn.execute(_FORGET, {"number": number})).fetchall():
        await conn.execute(str(statement).encode())
