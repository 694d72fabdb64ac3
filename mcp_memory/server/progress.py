"""Telling a client that a long call goes on, so that it does not give up."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mcp.server.mcpserver import Context

_context: ContextVar[Context[Any, Any] | None] = ContextVar("context", default=None)


@contextmanager
def reporting_through(context: Context[Any, Any]) -> Generator[None]:
    """What runs inside reports its progress to the client that called."""
    token = _context.set(context)
    try:
        yield
    finally:
        _context.reset(token)


async def report_progress(progress: float, total: float, message: str) -> None:
    """Say how far the call is; nothing happens where the client did not ask to be told."""
    if (context := _context.get()) is not None:
        await context.report_progress(progress, total, message)
