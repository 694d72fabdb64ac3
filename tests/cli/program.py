"""The program in an environment that the test chose: inside this process, or as a real one."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from click.testing import CliRunner

from mcp_memory.interfaces.cli import main

SECONDS = 60


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> object:
        """The JSON on stdout."""
        return cast("object", json.loads(self.stdout))


@dataclass(frozen=True, slots=True)
class Program:
    """`mcp-memory`; of the environment, only what the test says reaches a real process."""

    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: Path | None = None

    def run(self, *arguments: str, **variables: str) -> Ended:
        """Run it to its end in this process, which takes a tenth of the time."""
        environ = {**self.environ, **variables}
        ended = CliRunner().invoke(main, arguments, env=environ, prog_name="mcp-memory")
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    def spawn(self, *arguments: str, stdin: str = "", **variables: str) -> Ended:
        """Run it to its end as a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "mcp_memory", *arguments],
            input=stdin,
            env=self._environ(variables),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start it, and leave the rest to the test."""
        return subprocess.Popen(
            [sys.executable, "-m", "mcp_memory", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environ({}),
            text=True,
        )

    def _environ(self, variables: Mapping[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return kept | dict(self.environ) | dict(variables)


def next_line(stream: IO[str] | None) -> str:
    """The next line that the process prints; empty when it has ended."""
    assert stream is not None
    return stream.readline().rstrip("\n")
