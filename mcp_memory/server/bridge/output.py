"""Lines to the one who reads us: whole, in order, and never more waiting than fits."""

import os
import select
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel

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
