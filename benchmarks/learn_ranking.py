"""Learns the ranking's weights, and shows what they are worth on texts they have not seen.

    python -m benchmarks.learn_ranking LOCOMO.json BEAM.json benchmarks/kinds/*.json
        [--provider minilm] [--ablate] [--write]

Features are the product's own: each corpus is written through the public tools, and each question's
candidates are described by `mcp_memory.search`. The loss is the listwise softmax of each evidence
against the candidates that are none; weights are kept small. Cross-validation leaves out one
conversation or library at a time, and then a whole kind. `--write` puts what is learned on all of
them into `mcp_memory/search/weights.json`.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import anyio
import numpy as np
from numpy.typing import NDArray

from benchmarks.examples import Example, Matrix, collect
from benchmarks.recall import DEPTHS
from mcp_memory.search.features import NAMES

WEIGHTS = Path(__file__).parents[1] / "mcp_memory" / "search" / "weights.json"
_ROUNDS = 50
_STILL = 1e-4
_SHORTEST = 1e-4
_SMALLNESS = 0.03
# There are eleven times as many questions about the short turns of LoCoMo as of any other kind.
_WEIGHT_OF_KIND = {"locomo": 1.0, "beam": 4.0}
_WEIGHT_OF_OTHERS = 2.0


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
        kind = np.array([_WEIGHT_OF_KIND.get(each.kind, _WEIGHT_OF_OTHERS) for each in examples])
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
    """Recall of evidence at each depth when ranked by these weights and the priors."""
    order = np.argsort(-(example.features @ weights + example.prior), kind="stable")
    held = example.held[order]
    return [float(held[:depth].sum()) / example.evidence for depth in DEPTHS]


def cross_validated(
    examples: Sequence[Example], kept: NDArray[np.bool_], apart: Callable[[Example], str]
) -> dict[str, list[float]]:
    """Mean recall by kind, each question ranked by weights that saw nothing of its own `apart`."""
    found: dict[str, list[list[float]]] = {}
    for left_out in dict.fromkeys(map(apart, examples)):
        weights = learn([each for each in examples if apart(each) != left_out], kept)
        for each in examples:
            if apart(each) == left_out:
                found.setdefault(each.kind, []).append(recalls(each, weights))
    return {
        kind: [statistics.fmean(row[place] for row in rows) for place in range(len(DEPTHS))]
        for kind, rows in found.items()
    }


def print_rows(title: str, figures: dict[str, list[float]]) -> None:
    """A line for each kind: recall at each depth."""
    print(title)
    for kind, row in figures.items():
        print(f"    {kind:12}{' / '.join(f'{value:.3f}' for value in row)}", flush=True)


def write(provider: str, weights: Matrix) -> None:
    """Put the learned weights into the shipped table; the calibration stays."""
    tables = cast("dict[str, dict[str, object]]", json.loads(WEIGHTS.read_text("utf-8")))
    tables[provider]["features"] = {
        name: round(float(value), 4) for name, value in zip(NAMES, weights, strict=True)
    }
    WEIGHTS.write_text(json.dumps(tables, indent=2) + "\n", "utf-8")


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
    kinds = list(dict.fromkeys(each.kind for each in examples))
    print_rows("candidates (the most that is possible)", {k: [_reach(examples, k)] for k in kinds})
    print_rows("corpus unseen", cross_validated(examples, everything, _corpus))
    print_rows("kind unseen", cross_validated(examples, everything, _kind))
    for name in NAMES if arguments.ablate else ():
        kept = np.array([each != name for each in NAMES])
        print_rows(f"without {name}", cross_validated(examples, kept, _corpus))
    weights = learn(examples, everything)
    for name, value in sorted(zip(NAMES, weights, strict=True), key=lambda each: -abs(each[1])):
        print(f"{name:20}{value:9.4f}")
    if arguments.write:
        write(arguments.provider, weights)


def _corpus(example: Example) -> str:
    return example.corpus


def _kind(example: Example) -> str:
    return example.kind


def _reach(examples: Sequence[Example], kind: str) -> float:
    """The share of evidence that is among the candidates at all."""
    of_kind = [each for each in examples if each.kind == kind]
    return statistics.fmean(float(each.held.sum()) / each.evidence for each in of_kind)


if __name__ == "__main__":
    main()
