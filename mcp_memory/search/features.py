"""What the ranking knows of each candidate, as named numbers; pure, no database.

The unit that is ranked is a message; in a document each chunk counts as one, and the document as
its thread. Which features there are, and what each is worth, was found on the conversations of
LoCoMo and BEAM; `benchmarks/learn_ranking.py` learns the weights.

Shapes: *rows* are chunks (the evidence, in its order), *columns* the query's lexemes and then its
marks, *messages* those that have a candidate.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from mcp_memory.search.columns import (
    USUAL_TOKENS,
    Flags,
    Floats,
    Groups,
    Numbers,
    Wording,
    any_of,
    column,
    number_keys,
    wording,
)
from mcp_memory.search.kinds import HALF_LIFE_DAYS, USUAL_IMPORTANCE
from mcp_memory.search.question import Period, Question
from mcp_memory.search.routes import Evidence, MessageKey

NAMES = (
    "lexical",
    "coverage",
    "cosine",
    "alone",
    "speaker",
    "mentioned",
    "user",
    "assistant",
    "brief",
    "when",
    "dated",
    "period",
    "day",
    "substance",
    "asks",
    "answers",
    "answers_lexical",
    "next_coverage",
    "thread_lexical",
    "thread_coverage",
    "thread_cosine",
)

# A text of so many tokens says about two thirds of what a long one can say.
_SUBSTANTIAL_TOKENS = 15.0
# What a question beside a message means fades with the message's length.
_SHORT_TOKENS = 30.0
# So many days beside the named one are worth a factor of e.
_DAYS_NEAR = 4.0
# A lexeme that stands once counts 1, each repeat less: ts_rank adds 1/n², which ends at π²/6.
_MAX_REPEATED = 1.645


@dataclass(frozen=True, slots=True)
class MessageFeatures:
    """A message with its features, by the names in `NAMES` and `PRIORS`, and the chunk that shows
    it best."""

    message: MessageKey
    chunk_id: int
    features: dict[str, float]


def describe(
    question: Question, weights: Mapping[str, float], evidence: Sequence[Evidence]
) -> list[MessageFeatures]:
    """The candidates' messages with their features; weights are the lexemes' rarities."""
    if not any(chunk.candidate for chunk in evidence):
        return []
    rows = _Rows.of(wording(question, weights, (chunk.speaker for chunk in evidence)), evidence)
    features = _by_words(rows) | _by_person(question, rows)
    features |= _by_time(question, rows) | _by_neighbours(rows) | _priors(rows)
    table = np.column_stack(list(features.values())).tolist()
    return [
        MessageFeatures(
            first.message, evidence[shown].chunk_id, dict(zip(features, row, strict=True))
        )
        for first, shown, row in zip(rows.firsts, _shown(rows), table, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The evidence as columns, and the messages that its rows are of.

    `stated` are the words that a row holds as they stand, `held` those and what it says otherwise.
    Every message of the evidence has a number; `message_ids` are those of the messages that have a
    candidate, and `firsts` the first candidate of each, in the same order.
    """

    evidence: Sequence[Evidence]  # (rows)
    wording: Wording
    stated: Flags  # (rows, columns)
    held: Flags  # (rows, columns)
    tokens: Floats  # (rows)
    lexical: Floats  # (rows)
    cosine: Floats  # (rows)
    alone: Floats  # (rows)
    numbers: Mapping[MessageKey, int]
    messages: Groups  # which of all messages chunk row is of
    candidates: Numbers  # (candidates): the rows that are candidates
    message_ids: Numbers  # (messages)
    message_of: Groups  # which of `message_ids` chunk candidate is of
    firsts: list[Evidence]  # (messages)

    @classmethod
    def of(cls, words: Wording, evidence: Sequence[Evidence]) -> "_Rows":
        hits = np.array([chunk.hits for chunk in evidence], np.float64)
        tokens = column([chunk.tokens for chunk in evidence])
        is_candidate = np.array([chunk.candidate for chunk in evidence])
        numbers, of_row = number_keys(chunk.message for chunk in evidence)
        candidates = np.flatnonzero(is_candidate)
        message_ids, of_candidate = np.unique(of_row[candidates], return_inverse=True)
        message_of = Groups(of_candidate, len(message_ids))
        return cls(
            evidence=evidence,
            wording=words,
            stated=hits > 0,
            held=words.held(hits),
            tokens=tokens,
            lexical=words.lexical(hits, tokens),
            cosine=_with_usual(column([chunk.cosine for chunk in evidence]), is_candidate),
            alone=_with_usual(column([chunk.alone for chunk in evidence]), is_candidate),
            numbers=numbers,
            messages=Groups(of_row, len(numbers)),
            candidates=candidates,
            message_ids=message_ids,
            message_of=message_of,
            firsts=[evidence[row] for row in candidates[message_of.firsts()].tolist()],
        )

    def most(self, values: Floats) -> Floats:
        """The largest value among chunk message's candidates."""
        return self.message_of.most(values[self.candidates])

    def any(self, flags: Flags) -> Flags:
        """Whether one of chunk message's candidates is flagged."""
        return self.message_of.any(flags[self.candidates])

    def beside(self, step: int) -> Numbers:
        """The numbers of the messages so many places on; -1 where there is none."""
        keys = (chunk.message for chunk in self.firsts)
        return np.array([self.numbers.get((thread, place + step), -1) for thread, place in keys])


