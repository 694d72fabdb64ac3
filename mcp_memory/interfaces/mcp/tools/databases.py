"""The tools of named databases: list, register, choose, look at."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from mcp_memory.app import App
from mcp_memory.config import mask_url
from mcp_memory.errors import McpMemoryError
from mcp_memory.interfaces.caller import Caller, caller_of
from mcp_memory.interfaces.mcp.tools.arguments import function_tool
from mcp_memory.interfaces.mcp.tools.tool import (
    READS,
    SETS,
    Answer,
    MemoryTool,
    readable,
)
from mcp_memory.postgres.catalog import DatabaseEntry
from mcp_memory.postgres.session import Session

Name = Annotated[
    str, Field(description="Lower-case letters, digits and _, starting with a letter, at most 48")
]
Url = Annotated[
    str, Field(description="postgresql://… of its own; default: derived from the base database")
]
Persist = Annotated[bool, Field(description="Remember the url for other processes and restarts")]

Status = Literal["ready", "not created", "unavailable"]


class NamedDatabase(Answer):
    """A named database in a list; `counts` are of what the caller can see."""

    name: str
    url: str
    status: Status
    is_default: bool
    embedded: bool
    size_bytes: int
    counts: dict[str, int]
    problem: str | None = None


class DatabaseList(Answer):
    """Every named database."""

    databases: list[NamedDatabase]
    default: str


class Registration(Answer):
    """A database that is ready under its name."""

    name: str
    url: str
    embedded: bool
    migration: int
    persisted: bool


class DefaultDatabase(Answer):
    """Where calls without a database go from now on."""

    previous: str
    default: str


class CurrentDatabase(Answer):
    """The database that calls without a database use."""

    name: str
    url: str
    embedded: bool
    server_version: str
    pgvector_version: str
    embedding_model: str
    migration: int
    counts: dict[str, int]
    pending_embeddings: int
    unread_messages: int
    agent: str


class DatabaseTools:
    """The functions behind the tools; each docstring is what a model reads."""

    def __init__(self, app: App) -> None:
        self._app, self._databases = app, app.databases

    async def memory_list_databases(self, caller: Caller) -> DatabaseList:
        """List the named databases, their sizes and counts, and which one is your default."""
        default = self._databases.default_of(caller.agent)
        return DatabaseList(
            databases=[
                await self._describe(caller, entry, default)
                for entry in await self._databases.list()
                if caller.may_use(entry.name)
            ],
            default=default,
        )

    async def memory_register_database(
        self, caller: Caller, name: Name, url: Url = "", persist: Persist = False
    ) -> Registration:
        """Make a named database ready to use: created and migrated if it is not there yet."""
        database = await self._databases.register(
            name, caller.agent, url=url or None, persist=persist
        )
        return Registration(
            name=database.name,
            url=mask_url(database.address.url),
            embedded=self._databases.is_embedded(name),
            migration=database.layout.migration,
            persisted=persist,
        )

    async def memory_set_default_database(self, caller: Caller, name: Name) -> DefaultDatabase:
        """Choose the database of your calls that name none, until the server restarts."""
        previous = await self._databases.set_default(caller.agent, name)
        return DefaultDatabase(previous=previous, default=name)

    async def memory_current_database(self, caller: Caller) -> CurrentDatabase:
        """Say which database your calls use, what it holds, and who you are."""
        session = self._app.session(caller.agent)
        database = await session.open()
        space = await self._app.spaces.active(session)
        return CurrentDatabase(
            name=database.name,
            url=mask_url(database.address.url),
            embedded=self._databases.is_embedded(database.name),
            server_version=database.layout.server_version,
            pgvector_version=database.layout.pgvector_version,
            embedding_model=space.label if space else "none",
            migration=database.layout.migration,
            counts=await self._counts(session),
            pending_embeddings=await self._app.spaces.pending(session),
            unread_messages=await self._unread(caller),
            agent=caller.agent,
        )

    async def _counts(self, session: Session) -> dict[str, int]:
        counts = await self._app.documents.count(session)
        for service in (self._app.transcripts, self._app.graph):
            counts |= await service.count(session)
        return counts

    async def _unread(self, caller: Caller) -> int:
        """Mail lies in the configured default database, wherever else the caller works."""
        session = self._app.mail_session(caller.agent)
        return await self._app.messages.unread(session) if caller.may_use(session.database) else 0

    async def _describe(self, caller: Caller, entry: DatabaseEntry, default: str) -> NamedDatabase:
        """The database with its counts; only one that is there is opened for them."""
        status, problem, counts = entry.status, entry.problem, dict[str, int]()
        if status == "ready":
            try:
                counts = await self._counts(self._app.session(caller.agent, entry.name))
            except McpMemoryError as exc:
                status, problem = "unavailable", readable(exc)
        return NamedDatabase(
            name=entry.name,
            url=entry.url,
            status=status,
            is_default=entry.name == default,
            embedded=entry.embedded,
            size_bytes=entry.size_bytes,
            counts=counts,
            problem=problem or None,
        )


def _name_argument(_caller: Caller, arguments: Mapping[str, object]) -> Sequence[str]:
    return [str(arguments["name"])]


def _none(_caller: Caller, _arguments: Mapping[str, object]) -> Sequence[str]:
    """What a key may not use is left out of the list instead."""
    return ()


def database_tools(app: App) -> Sequence[MemoryTool]:
    """The tools of the toolset `databases`."""
    tools, caller = DatabaseTools(app), partial(caller_of, app)
    return [
        function_tool(
            tools.memory_list_databases,
            caller,
            title="List databases",
            annotations=READS,
            databases_of=_none,
        ),
        function_tool(
            tools.memory_register_database,
            caller,
            title="Register a database",
            annotations=SETS,
            scope_of=lambda _: "admin",
            databases_of=_name_argument,
        ),
        function_tool(
            tools.memory_set_default_database,
            caller,
            title="Choose a database",
            annotations=SETS,
            databases_of=_name_argument,
        ),
        function_tool(
            tools.memory_current_database, caller, title="Current database", annotations=READS
        ),
    ]
