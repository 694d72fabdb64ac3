"""The MCP server over Streamable HTTP and SSE, inside one site with everything else."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from mcp.server import MCPServer
from mcp.server.auth.routes import build_resource_metadata_url, create_protected_resource_routes
from mcp.server.auth.settings import AuthSettings
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.streamable_http import EventStore
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from mcp_memory.app import App
from mcp_memory.config import HttpConfig
from mcp_memory.interfaces.caller import acting_for
from mcp_memory.interfaces.http.answers import MCP_PATH
from mcp_memory.interfaces.http.gate import AuthRules, Hosts, KeyVerifier, caller_in, is_loopback
from mcp_memory.interfaces.http.rest import rest_routes
from mcp_memory.interfaces.http.site import build_site
from mcp_memory.interfaces.http.traffic import RateLimit, Traffic
from mcp_memory.interfaces.mcp.server import build_server
from mcp_memory.memory.keys import SCOPES

SSE_PATH = "/sse"

# The auth gate has looked at both headers, and more strictly.
_UNCHECKED = TransportSecuritySettings(enable_dns_rebinding_protection=False)


def is_private(http: HttpConfig) -> bool:
    """Whether the settings show the server to this machine alone."""
    return is_loopback(http.host) and not http.allowed_hosts and http.public_url is None


def http_server(app: App, url: str, traffic: Traffic) -> MCPServer[object]:
    """The MCP server that clients find below `url`."""
    server = build_server(
        app, verifier=KeyVerifier(app), auth=_auth_settings(url), observe=traffic.metrics.call
    )
    server.middleware.extend([_Counting(traffic), _acting_for_the_holder])
    return server


def site_around(
    server: MCPServer[object],
    app: App,
    url: str,
    traffic: Traffic,
    event_store: EventStore | None = None,
) -> Starlette:
    """The site that serves `/mcp` and `/sse` below `url`."""
    http = app.config.http
    resource = AnyHttpUrl(f"{url}{MCP_PATH}")
    rules = AuthRules(
        hosts=Hosts(http.host, http.allowed_hosts),
        rate=RateLimit(http.rate_per_minute, time.monotonic),
        verifier=KeyVerifier(app),
        local_agent=app.config.agent if is_private(http) else None,
        are_keys_required=app.keys.are_required,
        metadata_url=str(build_resource_metadata_url(resource)),
    )
    mcp_routes = _mcp_routes(server, http.body_bytes, event_store)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with server.session_manager.run():
            yield

    metadata = _metadata_routes(AnyHttpUrl(url), resource)
    ours = [traffic.metrics.route(), *rest_routes(app, traffic.metrics.call)]
    routes = [*ours, *metadata, *mcp_routes]
    return build_site(app, rules, traffic, routes=routes, lifespan=lifespan)


def _auth_settings(url: str) -> AuthSettings:
    """Keys are made at the command line: nobody issues tokens, so the server names itself."""
    return AuthSettings(
        issuer_url=AnyHttpUrl(url),
        resource_server_url=AnyHttpUrl(f"{url}{MCP_PATH}"),
        # A key is known to this server's own database alone: it can be meant for nobody else.
        validate_token_resource=False,
    )


def _mcp_routes(
    server: MCPServer[object], body_bytes: int, event_store: EventStore | None
) -> Sequence[BaseRoute]:
    """The SDK's own routes, which ask once more that somebody was recognised."""
    streamable = server.streamable_http_app(
        streamable_http_path=MCP_PATH,
        transport_security=_UNCHECKED,
        max_request_body_size=body_bytes,
        event_store=event_store,
    )
    sse = server.sse_app(
        sse_path=SSE_PATH, transport_security=_UNCHECKED, max_request_body_size=body_bytes
    )
    return [*streamable.routes, *sse.routes]


def _metadata_routes(issuer: AnyHttpUrl, resource: AnyHttpUrl) -> Sequence[BaseRoute]:
    """Where the specification tells clients to look for what this resource asks for.

    They stand before the SDK's own, which know no scopes.
    """
    (route,) = create_protected_resource_routes(
        resource, [issuer], list(SCOPES), resource_name="mcp-memory"
    )
    root = "/.well-known/oauth-protected-resource"
    return [route, Route(root, route.endpoint, methods=["GET", "OPTIONS"])]


class _Counting:
    """Middleware of the MCP server: calls over SSE outlive the request that brought them."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    async def __call__(
        self, ctx: ServerRequestContext[object, object], call_next: CallNext
    ) -> HandlerResult:
        if ctx.method == "subscriptions/listen":
            return await call_next(ctx)
        with self._traffic.call():
            return await call_next(ctx)


async def _acting_for_the_holder(
    ctx: ServerRequestContext[object, object], call_next: CallNext
) -> HandlerResult:
    """Middleware of the MCP server: each message acts for the holder of the key it came with."""
    with acting_for(caller_in(ctx.request)):
        return await call_next(ctx)
