"""The global options of a call of the command line, and how one ends that failed."""

from dataclasses import dataclass
from pathlib import Path

import click


@dataclass(frozen=True, slots=True)
class Invocation:
    """The global options. None: not given."""

    config_file: Path | None = None
    log_level: str | None = None


pass_invocation = click.make_pass_decorator(Invocation)


class Failure(click.ClickException):
    """Its message is for a person; newlines in it are folded away."""

    def show(self, file: object = None) -> None:
        """Print the line."""
        click.echo(f"mcp-memory: {' '.join(self.message.split())}", err=True)
