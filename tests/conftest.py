"""What every test shares: one async backend, marks, and none of the developer's own settings."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.postgres_servers",
    "tests.fixtures.pooler",
    "tests.fixtures.versions",
    "tests.fixtures.minilm",
    "tests.fixtures.homes",
    "tests.fixtures.clients",
    "tests.fixtures.crowd",
]

_PROCESS_TESTS = Path(__file__).with_name("process")
# Fixtures that start a server, or need one that runs.
_SERVERS = {"tcp_server", "tls_server", "own_tcp_server", "postgres_server"}
# What they make takes many seconds. Who asks for it comes first: pytest's processes take tests
# from one another at the end of the list, and each would make it again.
_COSTLY = {"crowded_url", "fact_crowd_url", "wheel"}
# What runs by its own command (docs/contributing.md): it needs programs that few machines have.
_APART = ("clients", "cluster", "browser", "conformance", "openclaw")

# A shared machine may be slow: how long one example takes proves nothing.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """psycopg speaks asyncio only."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """No MCP_MEMORY_… variable of the developer reaches a test, MCP_MEMORY_TEST_… apart."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("MCP_MEMORY_") and not name.startswith("MCP_MEMORY_TEST_"):
                patch.delenv(name)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs PostgreSQL or processes; leave out what has a command of its own."""
    for item in items:
        _mark(item)
    unasked = [mark for mark in _APART if mark not in str(config.getoption("markexpr"))]
    apart = [item for item in items if any(map(item.get_closest_marker, unasked))]
    config.hook.pytest_deselected(items=apart)
    items[:] = [item for item in items if item not in apart]
    items.sort(key=lambda item: _COSTLY.isdisjoint(_fixtures(item)))


def _mark(item: pytest.Item) -> None:
    """`-m "not postgres and not slow"` is the fast loop."""
    fixtures = _fixtures(item)
    if "server_url" in fixtures or fixtures & _SERVERS:
        item.add_marker("postgres")
    if item.path.is_relative_to(_PROCESS_TESTS) or fixtures & _SERVERS:
        item.add_marker("slow")
    if "pooler" in fixtures:
        item.add_marker("cluster")


def _fixtures(item: pytest.Item) -> set[str]:
    return {str(name) for name in getattr(item, "fixturenames", ())}
