"""Search among messages: every filter in every mode, and full pages."""

from datetime import timedelta
from pathlib import Path

import pytest

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.errors import InvalidInput, SessionNotFound
from mcp_memory.memory.conversations.models import MessageFilter
from mcp_memory.search.kinds import SearchRequest
from mcp_memory.search.messages import Match, TranscriptRequest
from tests.fixtures.conversations import DAY, find, said, tell, until_embedded
from tests.fixtures.postgres import MakeConfig, Stock

MODES: list[Match] = ["hybrid", "semantic", "exact"]


@pytest.fixture
def config(make_config: MakeConfig) -> Config:
    """This test's database, and vectors that are the same on every machine."""
    return make_config(embeddings={"provider": "hashing"})


async def _fill_talk(app: App) -> None:
    for n in range(8):
        text = f"the zebra sleeps, night {n}"
        await tell(
            app,
            "zoo",
            said(n, text, speaker="Ann"),
            said(100 + n, text, role="assistant"),
            said(200 + n, text, role="tool"),
        )
        await tell(app, "farm", said(300 + n, text, speaker="Bob"), source="chat")
        await tell(app, "zoo", said(400 + n, text), agent="bob")
    for agent in ("alice", "bob"):
        await until_embedded(app, agent)


@pytest.fixture
async def talk(app: App, stock: Stock) -> App:
    """Eight zebras of each kind, so that a page of five can be filled by any filter."""
    await stock(_fill_talk)
    return app


@pytest.mark.parametrize("match", MODES)
@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        (MessageFilter(session_id="zoo", role="user"), 0),
        (MessageFilter(role="assistant"), 100),
        (MessageFilter(role="tool"), 200),
        (MessageFilter(speaker="ann"), 0),
        (MessageFilter(sources=["chat"]), 300),
        (MessageFilter(exclude_sources=["mcp"]), 300),
        (MessageFilter(human_only=True, session_id="farm"), 300),
        (MessageFilter(since=DAY + timedelta(minutes=290)), 300),
        (MessageFilter(until=DAY + timedelta(minutes=90)), 0),
    ],
)
async def test_every_filter_holds_in_every_mode_and_the_page_is_full(
    talk: App, match: Match, wanted: MessageFilter, first: int
) -> None:
    found = await find(talk, "zebra sleeps", match=match, wanted=wanted, max_results=5)
    assert len(found) == 5
    assert {int(each[1:]) for each in found} <= set(range(first, first + 8))
    whole = await find(talk, "zebra sleeps", match=match, wanted=wanted, max_results=100)
    assert sorted(whole) == sorted(f"m{n}" for n in range(first, first + 8))


@pytest.mark.parametrize("match", MODES)
async def test_filters_that_nothing_passes_give_nothing(talk: App, match: Match) -> None:
    for wanted in (
        MessageFilter(human_only=True, role="assistant"),
        MessageFilter(sources=[]),
        MessageFilter(speaker="Zed"),
    ):
        assert await find(talk, "zebra sleeps", match=match, wanted=wanted) == []


@pytest.mark.parametrize("match", MODES)
async def test_each_agent_finds_its_own(talk: App, match: Match) -> None:
    found = await find(talk, "zebra sleeps", match=match, agent="bob", max_results=100)
    assert sorted(found) == [f"m{n}" for n in range(400, 408)]
    assert await find(talk, "zebra sleeps", match=match, agent="carol") == []


async def test_a_message_of_many_chunks_does_not_crowd_out_the_others(app: App) -> None:
    long = "\n\n".join(f"The zebra of paragraph {n} walks. " * 60 for n in range(250))
    await tell(app, "s", said(1, long), *[said(n, "zebra") for n in range(2, 6)])
    await until_embedded(app)
    found = await find(app, "zebra", max_results=5)
    assert sorted(found) == ["m1", "m2", "m3", "m4", "m5"]


async def test_neighbours_stand_apart_from_the_hit(app: App) -> None:
    await tell(app, "s", *[said(n) for n in range(1, 4)], said(4, "a zebra"), said(5))
    request = TranscriptRequest("zebra", "exact", context=2)
    (hit,) = (await app.search.messages(app.session("alice"), request)).results
    assert (hit.message.id, hit.message.content) == ("m4", "a zebra")
    assert [each.id for each in hit.context] == ["m2", "m3", "m5"]


async def test_exact_is_the_phrase_itself(app: App) -> None:
    await tell(app, "s", said(1, "Deploy to src/main.py:12, please"), said(2, "main deploy to"))
    assert await find(app, "deploy TO src/main.py", match="exact") == ["m1"]
    assert await find(app, "12, please", match="exact") == ["m1"]
    assert await find(app, "to deploy", match="exact") == []


async def test_what_cannot_be_searched_is_refused(app: App) -> None:
    await tell(app, "s", said(1))
    with pytest.raises(InvalidInput):
        await find(app, " \n")
    with pytest.raises(SessionNotFound):
        await find(app, "x", wanted=MessageFilter(session_id="none"))


async def test_the_search_of_everything_finds_messages_when_asked(app: App) -> None:
    await tell(app, "s", said(1), said(2, "a zebra"), said(3, "zebra", role="tool"))
    request = SearchRequest("zebra", sources=("transcripts",), min_score=0.0)
    found = (await app.search.passages(app.session("alice"), request)).results
    assert [(each.path, each.citation) for each in found if "zebra" in each.text] == [("s", "s#2")]
    plain = await app.search.passages(app.session("alice"), SearchRequest("zebra", min_score=0.0))
    assert plain.results == []


TALK = (
    "Where is the heron nest?",
    "The heron nest is by the weir.",
    "I bought a new bicycle yesterday.",
    "Nice, which colour?",
    "The tax office called about the form.",
)


@pytest.mark.parametrize("provider", ["minilm", "hashing"])
@pytest.mark.parametrize(
    ("query", "best"), [("heron nest", {1, 2}), ("bicycle", {3}), ("tax office", {5})]
)
async def test_what_is_meant_is_the_message_itself_and_not_its_neighbour(
    make_config: MakeConfig, minilm_dir: Path, provider: str, query: str, best: set[int]
) -> None:
    """A short message is found by the window around it, which says what its neighbours say."""
    embeddings = {"provider": provider, "model_dir": str(minilm_dir)}
    async with open_app(make_config(embeddings=embeddings)) as app:
        await tell(app, "s", *[said(n, text) for n, text in enumerate(TALK, start=1)])
        await until_embedded(app)
        request = TranscriptRequest(query, "semantic")
        hits = (await app.search.messages(app.session("alice"), request)).results
        unrelated = TranscriptRequest("Who painted the Sistine chapel?", "semantic")
        nothing = (await app.search.messages(app.session("alice"), unrelated)).results

    assert {hit.message.id for hit in hits[: len(best)]} == {f"m{n}" for n in best}
    assert hits[0].score > 2 * hits[len(best)].score
    assert nothing == []
