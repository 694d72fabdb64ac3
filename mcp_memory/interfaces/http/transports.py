"""Serving over HTTP until a signal: bind, refuse what is unsafe, drain, stop."""

import logging
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

import anyio
import uvicorn

from mcp_memory.app import App
from mcp_memory.config import HttpConfig
from mcp_memory.errors import ConfigError, DatabaseError
from mcp_memory.interfaces.http.server import (
    MCP_PATH,
    SSE_PATH,
    http_server,
    is_private,
    site_around,
)
from mcp_memory.interfaces.http.traffic import Traffic
from mcp_memory.interfaces.process import log_to_stderr

# What a finished call has left to write; and how long uvicorn waits for connections to close.
_SETTLE_SECONDS = 0.2
_CLOSE_SECONDS = 2

logger = logging.getLogger(__name__)


async def run_http(app: App) -> None:
    """Serve `/mcp` and `/sse` until SIGTERM or SIGINT; calls may finish, a second signal cuts."""
    http = app.config.http
    log_to_stderr(app.config.log_level)
    await refuse_unsafe(app)
    with _listening(http) as listener:
        url = _url(http, listener)
        traffic = Traffic()
        site = site_around(http_server(app, url, traffic), app, url, traffic)
        server = _Server(
            uvicorn.Config(
                site,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                timeout_graceful_shutdown=_CLOSE_SECONDS,
            )
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_at_signals, server, traffic, http.shutdown_seconds)
            tasks.start_soon(_end_streams, app, traffic)
            tasks.start_soon(partial(app.wake.run, opens_mail=True))
            logger.info("listening on %s%s and %s%s", url, MCP_PATH, url, SSE_PATH)
            await server.serve([listener])
            tasks.cancel_scope.cancel()


async def refuse_unsafe(app: App) -> None:
    """Raise unless there are keys, or only this machine can come in."""
    http = app.config.http
    if is_private(http):
        return
    if not await app.keys.are_required():
        raise ConfigError(
            "without keys only loopback is served, without allowed_hosts and public_url."
            " Make a key first: `mcp-memory keys create --agent NAME`",
            key="http.host",
        )


def _listening(http: HttpConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    try:
        return socket.create_server((http.host, http.port), family=family, backlog=2048)
    except OSError as exc:
        problem = f"cannot listen on {http.host} port {http.port}: {exc.strerror or exc}"
        raise ConfigError(problem, key="http.port") from exc


def _url(http: HttpConfig, listener: socket.socket) -> str:
    """Where clients find the server."""
    if http.public_url is not None:
        return http.public_url.reveal().rstrip("/")
    host = f"[{http.host}]" if ":" in http.host else http.host
    return f"http://{host}:{listener.getsockname()[1]}"


class _Server(uvicorn.Server):
    """uvicorn without its own idea of signals: they would cut calls off."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def _stop_at_signals(server: _Server, traffic: Traffic, seconds: float) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with anyio.create_task_group() as tasks:
            async for received in signals:
                if traffic.is_closing:
                    server.force_exit = server.should_exit = True
                    tasks.cancel_scope.cancel()
                    return
                logger.info("stopping: %s", received.name)
                tasks.start_soon(_stop, server, traffic, seconds)


async def _stop(server: _Server, traffic: Traffic, seconds: float) -> None:
    left = await traffic.drain(seconds)
    if left:
        logger.warning("%d calls did not end within %g seconds", left, seconds)
    await anyio.sleep(_SETTLE_SECONDS)
    traffic.end_streams()
    server.should_exit = True


async def _end_streams(app: App, traffic: Traffic) -> None:
    """The watch over streams goes on when a look fails: the auth gate fails closed meanwhile."""
    while True:
        try:
            await traffic.end_streams_of_ended_keys(app.keys.usable)
        except DatabaseError as exc:
            logger.warning("open streams cannot be checked: %s", exc)
