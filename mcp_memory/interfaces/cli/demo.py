"""`mcp-memory demo`: the main job, done by real servers and clients, with every answer checked."""

import os
import tempfile
import time
import uuid
from functools import partial
from typing import TextIO

import anyio
import click

from mcp_memory.app import App
from mcp_memory.interfaces.cli.clients import paste_lines, server_command
from mcp_memory.interfaces.cli.demo_steps import STEPS, Stage, Step, UnexpectedAnswer, open_stage
from mcp_memory.interfaces.cli.invocation import Failure, Invocation, pass_invocation
from mcp_memory.interfaces.cli.output import printable
from mcp_memory.interfaces.cli.session import configure, run

_SECONDS = 180.0
_LOG_LINES = 15


@click.command()
@click.option("--keep", is_flag=True, help="Keep the demo's database, to look at it.")
@pass_invocation
def demo(invocation: Invocation, keep: bool) -> None:
    """See the main job done, end to end.

    Two agents, each at a server process of its own, write, search, recall and message over MCP.
    It happens in a database of its own, which is dropped at the end: your memory is not touched.
    The exit code is 1 when any answer is not what it must be. Last come the lines for your client.

    \b
    Example:
      mcp-memory demo
    """
    config = configure(invocation)
    name = f"demo_{uuid.uuid4().hex[:8]}"
    command = server_command(invocation.config_file, "--log-level", "warning")
    environ = os.environ | {"MCP_MEMORY__DEFAULT_DATABASE": name}
    run(config, partial(_play, name=name, command=command, environ=environ, keep=keep))
    click.echo("\nEverything was as it must be. To use the memory from a client:\n")
    for line in paste_lines(server_command(invocation.config_file), os.environ):
        click.echo(line)


async def _play(
    app: App, name: str, command: list[str], environ: dict[str, str], keep: bool
) -> None:
    """Make the database, play in it, and drop it whatever happened."""
    started = time.perf_counter()
    await app.databases.register(name, app.config.agent)
    where = "the embedded PostgreSQL" if app.databases.is_embedded(name) else "your PostgreSQL"
    click.echo(f"Made the database {name} in {where}, in {_since(started)}.")
    try:
        with tempfile.TemporaryFile("w+", encoding="utf-8") as errors, anyio.fail_after(_SECONDS):
            await _show(command, environ, errors)
    finally:
        with anyio.CancelScope(shield=True):
            await _end(app, name, keep=keep)


async def _show(command: list[str], environ: dict[str, str], errors: TextIO) -> None:
    try:
        started = time.perf_counter()
        async with open_stage(command, environ, errors) as stage:
            click.echo(f"Two servers answer over stdio, in {_since(started)}.")
            for number, step in enumerate(STEPS, start=1):
                await _take(number, step, stage)
    except BaseException:
        errors.seek(0)
        for line in errors.read().splitlines()[-_LOG_LINES:]:
            click.echo(f"server: {printable(line)}", err=True)
        raise


async def _take(number: int, step: Step, stage: Stage) -> None:
    """One step: what it is about, what was called, what came back."""
    stage.log.clear()
    click.echo(f"\n{number}. {step.title}")
    try:
        shown = await step.show(stage)
    except UnexpectedAnswer as exc:
        for call in stage.log:
            click.echo(f"   {call}")
        raise Failure(f"step {number} of the demo failed: {exc}") from exc
    for line in (*stage.log, *(f"-> {answer}" for answer in shown)):
        click.echo(f"   {printable(line)}")


async def _end(app: App, name: str, *, keep: bool) -> None:
    if keep:
        click.echo(f"\nKept the database {name}; mcp-memory databases drop {name} --yes drops it.")
        return
    await app.databases.drop(name)
    click.echo(f"\nDropped the database {name}; your own memory was not touched.")


def _since(started: float) -> str:
    return f"{time.perf_counter() - started:.2f} s"
