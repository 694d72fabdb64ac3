"""What the ranking knows of each candidate, as named numbers; pure, no database.

The unit that is ranked is a message; in a document each chunk counts as one, and the document as
its thread. Which features there are, and what each is worth, was found on the conversations of
LoCoMo and BEAM; `benchmarks/learn_ranking.py` learns the weights.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mcp_memory.recall.question import Period, Question
from mcp_memory.text.terms import lexemes

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

# A chunk of this many tokens is neither favoured nor held back by its length (BM25's b = 0.25).
_USUAL_TOKENS = 100.0
_LENGTH_SHARE = 0.25
# A text of so many tokens says about two thirds of what a long one can say.
_SUBSTANTIAL_TOKENS = 15.0
# What a question beside a message means fades with the message's length.
_SHORT_TOKENS = 30.0
_DAYS_NEAR = 4.0

MessageKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A chunk as `gather_evidence` gives it; `hits` follows the order of the wanted lexemes.

    `cosine` is that of what the chunk is found by, for a short message the window around it;
    `alone` that of its own text.
    """

    chunk_id: int
    candidate: bool
    thread: str
    place: int
    role: str | None
    speaker: str | None
    tokens: int
    message_tokens: int
    asks: bool
    dated: bool
    occurred_at: datetime
    cosine: float | None
    alone: float | None
    hits: list[float]

    @property
    def message(self) -> MessageKey:
        """Which message of which thread the chunk belongs to."""
        return self.thread, self.place


@dataclass(frozen=True, slots=True)
class Described:
    """A message with its features, by the names in `NAMES`, and the chunk that shows it best."""

    message: MessageKey
    chunk_id: int
    features: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The question's words against these candidates: which are names, and what each weighs."""

    question: Question
    content: list[tuple[int, float]]
    total: float
    names: list[int]
    named: set[str]
    # Bits, as in `_words_in`: the marks of the named times, those of days alone, and the words
    # that name them.
    marks: int
    days: int
    time_words: int
    # Asked for several times of each chunk, reckoned once.
    _lexical: dict[int, float] = field(default_factory=dict[int, float])
    _held: dict[int, int] = field(default_factory=dict[int, int])
    _shares: dict[int, float] = field(default_factory=dict[int, float])

    def lexical(self, chunk: Evidence) -> float:
        """BM25 over the words that are no names."""
        known = self._lexical.get(chunk.chunk_id)
        if known is None:
            hits = chunk.hits
            length = 1 - _LENGTH_SHARE + _LENGTH_SHARE * chunk.tokens / _USUAL_TOKENS
            known = sum([weight * hits[place] for place, weight in self.content]) / length
            self._lexical[chunk.chunk_id] = known
        return known

    def coverage(self, chunks: Iterable[Evidence]) -> float:
        """The share of the words' rarity that these chunks hold together."""
        held = 0
        for chunk in chunks:
            held |= self._words_in(chunk)
        share = self._shares.get(held)
        if share is None:
            weights = [weight for place, weight in self.content if held >> place & 1]
            share = self._shares[held] = sum(weights) / self.total
        return share

    def _words_in(self, chunk: Evidence) -> int:
        """Which of the question's words and marks the chunk holds, a bit for each.

        What is of a day holds the words that name the day, however it says it.
        """
        held = self._held.get(chunk.chunk_id)
        if held is None:
            held = sum([1 << place for place, hit in enumerate(chunk.hits) if hit > 0])
            held |= self.time_words if held & self.marks else 0
            self._held[chunk.chunk_id] = held
        return held

    def is_of(self, times: int, chunks: Iterable[Evidence]) -> bool:
        """Whether any of the chunks bears one of these marks."""
        return any(self._words_in(chunk) & times for chunk in chunks)


def describe(
    question: Question, weights: Mapping[str, float], evidence: Sequence[Evidence]
) -> list[Described]:
    """The candidates' messages with their features; weights are the lexemes' rarities."""
    evidence = _with_usual_vectors(evidence)
    messages: dict[MessageKey, list[Evidence]] = defaultdict(list)
    for chunk in evidence:
        messages[chunk.message].append(chunk)
    wanted = [key for key, chunks in messages.items() if any(each.candidate for each in chunks)]
    asked = _asked(question, weights, evidence)
    crowd = _Crowd.of(asked, messages, wanted)
    return [_described(asked, crowd, messages, key) for key in wanted]


def _with_usual_vectors(evidence: Sequence[Evidence]) -> Sequence[Evidence]:
    """The evidence, in which a candidate whose vector is still to come is as near as they are on
    average: otherwise what was written just now would stand behind all that has one."""
    known = [each for each in evidence if each.cosine is not None]
    if not known:
        return evidence
    cosine = sum(each.cosine or 0.0 for each in known) / len(known)
    alone = sum(each.alone or 0.0 for each in known) / len(known)
    return [
        replace(each, cosine=cosine, alone=alone)
        if each.candidate and each.cosine is None
        else each
        for each in evidence
    ]


