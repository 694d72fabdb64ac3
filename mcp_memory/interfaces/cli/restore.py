"""`mcp-memory restore`: a whole database out of a file."""

from functools import partial
from pathlib import Path

import click

from mcp_memory.app import App
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import database_option, json_option
from mcp_memory.interfaces.cli.output import print_json, rows_in_tables
from mcp_memory.interfaces.cli.session import configure, run
from mcp_memory.transfer.backup import RestoreReport


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
    report = run(configure(invocation), work)
    if as_json:
        print_json(
            {
                "database": report.database,
                "file": str(report.file),
                "migration": report.migration,
                "rows": report.rows,
            }
        )
    else:
        click.echo(f"{report.database}: {rows_in_tables(report.rows)}, as in {report.file}")


async def _restore(app: App, file: Path, database: str | None) -> RestoreReport:
    return await app.transfer.restore(app.session(app.config.agent, database), file)
