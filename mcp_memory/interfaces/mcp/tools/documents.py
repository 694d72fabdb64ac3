"""The tools of documents: read, write, list and delete Markdown by its path."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pydantic import AwareDatetime, Field

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput
from mcp_memory.interfaces.caller import Caller, caller_of
from mcp_memory.interfaces.mcp.tools.arguments import function_tool, instant
from mcp_memory.interfaces.mcp.tools.parameters import (
    Count,
    Cursor,
    DatabaseName,
    IdempotencyKey,
    Tags,
)
from mcp_memory.interfaces.mcp.tools.tool import ADDS, READS, REMOVES, Answer, MemoryTool
from mcp_memory.memory.documents.models import DocumentEntry, WriteDocument, WriteMode
from mcp_memory.memory.facts.query import EntityName

Path = Annotated[str, Field(description="Relative path, such as MEMORY.md or notes/today.md")]
ResultId = Annotated[str, Field(description="Instead of path: a search result's id")]
StartLine = Annotated[Count, Field(description="First line")]
Lines = Annotated[Count | None, Field(description="How many lines; default: all")]
Version = Annotated[Count | None, Field(description="An earlier version")]
Owner = Annotated[str, Field(description="Whose, if several agents share this path")]
Content = Annotated[str, Field(description="Markdown")]
Mode = Annotated[
    WriteMode,
    Field(description="append and replace create a missing document; create refuses an existing"),
]
OwnTags = Annotated[list[str] | None, Field(description="Replaces the tags; default: as they are")]
OccurredAt = Annotated[str, Field(description="When it happened: 2026-03-01, 2h, 3 days")]
Shared = Annotated[
    bool | None,
    Field(description="Every agent may read it; default: as it is, a new one is private"),
]
ExpectedVersion = Annotated[
    int | None,
    Field(ge=1, le=2_147_483_647, description="Refuse if it changed since"),
]
Prefix = Annotated[str, Field(description="Only paths that start so")]
Limit = Annotated[int, Field(ge=1, le=500, description="Documents a page")]
Undo = Annotated[bool, Field(description="Bring back what was deleted last")]
Purge = Annotated[bool, Field(description="Remove it and all its versions for good")]


class ExcerptAnswer(Answer):
    """Lines of a document, or of a memory with what is known of it; messages count as lines."""

    path: str
    text: str
    start_line: int
    end_line: int
    total_lines: int
    version: int
    updated_at: AwareDatetime
    owner: str
    memory_id: str | None = None
    memory_type: str | None = None
    entities: list[EntityName] | None = None
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    trust: str | None = None
    caution: str | None = None


class WriteAnswer(Answer):
    """What a write left behind."""

    path: str
    version: int
    chunks: int
    pending_embeddings: int
    created: bool


class DocumentList(Answer):
    """A page of documents."""

    documents: Sequence[DocumentEntry]
    next_cursor: str | None


class RemovalAnswer(Answer):
    """What became of a document; exactly one of the last three is there."""

    path: str
    deleted_at: AwareDatetime | None = None
    restored: bool | None = None
    purged: bool | None = None


class DocumentTools:
    """The functions behind the tools; each docstring is what a model reads."""

    def __init__(self, app: App) -> None:
        self._app, self._documents = app, app.documents

    async def memory_get(
        self,
        caller: Caller,
        path: Path = "",
        id: ResultId = "",
        start_line: StartLine = 1,
        lines: Lines = None,
        version: Version = None,
        owner: Owner = "",
        database: DatabaseName = "",
    ) -> ExcerptAnswer:
        """Read a document, or the passage around a search result."""
        if bool(path) == bool(id):
            raise InvalidInput("path", "give either path or id")
        session = self._app.session(caller.agent, database)
        if not id:
            excerpt = await self._documents.get(
                session,
                path,
                start_line=start_line,
                lines=lines,
                version=version,
                owner=owner or None,
            )
        elif (start_line, lines, version, owner) != (1, None, None, ""):
            raise InvalidInput("id", "takes no lines, version or owner; read by path for those")
        else:
            session = self._app.session(caller.agent, database or None)
            excerpt = await self._app.search.context(session, id)
            await self._app.usage.count_fetch(session, id)
        answer = ExcerptAnswer.of(excerpt)
        return answer.model_copy(update={"caution": answer.caution or None})

    async def memory_write(
        self,
        caller: Caller,
        path: Path,
        content: Content,
        mode: Mode = "append",
        tags: OwnTags = None,
        occurred_at: OccurredAt = "",
        shared: Shared = None,
        expected_version: ExpectedVersion = None,
        idempotency_key: IdempotencyKey = "",
        database: DatabaseName = "",
    ) -> WriteAnswer:
        """Remember: write Markdown to a document, found by memory_search at once.

        Keep durable facts, preferences and decisions in MEMORY.md, the day's events in
        memory/YYYY-MM-DD.md. Every version is kept.
        """
        request = WriteDocument(
            path=path,
            content=content,
            mode=mode,
            tags=tags,
            occurred_at=instant(self._app.config, "occurred_at", occurred_at),
            shared=shared,
            expected_version=expected_version,
            idempotency_key=idempotency_key,
        )
        session = self._app.session(caller.agent, database)
        return WriteAnswer.of(await self._documents.write(session, request))

    async def memory_list(
        self,
        caller: Caller,
        prefix: Prefix = "",
        tags: Tags = None,
        limit: Limit = 50,
        cursor: Cursor = "",
        database: DatabaseName = "",
    ) -> DocumentList:
        """List documents by path: your own and those other agents share."""
        page = await self._documents.list(
            self._app.session(caller.agent, database),
            prefix=prefix or None,
            tags=tags,
            limit=limit,
            cursor=cursor or None,
        )
        return DocumentList(documents=page.rows, next_cursor=page.next_cursor or None)

    async def memory_delete(
        self,
        caller: Caller,
        path: Path,
        undo: Undo = False,
        purge: Purge = False,
        database: DatabaseName = "",
    ) -> RemovalAnswer:
        """Forget your own document: no search, list or read finds it any more.

        undo brings it back for some days; purge cannot be undone.
        """
        if undo and purge:
            raise InvalidInput("undo", "give either undo or purge")
        documents = self._documents
        act = documents.restore if undo else documents.purge if purge else documents.delete
        removal = await act(self._app.session(caller.agent, database), path)
        return RemovalAnswer(
            path=removal.path,
            deleted_at=removal.deleted_at,
            restored=removal.restored or None,
            purged=removal.purged or None,
        )


def document_tools(app: App) -> Sequence[MemoryTool]:
    """The tools of the toolset `documents`, memory_search apart."""
    tools, caller = DocumentTools(app), partial(caller_of, app)
    return [
        function_tool(tools.memory_get, caller, title="Read a document", annotations=READS),
        function_tool(
            tools.memory_write, caller, title="Remember", annotations=ADDS, always_load=True
        ),
        function_tool(tools.memory_list, caller, title="List documents", annotations=READS),
        function_tool(
            tools.memory_delete,
            caller,
            title="Forget a document",
            annotations=REMOVES,
            scope_of=lambda arguments: "admin" if arguments.get("purge") else "write",
        ),
    ]
