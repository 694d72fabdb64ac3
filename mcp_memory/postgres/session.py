"""A session: one agent in one named database, made by an interface and passed down."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.database import Database
from mcp_memory.postgres.databases import Databases


@dataclass(frozen=True, slots=True)
class Session:
    """For whom and where everything of one call happens.

    Nothing is opened before the first use. Reading a database that does not exist raises
    `UnknownDatabase` (only the configured default is made for it); the first write makes it.
    """

    agent: str
    database: str
    databases: Databases = field(repr=False, compare=False)

    async def open(self, *, create: bool = False) -> Database:
        """The database itself; made when it is missing and `create` asks for it."""
        if create:
            return await self.databases.writing(self.database, self.agent)
        return await self.databases.reading(self.database, self.agent)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Connection]:
        """A connection in a read-only transaction as the agent."""
        database = await self.open()
        async with database.reading(self.agent) as conn:
            yield conn

    @asynccontextmanager
    async def writing(
        self, *, create: bool = True, changes_search: bool = True
    ) -> AsyncGenerator[Connection]:
        """A connection in a transaction as the agent that commits when the block ends well.

        `create=False` is for what cannot be a database's first write. Answers kept of searches
        are old afterwards, unless it `changes_search` not.
        """
        database = await self.open(create=create)
        async with database.writing(self.agent, changes_search=changes_search) as conn:
            yield conn

    @asynccontextmanager
    async def maintaining(self) -> AsyncGenerator[Connection]:
        """A connection in a transaction as the worker, who sees every agent's rows."""
        database = await self.open()
        async with database.maintaining() as conn:
            yield conn
