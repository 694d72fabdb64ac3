"""Whatever is stored, changed, superseded, forgotten and undone: a model in memory agrees.

After each step the model is remembered with the instant; in the end the database must give, for
each of them, what was so on every day as it was known then.
"""

from copy import deepcopy
from datetime import datetime
from itertools import count

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.facts.model import FactChange, NewFact
from mcp_memory.postgres.connection import Connection
from tests.fixtures.fact_model import DAYS, Kind, Model, Step, instant_of
from tests.fixtures.transactions import read_as

KINDS: tuple[Kind, ...] = ("store", "supersede", "update", "end", "forget", "undo")
STEPS = st.lists(
    st.builds(
        Step,
        kind=st.sampled_from(KINDS),
        choice=st.integers(0, 2),
        start=st.none() | st.integers(1, 6),
        length=st.none() | st.integers(1, 4),
    ),
    min_size=4,
    max_size=12,
)
NUMBERS = count()


# The database is one for all examples, each of which is an agent of its own.
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_at_every_instant_the_memory_agrees_with_the_model(
    config: Config, steps: list[Step]
) -> None:
    anyio.run(_compare, config, steps)


async def _compare(config: Config, steps: list[Step]) -> None:
    agent, model = f"agent{next(NUMBERS)}", Model()
    known: list[tuple[datetime, Model]] = []
    async with open_app(config) as app:
        for number, step in enumerate(steps):
            await _take(app, agent, model, step, f"text {number}")
            assert await _told(app, agent, None) == {day: model.on(day) for day in DAYS}
            known.append((await _now(app, agent), deepcopy(model)))
        for instant, then in known:
            # What is forgotten is forgotten of the past too.
            then.forgotten = model.forgotten
            assert await _told(app, agent, instant) == {day: then.on(day) for day in DAYS}


async def _take(app: App, agent: str, model: Model, step: Step, text: str) -> None:
    start, end = instant_of(step.start), instant_of(step.end)
    pool = sorted(model.forgotten) if step.kind == "undo" else model.newest()
    chosen = pool[step.choice % len(pool)] if pool else None
    match step.kind:
        case "store":
            await _store(app, agent, model, step, text, None)
        case _ if chosen is None:
            return
        case "supersede":
            await _store(app, agent, model, step, text, chosen)
        case "update":
            request = FactChange(chosen, content=text, valid_from=start, valid_until=end)
            await app.graph.update(app.session(agent), request)
            model.update(chosen, text, step)
        case "end":
            if step.end is not None and step.end > min(model.present(chosen).days):
                await app.graph.update(app.session(agent), FactChange(chosen, valid_until=end))
                model.end(chosen, step.end)
        case "forget":
            await app.forgetting.forget(app.session(agent), chosen)
            model.forgotten.add(chosen)
        case "undo":
            await app.forgetting.restore(app.session(agent), chosen)
            model.forgotten.discard(chosen)


async def _store(
    app: App, agent: str, model: Model, step: Step, text: str, older: str | None
) -> None:
    memory = NewFact(
        text,
        valid_from=instant_of(step.start),
        valid_until=instant_of(step.end),
        supersedes=older or "",
    )
    stored = await app.graph.store(app.session(agent), memory)
    model.store(stored.id, text, step, older)


_TOLD = """
SELECT d.day, 'm' || c.memory_id, c.text
FROM unnest(%(instants)s::timestamptz[], %(days)s::integer[]) d (instant, day)
JOIN chunks c ON admits(c, jsonb_populate_record(NULL::search_filter, jsonb_build_object(
    'sources', ARRAY['graph'], 'as_of', d.instant, 'known_at', %(known_at)s::timestamptz
)))
"""


async def _told(app: App, agent: str, known_at: datetime | None) -> dict[int, dict[str, str]]:
    """What every route of a search may find on each day."""
    days = sorted(DAYS)
    parameters = {"instants": [*map(instant_of, days)], "days": days, "known_at": known_at}
    database = await app.databases.reading(None, agent)

    async def work(conn: Connection) -> list[tuple[int, str, str]]:
        return [
            (int(row[0]), str(row[1]), str(row[2]))
            for row in await (await conn.execute(_TOLD, parameters)).fetchall()
        ]

    told: dict[int, dict[str, str]] = {day: {} for day in days}
    for day, id, text in await read_as(database, agent, work):
        told[day][id] = text
    return told


async def _now(app: App, agent: str) -> datetime:
    database = await app.databases.reading(None, agent)

    async def work(conn: Connection) -> datetime:
        row = await (await conn.execute("SELECT clock_timestamp()")).fetchone()
        assert row is not None
        return row[0]

    return await read_as(database, agent, work)
