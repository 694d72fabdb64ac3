"""A database as the last unreleased build (commit 747b382, migration 19) left it."""

import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from mcp_memory.postgres import provision
from mcp_memory.postgres.addresses import database_in, with_database
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.migrate import enter_as_owner
from mcp_memory.postgres.programs import client_address, client_program

SCRIPT = Path(__file__).with_name("migration_19.dump")

# What the take-over renames: table, column.
TABLES = {
    "embedding_models": "vector_spaces",
    "chunk_embeddings": "vectors",
    "embedding_jobs": "vector_jobs",
    "lexeme_counts": "word_counts",
    "lexeme_changes": "word_changes",
    "doorbells": "wake_leases",
    "rings": "wake_attempts",
    "bells": "wake_jobs",
}
COLUMNS = {
    ("vectors", "model_id"): "space_id",
    ("vector_jobs", "model_id"): "space_id",
    ("wake_jobs", "ring"): "attempt_id",
}
# What says how the schema came to be.
HISTORY = {"migrations", "functions"}

Rows = dict[str, list[dict[str, object]]]


async def make_legacy_database(url: str, maintenance_url: str) -> None:
    """Make the database at 19, secured for its login, at a URL where none is yet."""
    with psycopg.connect(maintenance_url, autocommit=True) as conn:
        name = sql.Identifier(database_in(url))
        conn.execute(sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(name))
    admin = with_database(maintenance_url, database_in(url))
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION vector")
    await fill_legacy_database(url)


async def fill_legacy_database(url: str) -> None:
    """Make the schema at 19 with its rows in a database that has pgvector."""
    run_script(url, SCRIPT)
    async with await provision.connect(url) as conn:
        layout = await provision.layout_for_migrating(conn, "main")
        async with conn.transaction():
            await enter_as_owner(conn, layout.roles, layout.search_path)
            await conn.execute("SELECT mcp_memory.secure()")


def run_script(url: str, script: Path) -> None:
    """Run it in one transaction."""
    conninfo, environment = client_address(url, [])
    command = [client_program("psql", prefers_system=False), "--no-psqlrc", "--quiet"]
    options = ["--set=ON_ERROR_STOP=1", "--single-transaction", f"--file={script}"]
    done = subprocess.run(
        [*command, *options, "--output=/dev/null", f"--dbname={conninfo}"],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


_TABLES = """
SELECT c.relname::text
FROM pg_class c
WHERE c.relnamespace = 'mcp_memory'::regnamespace AND c.relkind = 'r'
ORDER BY 1
"""
_ROWS = sql.SQL('SELECT to_jsonb(t) FROM {} t ORDER BY to_jsonb(t)::text COLLATE "C"')


async def rows_of(conn: Connection) -> Rows:
    """Every row of every table but the history, under the names of today."""
    await conn.execute("SELECT set_config('mcp_memory.maintenance', 'on', false)")
    rows: Rows = {}
    for (table,) in await (await conn.execute(_TABLES)).fetchall():
        if table in HISTORY:
            continue
        found = await conn.execute(_ROWS.format(sql.Identifier("mcp_memory", str(table))))
        name = TABLES.get(str(table), str(table))
        rows[name] = [_renamed(name, dict(row[0])) for row in await found.fetchall()]
    return rows


def _renamed(table: str, row: dict[str, object]) -> dict[str, object]:
    columns = {COLUMNS.get((table, column), column): value for column, value in row.items()}
    if table == "protected_tables":
        bare = str(columns["name"]).removeprefix("mcp_memory.")
        columns["name"] = TABLES.get(bare, bare)
    return columns