def _with_usual(similarities: Floats, is_candidate: Flags) -> Floats:
    """A candidate whose vector is still to come is as near as they are on average: otherwise what
    was written just now would stand behind all that has one. Nothing else counts without one."""
    is_known = ~np.isnan(similarities)
    usual = float(similarities[is_known].mean()) if is_known.any() else 0.0
    return np.where(is_known, similarities, np.where(is_candidate, usual, 0.0))


def _shown(rows: _Rows) -> list[int]:
    """Of chunk message the row that shows it best, the first of equals."""
    worth = (rows.lexical / rows.wording.total + rows.cosine)[rows.candidates]
    best_first = np.argsort(-worth, kind="stable")
    ordered = Groups(rows.message_of.of_row[best_first], rows.message_of.count)
    return rows.candidates[best_first][ordered.firsts()].tolist()


def _by_words(rows: _Rows) -> dict[str, Floats]:
    best, of_threads = _of_threads(rows)
    return {
        "lexical": rows.most(rows.lexical) / best,
        "coverage": rows.most(rows.wording.coverage(rows.held)),
        "cosine": rows.most(rows.cosine),
        "alone": rows.most(rows.alone),
        "substance": 1 - np.exp(-rows.most(rows.tokens) / _SUBSTANTIAL_TOKENS),
        **of_threads,
    }


def _of_threads(rows: _Rows) -> tuple[float, dict[str, Floats]]:
    """The best BM25 of all, and what the thread of chunk message says of the question."""
    its = np.flatnonzero(np.isin(rows.messages.of_row, rows.message_ids))
    numbers, of_row = number_keys(rows.evidence[row].thread for row in its.tolist())
    threads = Groups(of_row, len(numbers))
    lexical = threads.most(rows.lexical[its])
    best = float(lexical.max()) or 1.0
    mine = np.array([numbers[chunk.thread] for chunk in rows.firsts])
    return best, {
        "thread_lexical": lexical[mine] / best,
        "thread_coverage": rows.wording.coverage(threads.any(rows.held[its]))[mine],
        "thread_cosine": np.maximum(threads.most(rows.cosine[its]), 0.0)[mine],
    }


