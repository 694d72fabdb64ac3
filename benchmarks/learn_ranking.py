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
_ROUNDS = 50
_STILL = 1e-4
_SHORTEST = 1e-4
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


@dataclass(frozen=True, slots=True)
class _Choices:
    """Every evidence message as a choice between it and its question's candidates that are none.

    Candidates of all questions stand one below the other; `question` says whose each is.
    """

    rows: Matrix
    is_evidence: NDArray[np.bool_]
    question: NDArray[np.intp]
    start: NDArray[np.intp]
    share: Matrix

    @classmethod
    def of(cls, examples: Sequence[Example], rows: Matrix) -> "_Choices":
        sizes = np.array([len(each.features) for each in examples])
        evidence = np.array([each.is_evidence.sum() for each in examples])
        kind = np.array([_WEIGHT_OF_KIND[each.kind] for each in examples])
        return cls(
            rows,
            np.concatenate([each.is_evidence for each in examples]),
            np.repeat(np.arange(len(examples)), sizes),
            np.cumsum(sizes) - sizes,
            np.repeat(kind / kind.sum() / evidence, evidence),
        )

    def loss(self, weights: Matrix) -> float:
        """The mean of -log(e / (e + all that are none)), and what keeps the weights small."""
        _, _, chance = self._chances(weights)
        return float(-(self.share * np.log(chance)).sum() + _SMALLNESS * weights @ weights)

    def step(self, weights: Matrix) -> tuple[Matrix, Matrix]:
        """Newton's step, and the slope it goes down."""
        powers, total, chance = self._chances(weights)
        chosen = self.question[self.is_evidence]
        good = self.rows[self.is_evidence]
        pull = np.bincount(chosen, self.share / total, minlength=len(self.start))
        mass = powers * pull[self.question]
        mass[self.is_evidence] = self.share * chance
        others = np.add.reduceat(self.rows * powers[:, None], self.start)
        mean = chance[:, None] * good + others[chosen] / total[:, None]
        slope = self.rows.T @ mass - self.share @ good + 2 * _SMALLNESS * weights
        bend = (self.rows * mass[:, None]).T @ self.rows - (mean * self.share[:, None]).T @ mean
        bend += 2 * _SMALLNESS * np.eye(len(weights))
        return np.linalg.solve(bend, slope).astype(np.float64), slope

    def _chances(self, weights: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """The power of each candidate that is none; for each choice, the sum of powers in it and
        the chance of the evidence."""
        scores = self.rows @ weights
        highest = np.maximum.reduceat(scores, self.start)[self.question]
        powers = np.exp(np.maximum(scores - highest, -60))
        none = powers * ~self.is_evidence
        good = powers[self.is_evidence]
        chosen = self.question[self.is_evidence]
        total = good + np.add.reduceat(none, self.start)[chosen]
        return none, total, good / total


def learn(examples: Sequence[Example], kept: NDArray[np.bool_]) -> Matrix:
    """The weights, 0 for features that are left out: the loss has one minimum, Newton's."""
    usable = [each for each in examples if each.is_evidence.any() and not each.is_evidence.all()]
    stacked = np.concatenate([each.features for each in usable])
    spread = stacked.std(0) + 1e-6
    choices = _Choices.of(usable, (stacked - stacked.mean(0)) / spread * kept)
    weights = np.zeros(len(NAMES))
    for _ in range(_ROUNDS):
        step, slope = choices.step(weights)
        length = _length(choices, weights, step, slope)
        weights -= length * step
        if length * np.abs(step).max() < _STILL:
            break
    return weights * kept / spread


def _length(choices: _Choices, weights: Matrix, step: Matrix, slope: Matrix) -> float:
    """How much of the step goes down as far as the slope promises: all, a half, a quarter, …"""
    before, promised = choices.loss(weights), float(step @ slope)
    length = 1.0
    while choices.loss(weights - length * step) > before - 1e-4 * length * promised:
        length /= 2
        if length < _SHORTEST:
            return 0.0
    return length


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
