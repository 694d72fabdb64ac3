"""What every test shares: one async backend, and none of the developer's own settings."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.servers",
    "tests.fixtures.pooler",
    "tests.fixtures.versions",
]

_SERVERS = {"server_url", "tcp_server", "tls_server", "own_tcp_server", "postgres_server"}

# A shared machine may be slow: how long one example takes proves nothing.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs PostgreSQL, so that `-m "not postgres"` is the fast loop."""
    for item in items:
        if not _SERVERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("postgres")
