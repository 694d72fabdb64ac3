"""Corpora of documents or facts with questions, beside the conversations of `conversations`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, cast

from mcp.client import Client

from benchmarks.conversations import Question
from mcp_memory.app import App
from mcp_memory.server.build import build_server

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
    id: str
    path: str
    text: str


async def ask_library(
    app: App, library: Library, ids: Mapping[str, str], database: str, most: int
) -> list[list[tuple[str, str]]]:
    """For each question what `memory_search` answers, best first: names and texts."""
    async with Client(build_server(app)) as client:
        found: list[list[tuple[str, str]]] = []
        for question in library.questions:
            arguments = {"query": question.text, "sources": [library.source]}
            answer = await _call(
                client, "memory_search", arguments | {"max_results": most, "database": database}
            )
            passages = cast("Sequence[_Passage]", answer["results"])
            found.append([each for row in passages for each in named(library, ids, question, row)])
    return found


def named(
    library: Library, ids: Mapping[str, str], question: Question, passage: _Passage
) -> list[tuple[str, str]]:
    """A passage by the evidence it holds, each with its text; else by its own id."""
    held = held_by(library, ids, question, passage["path"], passage["text"])
    return [(name, passage["text"]) for name in held] or [
        (f"passage {passage['id']}", passage["text"])
    ]


def held_by(
    library: Library, ids: Mapping[str, str], question: Question, path: str, text: str
) -> list[str]:
    """Which of the question's evidence a passage holds; a fact's path is its id."""
    if library.facts:
        return [name for name in question.evidence if name == ids[path]]
    return [
        name
        for name in sorted(question.evidence)
        if name == passage_name(path, _quote_of(name)) and _quote_of(name) in _folded(text)
    ]
