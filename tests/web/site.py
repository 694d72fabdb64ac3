"""The whole site inside the test's own process, and requests to it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mcp_memory.app import App
from mcp_memory.interfaces.http.server import http_server, site_around
from mcp_memory.interfaces.http.traffic import Traffic

URL = "http://127.0.0.1:8720"


@dataclass(frozen=True, slots=True)
class Site:
    """The site of an app, reached without a network."""

    transport: httpx2.ASGITransport
    traffic: Traffic = field(default_factory=Traffic)

    def http(self, key: str = "") -> httpx2.AsyncClient:
        """A client over HTTP, with a key or without."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx2.AsyncClient(transport=self.transport, base_url=URL, headers=headers)

    @asynccontextmanager
    async def client(self, key: str = "") -> AsyncGenerator[Client]:
        """A client over MCP, with a key or without."""
        async with (
            self.http(key) as http,
            Client(streamable_http_client(f"{URL}/mcp", http_client=http)) as client,
        ):
            yield client


@asynccontextmanager
async def open_site(app: App) -> AsyncGenerator[Site]:
    """The site of this app, started."""
    traffic = Traffic()
    asgi = site_around(http_server(app, URL, traffic), app, URL, traffic)
    async with asgi.router.lifespan_context(asgi):
        yield Site(httpx2.ASGITransport(asgi, raise_app_exceptions=False), traffic)
