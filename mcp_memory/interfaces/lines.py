"""Standard input as lines, for a reader that can be stopped while it waits; stdout for it alone."""

import codecs
import os
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager

import anyio
import anyio.lowlevel

_CHUNK = 65_536


class Lines:
    """The lines of a descriptor.

    The SDK reads in a thread, which nothing can interrupt: a SIGTERM would wait for the client's
    next line. What is no UTF-8 is decoded as `errors` says. Of a line longer than `longest` comes
    no more than that and one character, whatever follows.
    """

    def __init__(
        self, descriptor: int, *, errors: str = "replace", longest: int | None = None
    ) -> None:
        self._descriptor = descriptor
        self._errors, self._longest = errors, longest

    async def __aiter__(self) -> AsyncIterator[str]:
        decode = codecs.getincrementaldecoder("utf-8")(self._errors).decode
        line = _Line(self._longest)
        while chunk := await self._chunk():
            first, *others = decode(chunk).split("\n")
            line.add(first)
            for other in others:
                yield line.text
                line = _Line(self._longest)
                line.add(other)
        line.add(decode(b"", final=True))
        if line.text:
            yield line.text

    async def _chunk(self) -> bytes:
        try:
            await anyio.wait_readable(self._descriptor)
        except PermissionError:
            # A file or /dev/null cannot be waited for: it is always ready.
            await anyio.lowlevel.checkpoint()
        return os.read(self._descriptor, _CHUNK)


class _Line:
    """A line in the making; what goes beyond the longest is not kept."""

    def __init__(self, longest: int | None) -> None:
        self._room = sys.maxsize if longest is None else longest + 1
        self._parts: list[str] = []

    def add(self, part: str) -> None:
        part = part[: self._room]
        self._room -= len(part)
        self._parts.append(part)

    @property
    def text(self) -> str:
        return "".join(self._parts)


@contextmanager
def private_stdin(*, errors: str = "replace", longest: int | None = None) -> Generator[Lines]:
    """Standard input for the protocol alone; everything else in the process finds it empty."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        with _divert(0, nothing) as own:
            yield Lines(own, errors=errors, longest=longest)
    finally:
        os.close(nothing)


@contextmanager
def private_stdout() -> Generator[int]:
    """Standard output for the protocol alone, as a descriptor; whatever else is printed goes to
    stderr."""
    sys.stdout.flush()
    with _divert(1, 2) as own:
        try:
            yield own
        finally:
            sys.stdout.flush()


@contextmanager
def _divert(descriptor: int, elsewhere: int) -> Generator[int]:
    """A descriptor of one's own for what the standard one was, which leads elsewhere meanwhile."""
    own = os.dup(descriptor)
    try:
        os.dup2(elsewhere, descriptor)
        yield own
    finally:
        os.dup2(own, descriptor)
        os.close(own)
