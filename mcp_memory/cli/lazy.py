"""Commands whose modules are imported when they are used, so that --help and hooks stay fast."""

import gc
import os
from collections.abc import Generator, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

import click

_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command lives (`package.module:name`) and what the list of commands says of it."""

    place: str
    summary: str

    def load(self) -> click.Command:
        """The command itself; imports its module."""
        module, _, name = self.place.partition(":")
        with _uncollected(), _one_blas_thread():
            command: object = getattr(import_module(module), name)
        assert isinstance(command, click.Command), self.place
        return command


@contextmanager
def _uncollected() -> Generator[None]:
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
