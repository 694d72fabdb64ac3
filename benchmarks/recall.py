"""Recall of evidence on LoCoMo, BEAM and other kinds of text, through the public tools.

    python -m benchmarks.recall FILE… [--provider minilm …] [--alone] [--limit-questions N]
                                [--without ROUTE|FEATURE …]

Each conversation is appended as transcripts into a database of its own; each question is asked by
`transcript(action="search")`. Documents and facts (`benchmarks/kinds`) are written likewise and
asked for by `memory_search`; a passage that holds what answers counts as a message. Recall at k is
the share of a question's evidence among the first k messages, recall in T the share inside the
first T tokens of text that comes back. In the same run the same questions are ranked in other ways
(`benchmarks.rankings`), unless `--alone`, and by the product without each route or feature that is
named. The shipped weights have seen the texts they were learned on, and nothing is learned anew for
what is left out: `benchmarks.learn_ranking` prints the cross-validated figures, and what each
feature is worth.
"""

import argparse
import os
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

import anyio
from mcp.client import Client
from rich.console import Console
from rich.table import Table

from benchmarks.conversations import Conversation, Question, load
from benchmarks.libraries import (
    Library,
    ask_library,
    fill_library,
    is_library,
    load_library,
    naming,
)
from benchmarks.rankings import WITHOUT, Found, Ranking, ranked, rankings
from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.interfaces.mcp.server import build_server
from mcp_memory.text.tokens import TokenCounter

DEPTHS = (5, 10, 20)
BUDGETS = (500, 1000, 2000)
_PRODUCT = "product"
_TOKENS = TokenCounter()
_BATCH = 100
# The tests' model folder, when they have installed one there.
_MODELS = (
    {"model_dir": os.environ["MCP_MEMORY_MODEL_DIR"]}
    if "MCP_MEMORY_MODEL_DIR" in os.environ
    else {}
)
_AGENT = "benchmark"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, who ranked, and the messages that came back, best first."""

    conversation: Conversation | Library
    question: Question
    ranking: str
    found: list[Found]

    def recall(self, depth: int) -> float:
        """The share of the evidence among the first `depth` messages."""
        evidence = self.question.evidence
        return len(evidence & {each.id for each in self.found[:depth]}) / len(evidence)

    def recall_within(self, tokens: int) -> float:
        """The share of the evidence in the messages that fit into so many tokens, in order."""
        within, spent = 0, 0
        for each in self.found:
            spent += _TOKENS.count(each.text)
            if spent > tokens:
                break
            within += each.id in self.question.evidence
        return within / len(self.question.evidence)

    @property
    def reciprocal_rank(self) -> float:
        """One over the place of the first evidence; 0 when none was found."""
        evidence = self.question.evidence
        places = [place for place, each in enumerate(self.found, 1) if each.id in evidence]
        return 1 / places[0] if places else 0.0


@asynccontextmanager
async def open_benchmark_app(
    provider: str, folder: Path, *, server: str | None = None
) -> AsyncGenerator[App]:
    """An app on an embedded cluster of its own, or on that server, and nobody else's settings."""
    config = Config.model_validate(
        {
            "agent": _AGENT,
            "embedded": {"data_dir": str(folder / "cluster")},
            "database": {"url": server},
            "embeddings": {"provider": provider} | _MODELS,
            "limits": {"statement_timeout_seconds": 600},
        }
    )
    async with open_app(config) as app:
        yield app


def database_of(corpus: Conversation | Library) -> str:
    """The named database of a corpus."""
    letters = "".join(each if each.isalnum() else "_" for each in corpus.name.lower())
    return f"c_{letters}"


async def fill(app: App, conversation: Conversation) -> None:
    """Append the conversation, session by session, and wait for its vectors."""
    sessions: dict[str, list[dict[str, str]]] = defaultdict(list)
    for turn in conversation.turns:
        message = {
            "id": turn.id,
            "role": turn.role,
            "content": turn.text,
            "created_at": turn.said_at.isoformat(),
        }
        sessions[turn.session].append(message | ({"speaker": turn.speaker} if turn.speaker else {}))
    database = database_of(conversation)
    async with Client(build_server(app)) as client:
        for session, messages in sessions.items():
            for start in range(0, len(messages), _BATCH):
                answer = await client.call_tool(
                    "transcript",
                    {
                        "action": "append",
                        "session_id": session,
                        "messages": messages[start : start + _BATCH],
                        "database": database,
                    },
                )
                if answer.is_error:
                    raise RuntimeError(str(answer.content))
    await settle(app, database)


async def settle(app: App, database: str) -> None:
    """Wait until everything has its vectors and every word is counted."""
    space = await app.spaces.active(app.session(_AGENT, database))
    assert space is not None
    await app.spaces.administration.embed_due(app.session(_AGENT, database), space)
    await app.word_counts.merge(await app.databases.reading(database, _AGENT))


