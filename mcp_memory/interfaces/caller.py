"""Who calls, and what the caller may do: the same for tools, resources and plain HTTP."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from mcp_memory.app import App
from mcp_memory.errors import DatabaseRefused, ScopeMissing
from mcp_memory.memory.keys import SCOPES, Key, Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """The agent that a call acts for; never taken from a tool's arguments.

    `databases` None: all of them. `default_database` is the one of calls that name none.
    """

    agent: str
    scopes: tuple[Scope, ...] = SCOPES
    databases: tuple[str, ...] | None = None
    default_database: str = ""

    def require(self, scope: Scope) -> None:
        """Go on if the caller has this scope; none includes another."""
        if scope not in self.scopes:
            raise ScopeMissing(scope, self.scopes)

    def may_use(self, database: str) -> bool:
        """Whether the caller's key is for this database."""
        return self.databases is None or database in self.databases

    def require_database(self, name: str) -> None:
        """Go on if the caller may use this database, whether it exists or not."""
        if not self.may_use(name):
            raise DatabaseRefused(name, self.databases or ())


def holder(key: Key) -> Caller:
    """The caller that a key stands for."""
    databases = None if key.databases is None else tuple(key.databases)
    return Caller(key.agent, tuple(key.scopes), databases)


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
