"""Who calls, and what the caller may do: the same for tools, resources and plain HTTP."""

from dataclasses import dataclass

from mcp_memory.errors import DatabaseRefused, ScopeMissing
from mcp_memory.keys.models import SCOPES, Key, Scope


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
