"""An endpoint of our own on loopback that answers as a test says: well, badly, late or half."""

import json
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSListener

OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
# hang: no answer at all; close: the connection ends in the middle of one. The others never end: a
# body as fast as it is read, byte by byte, or headers so.
_ENDLESS = {
    "flood": ("HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536, 0.0),
    "drip": ("HTTP/1.1 200 OK\r\n\r\n", b"x", 0.05),
    "drip head": ("HTTP/1.1 200 OK\r\nX-Slow: ", b"x", 0.05),
    "long head": ("HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 65_536, 0.0),
}
Behaviour: TypeAlias = str | Literal["hang", "close", "flood", "drip", "drip head", "long head"]


def status(code: int, *headers: str) -> str:
    """An answer without a body."""
    lines = [f"HTTP/1.1 {code} Whatever", "Content-Length: 0", "Connection: close", *headers]
    return "\r\n".join(lines) + "\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Heard:
    """A request: header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """What the endpoint knows a repetition by."""
        return self.headers["idempotency-key"]

    @property
    def told(self) -> dict[str, Any]:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class Endpoint:
    """Its answers in order, then only good ones; and what it has heard."""

    port: int
    answers: list[Behaviour] = field(default_factory=list[Behaviour])
    heard: list[Heard] = field(default_factory=list[Heard])
    ended: list[int] = field(default_factory=list[int])
    changed: anyio.Event = field(default_factory=anyio.Event)
    released: anyio.Event = field(default_factory=anyio.Event)

    def url(self, path: str = "/ring") -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def until_heard(self, number: int, seconds: float = 30) -> Sequence[Heard]:
        """Everything that it has heard, once there are that many requests."""
        with anyio.fail_after(seconds):
            while len(self.heard) < number:
                await self.changed.wait()
        return self.heard

    async def until_ended(self, number: int) -> Sequence[int]:
        """The bytes that were sent of each endless answer, once that many were broken off."""
        while len(self.ended) < number:
            await self.changed.wait()
        return self.ended

    async def serve(self, stream: ByteStream) -> None:
        """One connection."""
        async with stream:
            try:
                heard = await _request(stream)
            except anyio.EndOfStream:
                return
            self.heard.append(heard)
            self._tell()
            await self._answer(stream, self.answers.pop(0) if self.answers else OK)

    async def _answer(self, stream: ByteStream, answer: Behaviour) -> None:
        if answer == "hang":
            with anyio.move_on_after(60):
                await self.released.wait()
        elif answer in _ENDLESS:
            await self._answer_without_end(stream, *_ENDLESS[answer])
        elif answer == "close":
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        else:
            await stream.send(answer.encode())

    async def _answer_without_end(
        self, stream: ByteStream, head: str, part: bytes, pause: float
    ) -> None:
        """Until nobody listens."""
        sent = 0
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await stream.send(head.encode())
            while True:
                await stream.send(part)
                sent += len(part)
                await anyio.sleep(pause)
        self.ended.append(sent)
        self._tell()

    def _tell(self) -> None:
        changed, self.changed = self.changed, anyio.Event()
        changed.set()


@asynccontextmanager
async def endpoint(
    *answers: Behaviour, shows: ssl.SSLContext | None = None
) -> AsyncGenerator[Endpoint]:
    """An endpoint that serves until the block ends; over TLS where it shows a certificate."""
    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    found = Endpoint(int(plain.extra(SocketAttribute.local_port)), list(answers))
    listener = TLSListener(plain, shows, standard_compatible=False) if shows else plain
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, found.serve)
        yield found
        tasks.cancel_scope.cancel()


async def _request(stream: ByteStream) -> Heard:
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += await stream.receive()
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    while len(body) < int(headers.get("content-length", "0")):
        body += await stream.receive()
    return Heard(first.split(" ")[1], headers, body)
