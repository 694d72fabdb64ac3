"""The auth gate: who may come in, as whom, and how often. It stands before every route."""

import logging
import math
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend
from mcp.server.auth.provider import AccessToken
from pydantic import ConfigDict
from starlette.authentication import AuthCredentials
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_memory.app import App
from mcp_memory.errors import McpMemoryError, PermissionRefused
from mcp_memory.interfaces.caller import Caller, holder
from mcp_memory.interfaces.http.answers import refusal
from mcp_memory.interfaces.http.traffic import RateLimit, Traffic
from mcp_memory.memory.keys import SCOPES


class CallerToken(AccessToken):
    """What the SDK binds sessions to; it holds the caller, and never the key's text.

    `key_id` is empty for a client of this machine while there are no keys.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    caller: Caller
    key_id: str = ""


class KeyVerifier:
    """The SDK's TokenVerifier: a bearer token is a key's text.

    It asks the database every time, so that a revoked key is refused at once.
    """

    def __init__(self, app: App) -> None:
        self._keys = app.keys

    async def verify_token(self, token: str) -> CallerToken | None:
        """The holder of the key, or None."""
        key = await self._keys.holder_of(token)
        if key is None:
            return None
        return CallerToken(
            token="",
            client_id=key.id,
            subject=key.agent,
            scopes=list(key.scopes),
            expires_at=None if key.expires_at is None else int(key.expires_at.timestamp()),
            caller=holder(key),
            key_id=key.id,
        )


def local_token(agent: str) -> CallerToken:
    """Any client of this machine while there are no keys: the configured agent."""
    return CallerToken(token="", client_id="local", scopes=list(SCOPES), caller=Caller(agent))


def caller_in(request: object) -> Caller:
    """Whom the door recognised; nobody is never taken for the configured agent."""
    user: object = request.scope.get("user") if isinstance(request, Request) else None
    token = user.access_token if isinstance(user, AuthenticatedUser) else None
    if not isinstance(token, CallerToken):
        raise PermissionRefused("Nobody was recognised at the door.")
    return token.caller


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY_ADDRESS = frozenset({"0.0.0.0", "::", ""})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Hosts:
    """The names that this server goes by: loopback's, where it listens, and the allowed ones.

    A name without a port goes with every port.
    """

    def __init__(self, listening: str, allowed: Iterable[str]) -> None:
        own = _LOOPBACK if listening in _ANY_ADDRESS else {*_LOOPBACK, listening}
        self._names = frozenset(name.lower().rstrip(".") for name in {*own, *allowed})

    def answers(self, host: str | None) -> bool:
        """Whether a Host header names this server."""
        if not host or any(mark in host for mark in "/@?#\\, "):
            return False
        try:
            parts = urlsplit(f"//{host}")
            port, name = parts.port, (parts.hostname or "").rstrip(".")
        except ValueError:
            return False
        shown = f"[{name}]" if ":" in name else name
        return not self._names.isdisjoint({name, shown, f"{shown}:{port}"})

    def trusts(self, origin: str | None) -> bool:
        """Whether a page of this origin may speak to this server; no page at all may."""
        if origin is None:
            return True
        scheme, separator, host = origin.partition("://")
        return bool(separator) and scheme in ("http", "https") and self.answers(host)


logger = logging.getLogger(__name__)

# What a prober or a client without a key must be able to read; none of it is anybody's memory.
_OPEN = ("/healthz", "/readyz", "/.well-known/")
# What belongs to an open SSE stream is taken to the end: clients give up a stream whose message is
# refused, and with it the answers that are on their way.
_OF_A_STREAM = "/messages/"


@dataclass(frozen=True, slots=True)
class AuthRules:
    """How the auth gate decides.

    `local_agent` is whom a client without a key acts for, as long as `are_keys_required` says no;
    None: nobody comes in without one. `metadata_url` tells clients where keys are described.
    """

    hosts: Hosts
    rate: RateLimit
    verifier: KeyVerifier
    local_agent: str | None
    are_keys_required: Callable[[], Awaitable[bool]]
    metadata_url: str


class AuthGate:
    """Middleware that lets in what the rules allow, and keeps count of it in the traffic."""

    def __init__(self, app: ASGIApp, rules: AuthRules, traffic: Traffic) -> None:
        self._inside = AuthContextMiddleware(app)
        self._open = app
        self._rules, self._traffic = rules, traffic
        self._backend = BearerAuthBackend(rules.verifier)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._open(scope, receive, send)
        if scope["type"] != "http":
            # A websocket that is not accepted: nothing here speaks over one.
            return await send({"type": "websocket.close", "code": 1008})
        connection = HTTPConnection(scope)
        no = self._refuse_unseen(connection)
        if no is None and scope["path"].startswith(_OPEN):
            return await self._open(scope, receive, send)
        if no is None:
            no = await self._recognise(connection)
        if no is not None:
            return await no(scope, receive, send)
        return await self._serve(connection, receive, send)

    def _refuse_unseen(self, connection: HTTPConnection) -> Response | None:
        """What no credentials can help."""
        hosts, headers, path = self._rules.hosts, connection.headers, connection.scope["path"]
        if len(headers.getlist("host")) != 1 or not hosts.answers(headers["host"]):
            return refusal(path, 403, "This server has no such name. See http.allowed_hosts.")
        if not all(hosts.trusts(origin) for origin in headers.getlist("origin")):
            return refusal(path, 403, "Pages of that Origin may not use this server.")
        if self._traffic.is_closing and not path.startswith(_OF_A_STREAM):
            return refusal(path, 503, "The server is stopping.", {"Connection": "close"})
        return None

    async def _recognise(self, connection: HTTPConnection) -> Response | None:
        """None when the caller is known, and written into the scope; else what to answer."""
        path = connection.scope["path"]
        try:
            token = await self._token(connection)
        except McpMemoryError as exc:
            logger.warning("keys cannot be checked: %s", exc)
            return refusal(path, 503, "The keys cannot be checked now. Try again.")
        if token is None:
            return self._unauthorized(connection)
        wait_seconds = self._rules.rate.wait_seconds(token.key_id) if token.key_id else 0.0
        if wait_seconds:
            seconds = math.ceil(wait_seconds)
            message = f"This key has made too many requests. Try again in {seconds} s."
            return refusal(path, 429, message, {"Retry-After": str(seconds)})
        connection.scope["user"] = AuthenticatedUser(token)
        connection.scope["auth"] = AuthCredentials(token.scopes)
        return None

    async def _token(self, connection: HTTPConnection) -> CallerToken | None:
        rules = self._rules
        if "authorization" in connection.headers:
            return _token_in(await self._backend.authenticate(connection))
        if rules.local_agent is None or await rules.are_keys_required():
            return None
        return local_token(rules.local_agent)

    def _unauthorized(self, connection: HTTPConnection) -> Response:
        parts = [f'resource_metadata="{self._rules.metadata_url}"']
        message = "A key is needed: Authorization: Bearer mm_… See `mcp-memory keys create`."
        if "authorization" in connection.headers:
            parts = [
                'error="invalid_token"',
                'error_description="Unknown, expired or revoked"',
                *parts,
            ]
            message = "That key is unknown, expired or revoked."
        return refusal(
            connection.scope["path"],
            401,
            message,
            {"WWW-Authenticate": f"Bearer {', '.join(parts)}"},
        )

    async def _serve(self, connection: HTTPConnection, receive: Receive, send: Send) -> None:
        token = connection.scope["user"].access_token
        assert isinstance(token, CallerToken)
        ending = _Ending(send)
        with self._count(connection, token.key_id):
            await self._inside(connection.scope, receive, ending.send)
        await ending.finish()

    @contextmanager
    def _count(self, connection: HTTPConnection, key_id: str) -> Generator[None]:
        is_stream = connection.headers.get("mcp-method") == "subscriptions/listen" or (
            connection.scope["method"] == "GET"
            and "text/event-stream" in connection.headers.get("accept", "")
        )
        with self._traffic.stream(key_id) if is_stream else self._traffic.call():
            yield


def _token_in(found: tuple[AuthCredentials, AuthenticatedUser] | None) -> CallerToken | None:
    token = found[1].access_token if found else None
    return token if isinstance(token, CallerToken) else None


class _Ending:
    """Sends on, and ends in good order a stream that was cut off."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_open = True
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_open = False
        await self._send(message)

    async def finish(self) -> None:
        if self._is_open:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
