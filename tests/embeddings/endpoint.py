"""A real embeddings endpoint on loopback that does what a test scripts."""

import base64
import json
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Reply:
    """One scripted answer; without a body, one vector for each text from `vector_of`."""

    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    dimensions: int = 3
    reverse: bool = False
    as_base64: bool = False
    drop: int = 0
    hang: bool = False


@dataclass(slots=True)
class Asked:
    """One request as it came in."""

    path: str
    authorization: str | None
    model: str
    texts: list[str]
    dimensions: int | None


def vector_of(text: str, dimensions: int) -> list[float]:
    """Different for texts of different length, never zero."""
    return [1.0, float(len(text)), *[2.0] * (dimensions - 2)]


class Endpoint:
    """Answers with the scripted replies in order, then with plain good ones."""

    def __init__(self, script: list[Reply]) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing on stderr."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        asked = Asked(
            handler.path,
            handler.headers["authorization"],
            request["model"],
            request["input"],
            request.get("dimensions"),
        )
        self.asked.append(asked)
        reply = self.script.pop(0) if self.script else Reply()
        if reply.hang:
            self.closing.wait()
            return
        content = body_of(reply, asked.texts) if reply.body is None else reply.body
        handler.send_response(reply.status)
        for name, text in reply.headers.items():
            handler.send_header(name, text)
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


def body_of(reply: Reply, texts: list[str]) -> bytes:
    embedded: list[dict[str, object]] = []
    for index, text in enumerate(texts):
        vector = vector_of(text, reply.dimensions)
        packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        embedded.append({"index": index, "embedding": packed if reply.as_base64 else vector})
    kept = embedded[: len(embedded) - reply.drop]
    return json.dumps({"data": kept[::-1] if reply.reverse else kept}).encode()


@contextmanager
def serving(*script: Reply) -> Generator[Endpoint]:
    endpoint = Endpoint(list(script))
    thread = threading.Thread(target=endpoint.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.closing.set()
        endpoint.server.shutdown()
        thread.join()
        endpoint.server.server_close()
