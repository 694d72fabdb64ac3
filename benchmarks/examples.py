"""Questions with their described candidates, as the product describes them, to learn from."""

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import anyio
import numpy as np
from numpy.typing import NDArray

from benchmarks.conversations import Conversation, Question, load
from benchmarks.libraries import Library, fill_library, held_by, is_library, load_library
from benchmarks.recall import database_of, fill, open_benchmark_app, settle
from mcp_memory.app import App
from mcp_memory.memory.conversations import store
from mcp_memory.postgres.connection import Connection
from mcp_memory.search import routes
from mcp_memory.search.candidates import describe_candidates
from mcp_memory.search.features import NAMES, MessageFeatures
from mcp_memory.search.kinds import PRIORS, Filter, Source
from mcp_memory.search.query import Query, read_query, read_question

Matrix = NDArray[np.float64]
_AGENT = "benchmark"


@dataclass(frozen=True, slots=True)
class Example:
    """A question's candidates: their features, what the priors add to each, which is not learned,
    and how much of the question's evidence each of them holds."""

    corpus: str
    kind: str
    features: Matrix
    prior: Matrix
    held: NDArray[np.int64]
    evidence: int

    @property
    def is_evidence(self) -> NDArray[np.bool_]:
        """Which candidates hold any."""
        return self.held > 0


# How much of a question's evidence each of these candidates holds.
_Judge = Callable[[Connection, Question, Sequence[MessageFeatures]], Awaitable[list[int]]]


async def collect(paths: Sequence[Path], provider: str) -> list[Example]:
    """The examples of every corpus in the files."""
    examples: list[Example] = []
    with tempfile.TemporaryDirectory(prefix="mcpm-", dir="/tmp") as folder:
        await anyio.Path(folder).chmod(0o755)
        async with open_benchmark_app(provider, Path(folder)) as app:
            for path in paths:
                if is_library(path):
                    examples += await _of_library(app, load_library(path))
                else:
                    for conversation in load(path):
                        examples += await _of_conversation(app, conversation)
    return examples


async def _of_conversation(app: App, conversation: Conversation) -> list[Example]:
    await fill(app, conversation)
    database = database_of(conversation)
    corpus, questions = (conversation.name, conversation.kind), conversation.questions
    return await _asked(app, database, corpus, questions, "transcripts", _of_messages)


async def _of_messages(
    conn: Connection, question: Question, described: Sequence[MessageFeatures]
) -> list[int]:
    messages = await store.of_chunks(conn, [each.chunk_id for each in described])
    return [int(messages[each.chunk_id][1].id in question.evidence) for each in described]


async def _of_library(app: App, library: Library) -> list[Example]:
    database = database_of(library)
    ids = await fill_library(app, library, database)
    await settle(app, database)

    async def of_passages(
        conn: Connection, question: Question, described: Sequence[MessageFeatures]
    ) -> list[int]:
        passages = await routes.passages(conn, [each.chunk_id for each in described])
        found = (passages[each.chunk_id] for each in described)
        return [len(held_by(library, ids, question, each.path, each.text)) for each in found]

    corpus = (library.name, library.kind)
    return await _asked(app, database, corpus, library.questions, library.source, of_passages)


async def _asked(
    app: App,
    name: str,
    corpus: tuple[str, str],
    questions: Sequence[Question],
    source: Source,
    judge: _Judge,
) -> list[Example]:
    """Every question with its described candidates."""
    database = await app.databases.reading(name, _AGENT)
    examples: list[Example] = []
    for question in questions:
        vector = await app.spaces.query_vector(database, question.text)
        asked = Query(read_question(question.text, now=datetime.now(UTC), zone=UTC), vector)
        async with database.reading(_AGENT) as conn:
            features, prior, held = await _look(conn, question, asked, source, judge)
        examples.append(Example(*corpus, features, prior, held, len(question.evidence)))
    return examples


async def _look(
    conn: Connection, question: Question, asked: Query, source: Source, judge: _Judge
) -> tuple[Matrix, Matrix, NDArray[np.int64]]:
    query = await read_query(conn, asked.question, asked.vector)
    described = await describe_candidates(conn, query, Filter([source]))
    rows = [[each.features[name] for name in NAMES] for each in described]
    features = np.array(rows, np.float64).reshape(len(rows), len(NAMES))
    prior = [sum(PRIORS[name] * each.features[name] for name in PRIORS) for each in described]
    held = np.array(await judge(conn, question, described), np.int64)
    return features, np.array(prior, np.float64), held
