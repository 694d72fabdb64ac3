"""A query, read once: its words and what each weighs, times, anchors, and whom it names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import islice

from psycopg.rows import class_row

from mcp_memory.errors import InvalidInput, nearest
from mcp_memory.postgres.connection import Connection
from mcp_memory.text.terms import (
    STOP_WORDS,
    is_storable,
    lexemes,
    normalize,
    query_lexemes,
    spellings,
)
from mcp_memory.text.time_spans import Span, month_span
from mcp_memory.text.times import Reading, question_marks, readings_of_question
from mcp_memory.vectors.spaces import QueryVector

ANCHORS = ("pr", "file", "branch", "session", "cwd")
# No anchor is without one of these; `anchors_in` in the database reads which there are.
_MAY_NAME_ANCHOR = re.compile(r"[\d/]|\.\w|branch", re.IGNORECASE)
# `The Lord of the Rings` has five words; in a query of more than sixty what comes first counts.
_MAX_NAME_WORDS = 5
_MAX_QUERY_WORDS = 60
# Each costs a traversal or a lookup of words.
_MAX_NAMED = 4
_MAX_OTHER_NAMES = 4

_ASKS_WHEN = re.compile(
    r"\bwhen\b|\bwhat (date|day|month|year|time)\b|\bhow long ago\b"
    r"|\bwhich (day|month|year|date|week)\b|\bhow (long|many (days|weeks|months|years))\b",
    re.IGNORECASE,
)
_ASKS_YOU = re.compile(r"(?<!can )(?<!could )(?<!would )(?<!will )\byou(r)?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Period:
    """A time the query names; each part may be open. `around` is an instant to be near to."""

    months: tuple[int, ...] = ()
    years: tuple[int, ...] = ()
    around: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether the query names no time."""
        return not (self.months or self.years or self.around)


@dataclass(frozen=True, slots=True)
class Question:
    """A query, read: its lexemes without stop words, and what kind of answer it asks for.

    `marks` are the days and months it names, as texts are indexed by them; `time_words` those of
    its lexemes that name them.
    """

    text: str
    lexemes: list[str]
    period: Period
    marks: list[str]
    time_words: frozenset[str]
    asks_when: bool
    asks_you: bool


def read_question(text: str, *, now: datetime, zone: tzinfo) -> Question:
    """The question a query asks; relative times are seen from `now` in `zone`."""
    today = now.astimezone(zone).date()
    times = readings_of_question(text, today)
    # What stands alone tells the period, but is not searched for: `May` is a name too.
    searched = [reading for reading in times if reading.said != "name"]
    return Question(
        text=text,
        lexemes=query_lexemes(text),
        period=_period(times, today, zone),
        marks=question_marks([reading.span for reading in searched]),
        time_words=frozenset(
            lexeme for reading in searched for lexeme in lexemes(text[reading.start : reading.end])
        ),
        asks_when=bool(_ASKS_WHEN.search(text)),
        asks_you=bool(_ASKS_YOU.search(text)),
    )


def _period(times: Sequence[Reading], today: date, zone: tzinfo) -> Period:
    dates = [reading.span for reading in times if reading.said != "distance"]
    years = (year for span in dates if not span.every_year for year in _years(span))
    months = (month for span in dates for month in _months(span))
    day = _day(times, today)
    return Period(
        tuple(dict.fromkeys(months)),
        tuple(dict.fromkeys(years)),
        datetime.combine(day, time(12), zone) if day else None,
    )


def _years(span: Span) -> Iterable[int]:
    return range(span.first.year, span.last.year + 1)


def _months(span: Span) -> list[int]:
    """The months that the span touches; none where it touches all."""
    first, last = (day.year * 12 + day.month - 1 for day in (span.first, span.last))
    return [] if last - first > 10 else [month % 12 + 1 for month in range(first, last + 1)]


