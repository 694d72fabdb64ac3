"""`mcp-memory` itself: its global options, its commands, and how every failure ends."""

import gc
import os
import sys
import traceback
from collections.abc import Generator, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

import click

from mcp_memory import __version__
from mcp_memory.errors import McpMemoryError
from mcp_memory.interfaces.cli.invocation import Failure, Invocation

_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command lives (`package.module:name`) and what the list of commands says of it."""

    place: str
    summary: str

    def load(self) -> click.Command:
        """The command itself; imports its module."""
        module, _, name = self.place.partition(":")
        with _pause_collection(), _one_blas_thread():
            command: object = getattr(import_module(module), name)
        assert isinstance(command, click.Command), self.place
        return command


@contextmanager
def _pause_collection() -> Generator[None]:
    """Without garbage collection, which takes a sixth of the imports' time and finds nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _one_blas_thread() -> Generator[None]:
    """numpy, if it is imported here, starts no threads, of which each spins for a tenth of a second
    in every process: nothing here multiplies matrices large enough to gain by them."""
    if _BLAS_THREADS in os.environ:
        yield
        return
    os.environ[_BLAS_THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[_BLAS_THREADS]


class LazyCommands(MutableMapping[str, click.Command]):
    """Commands by name, in the order they were declared; one is imported when it is taken out."""

    def __init__(self, declared: Mapping[str, Lazy]) -> None:
        self.summaries = {name: lazy.summary for name, lazy in declared.items()}
        self._commands: dict[str, Lazy | click.Command] = dict(declared)

    def __getitem__(self, name: str) -> click.Command:
        command = self._commands[name]
        if isinstance(command, Lazy):
            command = self._commands[name] = command.load()
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._commands[name] = command
        self.summaries[name] = command.get_short_help_str()

    def __delitem__(self, name: str) -> None:
        del self._commands[name], self.summaries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)


class LazyGroup(click.Group):
    """A group over `LazyCommands`; its own --help imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of their declaration."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what was declared of them."""
        assert isinstance(self.commands, LazyCommands)
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands.summaries.items()))


INTERRUPTED = 130

COMMANDS = {
    "demo": Lazy("mcp_memory.interfaces.cli.demo:demo", "See the main job done, end to end."),
    "serve": Lazy("mcp_memory.interfaces.cli.serve:serve", "Serve the memory to MCP clients."),
    "bridge": Lazy(
        "mcp_memory.interfaces.cli.bridge:bridge",
        "Wake a program when its agent has mail, and call tools for it.",
    ),
    "doctor": Lazy(
        "mcp_memory.interfaces.cli.doctor:doctor", "Check everything the memory depends on."
    ),
    "index": Lazy(
        "mcp_memory.interfaces.cli.index:index", "Write Markdown and text files into the memory."
    ),
    "search": Lazy("mcp_memory.interfaces.cli.search:search", "Search the memory."),
    "transcript": Lazy(
        "mcp_memory.interfaces.cli.transcript:transcript",
        "Import conversations from files, and remove old ones.",
    ),
    "graph": Lazy(
        "mcp_memory.interfaces.cli.graph:graph",
        "List, join and part entities; forget what came from a source.",
    ),
    "hook": Lazy(
        "mcp_memory.interfaces.cli.hook:hook",
        "Answer EVENT of Claude Code, which is told on stdin as JSON.",
    ),
    "databases": Lazy("mcp_memory.interfaces.cli.databases:databases", "Manage named databases."),
    "migrate": Lazy("mcp_memory.interfaces.cli.migrate:migrate", "Manage a database's migrations."),
    "keys": Lazy(
        "mcp_memory.interfaces.cli.keys:keys",
        "Make, list and revoke the keys that clients over HTTP need.",
    ),
    "wake": Lazy(
        "mcp_memory.interfaces.cli.wake:wake",
        "Wake agents whose client is not listening when mail arrives.",
    ),
    "install": Lazy(
        "mcp_memory.interfaces.cli.install:install",
        "Tell an MCP client of this memory, in the client's own file.",
    ),
    "config": Lazy("mcp_memory.interfaces.cli.config:config", "Show and check the settings."),
    "embeddings": Lazy(
        "mcp_memory.interfaces.cli.embeddings:embeddings",
        "Install the local model, and manage a database's models.",
    ),
    "backup": Lazy(
        "mcp_memory.interfaces.cli.backup:backup", "Write a whole database into FILE, and check it."
    ),
    "restore": Lazy(
        "mcp_memory.interfaces.cli.restore:restore",
        "Bring back what FILE holds, all of it or nothing.",
    ),
    "purge": Lazy(
        "mcp_memory.interfaces.cli.purge:purge", "Remove for good what was deleted long ago."
    ),
}


class Program(LazyGroup):
    """The root group; whatever a command raises becomes one line and an exit code."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except Exception as exc:
            # The outermost edge of the process: everything that is left ends as a message.
            raise _translate_error(exc, ctx.obj) from exc


def _translate_error(exc: Exception, invocation: object) -> BaseException:
    """What click shall end with: our line, or a closed pipe, which click ends in silence."""
    if isinstance(invocation, Invocation) and invocation.log_level == "debug":
        traceback.print_exception(exc, file=sys.stderr)
    leaves = list(_leaves(exc))
    cause = next((leaf for leaf in leaves if isinstance(leaf, McpMemoryError)), leaves[0])
    if isinstance(cause, click.ClickException | click.exceptions.Exit | BrokenPipeError):
        return cause
    return Failure(str(cause) if isinstance(cause, McpMemoryError) else _unexpected(cause))


def _leaves(exc: BaseException) -> Iterator[BaseException]:
    """The errors in a task group's bundle, or the one that came alone."""
    if isinstance(exc, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", exc).exceptions:
            yield from _leaves(inner)
    else:
        yield exc


def _unexpected(exc: BaseException) -> str:
    """A driver's message may quote an address with its password: then only the class is named."""
    kind = type(exc)
    said = "" if kind.__module__.startswith("psycopg") or not str(exc) else f": {exc}"
    return f"unexpected {kind.__name__}{said}. --log-level debug shows where."


@click.group(
    cls=Program,
    commands=LazyCommands(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Settings; default: $MCP_MEMORY_CONFIG, else ~/.config/mcp-memory/config.json.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="How much is logged on stderr.",
)
@click.version_option(__version__, prog_name="mcp-memory")
@click.pass_context
def main(ctx: click.Context, config_file: Path | None, log_level: str | None) -> None:
    """The memory server for agents: an MCP server whose memory is PostgreSQL.

    \b
    Example:
      mcp-memory demo
      mcp-memory --config ~/memory.json search "what did we decide about backups"
    """
    ctx.obj = Invocation(config_file, log_level)
