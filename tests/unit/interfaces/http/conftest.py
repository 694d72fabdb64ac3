"""A site on this test's database."""

from collections.abc import AsyncIterator

import pytest

from mcp_memory.app import App
from tests.fixtures.site import Site, open_site


@pytest.fixture
async def site(app: App) -> AsyncIterator[Site]:
    """The site as it is without settings: no keys yet, on loopback."""
    async with open_site(app) as opened:
        yield opened
