"""What a request may send: JSON, and no more of it than is read before anything is done."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_memory.web.answers import MCP_PATH, refusal


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
        return await self._app(scope, _replayed(body, receive), send)

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


def _replayed(messages: list[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def replay() -> Message:
        message = next(waiting, None)
        return message if message is not None else await receive()

    return replay
