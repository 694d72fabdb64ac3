"""Retention removes only what it may, whole spans at a time, and without a trace."""

import pytest

from mcp_memory.app import App
from mcp_memory.config import Config, RetentionRule
from mcp_memory.memory.conversations.models import Removal, Summarize
from tests.fixtures.conversations import find, indexed, said, tell
from tests.fixtures.postgres import MakeConfig

OLD = RetentionRule(max_days=1)


@pytest.fixture
def config(make_config: MakeConfig) -> Config:
    """Messages of `chat` are kept for a day."""
    retention = {"chat": {"max_days": 1}}
    return make_config(embeddings={"provider": "hashing"}, transcripts={"retention": retention})


@pytest.fixture
async def talk(app: App) -> App:
    """Nine old messages of `chat`, of which a summary covers the first three and the next three."""
    messages = [said(n, f"secret number {n}") for n in range(1, 10)]
    await tell(app, "s", *messages, source="chat")
    await tell(app, "t", said(1, "another source"))
    for first in (1, 4):
        await app.summaries.summarize(
            app.session("alice"), Summarize("s", "numbers", first, first + 2)
        )
    return app


async def left(app: App) -> list[int]:
    return [
        message.seq for message in await app.transcripts.get(app.session("alice"), session_id="s")
    ]


async def test_what_a_summary_covers_goes_when_it_is_old(talk: App) -> None:
    assert await talk.retention.apply(talk.session("alice")) == [
        Removal("chat", 6, 6 * len("secret number 1"))
    ]
    assert await left(talk) == [7, 8, 9]
    assert (await talk.transcripts.stats(talk.session("alice"))).messages == 4
    assert len(await talk.transcripts.get(talk.session("alice"), session_id="t")) == 1


async def test_nothing_of_what_went_is_found_any_more(talk: App) -> None:
    await talk.retention.apply(talk.session("alice"))
    assert await find(talk, "secret number 6", match="exact") == []
    assert "number 6" not in str(await indexed(talk, "s"))


async def test_summaries_stay_and_new_messages_go_on_counting(talk: App) -> None:
    await talk.retention.apply(talk.session("alice"))
    found = await talk.summaries.find(talk.session("alice"), session_id="s")
    assert [(each.seq_from, each.seq_to) for each in found] == [(1, 3), (4, 6)]
    assert (await tell(talk, "s", said(20))).last_seq == 10


async def test_a_dry_run_counts_and_removes_nothing(talk: App) -> None:
    assert (await talk.retention.apply(talk.session("alice"), dry_run=True))[0].messages == 6
    assert await left(talk) == list(range(1, 10))


async def test_the_oldest_go_until_the_rest_is_small_enough(talk: App) -> None:
    size = len("secret number 1")
    removed = await talk.retention.remove(
        talk.session("alice"), "chat", RetentionRule(max_bytes=8 * size)
    )
    assert (removed.messages, await left(talk)) == (3, [4, 5, 6, 7, 8, 9])


async def test_what_no_summary_covers_goes_only_when_told_to(talk: App) -> None:
    rule = RetentionRule(max_days=1, only_summarized=False)
    assert (await talk.retention.remove(talk.session("alice"), "chat", rule)).messages == 9
    assert await left(talk) == []


async def test_nothing_goes_that_is_young_or_of_another_source(talk: App) -> None:
    rule = RetentionRule(max_days=36_500, only_summarized=False)
    assert (await talk.retention.remove(talk.session("alice"), "chat", rule)).messages == 0
    assert (await talk.retention.remove(talk.session("alice"), "mail", OLD)).messages == 0
    assert await left(talk) == list(range(1, 10))