@dataclass(frozen=True, slots=True)
class _Crowd:
    """What the candidates are like together: the best of all, and of each thread."""

    best_lexical: float
    lopsided: float
    thread_lexical: Mapping[str, float]
    thread_cosine: Mapping[str, float]
    thread_coverage: Mapping[str, float]

    @classmethod
    def of(
        cls,
        asked: _Asked,
        messages: Mapping[MessageKey, Sequence[Evidence]],
        wanted: Sequence[MessageKey],
    ) -> "_Crowd":
        lexical: dict[str, float] = defaultdict(float)
        cosine: dict[str, float] = defaultdict(float)
        chunks: dict[str, list[Evidence]] = defaultdict(list)
        for key in wanted:
            for chunk in messages[key]:
                lexical[chunk.thread] = max(lexical[chunk.thread], asked.lexical(chunk))
                cosine[chunk.thread] = max(cosine[chunk.thread], chunk.cosine or 0.0)
                chunks[chunk.thread].append(chunk)
        best = max(lexical.values(), default=0.0) or 1.0
        return cls(
            best,
            _lopsided([chunk for key in wanted for chunk in messages[key]]),
            {thread: value / best for thread, value in lexical.items()},
            cosine,
            {thread: asked.coverage(found) for thread, found in chunks.items()},
        )


def _asked(
    question: Question, weights: Mapping[str, float], evidence: Sequence[Evidence]
) -> _Asked:
    """Speakers' names are no content: they say who spoke, not of what."""
    spoken = {each.speaker: set(lexemes(each.speaker)) for each in evidence if each.speaker}
    words = set(question.lexemes)
    named = {speaker for speaker, name in spoken.items() if name & words}
    all_names = {word for name in spoken.values() for word in name}
    places = list(enumerate(question.lexemes))
    content = [place for place in places if place[1] not in all_names] or places
    weighed = [(place, weights.get(word, 0.0)) for place, word in content]
    total = sum(weight for _, weight in weighed) or 1.0
    names = [place for place, word in places if word in all_names]
    marks, days = (
        sum(1 << place for place, mark in enumerate(question.marks, len(places)) if start in mark)
        for start in ("~", "~on:")
    )
    time_words = sum(1 << place for place, word in places if word in question.time_words)
    return _Asked(question, weighed, total, names, named, marks, days, time_words)


def _described(
    asked: _Asked,
    crowd: _Crowd,
    messages: Mapping[MessageKey, Sequence[Evidence]],
    key: MessageKey,
) -> Described:
    chunks = [chunk for chunk in messages[key] if chunk.candidate]
    shown = max(
        chunks, key=lambda chunk: asked.lexical(chunk) / asked.total + (chunk.cosine or 0.0)
    )
    features = (
        _by_words(asked, crowd, chunks)
        | _by_person(asked, crowd, chunks)
        | _by_time(asked, chunks)
        | _by_neighbours(asked, messages, key, chunks)
    )
    return Described(key, shown.chunk_id, features)


def _by_words(asked: _Asked, crowd: _Crowd, chunks: Sequence[Evidence]) -> dict[str, float]:
    thread = chunks[0].thread
    return {
        "lexical": max(map(asked.lexical, chunks)) / crowd.best_lexical,
        "coverage": max([asked.coverage([chunk]) for chunk in chunks]),
        "cosine": max([chunk.cosine or 0.0 for chunk in chunks]),
        "alone": max([chunk.alone or 0.0 for chunk in chunks]),
        "substance": 1 - math.exp(-_longest(chunks) / _SUBSTANTIAL_TOKENS),
        "thread_lexical": crowd.thread_lexical[thread],
        "thread_coverage": crowd.thread_coverage[thread],
        "thread_cosine": crowd.thread_cosine[thread],
    }


def _by_person(asked: _Asked, crowd: _Crowd, chunks: Sequence[Evidence]) -> dict[str, float]:
    first = chunks[0]
    is_named = len(asked.named) == 1 and first.speaker in asked.named
    by_user = crowd.lopsided * (first.role == "user")
    mentions = any(chunk.hits[place] > 0 for chunk in chunks for place in asked.names)
    return {
        "speaker": float(is_named),
        "mentioned": float(mentions),
        "user": by_user,
        "assistant": crowd.lopsided * (first.role == "assistant") * asked.question.asks_you,
        "brief": by_user / (1 + first.message_tokens / _USUAL_TOKENS),
    }


def _by_time(asked: _Asked, chunks: Sequence[Evidence]) -> dict[str, float]:
    period, occurred_at = asked.question.period, chunks[0].occurred_at
    dated = any(chunk.dated for chunk in chunks)
    return {
        "when": float(asked.question.asks_when and dated),
        "dated": float(dated),
        "period": float(_is_in(period, occurred_at) or asked.is_of(asked.marks, chunks)),
        "day": 1.0 if asked.is_of(asked.days, chunks) else _nearness(period, occurred_at),
    }


def _by_neighbours(
    asked: _Asked,
    messages: Mapping[MessageKey, Sequence[Evidence]],
    key: MessageKey,
    chunks: Sequence[Evidence],
) -> dict[str, float]:
    """A short message answers the question before it, and is explained by what follows."""
    before = messages.get((key[0], key[1] - 1), ())
    after = messages.get((key[0], key[1] + 1), ())
    short = math.exp(-_longest(chunks) / _SHORT_TOKENS)
    answers = short * any(chunk.asks for chunk in before)
    asked_of = max(map(asked.lexical, before), default=0.0) / (asked.total * _MOST_REPEATED)
    return {
        "asks": short * any(chunk.asks for chunk in chunks),
        "answers": answers,
        "answers_lexical": answers * asked_of,
        "next_coverage": short * asked.coverage(after),
    }


_MOST_REPEATED = 1.645


def _longest(chunks: Sequence[Evidence]) -> int:
    return max(chunk.tokens for chunk in chunks)


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
