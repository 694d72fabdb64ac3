"""The tools that write facts: store, update, forget."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated

from pydantic import AwareDatetime, Field, JsonValue, WithJsonSchema, field_validator

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput
from mcp_memory.interfaces.caller import Caller, caller_of
from mcp_memory.interfaces.mcp.tools import facts_arguments as parts
from mcp_memory.interfaces.mcp.tools.arguments import function_tool, instant
from mcp_memory.interfaces.mcp.tools.facts_query import graph_reading_tools
from mcp_memory.interfaces.mcp.tools.parameters import EMPTIED_BY_NONE, DatabaseName, IdempotencyKey
from mcp_memory.interfaces.mcp.tools.tool import ADDS, REMOVES, Answer, MemoryTool
from mcp_memory.memory.facts.model import EntityCandidate, FactChange, FactType, Never, NewFact

_JsonList = list[JsonValue]

# The choices stand in the tool that stores; here they would cost every client their length again.
AnyType = Annotated[
    Annotated[FactType, WithJsonSchema({"type": "string"})] | None, Field(description="Kind")
]
Kind = Annotated[FactType, Field(description="Kind")]
Content = Annotated[str, Field(description="One fact, in words that stand alone")]
Share = Annotated[float | None, Field(ge=0, le=1, description="0 to 1")]
Reasoning = Annotated[str | None, Field(description="Why it holds")]
Importance = Annotated[Share, Field(description="Default: usual for its type")]
Source = Annotated[str | None, Field(description="Where from: user, tool:NAME, https://…")]
Entities = Annotated[
    Annotated[_JsonList, WithJsonSchema(parts.ENTITIES_SCHEMA)] | None,
    Field(description="What it is about; type: person, project, place…"),
]
Relations = Annotated[
    Annotated[_JsonList, WithJsonSchema(parts.RELATIONS_SCHEMA)] | None,
    Field(description="Between entities, by name: works_at…"),
]
Associations = Annotated[
    Annotated[_JsonList, WithJsonSchema(parts.ASSOCIATIONS_SCHEMA)] | None,
    Field(description="To memories: related_to, contradicts, caused_by, part_of…"),
]
LikeStore = Annotated[
    Annotated[_JsonList, WithJsonSchema(parts.LIKE_STORE_SCHEMA)] | None,
    EMPTIED_BY_NONE,
    Field(description="As stored"),
]
NewSource = Annotated[str | None, Field(description="Where from")]
NewTime = Annotated[str, Field(description="When it happened")]
OccurredAt = Annotated[str, Field(description="When it happened: 2026-03-01, 2h")]
NewContent = Annotated[str | None, Field(description="What is so now")]
NewShared = Annotated[bool | None, Field(description="Every agent may read it")]
ValidFrom = Annotated[str, Field(description="True from; default: always")]
ChangeFrom = Annotated[str, Field(description="The change is true from; default: now")]
ValidUntil = Annotated[str, Field(description="True until")]
NewEnd = Annotated[str, Field(description="A date, or never")]
ExpiresAt = Annotated[str, Field(description="Then gone")]
MessageIds = Annotated[list[str] | None, Field(description="Learnt from")]
Supersedes = Annotated[str, Field(description="Memory that is no longer so")]
Tags = Annotated[list[str] | None, Field(description="Labels")]
NewMessageIds = Annotated[MessageIds, EMPTIED_BY_NONE]
NewTags = Annotated[Tags, EMPTIED_BY_NONE]
Reason = Annotated[str, Field(description="Why")]
Shared = Annotated[bool, Field(description="Every agent may read it")]
MemoryId = Annotated[str, Field(description="Such as m42")]
Undo = Annotated[bool, Field(description="Bring it back")]
Purge = Annotated[bool, Field(description="Remove every trace for good")]


class ResolutionAnswer(Answer):
    """An entity that the fact speaks of; candidates only where there are any."""

    id: str
    name: str
    created: bool
    candidates: list[EntityCandidate] | None

    @field_validator("candidates")
    @classmethod
    def _without_none(cls, candidates: list[EntityCandidate]) -> list[EntityCandidate] | None:
        return candidates or None


class SimilarAnswer(Answer):
    """An older fact that may say the same, or that a relation contradicts."""

    id: str
    content: str
    score: float
    contradicts: str | None

    @field_validator("contradicts")
    @classmethod
    def _without_empty(cls, relation: str) -> str | None:
        return relation or None


class StoreAnswer(Answer):
    """A fact that is stored."""

    id: str
    memory_type: str
    version: int
    entities: list[ResolutionAnswer]
    similar: list[SimilarAnswer]
    repeated: bool


class UpdateAnswer(Answer):
    """A change."""

    id: str
    version: int
    changed: list[str]


class ForgetAnswer(Answer):
    """What became of a fact."""

    id: str
    forgotten_at: AwareDatetime | None
    restored: bool | None
    purged: bool | None


class GraphWritingTools:
    """The functions behind the tools; their docstrings are what a model reads."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def memory_graph_store(
        self,
        caller: Caller,
        content: Content,
        memory_type: Kind = "fact",
        reasoning: Reasoning = None,
        importance: Importance = None,
        confidence: Share = None,
        source: Source = None,
        entities: Entities = None,
        relations: Relations = None,
        associations: Associations = None,
        occurred_at: OccurredAt = "",
        valid_from: ValidFrom = "",
        valid_until: ValidUntil = "",
        expires_at: ExpiresAt = "",
        message_ids: MessageIds = None,
        supersedes: Supersedes = "",
        tags: Tags = None,
        shared: Shared = False,
        idempotency_key: IdempotencyKey = "",
        database: DatabaseName = "",
    ) -> StoreAnswer:
        """Remember one fact, preference, decision…, whom it is about and when it is so.

        similar lists older memories: if one says the same or is contradicted, update or supersede
        it.
        """
        fact = NewFact(
            content=content,
            memory_type=memory_type,
            reasoning=reasoning or "",
            importance=importance,
            confidence=1.0 if confidence is None else confidence,
            source=source or "",
            entities=parts.read_entities(entities or []),
            relations=parts.read_relations(self._app.config, relations or []),
            associations=parts.read_associations(associations or []),
            occurred_at=instant(self._app.config, "occurred_at", occurred_at),
            valid_from=instant(self._app.config, "valid_from", valid_from),
            valid_until=instant(self._app.config, "valid_until", valid_until),
            expires_at=instant(self._app.config, "expires_at", expires_at),
            message_ids=tuple(message_ids or ()),
            supersedes=supersedes,
            tags=tuple(tags or ()),
            shared=shared,
            idempotency_key=idempotency_key,
        )
        result = await self._app.graph.store(self._app.session(caller.agent, database), fact)
        return StoreAnswer.of(result)

    async def memory_graph_update(
        self,
        caller: Caller,
        id: MemoryId,
        content: NewContent = None,
        memory_type: AnyType = None,
        reasoning: Reasoning = None,
        importance: Share = None,
        confidence: Share = None,
        source: NewSource = None,
        entities: LikeStore = None,
        relations: LikeStore = None,
        associations: LikeStore = None,
        occurred_at: NewTime = "",
        valid_from: ChangeFrom = "",
        valid_until: NewEnd = "",
        expires_at: NewEnd = "",
        message_ids: NewMessageIds = None,
        supersedes: Supersedes = "",
        tags: NewTags = None,
        shared: NewShared = None,
        reason: Reason = "",
        idempotency_key: IdempotencyKey = "",
        database: DatabaseName = "",
    ) -> UpdateAnswer:
        """Change a memory; parameters as in memory_graph_store, a list replaces the one before,
        ["none"] empties it.

        The older version stays readable by as_of and history.
        """
        config = self._app.config
        change = FactChange(
            id=id,
            content=content,
            memory_type=memory_type,
            reasoning=reasoning,
            importance=importance,
            confidence=confidence,
            source=source,
            entities=None if entities is None else parts.read_entities(entities),
            relations=None if relations is None else parts.read_relations(config, relations),
            associations=None if associations is None else parts.read_associations(associations),
            occurred_at=instant(config, "occurred_at", occurred_at),
            valid_from=instant(config, "valid_from", valid_from),
            valid_until=self._end("valid_until", valid_until),
            expires_at=self._end("expires_at", expires_at),
            message_ids=None if message_ids is None else tuple(message_ids),
            supersedes=supersedes,
            tags=None if tags is None else tuple(tags),
            shared=shared,
            reason=reason,
            idempotency_key=idempotency_key,
        )
        session = self._app.session(caller.agent, database)
        result = await self._app.graph.update(session, change)
        return UpdateAnswer.of(result)

    async def memory_graph_forget(
        self,
        caller: Caller,
        id: MemoryId,
        reason: Reason = "",
        undo: Undo = False,
        purge: Purge = False,
        database: DatabaseName = "",
    ) -> ForgetAnswer:
        """Forget a memory everywhere; undo brings it back for a while.

        What is merely no longer so: update or supersede it instead.
        """
        if undo and purge:
            raise InvalidInput("undo", "cannot go with purge; choose one")
        forgetting, session = self._app.forgetting, self._app.session(caller.agent, database)
        if undo:
            result = await forgetting.restore(session, id)
        elif purge:
            result = await forgetting.purge(session, id)
        else:
            result = await forgetting.forget(session, id, reason=reason)
        answer = ForgetAnswer.of(result)
        only = {"restored": answer.restored or None, "purged": answer.purged or None}
        return answer.model_copy(update=only)

    def _end(self, parameter: str, text: str) -> datetime | Never | None:
        if text.strip().lower() == "never":
            return "never"
        return instant(self._app.config, parameter, text)


def graph_writing_tools(app: App) -> Sequence[MemoryTool]:
    """memory_graph_store, memory_graph_update and memory_graph_forget."""
    tools, caller = GraphWritingTools(app), partial(caller_of, app)
    return [
        function_tool(tools.memory_graph_store, caller, title="Remember", annotations=ADDS),
        function_tool(tools.memory_graph_update, caller, title="Change a memory", annotations=ADDS),
        function_tool(
            tools.memory_graph_forget,
            caller,
            title="Forget a memory",
            annotations=REMOVES,
            scope_of=lambda arguments: "admin" if arguments.get("purge") else "write",
        ),
    ]


def graph_tools(app: App) -> Sequence[MemoryTool]:
    """Every memory_graph tool."""
    return [*graph_reading_tools(app), *graph_writing_tools(app)]
