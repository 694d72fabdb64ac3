"""Who calls: the identity that every tool, resource and prompt acts for."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from mcp_memory.app import App
from mcp_memory.keys.caller import Caller

__all__ = ["Caller", "acting_for", "caller_of"]

_authenticated: ContextVar[Caller | None] = ContextVar("authenticated", default=None)


def caller_of(app: App) -> Caller:
    """The caller of the call that is being answered: on stdio the configured agent."""
    caller = _authenticated.get() or Caller(app.config.agent)
    return replace(caller, default_database=app.databases.default_of(caller.agent))


@contextmanager
def acting_for(caller: Caller) -> Generator[None]:
    """What runs inside, runs for this caller; over HTTP every message does."""
    token = _authenticated.set(caller)
    try:
        yield
    finally:
        _authenticated.reset(token)
