"""A real embeddings endpoint on loopback that can be stopped, held up, broken and mended."""

import json
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zlib import crc32

import anyio.to_thread

DIMENSIONS = {"small": 8, "large": 12}


def vector_of(text: str, dimensions: int) -> list[float]:
    """Texts with the same words are near."""
    vector = [0.01] * dimensions
    for word in text.lower().split():
        vector[crc32(word.encode()) % dimensions] += 1.0
    return vector


class Provider:
    """Refuses texts with `poison` in them, and answers nothing to held texts until released.

    `asked` counts how often each text came and was answered.
    """

    def __init__(self) -> None:
        self.dimensions = dict(DIMENSIONS)
        self.asked: Counter[str] = Counter()
        self.poison = ""
        self.held = ""
        self.holding = threading.Event()
        self.released = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                provider.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=[0.01]).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def hold(self, text: str) -> None:
        """Leave requests with this text in them unanswered, until `release`."""
        self.held = text
        self.holding.clear()
        self.released.clear()

    async def until_holding(self) -> None:
        """Return once a request with the held text is here."""
        assert await anyio.to_thread.run_sync(self.holding.wait, 30), "nobody asked"

    def release(self) -> None:
        self.held = ""
        self.released.set()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        texts: list[str] = request["input"]
        if self.held and any(self.held in text for text in texts):
            self.holding.set()
            self.released.wait()
        if self.poison and any(self.poison in text for text in texts):
            status, answer = 400, {"error": {"message": f"{self.poison} is not food"}}
        else:
            self.asked.update(texts)
            size = self.dimensions[request["model"]]
            rows = [{"index": i, "embedding": vector_of(t, size)} for i, t in enumerate(texts)]
            status, answer = 200, {"data": rows}
        content = json.dumps(answer).encode()
        try:
            handler.send_response(status)
            handler.send_header("content-length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)
        except ConnectionError:
            return  # whoever asked has left


@contextmanager
def providing() -> Generator[Provider]:
    provider = Provider()
    try:
        yield provider
    finally:
        provider.release()
        provider.stop()
