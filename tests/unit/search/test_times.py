"""What happened on a day is found by that day, whatever words name it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mcp_memory.app import App, open_app
from mcp_memory.memory.conversations.models import AppendMessages, NewMessage
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.search.kinds import SearchRequest
from mcp_memory.search.messages import TranscriptRequest
from tests.fixtures.postgres import MakeConfig

DAY = timedelta(days=1)


def last(weekday: int) -> datetime:
    """Noon of that weekday before today."""
    noon = datetime.now(UTC).replace(hour=12, minute=0)
    return noon - DAY * ((noon.weekday() - weekday - 1) % 7 + 1)


async def write(app: App, path: str, text: str, occurred_at: datetime | None = None) -> None:
    await app.documents.write(
        app.session("alice"), WriteDocument(path, text, occurred_at=occurred_at)
    )


async def found(app: App, query: str) -> list[str]:
    answer = await app.search.passages(app.session("alice"), SearchRequest(query))
    return [result.path for result in answer.results]


@pytest.fixture
async def diary(app: App) -> App:
    """Facts of several days, and much of none."""
    await write(app, "plumber.md", "The plumber fixed the tap.", last(1))
    await write(app, "dentist.md", "The dentist pulled a tooth.", last(1) - 9 * DAY)
    await write(app, "trip.md", "We walked to the lighthouse on 2023-05-07.", last(3) - 40 * DAY)
    for number in range(30):
        told = last(3) - (60 + number) * DAY
        await write(app, f"note{number}.md", f"Watered plant {number}.", told)
    return app


@pytest.mark.parametrize(
    "query", ["last Tuesday", "What happened last Tuesday?", "letzten Dienstag", "mardi dernier"]
)
async def test_a_fact_of_last_tuesday_is_found_by_last_tuesday(diary: App, query: str) -> None:
    assert (await found(diary, query))[0] == "plumber.md"


async def test_a_fact_told_today_about_last_tuesday_is_found_by_it(app: App) -> None:
    await write(app, "told.md", "Last Tuesday the plumber fixed the tap.")
    await write(app, "other.md", "The gardener cut the hedge.")
    day = last(1)
    for query in ("last Tuesday", f"What was done on {day:%B} {day.day}, {day.year}?"):
        assert (await found(app, query))[0] == "told.md"


async def test_a_document_that_is_said_to_be_of_another_day_is_found_by_that_one(app: App) -> None:
    text = "Yesterday the plumber fixed the tap."
    request = WriteDocument(
        "told.md", text, mode="replace", occurred_at=datetime(2023, 5, 8, tzinfo=UTC)
    )
    await app.documents.write(app.session("alice"), request)
    await app.documents.write(
        app.session("alice"), replace(request, occurred_at=datetime(2024, 6, 10, tzinfo=UTC))
    )
    assert await found(app, "on May 7, 2023") == []
    assert await found(app, "on June 9, 2024") == ["told.md"]


@pytest.mark.parametrize("query", ["in May 2023", "on May 7, 2023", "2023-05-07", "am 7. Mai 2023"])
async def test_a_date_in_the_text_is_when_it_happened(diary: App, query: str) -> None:
    answer = await diary.search.passages(diary.session("alice"), SearchRequest(query))
    assert answer.results[0].path == "trip.md"
    assert "time" in answer.results[0].routes


async def test_a_day_nothing_happened_on_finds_nothing(diary: App) -> None:
    assert await found(diary, "1987-03-04") == []


async def test_what_was_said_about_yesterday_is_found_by_its_date(app: App) -> None:
    told = datetime(2024, 6, 10, 9, tzinfo=UTC)
    messages = [
        NewMessage("user", "Yesterday we adopted a greyhound.", created_at=told),
        NewMessage("user", "The weather is nice.", created_at=told + 30 * DAY),
    ]
    await app.transcripts.append(app.session("alice"), AppendMessages("s", messages))
    request = TranscriptRequest("What did they do on June 9, 2024?")
    answer = await app.search.messages(app.session("alice"), request)
    assert answer.results[0].message.content == "Yesterday we adopted a greyhound."


async def test_yesterday_is_counted_in_the_configured_zone(make_config: MakeConfig) -> None:
    """At 23:30 UTC it is the next day in Tokyo, and its yesterday is today's date in UTC."""
    async with open_app(make_config(timezone="Asia/Tokyo")) as app:
        told = datetime(2024, 6, 9, 23, 30, tzinfo=UTC)
        await write(app, "it.md", "Yesterday the kiln was repaired.", told)
        answer = await app.search.passages(app.session("alice"), SearchRequest("on June 9, 2024"))
        assert [result.path for result in answer.results] == ["it.md"]
        assert "time" in answer.results[0].routes
