"""The whole HTTP side as one ASGI app: routes inside, the auth gate before all of them."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from mcp_memory.app import App
from mcp_memory.errors import McpMemoryError
from mcp_memory.web.answers import refusal
from mcp_memory.web.auth_gate import AuthGate, AuthRules
from mcp_memory.web.body import BodyLimit
from mcp_memory.web.health import health_routes
from mcp_memory.web.traffic import Traffic

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
            HTTPException: _refused,
            McpMemoryError: _failed,
            Exception: _broken,
        },
        lifespan=lifespan,
    )


async def _refused(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    return refusal(request.url.path, exc.status_code, exc.detail, exc.headers)


async def _failed(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, McpMemoryError)
    return refusal(request.url.path, exc.status, str(exc))


async def _broken(request: Request, _exc: Exception) -> Response:
    """A bug: its text may hold SQL or secrets; Starlette raises it again, and that is logged."""
    return refusal(request.url.path, 500, "The server failed; its log says why.")