def _by_person(question: Question, rows: _Rows) -> dict[str, Floats]:
    named = rows.wording.named if len(rows.wording.named) == 1 else set[str]()
    message_ids = set(rows.message_ids.tolist())
    of_row = rows.messages.of_row.tolist()
    lopsided = _lopsided([rows.evidence[row] for row, of in enumerate(of_row) if of in message_ids])
    by_user = column([lopsided * (chunk.role == "user") for chunk in rows.firsts])
    by_assistant = column([lopsided * (chunk.role == "assistant") for chunk in rows.firsts])
    size = column([chunk.message_tokens for chunk in rows.firsts])
    return {
        "speaker": column([chunk.speaker in named for chunk in rows.firsts]),
        "mentioned": _as_floats(any_of(rows.any(rows.stated)[:, rows.wording.names])),
        "user": by_user,
        "assistant": by_assistant * question.asks_you,
        "brief": by_user / (1 + size / USUAL_TOKENS),
    }


def _by_time(question: Question, rows: _Rows) -> dict[str, Floats]:
    dated = _as_floats(rows.any(np.array([chunk.dated for chunk in rows.evidence])))
    held = rows.any(rows.held)
    is_of_time = any_of(held[:, rows.wording.marks])
    is_of_day = any_of(held[:, rows.wording.days])
    period, instants = question.period, [chunk.occurred_at for chunk in rows.firsts]
    is_in = np.array([_is_in(period, instant) for instant in instants])
    return {
        "when": dated * question.asks_when,
        "dated": dated,
        "period": _as_floats(is_in | is_of_time),
        "day": np.where(
            is_of_day, 1.0, column([_nearness(period, instant) for instant in instants])
        ),
    }


def _by_neighbours(rows: _Rows) -> dict[str, Floats]:
    """A short message answers the question before it, and is explained by what follows."""
    before, after = rows.beside(-1), rows.beside(1)
    asks = np.array([chunk.asks for chunk in rows.evidence])
    # What is not there stands last, where -1 points.
    asked = np.append(rows.messages.any(asks), False)[before]
    asked_of = np.append(rows.messages.most(rows.lexical), 0.0)[before]
    following = np.append(rows.wording.coverage(rows.messages.any(rows.held)), 0.0)[after]
    short = np.exp(-rows.most(rows.tokens) / _SHORT_TOKENS)
    return {
        "asks": short * rows.any(asks),
        "answers": short * asked,
        "answers_lexical": short * asked * asked_of / (rows.wording.total * _MAX_REPEATED),
        "next_coverage": short * following,
    }


def _priors(rows: _Rows) -> dict[str, Floats]:
    """What speaks for a message whatever is asked: how new it is beside the newest that was found,
    halving in a month, and how important it is said to be."""
    instants = column([chunk.occurred_at.timestamp() for chunk in rows.firsts])
    days = (instants.max() - instants) / 86_400
    importance = column([chunk.importance for chunk in rows.firsts])
    return {
        "recency": 0.5 ** (days / HALF_LIFE_DAYS),
        "importance": np.where(np.isnan(importance), USUAL_IMPORTANCE, importance),
    }


def _as_floats(flags: Flags) -> Floats:
    return flags.astype(np.float64)


def _lopsided(chunks: Sequence[Evidence]) -> float:
    """0 where both roles write alike (people), 1 where the assistant writes three times as much."""
    sizes: dict[str, dict[MessageKey, int]] = {"user": {}, "assistant": {}}
    for chunk in chunks:
        if chunk.role in sizes:
            sizes[chunk.role][chunk.message] = max(chunk.message_tokens, 1)
    if not all(sizes.values()):
        return 0.0
    mean = {role: sum(map(math.log, of.values())) / len(of) for role, of in sizes.items()}
    return min(1.0, max(0.0, (mean["assistant"] - mean["user"]) / math.log(3)))


def _is_in(period: Period, instant: datetime) -> bool:
    if not (period.months or period.years):
        return False
    in_month = not period.months or instant.month in period.months
    return in_month and (not period.years or instant.year in period.years)


def _nearness(period: Period, instant: datetime) -> float:
    """1 on the day that is named, falling by e every four days."""
    if period.around is None:
        return 0.0
    days = abs((instant - period.around).total_seconds()) / 86_400
    return math.exp(-max(0.0, days - 0.5) / _DAYS_NEAR)
