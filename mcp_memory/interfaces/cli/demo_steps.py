"""What the demo shows, step by step: each calls tools, checks the answers and says what came."""

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TextIO, cast

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, TextContent

_CALL_SECONDS = 60.0

Answer = Mapping[str, object]


class UnexpectedAnswer(Exception):
    """The memory did not answer as it must."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent at its own server process; each call is entered in the log."""

    name: str
    client: Client
    log: list[str]

    async def call(self, tool: str, **arguments: object) -> Answer:
        """The structured answer of a call that must succeed."""
        result = await self._call_tool(tool, arguments)
        if result.is_error:
            raise UnexpectedAnswer(f"{tool} failed: {_text(result)}")
        return cast("Answer", result.structured_content or {})

    async def expect_refusal(self, tool: str, **arguments: object) -> str:
        """What a call that must be refused says."""
        result = await self._call_tool(tool, arguments)
        if not result.is_error:
            raise UnexpectedAnswer(f"{tool} was not refused: {_text(result)}")
        return _text(result)

    async def _call_tool(self, tool: str, arguments: dict[str, object]) -> CallToolResult:
        shown = ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())
        started = time.perf_counter()
        result = await self.client.call_tool(tool, arguments)
        spent = (time.perf_counter() - started) * 1000
        self.log.append(f"{self.name}> {tool}({shown})  {spent:.1f} ms")
        return result


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f'{text[:56]}…"'


def _text(result: CallToolResult) -> str:
    return " ".join(part.text for part in result.content if isinstance(part, TextContent))


def expect(holds: bool, complaint: str) -> None:
    """Go on if it is so; the demo has failed otherwise."""
    if not holds:
        raise UnexpectedAnswer(complaint)


def entries(answer: Answer, name: str) -> list[Answer]:
    """The list of objects under a name of an answer."""
    rows = answer.get(name)
    expect(isinstance(rows, list), f"the answer has no list {name!r}")
    return cast("list[Answer]", rows)


@dataclass(frozen=True, slots=True)
class Stage:
    """Two agents on one database; `log` holds the calls of the step that is under way."""

    ada: Agent
    ben: Agent
    log: list[str] = field(default_factory=list[str])


@asynccontextmanager
async def open_stage(
    command: Sequence[str], environ: Mapping[str, str], errors: TextIO
) -> AsyncGenerator[Stage]:
    """Start a server for each agent as a client does; what the servers log goes to `errors`."""
    log: list[str] = []
    async with AsyncExitStack() as stack:
        agents = [
            Agent(
                name,
                await stack.enter_async_context(_make_client(name, command, environ, errors)),
                log,
            )
            for name in ("ada", "ben")
        ]
        yield Stage(agents[0], agents[1], log)


def _make_client(
    agent: str, command: Sequence[str], environ: Mapping[str, str], errors: TextIO
) -> Client:
    arguments = [*command[1:], "--agent", f"demo-{agent}"]
    server = StdioServerParameters(command=command[0], args=arguments, env=dict(environ))
    return Client(stdio_client(server, errlog=errors), read_timeout_seconds=_CALL_SECONDS)


PROJECT = "projects/lighthouse.md"
DIARY = "diary/2026-03-01.md"
PREFERENCES = "MEMORY.md"

