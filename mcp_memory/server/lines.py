"""Standard input as lines, for a reader that can be stopped while it waits."""

import codecs
import os
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager

import anyio
import anyio.lowlevel

_CHUNK = 65_536


class Lines:
    """The lines of a descriptor.

    The SDK reads in a thread, which nothing can interrupt: a SIGTERM would wait for the client's
    next line.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def __aiter__(self) -> AsyncIterator[str]:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        begun: list[str] = []
        while chunk := await self._chunk():
            first, *others = decode(chunk).split("\n")
            begun.append(first)
            for other in others:
                yield "".join(begun)
                begun = [other]
        if rest := "".join(begun) + decode(b"", final=True):
            yield rest

    async def _chunk(self) -> bytes:
        try:
            await anyio.wait_readable(self._descriptor)
        except PermissionError:
            # A file or /dev/null cannot be waited for: it is always ready.
            await anyio.lowlevel.checkpoint()
        return os.read(self._descriptor, _CHUNK)


@contextmanager
def private_stdin() -> Generator[Lines]:
    """Standard input for the protocol alone; everything else in the process finds it empty."""
    own = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        os.dup2(nothing, 0)
        yield Lines(own)
    finally:
        os.dup2(own, 0)
        os.close(nothing)
        os.close(own)
