"""A session of ten messages to summarize."""

import pytest

from mcp_memory.app import App
from tests.fixtures.conversations import said, tell


@pytest.fixture
async def talk(app: App) -> App:
    """The app, in which alice has a session `s` of ten messages."""
    await tell(
        app, "s", *[said(n, f"fact number {n}: the harbour has {n} boats") for n in range(1, 11)]
    )
    return app