_PROJECT_TEXT = """\
# Lighthouse

The release train leaves every second Thursday.
Backups of the lighthouse database run at 03:30 UTC and are kept for ninety days.

## Decisions

We chose PostgreSQL over three separate stores, because one backup covers everything.
"""
_DIARY_TEXT = """\
# Sunday

Told nobody yet: the surprise party for Ben is on Saturday in the boathouse.
"""
_PREFERENCES_TEXT = """\
- Answers short, with the command to run first.
- Prefers tea over coffee.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """A sentence, and what is done to make it true; `show` returns what came back, in lines."""

    title: str
    show: Callable[[Stage], Awaitable[list[str]]]


async def _tools_are_offered(stage: Stage) -> list[str]:
    tools = sorted(tool.name for tool in (await stage.ada.client.list_tools()).tools)
    missing = {"memory_search", "memory_get", "memory_write"} - set(tools)
    expect(not missing, f"these tools are not offered: {', '.join(sorted(missing))}")
    server = stage.ada.client.server_info
    expect(server is not None and server.name == "mcp-memory", "another server answers")
    return [f"{len(tools)} tools: {', '.join(tools)}"]


async def _ada_writes(stage: Stage) -> list[str]:
    lines: list[str] = []
    documents = (
        (PROJECT, _PROJECT_TEXT, True),
        (PREFERENCES, _PREFERENCES_TEXT, False),
        (DIARY, _DIARY_TEXT, False),
    )
    for path, content, shared in documents:
        written = await stage.ada.call(
            "memory_write", path=path, content=content, mode="create", shared=shared
        )
        expect(written["version"] == 1 and written["created"] is True, f"{path} is not new")
        whose = "shared" if shared else "private"
        lines.append(f"{path}: version 1, {written['chunks']} chunks, {whose}")
    return lines


async def _ben_finds(stage: Stage) -> list[str]:
    answer = await stage.ben.call("memory_search", query="When do the lighthouse backups run?")
    results = entries(answer, "results")
    expect(bool(results), "the shared document was not found")
    best = results[0]
    expect(best["path"] == PROJECT and best["owner"] == "demo-ada", f"{best['path']} came first")
    expect("03:30 UTC" in str(best["text"]), "the passage found does not hold the answer")
    return [f"{best['citation']} of {best['owner']}, score {best['score']}", _line(best, "03:30")]


def _line(result: Answer, word: str) -> str:
    return next(line for line in str(result["text"]).splitlines() if word in line)


async def _ben_does_not_see(stage: Stage) -> list[str]:
    answer = await stage.ben.call("memory_search", query="surprise party in the boathouse")
    seen = [str(result["path"]) for result in entries(answer, "results")]
    expect(DIARY not in seen, "another agent's private document was found")
    refusal = await stage.ben.expect_refusal("memory_get", path=DIARY)
    expect("boathouse" not in refusal, "the refusal tells what is in the document")
    own = await stage.ada.call("memory_search", query="surprise party in the boathouse")
    paths = [str(result["path"]) for result in entries(own, "results")]
    expect(paths[:1] == [DIARY], "its owner does not find it")
    return [f"ben finds nothing of it, and is told: {refusal}", f"ada finds {paths[0]}"]


async def _ben_reads(stage: Stage) -> list[str]:
    expected = _PROJECT_TEXT.splitlines()[2:4]
    excerpt = await stage.ben.call("memory_get", path=PROJECT, start_line=3, lines=2)
    expect(str(excerpt["text"]).splitlines() == expected, f"lines 3-4 are {excerpt['text']!r}")
    total = excerpt["total_lines"]
    return [f"{PROJECT}, lines 3-4 of {total}:", *(f"  {line}" for line in expected)]


async def _ada_asks_in_other_words(stage: Stage) -> list[str]:
    current = await stage.ada.call("memory_current_database")
    model = str(current["embedding_model"])
    if "MiniLM" not in model:
        return [f"left out: {model} knows words, not meanings (mcp-memory embeddings install)"]
    answer = await stage.ada.call("memory_search", query="What beverage should I serve her?")
    results = entries(answer, "results")
    expect(bool(results) and results[0]["path"] == PREFERENCES, "the meaning was not found")
    return [
        f"{results[0]['citation']}, score {results[0]['score']}, by {model}",
        _line(results[0], "tea"),
    ]


_SAID = (
    ("m1", "user", "Which boat takes us to the island?"),
    ("m2", "assistant", "The Kittiwake, from the north pier."),
    ("m3", "user", "Then book the Kittiwake for Saturday, please."),
)


async def _a_conversation_is_kept(stage: Stage) -> list[str]:
    messages = [{"id": name, "role": role, "content": text} for name, role, text in _SAID]
    kept = await stage.ada.call(
        "transcript", action="append", session_id="demo-session", messages=messages
    )
    expect(kept["appended"] == len(_SAID), f"{kept['appended']} messages were kept")
    answer = await stage.ada.call("transcript", action="search", query="north pier", max_results=1)
    results = entries(answer, "results")
    expect(bool(results) and results[0]["message_ids"] == ["m2"], "the message was not found")
    thread = await stage.ada.call(
        "transcript", action="resume", session_id="demo-session", max_tokens=30
    )
    parts = entries(thread, "parts")
    expect(parts[-1]["text"] == _SAID[-1][2], "the thread does not end where it was left")
    return [
        f"{kept['appended']} messages kept; m2 says: {results[0]['text']}",
        f"after a compaction the last {len(parts)} come back in {thread['tokens']} tokens",
    ]


_WORKPLACES = (("Acme", "2024-03-01"), ("Globex", "2026-01-15"))


async def _a_fact_changes(stage: Stage) -> list[str]:
    (old, since), (new, from_then_on) = _WORKPLACES
    stored = await stage.ada.call("memory_graph_store", **_works_at(old), valid_from=since)
    changed = await stage.ada.call(
        "memory_graph_update", id=stored["id"], **_works_at(new), valid_from=from_then_on
    )
    expect(changed["version"] == 2, f"the change is version {changed['version']}")
    lines: list[str] = []
    for as_of, expected in (("2025-06-01", old), ("2026-02-01", new)):
        answer = await stage.ada.call(
            "memory_graph_recall", query="Where does Ben work?", as_of=as_of
        )
        memories = [str(memory["content"]) for memory in entries(answer, "memories")]
        expect(
            memories == [f"Ben works at {expected}."], f"as of {as_of} it is told that {memories}"
        )
        lines.append(f"as of {as_of}: {memories[0]}")
    return lines


def _works_at(company: str) -> dict[str, object]:
    relation = {"subject": "Ben", "relation": "works_at", "object": company}
    return {"content": f"Ben works at {company}.", "relations": [relation]}


_QUESTION = "Are the backups done?"


async def _a_message_arrives(stage: Stage) -> list[str]:
    """Ben waits before there is anything; the answer comes with the message."""
    arrived: list[Answer] = []

    async def wait() -> None:
        answer = await stage.ben.call("memory_message", action="wait", timeout_seconds=20)
        arrived.extend(entries(answer, "messages"))

    sent: Answer = {}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        sent = await stage.ada.call(
            "memory_message", action="send", to="demo-ben", content=_QUESTION
        )
    texts = [str(message["content"]) for message in arrived]
    expect(texts == [_QUESTION], f"what arrived is {texts}")
    await stage.ben.call("memory_message", action="ack", message_ids=[arrived[0]["id"]])
    status = await stage.ada.call("memory_message", action="status", message_id=sent["message_id"])
    states = [str(recipient["state"]) for recipient in entries(status, "recipients")]
    expect(states == ["acknowledged"], f"its state is {states}")
    return [f"ben hears of {arrived[0]['from']}: {texts[0]}", f"ada is told: {states[0]}"]


STEPS = (
    Step("A client starts the server and asks what it can do", _tools_are_offered),
    Step("Ada remembers three things, one of them for everybody", _ada_writes),
    Step("Ben, at a server process of his own, finds what she shared", _ben_finds),
    Step("What is private stays private", _ben_does_not_see),
    Step("Ben reads just the lines he needs", _ben_reads),
    Step("Ada asks for a meaning, in words she never wrote", _ada_asks_in_other_words),
    Step("A conversation is kept word for word", _a_conversation_is_kept),
    Step("A fact changes, and what was so before is still known", _a_fact_changes),
    Step(
        "Ada asks Ben, who waits at his own server, and knows that he has read it",
        _a_message_arrives,
    ),
)
