"""A PostgreSQL and a server of their own for benchmarks/http.py, and clients with keys."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mcp_memory.app import open_app
from mcp_memory.config import Config
from mcp_memory.memory.keys import NewKey
from mcp_memory.postgres.embedded.cluster import EmbeddedCluster

_STATEMENT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the benchmark plays."""

    url: str
    database_url: str
    keys: Sequence[str]
    cluster: EmbeddedCluster
    pgdata: Path

    @asynccontextmanager
    async def clients(self, count: int) -> AsyncGenerator[list[Client]]:
        """So many clients, each another agent, with a connection of its own."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self._client(key)) for key in self.keys[:count]]

    @asynccontextmanager
    async def _client(self, key: str) -> AsyncGenerator[Client]:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=2 * _STATEMENT_SECONDS) as http,
            Client(streamable_http_client(f"{self.url}/mcp", http_client=http)) as client,
        ):
            yield client

    def restart_postgres(self) -> None:
        """End PostgreSQL as an administrator does, sessions and all, and start it again."""
        pid = int((self.pgdata / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGINT)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.05)
        self.cluster.ensure_running()


@asynccontextmanager
async def open_stage(agents: int) -> AsyncGenerator[Stage]:
    """PostgreSQL, and a server that knows so many keys; both are gone afterwards."""
    with _postgres() as cluster:
        database_url = cluster.url("bench")
        keys = await _keys(database_url, agents)
        with _server(database_url) as url:
            yield Stage(url, database_url, keys, cluster, cluster.data_dir / "pgdata")


@contextmanager
def _postgres() -> Generator[EmbeddedCluster]:
    folder = Path(tempfile.mkdtemp(prefix="mcpm-bench-", dir="/tmp"))
    folder.chmod(0o755)
    cluster = EmbeddedCluster(folder / "cluster")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.leave()
        cluster.wait_stopped()
        shutil.rmtree(folder, ignore_errors=True)


async def _keys(database_url: str, agents: int) -> list[str]:
    config = Config.model_validate({"database": {"url": database_url}})
    async with open_app(config) as app:
        return [(await app.keys.create(NewKey(f"agent-{number}"))).text for number in range(agents)]


@contextmanager
def _server(database_url: str) -> Generator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {
        **os.environ,
        "MCP_MEMORY_DATABASE_URL": database_url,
        "MCP_MEMORY__EMBEDDINGS__PROVIDER": "hashing",
        "MCP_MEMORY__HTTP__RATE_PER_MINUTE": "0",
    }
    command = [sys.executable, "-m", "benchmarks.http_server", str(port)]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            if httpx2.get(f"{url}/readyz", timeout=10).status_code == 200:
                return
        except httpx2.ConnectError:
            time.sleep(0.1)
    raise RuntimeError("the server ended before it was ready")
