"""A model endpoint of OpenAI's shape that has nothing to say, and remembers what it was asked."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

NOTHING = "NO_REPLY"


class Model(ThreadingHTTPServer):
    """Listens on loopback; `asked` holds the messages of every turn."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Turn)
        self.asked: list[list[Any]] = []


class _Turn(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Model)
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body.get("messages") or [])
        self.send_response(200)
        if body.get("stream"):
            self._say("text/event-stream", _streamed())
        else:
            choice = {"index": 0, "message": {"role": "assistant", "content": NOTHING}}
            whole = {"id": "x", "object": "chat.completion", "model": "quiet"}
            self._say("application/json", json.dumps(whole | {"choices": [choice]}))

    def _say(self, kind: str, text: str) -> None:
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def _streamed() -> str:
    """The same answer, in the pieces that a client that streams expects."""
    piece = {"id": "x", "object": "chat.completion.chunk", "model": "quiet", "created": 1}
    words = {"role": "assistant", "content": NOTHING}
    said: dict[str, object] = {"index": 0, "delta": words, "finish_reason": None}
    end: dict[str, object] = {"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}
    lines = [json.dumps(piece | {"choices": [choice]}) for choice in (said, end)]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])


@contextmanager
def quiet_model() -> Generator[Model]:
    """A model that answers until the block ends."""
    model = Model()
    thread = Thread(target=model.serve_forever)
    thread.start()
    try:
        yield model
    finally:
        model.shutdown()
        thread.join()
        model.server_close()
