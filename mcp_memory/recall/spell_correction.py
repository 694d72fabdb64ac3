"""Spell correction of a query: a word that nothing holds is read as the one it is nearest to."""

from dataclasses import dataclass, replace

from mcp_memory.db.connection import Connection
from mcp_memory.recall import routes
from mcp_memory.recall.question import Question
from mcp_memory.text.spelling import spellings


@dataclass(frozen=True, slots=True)
class Weighed:
    """A question, its slips corrected, and what each of its lexemes weighs."""

    question: Question
    weights: dict[str, float]


async def weighed(conn: Connection, question: Question) -> Weighed:
    """The question with a known word in the place of each unknown one that is a slip away."""
    rarity = await routes.rarity(conn, question.lexemes)
    known: dict[str, str] = {}
    unknown = [each for each in question.lexemes if rarity[each].is_unknown]
    for lexeme in (each for each in unknown if each not in question.time_words):
        near = spellings(lexeme)
        if near and (word := await routes.corrected(conn, lexeme, near)):
            known[lexeme] = word
    if known:
        lexemes = dict.fromkeys(known.get(lexeme, lexeme) for lexeme in question.lexemes)
        question = replace(question, lexemes=list(lexemes))
        rarity = await routes.rarity(conn, question.lexemes)
    return Weighed(question, {lexeme: each.weight for lexeme, each in rarity.items()})
