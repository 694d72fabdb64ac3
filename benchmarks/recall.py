"""Recall of evidence on LoCoMo and BEAM, through the public tools.

    python -m benchmarks.recall FILE… [--provider minilm] [--limit-questions N]

Each conversation is appended as transcripts into a database of its own; each question is asked by
`transcript(action="search")`. Recall at k is the share of a question's evidence among the first k
messages. The shipped weights have seen the conversations they were learned on:
`benchmarks.learn_ranking` prints the cross-validated figures.
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
from typing import cast

import anyio
from mcp.client import Client

from benchmarks.conversations import Conversation, Question, load
from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.server.build import build_server

DEPTHS = (5, 10, 20)
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
    """A question and the ids of the messages that came back, best first."""

    conversation: Conversation
    question: Question
    found: list[str]

    def recall(self, depth: int) -> float:
        """The share of the evidence among the first `depth` messages."""
        evidence = self.question.evidence
        return len(evidence & set(self.found[:depth])) / len(evidence)

    @property
    def reciprocal_rank(self) -> float:
        """One over the place of the first evidence; 0 when none was found."""
        places = [n for n, each in enumerate(self.found, 1) if each in self.question.evidence]
        return 1 / places[0] if places else 0.0


@asynccontextmanager
async def open_benchmark_app(provider: str, folder: Path) -> AsyncGenerator[App]:
    """An app on an embedded cluster of its own, and nobody else's settings."""
    config = Config.model_validate(
        {
            "agent": _AGENT,
            "embedded": {"data_dir": str(folder / "cluster")},
            "embeddings": {"provider": provider} | _MODELS,
            "limits": {"statement_timeout_seconds": 600},
        }
    )
    async with open_app(config) as app:
        yield app


def database_of(conversation: Conversation) -> str:
    """The named database of a conversation."""
    letters = "".join(each if each.isalnum() else "_" for each in conversation.name.lower())
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
    space = await app.spaces.active(_AGENT, database=database)
    assert space is not None
    await app.spaces.administration.fill(_AGENT, space, database=database)
    await app.lexicon.merge(await app.databases.reading(database, _AGENT))


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
            found = cast("Mapping[str, list[dict[str, list[str]]]]", answer.structured_content)
            ids = [each for result in found["results"] for each in result["message_ids"]]
            asked.append(Asked(conversation, question, list(dict.fromkeys(ids))))
    return asked


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % confidence interval of the mean, by bootstrap over questions."""
    generator = random.Random(7)
    means = sorted(statistics.fmean(generator.choices(values, k=len(values))) for _ in range(1000))
    return means[25], means[974]


def report(asked: Sequence[Asked]) -> None:
    """Print a line for each kind of conversation and for each category in it."""
    print(f"{'':32}{'n':>5}  R@5    R@10   R@20   MRR    R@10 95 %")
    groups: dict[str, list[Asked]] = defaultdict(list)
    for each in asked:
        groups[each.conversation.kind].append(each)
        groups[f"{each.conversation.kind} · {each.question.category}"].append(each)
    for name, members in sorted(groups.items()):
        recalls = [statistics.fmean(each.recall(depth) for each in members) for depth in DEPTHS]
        rank = statistics.fmean(each.reciprocal_rank for each in members)
        low, high = interval([each.recall(10) for each in members])
        figures = "  ".join(f"{value:.3f}" for value in (*recalls, rank))
        print(f"{name:32}{len(members):5}  {figures}  {low:.3f}-{high:.3f}")


async def run(paths: Sequence[Path], provider: str, limit: int | None) -> None:
    """Fill, ask and report."""
    asked: list[Asked] = []
    with tempfile.TemporaryDirectory(prefix="mcpm-", dir="/tmp") as folder:
        await anyio.Path(folder).chmod(0o755)
        async with open_benchmark_app(provider, Path(folder)) as app:
            for conversation in (each for path in paths for each in load(path)):
                await fill(app, conversation)
                asked += await ask(app, conversation, conversation.questions[:limit])
    report(asked)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--provider", default="minilm", choices=["minilm", "hashing"])
    parser.add_argument("--limit-questions", type=int, help="ask only the first N of each")
    arguments = parser.parse_args()
    anyio.run(run, arguments.files, arguments.provider, arguments.limit_questions)


if __name__ == "__main__":
    main()
