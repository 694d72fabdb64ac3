"""How soon a ring is heard: from before `send` until the endpoint has read it, beside a bare POST.

Part of `python -m benchmarks.messages`. Nothing is gathered and no pause kept, so that what remains
is the machinery: the message, its bell, the outbox, the attempt.
"""

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import anyio
import httpx2

from benchmarks.tables import Measured, print_table
from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.mail.model import SendMessage

SECONDS = 30


class _Endpoint(ThreadingHTTPServer):
    """Notes when it has read each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.heard: list[float] = []


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _Endpoint)
        json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append(time.perf_counter())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextmanager
def _endpoint() -> Generator[_Endpoint]:
    server = _Endpoint()
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def measure_ringing(url: str, rounds: int) -> None:
    """Print how long a ring takes to be heard."""
    with _endpoint() as endpoint:
        hook = f"http://127.0.0.1:{endpoint.server_port}/"
        document = {
            "database": {"url": url},
            "embeddings": {"provider": "hashing"},
            "wake": {"gather_seconds": 0, "pause_seconds": 0},
            "wake_routes": {"sleeper": {"kind": "webhook", "url": hook, "token": "key"}},
        }
        config = Config.model_validate(document)
        async with open_app(config) as app, anyio.create_task_group() as tasks:
            tasks.start_soon(app.wake.run)
            await _until_announced(app)
            bare, rung = await _in_turns(app, endpoint, hook, rounds)
            rings = [Measured("ring", rung)]
            print_table("ringing a webhook", "ring", Measured("bare POST", bare), rings)
            tasks.cancel_scope.cancel()


async def _until_announced(app: App) -> None:
    await app.presence.note(app.mail_session("sleeper"))
    with anyio.fail_after(SECONDS):
        while True:
            if any(
                each.outbox is not None
                for each in await app.wake.list(app.mail_session(app.config.agent))
            ):
                return
            await anyio.sleep(0.05)


async def _in_turns(
    app: App, endpoint: _Endpoint, hook: str, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds until each bare POST, and each ring, was heard; a tenth more go before."""
    bare, rung = list[float](), list[float]()
    warm = rounds // 10
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncClient(trust_env=False, limits=limits) as client:
        for _ in range(warm + rounds):
            begun, heard = time.perf_counter(), len(endpoint.heard)
            await client.post(hook, json={"event": "mail"})
            bare.append(endpoint.heard[heard] - begun)
            begun, heard = time.perf_counter(), len(endpoint.heard)
            sent = await app.messages.send(
                app.mail_session("alice"), SendMessage("hello", ["sleeper"])
            )
            await _until_rung(app, sent.message_id)
            rung.append(endpoint.heard[heard] - begun)
    return bare[warm:], rung[warm:]


async def _until_rung(app: App, message_id: str) -> None:
    with anyio.fail_after(SECONDS):
        while True:
            if any(
                bell.state == "rung"
                for bell in await app.wake.states(app.mail_session("alice"), message_id)
            ):
                return
            await anyio.sleep(0.01)
