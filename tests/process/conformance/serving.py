"""Our server with the suite's fixtures: `python -m tests.process.conformance.serving PORT`."""

import os
import sys
from uuid import uuid4

import anyio
import uvicorn
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import JSONRPCMessage

from mcp_memory.app import open_app
from mcp_memory.config import load
from mcp_memory.interfaces.http.server import http_server, site_around
from mcp_memory.interfaces.http.traffic import Traffic
from mcp_memory.interfaces.process import log_to_stderr
from tests.process.conformance.fixtures import register


class Events(EventStore):
    """Every event of this process: one scenario of 2025-11-25 takes up a closed stream again."""

    def __init__(self) -> None:
        self._events: dict[str, tuple[str, JSONRPCMessage | None]] = {}

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep the event; its id."""
        event_id = uuid4().hex
        self._events[event_id] = (stream_id, message)
        return event_id

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        """Send what came after an event on its stream."""
        if last_event_id not in self._events:
            return None
        stream_id, _ = self._events[last_event_id]
        ids = list(self._events)
        for event_id in ids[ids.index(last_event_id) + 1 :]:
            stream, message = self._events[event_id]
            if stream == stream_id and message is not None:
                await send_callback(EventMessage(message, event_id))
        return stream_id


async def serve(port: int) -> None:
    """Serve as `mcp-memory serve` does, with fixtures, until the process is ended."""
    config = load(None, os.environ, {})
    log_to_stderr("warning")
    url, traffic = f"http://127.0.0.1:{port}", Traffic()
    async with open_app(config) as app:
        server = http_server(app, url, traffic)
        register(server)
        site = site_around(server, app, url, traffic, Events())
        await uvicorn.Server(
            uvicorn.Config(site, host="127.0.0.1", port=port, log_config=None)
        ).serve()


if __name__ == "__main__":
    anyio.run(serve, int(sys.argv[1]))
