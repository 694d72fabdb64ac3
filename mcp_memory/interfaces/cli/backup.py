"""`mcp-memory backup`: a whole database into a file."""

from functools import partial
from pathlib import Path

import click

from mcp_memory.app import App
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import database_option, json_option
from mcp_memory.interfaces.cli.output import print_json, readable_size, rows_in_tables
from mcp_memory.interfaces.cli.session import configure, run
from mcp_memory.transfer.backup import BackupReport


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
    report = run(configure(invocation), work)
    if as_json:
        print_json(
            {
                "database": report.database,
                "file": str(report.file),
                "size_bytes": report.size_bytes,
                "migration": report.migration,
                "rows": report.rows,
            }
        )
    else:
        click.echo(
            f"{report.database}: {rows_in_tables(report.rows)}, {readable_size(report.size_bytes)},"
            f" read again and whole: {report.file}"
        )


async def _back_up(app: App, file: Path, database: str | None, replace: bool) -> BackupReport:
    session = app.session(app.config.agent, database)
    return await app.transfer.back_up(session, file, replace=replace)