def _day(times: Sequence[Reading], today: date) -> date | None:
    """The day of a month that the query names, of this year if it says none, or the middle of a
    few; else one that it tells by its distance."""
    for span in (reading.span for reading in times if reading.said == "date"):
        days = (span.last - span.first).days + 1
        if days < 28:
            year = today.year if span.every_year else span.first.year
            named = month_span(today, span.first.month, span.first.day, year)
            return named.first + timedelta(days=days // 2) if named else None
    distances = (reading.span for reading in times if reading.said == "distance")
    return next((_day_of(span, today) for span in distances), None)


def _day_of(span: Span, today: date) -> date | None:
    """The day itself; of a longer time the day so many weeks, months of 30 or years of 365 days
    from today, or its middle. Of a time that is not over, none."""
    days = (span.last - span.first).days + 1
    if days == 1:
        return span.first
    if days == 7:
        back = (today - span.first).days // 7 * 7
    elif 28 <= days <= 31:
        back = 30 * ((today.year - span.first.year) * 12 + today.month - span.first.month)
    elif days >= 365:
        back = 365 * (today.year - span.first.year)
    else:
        return span.first + timedelta(days=days // 2)
    return today - timedelta(days=back) if back else None


@dataclass(frozen=True, slots=True)
class NamedEntity:
    """An entity that a query names: by which lexemes, and how else it is called.

    `entity_ids` are several when agents share what they know of it; `mentions` counts to 1,000.
    """

    normal: str
    lexemes: frozenset[str]
    entity_ids: tuple[int, ...]
    other_names: tuple[str, ...]
    mentions: int


@dataclass(frozen=True, slots=True)
class Query:
    """A query as the database knows it: typos corrected, its lexemes weighed, entities named.

    `anchors` are those that were given with it. `weights` are the lexemes' rarities among what the
    caller can see.
    """

    question: Question
    vector: QueryVector = field(default_factory=QueryVector)
    anchors: tuple[tuple[str, str], ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    entities: tuple[NamedEntity, ...] = ()

    @property
    def may_have_anchors(self) -> bool:
        """Whether it is worth asking the database which anchors there are."""
        return bool(self.anchors or _MAY_NAME_ANCHOR.search(self.question.text))

    @property
    def lexemes(self) -> list[str]:
        """Its words, then the marks of its times: the columns of each candidate's hits."""
        return [*self.question.lexemes, *self.question.marks]


async def read_query(
    conn: Connection,
    question: Question,
    vector: QueryVector,
    anchors: tuple[tuple[str, str], ...] = (),
) -> Query:
    """The query that asks this question; every search of it uses what is read here."""
    entities = await find_named(conn, question.text)
    question, weights = await correct_spelling(conn, question)
    return Query(question, vector, anchors, weights, tuple(entities))


def check_query(query: str, max_chars: int, *, may_be_empty: bool = False) -> None:
    """`InvalidInput` for what nothing can answer: too long, or no text at all."""
    if not (may_be_empty or query.strip()):
        raise InvalidInput("query", "is empty; say what to look for")
    if len(query) > max_chars:
        raise InvalidInput("query", f"is longer than {max_chars} characters")
    check_storable("query", query)


def check_storable(parameter: str, *texts: str) -> None:
    """`InvalidInput` for what no text of the database can be."""
    if not all(map(is_storable, texts)):
        raise InvalidInput(parameter, "holds NUL or is not UTF-8; nothing stored is like that")


def check_anchors(anchors: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The anchors a caller gave, in one order; `InvalidInput` where a name is unknown."""
    for name in anchors:
        if name not in ANCHORS:
            hint = nearest(name, ANCHORS) or f" Known: {', '.join(ANCHORS)}."
            raise InvalidInput("anchors", f"{name[:60]!r} is not an anchor.{hint}")
    return tuple(sorted(anchors.items()))


@dataclass(frozen=True, slots=True)
class Rarity:
    """How much a lexeme weighs: its inverse document frequency among what is visible.

    Nothing is counted to hold an `is_unknown` one; counts may lag behind.
    """

    weight: float
    is_unknown: bool


_RARITY = """
SELECT lexeme, weight, chunks = 0
FROM weigh_lexemes(%(lexemes)s)
"""


async def weigh(conn: Connection, lexemes: Sequence[str]) -> dict[str, Rarity]:
    """How rare each lexeme is."""
    cursor = await conn.execute(_RARITY, {"lexemes": list(lexemes)})
    return {str(row[0]): Rarity(float(row[1]), bool(row[2])) for row in await cursor.fetchall()}


_CORRECT = """
SELECT fix_typo(%(word)s, %(near)s)
"""


async def correct_lexeme(conn: Connection, lexeme: str, near: Sequence[str]) -> str | None:
    """The most common of the near spellings, if nothing visible holds the lexeme itself."""
    cursor = await conn.execute(_CORRECT, {"word": lexeme, "near": list(near)})
    row = await cursor.fetchone()
    return None if row is None or row[0] is None else str(row[0])


async def correct_spelling(
    conn: Connection, question: Question
) -> tuple[Question, dict[str, float]]:
    """The question with a known word in the place of each unknown one that is a typo away.

    Its lexemes' weights come with it.
    """
    rarity = await weigh(conn, question.lexemes)
    corrections: dict[str, str] = {}
    unknown = [lexeme for lexeme in question.lexemes if rarity[lexeme].is_unknown]
    for lexeme in (lexeme for lexeme in unknown if lexeme not in question.time_words):
        near = spellings(lexeme)
        if near and (word := await correct_lexeme(conn, lexeme, near)):
            corrections[lexeme] = word
    if corrections:
        corrected = dict.fromkeys(corrections.get(word, word) for word in question.lexemes)
        question = replace(question, lexemes=list(corrected))
        rarity = await weigh(conn, question.lexemes)
    return question, {lexeme: its.weight for lexeme, its in rarity.items()}


@dataclass(frozen=True, slots=True)
class NameMatch:
    """An entity by one of its names, folded; all its names, and how often it is mentioned.

    Mentions are counted to 1,000.
    """

    normal: str
    entity_id: int
    names: list[str]
    mentions: int


_KNOWN = """
SELECT normal, entity_id, names, mentions
FROM known_entities(%(normals)s)
"""


async def find_names(conn: Connection, normals: Sequence[str]) -> list[NameMatch]:
    """The entities that the caller knows by one of these names, folded."""
    async with conn.cursor(row_factory=class_row(NameMatch)) as cursor:
        return await (await cursor.execute(_KNOWN, {"normals": [*normals]})).fetchall()


async def find_named(conn: Connection, text: str) -> list[NamedEntity]:
    """The entities known to the caller that a text names, the longest names first."""
    names = _possible_names(text)
    by_name: dict[str, list[NameMatch]] = {}
    for row in await find_names(conn, names) if names else []:
        by_name.setdefault(row.normal, []).append(row)
    entities = [_entity(name, by_name[name]) for name in by_name]
    entities.sort(key=lambda entity: (-len(entity.lexemes), entity.mentions, entity.normal))
    return _without_parts(entities)[:_MAX_NAMED]


def _possible_names(text: str) -> list[str]:
    """Every run of a few words, folded; a stop word alone is no name."""
    words = text.split()[:_MAX_QUERY_WORDS]
    runs = {
        normalize(_without_ending(" ".join(words[start : start + length])))
        for length in range(1, _MAX_NAME_WORDS + 1)
        for start in range(len(words) - length + 1)
    }
    return sorted(runs - STOP_WORDS - {""})


def _without_ending(run: str) -> str:
    """`Ben's` names Ben."""
    bare = run.rstrip("?!.,;:\"')")
    return bare[:-2] if bare.endswith(("'s", "\u2019s")) else run


def _entity(name: str, rows: Sequence[NameMatch]) -> NamedEntity:
    others = dict.fromkeys(other for row in rows for other in row.names)
    return NamedEntity(
        normal=name,
        lexemes=frozenset(lexemes(name)),
        entity_ids=tuple(row.entity_id for row in rows),
        other_names=tuple(
            islice((other for other in others if normalize(other) != name), _MAX_OTHER_NAMES)
        ),
        mentions=max(row.mentions for row in rows),
    )


def _without_parts(entities: Iterable[NamedEntity]) -> list[NamedEntity]:
    """Of `New York` and `York` only the longer name is meant."""
    kept: list[NamedEntity] = []
    for entity in entities:
        if not any(entity.lexemes < longer.lexemes for longer in kept):
            kept.append(entity)
    return kept
