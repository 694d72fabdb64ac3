"""Corpora of documents or facts with questions, beside the conversations of `conversations`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, cast

from mcp.client import Client

from benchmarks.conversations import Question
from benchmarks.rankings import Found, Naming
from mcp_memory.app import App
from mcp_memory.interfaces.mcp.server import build_server
from mcp_memory.postgres.connection import Connection
from mcp_memory.search import routes

Source = Literal["documents", "graph"]


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is written."""

    path: str
    content: str


class Fact(TypedDict):
    """A memory as `memory_graph_store` takes it, with its id in the corpus."""

    id: str
    content: str
    memory_type: str
    entities: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Library:
    """Documents, or facts, and what is asked of them.

    The evidence of a question is a fact's id, or a passage as `passage_name` names it.
    """

    name: str
    documents: list[Document]
    facts: list[Fact]
    questions: list[Question]

    @property
    def kind(self) -> str:
        """Each library is a kind of its own."""
        return self.name

    @property
    def source(self) -> Source:
        """Where its passages are searched for."""
        return "graph" if self.facts else "documents"


class _Quoted(TypedDict):
    path: str
    quote: str


class _Asked(TypedDict):
    question: str
    category: str
    evidence: list[_Quoted] | list[str]


class _Entry(TypedDict):
    id: str
    documents: list[dict[str, str]]
    memories: list[Fact]
    qa: list[_Asked]


def is_library(path: Path) -> bool:
    """Whether the file holds documents or facts rather than conversations."""
    entry = cast("list[Mapping[str, object]]", json.loads(path.read_text("utf-8")))[0]
    return "documents" in entry or "memories" in entry


def load_library(path: Path) -> Library:
    """The library in a file, named after it."""
    entry = cast("list[_Entry]", json.loads(path.read_text("utf-8")))[0]
    return Library(
        path.stem,
        [Document(**each) for each in entry.get("documents", [])],
        entry.get("memories", []),
        [
            Question(each["question"], each["category"], frozenset(map(_name, each["evidence"])))
            for each in entry["qa"]
        ],
    )


def _name(evidence: _Quoted | str) -> str:
    if isinstance(evidence, str):
        return evidence
    return passage_name(evidence["path"], evidence["quote"])


def passage_name(path: str, quote: str) -> str:
    """A passage by its document and the words that answer, whatever their line breaks."""
    return f"{path}\n{_folded(quote)}"


def _quote_of(name: str) -> str:
    return name.partition("\n")[2]


def _folded(text: str) -> str:
    return " ".join(text.split())


async def fill_library(app: App, library: Library, database: str) -> dict[str, str]:
    """Write everything through the tools; the facts' ids by those they have in the database."""
    ids: dict[str, str] = {}
    async with Client(build_server(app)) as client:
        for document in library.documents:
            await _call(
                client,
                "memory_write",
                {"path": document.path, "content": document.content, "database": database},
            )
        for fact in library.facts:
            told = {key: value for key, value in fact.items() if key != "id"}
            answer = await _call(client, "memory_graph_store", told | {"database": database})
            ids[str(answer["id"])] = fact["id"]
    return ids


async def _call(client: Client, tool: str, arguments: Mapping[str, object]) -> Mapping[str, object]:
    answer = await client.call_tool(tool, dict(arguments))
    if answer.is_error:
        raise RuntimeError(str(answer.content))
    return answer.structured_content or {}


class _Passage(TypedDict):
    path: str
    text: str


async def ask_library(
    app: App, library: Library, ids: Mapping[str, str], database: str, most: int
) -> list[list[Found]]:
    """For each question what `memory_search` answers, best first."""
    async with Client(build_server(app)) as client:
        found: list[list[Found]] = []
        for question in library.questions:
            arguments = {"query": question.text, "sources": [library.source]}
            answer = await _call(
                client, "memory_search", arguments | {"max_results": most, "database": database}
            )
            passages = cast("Sequence[_Passage]", answer["results"])
            found.append(
                [
                    name
                    for each in passages
                    for name in _named(library, ids, question, each["path"], each["text"])
                ]
            )
    return found


def naming(library: Library, ids: Mapping[str, str], question: Question) -> Naming:
    """What the library's chunks are called when they answer this question."""

    async def name(conn: Connection, chunk_ids: Sequence[int]) -> list[Found]:
        passages = await routes.passages(conn, chunk_ids)
        found = (passages[each] for each in chunk_ids)
        return [
            name for each in found for name in _named(library, ids, question, each.path, each.text)
        ]

    return name


def _named(
    library: Library, ids: Mapping[str, str], question: Question, path: str, text: str
) -> list[Found]:
    """A passage by the evidence it holds; else by where it is and how it begins."""
    held = held_by(library, ids, question, path, text)
    return [Found(name, text) for name in held or [f"{path}: {text[:60]}"]]


def held_by(
    library: Library, ids: Mapping[str, str], question: Question, path: str, text: str
) -> list[str]:
    """Which of the question's evidence a passage holds; a fact's path ends in its id."""
    if library.facts:
        return [name for name in question.evidence if name == ids[path.rpartition("/")[2]]]
    return [
        name
        for name in sorted(question.evidence)
        if name == passage_name(path, _quote_of(name)) and _quote_of(name) in _folded(text)
    ]
