"""`mcp-memory backup` and `restore`: a whole database into a file, and out of one."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click

from mcp_memory.app import App
from mcp_memory.cli.invocation import Invocation, pass_invocation
from mcp_memory.cli.options import database_option, json_option
from mcp_memory.cli.output import print_json, readable_size
from mcp_memory.cli.session import configured, run
from mcp_memory.transfer.models import BackedUp, Restored


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Even if FILE is there already.")
@database_option
@json_option
@pass_invocation
def backup(
    invocation: Invocation, file: Path, replace: bool, database: str | None, as_json: bool
) -> None:
    """Write a whole database into FILE, and check it.

    What is in it is what the database held at one moment, and it is read again to see that every
    row is there; whoever works in the database need not wait. FILE is in PostgreSQL's custom
    format, for `mcp-memory restore` or pg_restore. It holds everything, of every agent: keep it as
    you keep the database.

    \b
    Example:
      mcp-memory backup ~/backups/memory-$(date +%F).dump
    """
    work = partial(_back_up, file=file.absolute(), database=database, replace=replace)
    done = run(configured(invocation), work)
    if as_json:
        print_json(
            {
                "database": done.database,
                "file": str(done.file),
                "size_bytes": done.size_bytes,
                "migration": done.migration,
                "rows": done.rows,
            }
        )
    else:
        click.echo(
            f"{done.database}: {_told(done.rows)}, {readable_size(done.size_bytes)},"
            f" read again and whole: {done.file}"
        )


async def _back_up(app: App, file: Path, database: str | None, replace: bool) -> BackedUp:
    return await app.transfer.back_up(file, database=database, replace=replace)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@database_option
@json_option
@pass_invocation
def restore(invocation: Invocation, file: Path, database: str | None, as_json: bool) -> None:
    """Bring back what FILE holds, all of it or nothing.

    The database is empty before, or made for it; one that holds anything is not touched. Every
    table has as many rows as FILE afterwards, or nothing has changed. An archive of an older
    version is migrated. Use only files that you trust, as with pg_restore: they are programs.

    \b
    Example:
      mcp-memory restore ~/backups/memory-2026-11-29.dump --database restored
    """
    work = partial(_restore, file=file.absolute(), database=database)
    done = run(configured(invocation), work)
    if as_json:
        print_json(
            {
                "database": done.database,
                "file": str(done.file),
                "migration": done.migration,
                "rows": done.rows,
            }
        )
    else:
        click.echo(f"{done.database}: {_told(done.rows)}, as in {done.file}")


async def _restore(app: App, file: Path, database: str | None) -> Restored:
    return await app.transfer.restore(file, database=database)


def _told(rows: Mapping[str, int]) -> str:
    """Such as `1,204 rows in 36 tables`."""
    return f"{sum(rows.values()):,} rows in {len(rows)} tables"