async def ask(app: App, conversation: Conversation, questions: Sequence[Question]) -> list[Asked]:
    """Every question with what the tool answers."""
    asked: list[Asked] = []
    async with Client(build_server(app)) as client:
        for question in questions:
            answer = await client.call_tool(
                "transcript",
                {
                    "action": "search",
                    "query": question.text,
                    "max_results": DEPTHS[-1],
                    "database": database_of(conversation),
                },
            )
            content = cast("Mapping[str, list[_Result]]", answer.structured_content)
            found = [
                Found(id, each["text"]) for each in content["results"] for id in each["message_ids"]
            ]
            asked.append(Asked(conversation, question, _PRODUCT, _once(found)))
    return asked


class _Result(TypedDict):
    message_ids: list[str]
    text: str


def _once(found: Sequence[Found]) -> list[Found]:
    return list({each.id: each for each in found}.values())


async def compare(
    app: App,
    conversation: Conversation,
    questions: Sequence[Question],
    others: Mapping[str, Ranking],
) -> list[Asked]:
    """Every question as the other rankings answer it."""
    database = database_of(conversation)
    return [
        Asked(
            conversation,
            question,
            name,
            await ranked(app, _AGENT, question.text, ranking, database=database, most=DEPTHS[-1]),
        )
        for name, ranking in others.items()
        for question in questions
    ]


async def search_library(app: App, library: Library, others: Mapping[str, Ranking]) -> list[Asked]:
    """Fill it, and every question as the product and the other rankings answer it."""
    database, most = database_of(library), DEPTHS[-1]
    ids = await fill_library(app, library, database)
    await settle(app, database)
    answers = await ask_library(app, library, ids, database, most)
    asked = [
        Asked(library, question, _PRODUCT, _once(found))
        for question, found in zip(library.questions, answers, strict=True)
    ]
    for name, ranking in others.items():
        for question in library.questions:
            called = naming(library, ids, question)
            found = await ranked(
                app, _AGENT, question.text, ranking, database=database, most=most, naming=called
            )
            asked.append(Asked(library, question, name, found))
    return asked


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % confidence interval of the mean, by bootstrap over questions."""
    generator = random.Random(7)
    means = sorted(statistics.fmean(generator.choices(values, k=len(values))) for _ in range(1000))
    return means[25], means[974]


def report(title: str, asked: Sequence[Asked]) -> None:
    """Print a table: a row for each ranking of each kind, then for each category of the product."""
    groups: dict[str, list[Asked]] = defaultdict(list)
    for each in asked:
        groups[f"{each.conversation.kind}: {each.ranking}"].append(each)
    for each in asked:
        if each.ranking == _PRODUCT:
            groups[f"{each.conversation.kind}, {each.question.category}"].append(each)
    columns = [f"R@{depth}" for depth in DEPTHS] + ["95 % of R@10", "MRR"]
    table = Table(title=title, title_justify="left")
    for column in ("", "n", *columns, *(f"in {budget}" for budget in BUDGETS)):
        table.add_column(column, justify="right" if column else "left")
    for name, members in groups.items():
        table.add_row(name, str(len(members)), *_figures(members))
    Console(width=130).print(table)


def _figures(members: Sequence[Asked]) -> list[str]:
    """The cells of one row, as the columns have them."""
    recalls = [statistics.fmean(each.recall(depth) for each in members) for depth in DEPTHS]
    low, high = interval([each.recall(10) for each in members])
    rank = statistics.fmean(each.reciprocal_rank for each in members)
    within = [statistics.fmean(each.recall_within(most) for each in members) for most in BUDGETS]
    cells = [f"{value:.3f}" for value in (*recalls, rank, *within)]
    return [*cells[:3], f"{low:.3f}-{high:.3f}", *cells[3:]]


async def run(
    paths: Sequence[Path], provider: str, limit: int | None, others: Mapping[str, Ranking]
) -> None:
    """Fill, ask and report."""
    asked: list[Asked] = []
    with tempfile.TemporaryDirectory(prefix="mcpm-", dir="/tmp") as folder:
        await anyio.Path(folder).chmod(0o755)
        async with open_benchmark_app(provider, Path(folder)) as app:
            for path in paths:
                if is_library(path):
                    asked += await search_library(app, load_library(path), others)
                    continue
                for conversation in load(path):
                    await fill(app, conversation)
                    questions = conversation.questions[:limit]
                    asked += await ask(app, conversation, questions)
                    asked += await compare(app, conversation, questions, others)
    report(f"recall of evidence, {provider}", asked)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--provider", nargs="+", default=["minilm"], choices=["minilm", "hashing"])
    parser.add_argument("--alone", action="store_true", help="leave out the other rankings")
    parser.add_argument(
        "--without", nargs="+", choices=WITHOUT, help="of the product, one at a time"
    )
    parser.add_argument("--limit-questions", type=int, help="ask only the first N of each")
    arguments = parser.parse_args()
    usual = [] if arguments.alone else ["vectors", "words"]
    others = rankings(arguments.without or usual, alone=arguments.alone)
    for provider in arguments.provider:
        anyio.run(run, arguments.files, provider, arguments.limit_questions, others)


if __name__ == "__main__":
    main()
