"""`mcp-memory doctor`: what the memory depends on, what of it is wrong, and the mend."""

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import anyio
import anyio.to_thread
import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcp_memory.app import App, open_app
from mcp_memory.config import Config, mask_url
from mcp_memory.errors import ConfigError, DatabaseUnavailable, EmbeddedPostgresFailed
from mcp_memory.interfaces.cli.checks import (
    Finding,
    State,
    check_diagnosis,
    check_disk,
    check_embeddings,
    check_index,
    check_packages,
    check_python,
    check_timezone,
    check_vocabulary,
    check_wake,
    ok,
    problem,
    warning,
)
from mcp_memory.interfaces.cli.config import origins
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import database_option, json_option
from mcp_memory.interfaces.cli.output import print_json, printable
from mcp_memory.interfaces.cli.session import configure
from mcp_memory.postgres.databases import READ_URL_UNUSED
from mcp_memory.postgres.diagnosis import diagnose, is_heard
from mcp_memory.postgres.embedded.cluster import EmbeddedCluster

_COLOURS: dict[State, str] = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@database_option
@json_option
@pass_invocation
@click.pass_context
def doctor(ctx: click.Context, invocation: Invocation, database: str | None, as_json: bool) -> None:
    """Check everything the memory depends on.

    What is wrong comes with how to mend it. The exit code is 1 when something keeps the memory
    from working; warnings do not count. The embedded PostgreSQL is started for it; no database is
    created or migrated.

    \b
    Example:
      mcp-memory doctor --json
    """
    findings = [check_python(), check_packages(), *_check_settings(invocation, database)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    ctx.exit(1 if any(finding.state == "problem" for finding in findings) else 0)


def _check_settings(invocation: Invocation, database: str | None) -> Iterator[Finding]:
    """What depends on the settings, if they can be read at all."""
    try:
        config = configure(invocation)
    except ConfigError as exc:
        yield problem("settings", str(exc), "correct that key, then run `mcp-memory config check`")
        return
    yield ok("settings", f"from {', '.join(origins(config))}")
    yield check_timezone(config)
    yield check_vocabulary()
    yield from anyio.run(_databases, config, database)


async def _databases(config: Config, database: str | None) -> Sequence[Finding]:
    async with open_app(config) as app:
        name = database or config.default_database
        if name != config.default_database and name not in config.databases:
            # Only the default database knows which names were registered.
            await app.databases.names()
        findings = [finding async for finding in _database(app, name)]
        return [await check_embeddings(app.spaces.embedders), *findings]


async def _database(app: App, name: str) -> AsyncIterator[Finding]:
    """The embedded cluster, if this is where the database is, then server and database."""
    url = app.databases.url_of(name)
    cluster = app.databases.cluster
    if cluster is not None and app.databases.is_embedded(name):
        yield check_disk(cluster.data_dir)
        embedded = await anyio.to_thread.run_sync(_embedded, cluster)
        yield embedded
        if embedded.state == "problem":
            return
    try:
        diagnosis = await diagnose(name, url)
    except DatabaseUnavailable as exc:
        yield problem("server", f"{exc.reason}: {mask_url(url)}", _mend(name))
        return
    for finding in check_diagnosis(name, diagnosis):
        yield finding
    if app.databases.address_of(name).read_url:
        yield warning("replica", READ_URL_UNUSED, "leave read_url out")
    async for finding in check_index(app, name, diagnosis):
        yield finding
    async for finding in check_wake(app, name, diagnosis):
        yield finding
    if diagnosis.inside is not None:
        yield await _listening(app, name)


async def _listening(app: App, name: str) -> Finding:
    """Whether agents would be woken: by a notification, sent and heard as the server does it."""
    address = app.databases.address_of(name)
    section = "database" if name == "main" else f"databases.{name}"
    mend = f"let {section}.listen_url name the server itself, past any pooler"
    try:
        if await is_heard(address):
            return ok("listening", "notifications are heard")
    except DatabaseUnavailable as exc:
        return problem("listening", f"{exc.reason}: {mask_url(address.direct_url)}", mend)
    return problem("listening", "nothing that is notified is heard: nobody would be woken", mend)


def _embedded(cluster: EmbeddedCluster) -> Finding:
    """Start it: that tries its programs, its folder and the user it runs as."""
    try:
        cluster.start()
    except EmbeddedPostgresFailed as exc:
        what = exc.problem.rstrip(".")
        log = f"read {cluster.log_file}, " if _is_there(cluster.log_file) else ""
        mend = f"{log}set MCP_MEMORY_DATA_DIR to a folder you own, or database.url to a server"
        return problem("embedded", what, mend)
    return ok("embedded", f"{cluster.data_dir}, programs in {cluster.bin_dir}")


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        return False


def _mend(name: str) -> str:
    key = "database.url" if name == "main" else f"databases.{name}.url"
    return f"start that server, or correct host, login and database in {key}"


def _print(findings: Sequence[Finding]) -> None:
    if sys.stdout.isatty():
        _print_table(findings)
        return
    for finding in findings:
        click.echo(f"{finding.state}\t{finding.check}\t{printable(finding.what)}")
        if finding.mend:
            click.echo(f"mend\t{finding.check}\t{printable(finding.mend)}")


def _print_table(findings: Sequence[Finding]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in findings:
        state = Text(finding.state, style=_COLOURS[finding.state])
        table.add_row(state, finding.check, Text(printable(finding.what)))
        if finding.mend:
            table.add_row("", "", Text(f"-> {printable(finding.mend)}", style="bold"))
    Console().print(table)
