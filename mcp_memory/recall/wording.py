"""A question's words as columns of what the candidates hold of them: pure, no database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mcp_memory.recall.columns import Flags, Floats, any_of, weighed
from mcp_memory.recall.question import Question
from mcp_memory.text.terms import lexemes

# A chunk of this many tokens is neither favoured nor held back by its length (BM25's b = 0.25).
USUAL_TOKENS = 100.0
_LENGTH_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Wording:
    """Columns of the hits by what they are: words of the question, then marks of its times.

    `content` are the words that name no speaker, each with its `weights`, which sum to `total`;
    `names` those that do, and `named` the speakers. `marks` are of the named times, `days` those
    of days alone, and `time_words` the words that name them.
    """

    content: list[int]
    weights: list[float]
    total: float
    names: list[int]
    named: set[str]
    marks: list[int]
    days: list[int]
    time_words: list[int]

    def held(self, hits: Floats) -> Flags:
        """Which of the words and marks each row holds.

        What is of a day holds the words that name the day, however it says it.
        """
        held = hits > 0
        if self.marks:
            is_of_time = any_of(held[:, self.marks])
            for place in self.time_words:
                held[:, place] |= is_of_time
        return held

    def lexical(self, hits: Floats, tokens: Floats) -> Floats:
        """BM25 of each row over the words that are no names."""
        length = 1 - _LENGTH_SHARE + _LENGTH_SHARE * tokens / USUAL_TOKENS
        return weighed(hits[:, self.content], self.weights) / length

    def coverage(self, held: Flags) -> Floats:
        """The share of the words' rarity that each row holds."""
        return weighed(held[:, self.content], self.weights) / self.total


def wording(
    question: Question, weights: Mapping[str, float], speakers: Iterable[str | None]
) -> Wording:
    """The question's words; speakers' names are no content: they say who spoke, not of what."""
    spoken = {each: set(lexemes(each)) for each in set(speakers) if each}
    words = set(question.lexemes)
    all_names = {word for name in spoken.values() for word in name}
    places = list(enumerate(question.lexemes))
    content = [place for place in places if place[1] not in all_names] or places
    rarities = [weights.get(word, 0.0) for _, word in content]
    marks = list(enumerate(question.marks, len(places)))
    return Wording(
        content=[place for place, _ in content],
        weights=rarities,
        total=sum(rarities) or 1.0,
        names=[place for place, word in places if word in all_names],
        named={speaker for speaker, name in spoken.items() if name & words},
        marks=[place for place, mark in marks if "~" in mark],
        days=[place for place, mark in marks if "~on:" in mark],
        time_words=[place for place, word in places if word in question.time_words],
    )
