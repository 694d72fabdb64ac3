"""The whole HTTP side as one ASGI app: routes inside, the auth gate before all of them."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import anyio
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_memory import __version__
from mcp_memory.app import App
from mcp_memory.errors import McpMemoryError
from mcp_memory.interfaces.http.answers import MCP_PATH, refusal
from mcp_memory.interfaces.http.gate import AuthGate, AuthRules
from mcp_memory.interfaces.http.traffic import Traffic


class BodyLimit:
    """Middleware that hands on bodies of up to `limit_bytes`, whole."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app, self._limit = app, limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            return await self._app(scope, receive, send)
        declared = Headers(scope=scope).get("content-length", "")
        body = None
        if not (declared.isdecimal() and int(declared) > self._limit):
            body = await self._body(receive)
        if body is None:
            message = f"The request is larger than {self._limit} bytes."
            return await refusal(scope["path"], 413, message)(scope, receive, send)
        is_mcp = scope["method"] == "POST" and scope["path"] == MCP_PATH
        if is_mcp and not is_json(Headers(scope=scope)):
            message = "The body must be JSON: Content-Type: application/json."
            return await refusal(scope["path"], 415, message)(scope, receive, send)
        return await self._app(scope, _replay(body, receive), send)

    async def _body(self, receive: Receive) -> list[Message] | None:
        """The messages of the whole body, or None when they are too large."""
        messages: list[Message] = []
        size = 0
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > self._limit:
                return None
            if message["type"] != "http.request" or not message.get("more_body", False):
                return messages


def is_json(headers: Headers) -> bool:
    """Whether the body is declared to be JSON."""
    declared = headers.get("content-type", "")
    return declared.partition(";")[0].strip().lower() == "application/json"


def _replay(messages: list[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def replay() -> Message:
        message = next(waiting, None)
        return message if message is not None else await receive()

    return replay


_READY_SECONDS = 5.0


def health_routes(app: App) -> list[Route]:
    """`/healthz` and `/readyz`; neither needs a key or tells what is remembered."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive", "version": __version__})

    async def readyz(_: Request) -> Response:
        try:
            with anyio.fail_after(_READY_SECONDS):
                # It opens the database, which migrates it, and then reads one of its tables.
                await app.keys.are_required()
        except TimeoutError:
            return _not_ready("The default database does not answer in time.")
        except McpMemoryError:
            return _not_ready("The default database cannot be used. Run `mcp-memory doctor`.")
        # Deaf, it still answers everything: wakes come late, by looking now and then.
        listening = not app.databases.is_deaf
        ready = {"status": "ready", "version": __version__, "listening": listening}
        return JSONResponse(ready)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


def _not_ready(message: str) -> Response:
    return refusal("/readyz", 503, message)


logger = logging.getLogger(__name__)

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def build_site(
    app: App,
    rules: AuthRules,
    traffic: Traffic,
    *,
    routes: Sequence[BaseRoute],
    lifespan: Lifespan,
) -> Starlette:
    """The site of these routes, which speak MCP, and our own."""
    return Starlette(
        routes=[*health_routes(app), *routes],
        middleware=[
            Middleware(AuthGate, rules, traffic),
            Middleware(BodyLimit, app.config.http.body_bytes),
        ],
        exception_handlers={
            HTTPException: _answer_http_error,
            McpMemoryError: _answer_memory_error,
            Exception: _answer_bug,
        },
        lifespan=lifespan,
    )


async def _answer_http_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    return refusal(request.url.path, exc.status_code, exc.detail, exc.headers)


async def _answer_memory_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, McpMemoryError)
    return refusal(request.url.path, exc.status, str(exc))


async def _answer_bug(request: Request, _exc: Exception) -> Response:
    """A bug: its text may hold SQL or secrets; Starlette raises it again, and that is logged."""
    return refusal(request.url.path, 500, "The server failed; its log says why.")
