"""A build seen from outside: its servers, its bridge and its commands, in folders of their own."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import anyio
import httpx2
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import stdio_client

_START_SECONDS = 60.0
_COMMAND_SECONDS = 300.0
_SIDE_BY_SIDE = 5
_LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ [A-Z]+ ")


@dataclass(frozen=True, slots=True)
class Build:
    """The interpreter that a build is installed for, and the folders of this run."""

    python: Path
    folder: Path

    @property
    def home(self) -> Path:
        """The home of whoever runs it; the content's files lie there."""
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the caller's own settings, and words that hash to vectors."""
        ours = ("MCP_MEMORY", "PYTHON", "XDG_", "CLAUDE", "COLUMNS", "LC_", "LANG")
        kept = {name: v for name, v in os.environ.items() if not name.startswith(ours)}
        return kept | {
            "HOME": str(self.home),
            "COLUMNS": "400",
            "LANG": "C.UTF-8",
            "MCP_MEMORY_DATA_DIR": str(self.folder / "data"),
            "MCP_MEMORY__EMBEDDINGS__PROVIDER": "hashing",
        }

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs the build with these arguments."""
        return [str(self.python), "-P", "-m", "mcp_memory", *arguments]

    def run(
        self, arguments: Sequence[str], *, stdin: str = "", extra: Mapping[str, str] | None = None
    ) -> dict[str, object]:
        """What a command prints and how it ends; stderr only when it fails."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            env=self.environment | dict(extra or {}),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        answer: dict[str, object] = {"exit": done.returncode, "stdout": _json_or_lines(done.stdout)}
        errors = [line for line in done.stderr.splitlines() if not _LOG_LINE.match(line)]
        return answer | ({"stderr": errors} if done.returncode else {})

    def run_all(self, commands: Sequence[Sequence[str]]) -> list[dict[str, object]]:
        """The same for commands that change nothing, some side by side."""
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            return list(pool.map(self.run, commands))

    @asynccontextmanager
    async def stdio(self, agent: str, mode: str = "auto") -> AsyncGenerator[Client]:
        """A client of a stdio server of this agent."""
        with (self.folder / f"{agent}.log").open("a") as log:
            parameters = StdioServerParameters(
                command=str(self.python),
                args=self.command("serve", "--agent", agent)[1:],
                env=self.environment,
                cwd=str(self.home),
            )
            transport = stdio_client(parameters, errlog=log)
            async with Client(transport, mode=mode) as client:
                yield client

    @asynccontextmanager
    async def http(self, *options: str) -> AsyncGenerator[httpx2.AsyncClient]:
        """A client of a server over HTTP that answers already."""
        port = _free_port()
        serve = ["serve", "--transport", "streamable-http", "--port", str(port), *options]
        with (self.folder / "http.log").open("a") as log:
            process = self._start(serve, log)
            try:
                base = f"http://127.0.0.1:{port}"
                async with httpx2.AsyncClient(base_url=base, timeout=60) as client:
                    await _answering(client)
                    yield client
            finally:
                process.terminate()
                process.wait(30)

    def _start(self, arguments: Sequence[str], log: IO[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*arguments), env=self.environment, cwd=self.home, stdout=log, stderr=log
        )

    @contextmanager
    def bridge(self, agent: str) -> Generator["Bridge"]:
        """A bridge of this agent."""
        with (self.folder / "bridge.log").open("a") as log:
            process = subprocess.Popen(
                self.command("bridge", "--agent", agent),
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            try:
                yield Bridge(process)
            finally:
                if process.stdin:
                    process.stdin.close()
                process.wait(30)


@dataclass(frozen=True, slots=True)
class Bridge:
    """A process that speaks NDJSON; requests run side by side, so each is waited for."""

    process: subprocess.Popen[str]
    events: list[object] = field(default_factory=list[object])

    def ask(self, line: str) -> object:
        """Send a line, and give what answers it: by its id, or without one what has none."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.hear(_id_of(line))

    def hear(self, awaited: object = None) -> object:
        """The next answer with this id; events on the way are kept."""
        while (said := self._next()) is not None:
            if "event" in said:
                self.events.append(said)
            elif said.get("id") == awaited:
                return said
        return "end of output"

    def hear_event(self) -> object:
        """The next event that is no heartbeat."""
        while not self.events and (said := self._next()) is not None:
            if "event" in said:
                self.events.append(said)
        return self.events.pop(0) if self.events else "end of output"

    def _next(self) -> dict[str, object] | None:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if '"heartbeat"' not in line:
                return json.loads(line)
        return None


def _id_of(line: str) -> object:
    """The id by which a line is answered: none of what is no request."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    name = cast(dict[str, object], said).get("id") if isinstance(said, dict) else None
    return name if isinstance(name, int | str) else None


@contextmanager
def fresh_build(python: Path) -> Generator[Build]:
    """A build with empty folders; its database is stopped and removed at the end."""
    # Short, for the socket's path; open, since root's PostgreSQL runs as somebody else.
    folder = Path(tempfile.mkdtemp(prefix="golden-", dir="/tmp"))
    folder.chmod(0o755)
    build = Build(python, folder)
    build.home.mkdir()
    try:
        yield build
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _answering(client: httpx2.AsyncClient) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        await anyio.sleep(0.2)
    raise TimeoutError("the server over HTTP does not answer")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _json_or_lines(text: str) -> object:
    """What --json prints as a value; else lines, without the padding of their columns."""
    if text.startswith(("{", "[")):
        try:
            return json.loads(text)
        except ValueError:
            pass
    return [" ".join(line.split()) for line in text.splitlines()]
