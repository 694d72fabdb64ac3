"""Learns the ranking's weights, and shows what they are worth on conversations they have not seen.

    python -m benchmarks.learn_ranking LOCOMO.json BEAM.json [--provider minilm] [--without NAME …]
        [--write]

Features are the product's own: each conversation is appended through the public tools, and each
question's candidates are described by `mcp_memory.recall`. The loss is the listwise softmax of each
evidence message against the candidates that are none; weights are kept small. Cross-validation
leaves out one conversation of each kind at a time. `--write` puts what is learned on all of them
into `mcp_memory/recall/weights.json`.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import anyio
import numpy as np
from numpy.typing import NDArray

from benchmarks.conversations import Conversation, load
from benchmarks.recall import DEPTHS, database_of, fill, open_benchmark_app
from mcp_memory.app import App
from mcp_memory.db.cancellation import Connection
from mcp_memory.recall.candidates import Asked, described_candidates
from mcp_memory.recall.features import NAMES, Described
from mcp_memory.recall.models import Narrowing
from mcp_memory.recall.question import read
from mcp_memory.transcripts import store

WEIGHTS = Path(__file__).parents[1] / "mcp_memory" / "recall" / "weights.json"
_AGENT = "benchmark"
_ROUNDS = 1500
_RATE = 0.05
_SMALLNESS = 0.01
# There are eleven times as many questions about the short turns of LoCoMo.
_WEIGHT_OF_KIND = {"locomo": 1.0, "beam": 4.0}

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """A question's candidates: their features, and which of them are evidence."""

    conversation: str
    kind: str
    features: Matrix
    is_evidence: NDArray[np.bool_]
    evidence: int


async def examples_of(app: App, conversation: Conversation) -> list[Example]:
    """Every question of the conversation with its described candidates."""
    await fill(app, conversation)
    database = await app.databases.reading(database_of(conversation), _AGENT)
    examples: list[Example] = []
    for question in conversation.questions:
        vector = await app.spaces.query_vector(database, question.text)
        asked = Asked(read(question.text, now=datetime.now(UTC), zone=UTC), vector)

        async def work(conn: Connection, asked: Asked = asked) -> tuple[list[Described], list[str]]:
            described = await described_candidates(conn, asked, Narrowing(["transcripts"]))
            return described, await _message_ids(conn, described)

        described, names = await database.read(_AGENT, work)
        rows = [[each.features[name] for name in NAMES] for each in described]
        examples.append(
            Example(
                conversation.name,
                conversation.kind,
                np.array(rows, np.float64).reshape(len(rows), len(NAMES)),
                np.array([name in question.evidence for name in names], np.bool_),
                len(question.evidence),
            )
        )
    return examples


async def _message_ids(conn: Connection, described: Sequence[Described]) -> list[str]:
    messages = await store.of_chunks(conn, [each.chunk_id for each in described])
    return [messages[each.chunk_id][1].id for each in described]


def learn(examples: Sequence[Example], kept: NDArray[np.bool_]) -> Matrix:
    """The weights, 0 for features that are left out."""
    usable = [each for each in examples if each.is_evidence.any() and not each.is_evidence.all()]
    stacked = np.concatenate([each.features for each in usable])
    mean, spread = stacked.mean(0), stacked.std(0) + 1e-6
    scaled = [((each.features - mean) / spread) * kept for each in usable]
    share = np.array([_WEIGHT_OF_KIND[each.kind] for each in usable])
    share /= share.sum()
    weights, momentum, square = (np.zeros(len(NAMES)) for _ in range(3))
    for step in range(1, _ROUNDS + 1):
        slope = 2 * _SMALLNESS * weights
        for example, rows, part in zip(usable, scaled, share, strict=True):
            slope += part * _slope(rows, example.is_evidence, weights)
        # Adam (Kingma, Ba 2014).
        momentum = 0.9 * momentum + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        even = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        weights -= _RATE * (momentum / (1 - 0.9**step)) / even
    return weights * kept / spread


def _slope(rows: Matrix, is_evidence: NDArray[np.bool_], weights: Matrix) -> Matrix:
    """The gradient of the mean over evidence of -log(e / (e + all that are none))."""
    scores = rows @ weights
    powers = np.exp(scores - scores.max())
    others = powers * ~is_evidence
    total = others.sum()
    good = powers[is_evidence]
    chance = good / (good + total)
    coefficients = np.zeros(len(scores))
    coefficients[is_evidence] = -(1 - chance) / len(good)
    coefficients += others * (1 / (good + total)).sum() / len(good)
    return rows.T @ coefficients


