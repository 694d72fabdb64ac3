"""What was asked of the program itself, before any command: the options of every command."""

from dataclasses import dataclass
from pathlib import Path

import click


@dataclass(frozen=True, slots=True)
class Invocation:
    """The global options. None: not given."""

    config_file: Path | None = None
    log_level: str | None = None


pass_invocation = click.make_pass_decorator(Invocation)
