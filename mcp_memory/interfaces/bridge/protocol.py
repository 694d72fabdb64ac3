"""The bridge's protocol as text: lines into requests, answers and events into lines."""

import json
import os
import select
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias, cast

import anyio
import anyio.lowlevel
from pydantic import JsonValue

PROTOCOL = 1

RequestId: TypeAlias = str | int
Params: TypeAlias = dict[str, JsonValue]

# Clients that speak JSON-RPC elsewhere send its version along.
_KEYS = {"id", "method", "params", "jsonrpc"}
_MAX_ID_CHARS = 200


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to be done; the answer carries the same id."""

    id: RequestId
    method: str
    params: Params = field(default_factory=Params)


class RequestRefused(Exception):
    """A line or a request that cannot be carried out; `id` None: whose it is cannot be value."""

    def __init__(self, code: str, message: str, id: RequestId | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.id = code, message, id


def parse(line: str) -> Request:
    """The request that a line is; `RequestRefused` with the code `bad_line` when it is none."""
    try:
        # Bytes that are no UTF-8 were read as half surrogates, which nothing can encode.
        line.encode()
        value = cast("JsonValue", json.loads(line, parse_constant=_no_number))
    except UnicodeEncodeError:
        raise RequestRefused("bad_line", "The line is not UTF-8.") from None
    except RecursionError:
        raise RequestRefused("bad_line", "The line is nested too deeply.") from None
    except ValueError:
        raise RequestRefused("bad_line", "The line is not JSON.") from None
    if not isinstance(value, dict):
        raise RequestRefused("bad_line", "The line is not a JSON object.")
    return _request(value, _id(value))


def answer(id: RequestId, result: Mapping[str, object]) -> str:
    """The line of an answer."""
    return _line({"id": id, "result": result})


def refusal(refused: RequestRefused) -> str:
    """The line of a refusal."""
    error = {"code": refused.code, "message": refused.message}
    return _line({"id": refused.id, "error": error})


def event(name: str, **facts: object) -> str:
    """The line of an event."""
    return _line({"event": name, **facts})


def _id(value: Mapping[str, JsonValue]) -> RequestId:
    match value.get("id"):
        case bool():
            pass
        case int() as number if -(2**63) <= number < 2**63:
            return number
        case str() as text if 0 < len(text) <= _MAX_ID_CHARS:
            return text
        case _:
            pass
    problem = f"id is required: a whole number, or a text of at most {_MAX_ID_CHARS} characters."
    raise RequestRefused("bad_line", problem)


def _request(value: Mapping[str, JsonValue], id: RequestId) -> Request:
    if unknown := sorted(value.keys() - _KEYS):
        problem = f"{unknown[0][:60]!r} is unknown here; a request has id, method and params."
        raise RequestRefused("bad_request", problem, id)
    method, params = value.get("method"), value.get("params")
    if not isinstance(method, str) or not method:
        raise RequestRefused("bad_request", "method is required: the name of a tool.", id)
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise RequestRefused("bad_request", "params must be an object.", id)
    return Request(id, method, params)


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _line(record: Mapping[str, object]) -> str:
    """ASCII alone: some readers of lines take U+2028 for the end of one."""
    return json.dumps(record, separators=(",", ":"), allow_nan=False) + "\n"


_MAX_WAITING = 64
_LAST_SECONDS = 2.0


class Output:
    """Where lines are sent to; a reader who is slow keeps the senders waiting."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._sending, self._receiving = anyio.create_memory_object_stream[str](_MAX_WAITING)

    async def send(self, line: str) -> None:
        """Have a line written after those that came before it."""
        await self._sending.send(line)

    async def write_all(self) -> None:
        """Write what is sent, until `close`; `BrokenPipeError` when nobody reads any more."""
        async with self._receiving:
            async for line in self._receiving:
                await self._write(line.encode())

    def close(self) -> None:
        """Take no more lines."""
        self._sending.close()

    async def _write(self, text: bytes) -> None:
        """In pieces that a pipe which is ready takes at once: a full one must not stop the loop."""
        while text:
            await self._ready()
            text = text[os.write(self._descriptor, text[: select.PIPE_BUF]) :]

    async def _ready(self) -> None:
        try:
            await anyio.wait_writable(self._descriptor)
        except PermissionError:
            # A file or /dev/null cannot be waited for: it is always ready.
            await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def write_to(descriptor: int) -> AsyncGenerator[Output]:
    """An output that is written while the block runs; at its end the rest, if anybody reads."""
    output = Output(descriptor)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(output.write_all)
        try:
            yield output
        finally:
            output.close()
            tasks.cancel_scope.deadline = anyio.current_time() + _LAST_SECONDS