def recalls(example: Example, weights: Matrix) -> list[float]:
    """Recall of evidence at each depth when ranked by these weights."""
    order = np.argsort(-(example.features @ weights), kind="stable")
    ranked = example.is_evidence[order]
    return [float(ranked[:depth].sum()) / example.evidence for depth in DEPTHS]


def folds(examples: Sequence[Example]) -> list[set[str]]:
    """Which conversations are left out together: the first of each kind, the second, …"""
    kinds: dict[str, list[str]] = {}
    for each in examples:
        names = kinds.setdefault(each.kind, [])
        if each.conversation not in names:
            names.append(each.conversation)
    longest = max(map(len, kinds.values()))
    return [
        {names[place] for names in kinds.values() if place < len(names)} for place in range(longest)
    ]


def cross_validated(examples: Sequence[Example], kept: NDArray[np.bool_]) -> dict[str, list[float]]:
    """Mean recall by kind, each question ranked by weights that never saw its conversation."""
    found: dict[str, list[list[float]]] = {}
    for left_out in folds(examples):
        weights = learn([each for each in examples if each.conversation not in left_out], kept)
        for each in examples:
            if each.conversation in left_out:
                found.setdefault(each.kind, []).append(recalls(each, weights))
    return {
        kind: [statistics.fmean(row[place] for row in rows) for place in range(len(DEPTHS))]
        for kind, rows in found.items()
    }


def print_row(name: str, figures: dict[str, list[float]]) -> None:
    """One line: recall at each depth for each kind."""
    cells = "   ".join(
        f"{kind} {' / '.join(f'{value:.3f}' for value in row)}"
        for kind, row in sorted(figures.items())
    )
    print(f"{name:36}{cells}", flush=True)


def write(provider: str, weights: Matrix) -> None:
    """Put the learned weights into the shipped table; the calibration stays."""
    tables = cast("dict[str, dict[str, object]]", json.loads(WEIGHTS.read_text("utf-8")))
    tables[provider]["features"] = {
        name: round(float(value), 4) for name, value in zip(NAMES, weights, strict=True)
    }
    WEIGHTS.write_text(json.dumps(tables, indent=2) + "\n", "utf-8")


async def collect(paths: Sequence[Path], provider: str) -> list[Example]:
    """The examples of every conversation in the files."""
    examples: list[Example] = []
    with tempfile.TemporaryDirectory(prefix="mcpm-", dir="/tmp") as folder:
        await anyio.Path(folder).chmod(0o755)
        async with open_benchmark_app(provider, Path(folder)) as app:
            for conversation in (each for path in paths for each in load(path)):
                examples += await examples_of(app, conversation)
    return examples


def main() -> None:
    """Read the arguments, learn, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--provider", default="minilm", choices=["minilm", "hashing"])
    parser.add_argument("--ablate", action="store_true", help="leave out each feature in turn")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    examples = anyio.run(collect, arguments.files, arguments.provider)
    everything = np.ones(len(NAMES), np.bool_)
    print(f"recall at {DEPTHS}, {len(examples)} questions")
    found = {kind: [_reach(examples, kind)] * 3 for kind in {each.kind for each in examples}}
    print_row("candidates (the most that is possible)", found)
    print_row("cross-validated", cross_validated(examples, everything))
    for name in NAMES if arguments.ablate else ():
        print_row(
            f"without {name}", cross_validated(examples, np.array([n != name for n in NAMES]))
        )
    weights = learn(examples, everything)
    for name, value in sorted(zip(NAMES, weights, strict=True), key=lambda each: -abs(each[1])):
        print(f"{name:20}{value:9.4f}")
    if arguments.write:
        write(arguments.provider, weights)


def _reach(examples: Sequence[Example], kind: str) -> float:
    """The share of evidence that is among the candidates at all."""
    of_kind = [each for each in examples if each.kind == kind]
    return statistics.fmean(float(each.is_evidence.sum()) / each.evidence for each in of_kind)


if __name__ == "__main__":
    main()
