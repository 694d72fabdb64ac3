"""Clients of a real server on a real database."""

from collections.abc import AsyncIterator

import pytest
from mcp import Client

from mcp_memory.app import App
from tests.server.calls import client_of


@pytest.fixture
async def alice(app: App) -> AsyncIterator[Client]:
    """A client whose agent is alice."""
    async with client_of(app, "alice") as client:
        yield client


@pytest.fixture
async def bob(app: App) -> AsyncIterator[Client]:
    """Another agent of the same process and database."""
    async with client_of(app, "bob") as client:
        yield client


@pytest.fixture
async def carol(app: App) -> AsyncIterator[Client]:
    """A third agent, who owns nothing."""
    async with client_of(app, "carol") as client:
        yield client
