"""A server over HTTP as a real process, and clients of it."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.session import MessageHandlerFnT
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

_LISTENING = re.compile(r"listening on (http://\S+)/mcp")
_SECONDS = 60

Environ = Mapping[str, str]


def environ_of(database_url: str, **variables: str) -> Environ:
    """The environment of a server on this database, and nothing of the developer's."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": "/nonexistent", "MCP_MEMORY_DATABASE_URL": database_url, **variables}


class Log(Thread):
    """What a process writes to stderr, read all the time: a full pipe would stop it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        super().__init__(daemon=True)
        self._process = process
        self._lines: list[str] = []
        self._urls = SimpleQueue[str | None]()
        self.start()

    def run(self) -> None:
        """Read until the process ends."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append(line)
            if match := _LISTENING.search(line):
                self._urls.put(match[1])
        self._urls.put(None)

    def url(self) -> str:
        """Where the process listens, as soon as it does."""
        url = self._urls.get(timeout=_SECONDS)
        assert url is not None, "".join(self._lines)
        return url

    def text(self) -> str:
        """All of it; the process must have ended."""
        self.join(_SECONDS)
        return "".join(self._lines)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens."""

    url: str
    process: "subprocess.Popen[str]"
    log: Log

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.terminate()
        return self.process.wait(_SECONDS)

    @asynccontextmanager
    async def client(self, key: str = "", mode: str = "auto") -> AsyncGenerator[Client]:
        """A client over Streamable HTTP."""
        async with (
            httpx2.AsyncClient(headers=bearer(key), timeout=_SECONDS) as http,
            Client(
                streamable_http_client(f"{self.url}/mcp", http_client=http), mode=mode
            ) as client,
        ):
            yield client

    @asynccontextmanager
    async def sse(
        self,
        key: str = "",
        mode: str = "auto",
        message_handler: MessageHandlerFnT | None = None,
    ) -> AsyncGenerator[Client]:
        """A client over SSE."""
        transport = sse_client(f"{self.url}/sse", headers=bearer(key))
        async with Client(transport, mode=mode, message_handler=message_handler) as client:
            yield client


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key, if there is one."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def start(environ: Environ, *options: str) -> "subprocess.Popen[str]":
    """A server over HTTP on any free port, as a process."""
    command = [sys.executable, "-m", "mcp_memory", "serve", "--transport", "streamable-http"]
    return subprocess.Popen(
        [*command, "--port", "0", *options],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(environ: Environ, *options: str) -> Generator[Running]:
    """A server that listens; it is ended when the block is."""
    process = start(environ, *options)
    log = Log(process)
    try:
        yield Running(log.url(), process, log)
    finally:
        process.kill()
        process.wait(_SECONDS)
        log.text()
        if process.stderr is not None:
            process.stderr.close()


@asynccontextmanager
async def stdio(environ: Environ, agent: str) -> AsyncGenerator[Client]:
    """A client over stdio at a server of its own."""
    arguments = ["-m", "mcp_memory", "serve", "--agent", agent]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(environ))
    with open(os.devnull, "w") as nowhere:  # noqa: ASYNC230 - it opens at once
        async with Client(stdio_client(server, errlog=nowhere)) as client:
            yield client
