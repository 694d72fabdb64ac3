"""The suite's own programs, and our server with the fixtures that they ask for."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest

from tests.fixtures.servers import environ_of
from tests.process.conformance.node import Node, NoNode, find_node

_SECONDS = 60


@pytest.fixture(scope="session")
def node() -> Node:
    try:
        return find_node()
    except NoNode as exc:
        pytest.skip(str(exc))


@pytest.fixture
def server(database_url: str) -> Iterator[str]:
    """The address of a server with fixtures, on this test's database."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.process.conformance.serving", str(port)],
        env=dict(environ_of(database_url)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url, process)
        yield url
    finally:
        process.kill()
        process.wait(_SECONDS)


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Ask until it answers: it has a port of its own and cannot tell when it listens."""
    while process.poll() is None:
        try:
            if httpx2.get(f"{url}/readyz", timeout=_SECONDS).status_code == 200:
                return
        except httpx2.ConnectError:
            continue
    raise AssertionError("the server ended before it was ready")
