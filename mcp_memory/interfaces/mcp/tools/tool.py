"""A tool as this server offers it: strict arguments, compact answers, readable errors."""

import logging
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Self, cast

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import to_json

from mcp_memory.errors import EmbeddedPostgresFailed, McpMemoryError, MigrationFailed
from mcp_memory.interfaces.caller import Caller
from mcp_memory.interfaces.mcp.tools.schemas import Schema
from mcp_memory.memory.keys import Scope

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


logger = logging.getLogger(__name__)


def readable(exc: McpMemoryError) -> str:
    """The error's text for a caller; what names paths or SQL goes to the log instead."""
    match exc:
        case EmbeddedPostgresFailed():
            logger.error("%s", exc)
            return "The embedded PostgreSQL cannot be used. `mcp-memory doctor` says why."
        case MigrationFailed():
            logger.error("%s", exc)
            return f"Migration {exc.migration} failed and was rolled back. The log says why."
        case _:
            return str(exc)


READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
ADDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
SETS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
REMOVES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)

NoteCaller = Callable[[Caller], Awaitable[None]]
Observe = Callable[[str], AbstractContextManager[None]]

# The results are structured; their schema would cost every client more than it tells a model.
_ANY_OBJECT: Schema = {"type": "object"}


class Answer(BaseModel):
    """A tool's result. A field that is None is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    @classmethod
    def of(cls, facts: object) -> Self:
        """The answer made of the attributes of that name; a service may know more."""
        return cls.model_validate(facts)

    def facts(self) -> dict[str, JsonValue]:
        """The answer as JSON, without what is None."""
        return cast("dict[str, JsonValue]", self.model_dump(mode="json", exclude_none=True))


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose arguments are checked: what it needs, and how it is answered."""

    scope: Scope
    databases: Sequence[str]
    answer: Callable[[], Awaitable[Answer]]


# The call that arguments of a caller are; `InvalidInput` for what cannot be used.
Prepare = Callable[[Caller, Mapping[str, JsonValue]], Call]


def _observe_nothing(_tool: str) -> AbstractContextManager[None]:
    return nullcontext()


async def _note_nobody(_caller: Caller) -> None:
    return None


class MemoryTool(Tool):
    """A tool that checks the arguments, then what the caller may do, and only then acts.

    `prepare` makes the call of them; a key that does not allow its scope or its databases is
    refused. `note_caller` hears of whoever is not, but of the `noted_agents`; `observe` stands
    around each call, by the tool's name.
    """

    resolve_caller: Callable[[], Caller] = Field(exclude=True)
    prepare: Prepare = Field(exclude=True)
    note_caller: NoteCaller = Field(default=_note_nobody, exclude=True)
    noted_agents: set[str] = Field(default_factory=set[str], exclude=True)
    observe: Observe = Field(default=_observe_nothing, exclude=True)

    @classmethod
    def of(
        cls,
        prepare: Prepare,
        resolve_caller: Callable[[], Caller],
        *,
        name: str,
        title: str,
        description: str,
        parameters: Schema,
        annotations: ToolAnnotations,
        always_load: bool = False,
    ) -> Self:
        """The tool whose calls are made of their arguments by `prepare`."""
        return cls(
            fn=prepare,
            name=name,
            title=title,
            description=_unwrap(description),
            parameters=parameters,
            fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=dict(_ANY_OBJECT)),
            is_async=True,
            context_kwarg=None,
            annotations=annotations,
            meta={"anthropic/alwaysLoad": True} if always_load else None,
            resolve_caller=resolve_caller,
            prepare=prepare,
        )

    async def run(
        self,
        arguments: dict[str, Any],
        context: Context[Any, Any],
        convert_result: bool = False,
    ) -> CallToolResult | Answer:
        """The answer to one call; a mistake, a refusal and a failure are all a `ToolError`."""
        try:
            with reporting_through(context):
                answer = await self.answer(arguments)
        except McpMemoryError as exc:
            raise ToolError(readable(exc)) from exc
        # A bug's text may hold SQL, paths or secrets: the SDK logs it, the caller never sees it.
        except Exception as exc:
            raise UnexpectedToolError(self._failure()) from exc
        return _result(answer) if convert_result else answer

    async def answer(self, arguments: Mapping[str, JsonValue]) -> Answer:
        """The answer to one call over any protocol; `McpMemoryError` for a mistake or refusal."""
        with self.observe(self.name):
            caller = self.resolve_caller()
            call = self.prepare(caller, arguments)
            caller.require(call.scope)
            for database in call.databases:
                caller.require_database(database)
            if caller.agent not in self.noted_agents:
                await self.note_caller(caller)
            return await call.answer()

    def _failure(self) -> str:
        reads = self.annotations is not None and self.annotations.read_only_hint
        doubt = "" if reads else " It may have changed something: look before you try again."
        return f"{self.name} failed inside the server, whose log says why.{doubt}"


def _unwrap(docstring: str) -> str:
    """The docstring with each paragraph on one line."""
    return "\n".join(" ".join(part.split()) for part in docstring.split("\n\n"))


def _result(answer: Answer) -> CallToolResult:
    """The same facts twice: some clients show the model the structure, others the text alone."""
    structured = answer.facts()
    text = to_json(structured).decode()
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=structured
    )
