"""A memory is found by the days it speaks of, as documents and messages are."""

from datetime import UTC, datetime, timedelta

import pytest

from mcp_memory.app import App, open_app
from mcp_memory.search.kinds import SearchRequest
from tests.fixtures.facts import day, found, store, update
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.queries import rows
from tests.fixtures.transactions import maintain

DAY = timedelta(days=1)
NOON = datetime.now(UTC).replace(hour=12, minute=0)
LAST_TUESDAY = NOON - DAY * ((NOON.weekday() - 2) % 7 + 1)


async def marks(app: App) -> set[str]:
    """The days that some memory is marked with."""
    found = await rows(app, "SELECT DISTINCT unnest(tsvector_to_array(lexemes)) FROM chunks")
    return {str(mark) for (mark,) in found if str(mark).startswith("~on:")}


async def test_a_fact_told_today_about_last_tuesday_is_found_by_it(app: App) -> None:
    await store(app, "The plumber fixed the tap last Tuesday.")
    await store(app, "The gardener cut the hedge.")
    for query in ("last Tuesday", f"What was done on {LAST_TUESDAY:%B} {LAST_TUESDAY.day}?"):
        assert (await found(app, query))[0] == "The plumber fixed the tap last Tuesday."


async def test_what_occurred_last_tuesday_is_found_by_it(app: App) -> None:
    await store(app, "The plumber fixed the tap.", memory_type="event", occurred_at=LAST_TUESDAY)
    await store(
        app, "The gardener cut the hedge.", memory_type="event", occurred_at=NOON - 30 * DAY
    )
    answer = await app.search.passages(
        app.session("alice"), SearchRequest("What happened last Tuesday?", sources=("graph",))
    )
    assert answer.results[0].text == "The plumber fixed the tap."
    assert "time" in answer.results[0].routes


async def test_what_is_true_from_a_day_on_is_found_by_that_day(app: App) -> None:
    await store(app, "Ben works at Acme.", valid_from=datetime(2024, 3, 1, tzinfo=UTC))
    await store(app, "Ben plays the cello.")
    assert (await found(app, "in March 2024"))[0] == "Ben works at Acme."


async def test_yesterday_is_counted_from_when_it_occurred(app: App) -> None:
    await store(app, "Yesterday the crane broke.", occurred_at=datetime(2024, 6, 10, tzinfo=UTC))
    assert await marks(app) == {"~on:2024-06-10", "~on:2024-06-09"}


async def test_yesterday_is_counted_in_the_configured_zone(make_config: MakeConfig) -> None:
    """At 23:30 UTC it is the next day in Tokyo, and its yesterday is today's date in UTC."""
    async with open_app(make_config(timezone="Asia/Tokyo")) as app:
        told = datetime(2024, 6, 9, 23, 30, tzinfo=UTC)
        await store(app, "Yesterday the kiln was repaired.", occurred_at=told)
        assert await marks(app) == {"~on:2024-06-10", "~on:2024-06-09"}


@pytest.fixture
async def told(app: App) -> set[str]:
    """The days of a memory that was told in 2024 by what is recorded of it."""
    stored = await store(app, "Yesterday the crane broke.")
    database = await app.databases.writing(None, "alice")
    await maintain(
        database,
        lambda conn: conn.execute("UPDATE memory_spans SET recorded_at = '2024-06-10T12:00Z'"),
    )
    await update(app, stored.id, importance=0.9)
    return await marks(app)


async def test_a_change_beside_the_text_leaves_yesterday_where_it_was(
    app: App, told: set[str]
) -> None:
    assert {"~on:2024-06-09"} <= told
    await update(app, "m1", content="Yesterday the winch broke.")
    yesterday = datetime.now(UTC) - DAY
    assert f"~on:{yesterday:%Y-%m-%d}" in await marks(app)


async def test_a_restored_memory_is_found_by_the_same_days(app: App) -> None:
    await store(app, "The bridge opened on May 7, 2023.", valid_from=day(1))
    before = await rows(app, "SELECT lexemes::text, occurred_at FROM chunks")
    await app.forgetting.forget(app.session("alice"), "m1")
    await app.forgetting.restore(app.session("alice"), "m1")
    assert await rows(app, "SELECT lexemes::text, occurred_at FROM chunks") == before
