"""The answers of a run by name, and the calls of tools that give them."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self, cast

import anyio
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

from lab.golden_calls import Call, filled
from lab.golden_normal import Normal
from lab.golden_programs import Build

# Word counts are merged every two seconds, after which scores stay.
_MERGE_SECONDS = 6.0


@dataclass(slots=True)
class Recording:
    """What was asked and answered so far, and what later questions refer to."""

    normal: Normal
    answers: dict[str, object] = field(default_factory=dict[str, object])
    saved: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, build: Build) -> Self:
        """An empty recording of this build."""
        venv = build.python.parents[1]
        paths = {str(build.folder): "<folder>", str(venv): "<venv>", str(venv.parent): "<checkout>"}
        return cls(Normal(datetime.now(UTC).date(), paths))

    def add(self, name: str, answer: object) -> None:
        """Keep an answer, without what varies; a name that comes again is numbered."""
        name, number = self.normal.text(name), 1
        while (unique := name if number == 1 else f"{name} #{number}") in self.answers:
            number += 1
        self.answers[unique] = self.normal.of(answer)

    async def call(self, client: Client, family: str, call: Call) -> None:
        """Make a call and keep its answer, or those of its pages."""
        arguments = cast(dict[str, object], filled(dict(call.arguments), self.saved))
        for page in range(call.pages):
            answer = await tool_answer(client, call.tool, arguments)
            self.add(f"{family}: {call.label}{f' page {page + 1}' if page else ''}", answer)
            facts = answer.get("facts")
            if not isinstance(facts, dict):
                return
            facts = cast(dict[str, object], facts)
            self.saved |= {name: str(facts[key]) for name, key in call.save.items()}
            if not (cursor := facts.get("next_cursor")):
                return
            arguments = arguments | {"cursor": cursor}


async def tool_answer(client: Client, tool: str, arguments: dict[str, object]) -> dict[str, object]:
    """A tool's answer; its text only when it is not the facts as JSON."""
    try:
        with anyio.fail_after(60):
            result = await client.call_tool(tool, arguments)
    except MCPError as exc:
        return {"rpc_error": exc.error.code, "message": exc.error.message}
    texts = [each.text if isinstance(each, TextContent) else each.type for each in result.content]
    if result.is_error:
        return {"error": texts}
    facts = result.structured_content
    answer: dict[str, object] = {"facts": facts}
    return answer if _is_json_of(texts, facts) else answer | {"text": texts}


def _is_json_of(texts: list[str], facts: object) -> bool:
    try:
        return len(texts) == 1 and json.loads(texts[0]) == facts
    except ValueError:
        return False


async def settle(client: Client) -> None:
    """Wait until everything written is embedded, and its words are counted."""
    await wait_for_vectors(client)
    await anyio.sleep(_MERGE_SECONDS)


async def wait_for_vectors(client: Client) -> None:
    """Wait until nothing of the default database waits to be embedded."""
    with anyio.fail_after(120):
        while await _is_embedding(client):  # noqa: ASYNC110 - another process embeds
            await anyio.sleep(0.1)


async def _is_embedding(client: Client) -> bool:
    facts = (await tool_answer(client, "memory_current_database", {})).get("facts")
    return isinstance(facts, dict) and bool(cast(dict[str, object], facts)["pending_embeddings"])
