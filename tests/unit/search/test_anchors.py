"""Anchors: a pull request, a file, a branch, a session or a folder is found by its name."""

import pytest

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput
from mcp_memory.memory.conversations.models import AppendMessages, NewMessage
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.search.kinds import Candidate, Hit, SearchAnswer, SearchRequest
from mcp_memory.search.query import check_anchors
from mcp_memory.search.rank import lift_anchors
from tests.fixtures.postgres import Stock

WEATHER = "The weather was fine all week, and nothing else of note happened."
NOTES = {
    "pr.md": "PR #42 adds retries to the uploader.",
    "other-pr.md": "PR #421 removes the uploader.",
    "link.md": "Merged https://github.com/acme/app/pull/77 after lunch.",
    "file.md": "The bug sits in `src/store/engine.py`, near the top.",
    "branch.md": "Everything is on branch feature/fast-retry since Monday.",
    "folder.md": "Run it inside /home/ada/projects/acme: it needs the lock file.",
    "plain.md": WEATHER,
}


async def _fill_notes(app: App) -> None:
    for path, text in NOTES.items():
        await app.documents.write(app.session("alice"), WriteDocument(path, text))


@pytest.fixture
async def notes(app: App, stock: Stock) -> App:
    """Seven documents, six of which carry one anchor each."""
    await stock(_fill_notes)
    return app


async def search(app: App, query: str, /, agent: str = "alice", **given: str) -> SearchAnswer:
    anchors = tuple(sorted(given.items()))
    return await app.search.passages(app.session(agent), SearchRequest(query, anchors=anchors))


def paths(answer: SearchAnswer) -> list[str]:
    return [result.path for result in answer.results]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"pr": "42"}, "pr.md"),
        ({"pr": "#42"}, "pr.md"),
        ({"pr": "77"}, "link.md"),
        ({"file": "src/store/engine.py"}, "file.md"),
        ({"file": "./store/engine.py"}, "file.md"),
        ({"file": "Engine.py"}, "file.md"),
        ({"branch": "feature/fast-retry"}, "branch.md"),
        ({"cwd": "/home/ada/projects/acme/"}, "folder.md"),
    ],
)
async def test_a_given_anchor_answers_with_exactly_what_carries_it(
    notes: App, given: dict[str, str], path: str
) -> None:
    answer = await search(notes, "what is the state of this?", **given)

    assert (paths(answer), answer.tier) == ([path], "T2_anchor")
    assert "anchor" in answer.results[0].routes
    assert answer.results[0].score >= 0.5


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("what did we decide about PR 42?", "pr.md"),
        ("pull request 77", "link.md"),
        ("what was wrong with engine.py", "file.md"),
        ("who works on branch feature/fast-retry", "branch.md"),
    ],
)
async def test_an_anchor_that_the_query_names_comes_first(
    notes: App, query: str, path: str
) -> None:
    answer = await search(notes, query)

    assert (paths(answer)[0], answer.tier) == (path, "T2_anchor")


@pytest.mark.parametrize(
    "query", ["project preferences", "pr", "the 42 retries", "approx 42", "filed under engine"]
)
async def test_what_only_looks_like_an_anchor_is_none(notes: App, query: str) -> None:
    answer = await search(notes, query)

    assert answer.tier == "T2_hybrid"
    assert not any("anchor" in result.routes for result in answer.results)


async def test_an_anchor_that_nothing_carries_leaves_the_search_as_it_is(notes: App) -> None:
    answer = await search(notes, "weather of the week 4711", pr="4711")

    assert (paths(answer)[0], answer.tier) == ("plain.md", "T2_hybrid")


async def test_anchors_are_those_of_the_text_as_it_is_now(notes: App) -> None:
    rewritten = WriteDocument("pr.md", "PR #900 instead.", mode="replace")
    await notes.documents.write(notes.session("alice"), rewritten)

    assert paths(await search(notes, "what is the state?", pr="900")) == ["pr.md"]
    assert "pr.md" not in paths(await search(notes, "what is the state?", pr="42"))


async def test_sharing_keeps_the_anchors_and_nobody_elses_private_ones_show(notes: App) -> None:
    shared = WriteDocument("pr.md", "Still open.", shared=True)
    await notes.documents.write(notes.session("alice"), shared)

    assert paths(await search(notes, "what is the state?", agent="bob", pr="42")) == ["pr.md"]
    assert paths(await search(notes, "what is the state?", agent="bob", pr="77")) == []


async def test_messages_are_found_by_their_session_and_by_where_they_were_said(app: App) -> None:
    metadata = {"cwd": "/srv/acme", "branch": "main"}
    for session, place in (("Monday-1", metadata), ("Tuesday-1", {"cwd": "/srv/other"})):
        message = NewMessage(role="user", content=f"Hello there, {session}.", metadata=place)
        await app.transcripts.append(app.session("alice"), AppendMessages(session, [message]))

    for given in ({"session": "monday-1"}, {"cwd": "/srv/acme"}, {"branch": "main"}):
        request = SearchRequest(
            "what happened", sources=("transcripts",), anchors=tuple(given.items())
        )
        answer = await app.search.passages(app.session("alice"), request)
        assert [result.path for result in answer.results] == ["Monday-1"], given


async def test_every_filter_holds_beside_an_anchor(notes: App) -> None:
    request = SearchRequest("state", anchors=(("pr", "42"),), path_prefix="other")

    answer = await notes.search.passages(notes.session("alice"), request)

    assert paths(answer) in ([], ["other-pr.md"])
    assert answer.tier == "T2_hybrid"


def test_an_unknown_anchor_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_anchors({"brunch": "main"})

    assert caught.value.parameter == "anchors"


def test_lifting_keeps_the_order_within_and_adds_nothing() -> None:
    def found(chunk_id: int, *routes: str) -> Candidate:
        return Candidate(chunk_id, routes, {}, 0.2)

    ranked = [found(1, "lexical"), found(2, "anchor"), found(3, "semantic"), found(4, "anchor")]

    named = lift_anchors(ranked, [Hit(2, {"named": 1.0})])
    given = lift_anchors(ranked, [Hit(2, {"given": 1.0})])

    assert [each.chunk_id for each in named] == [2, 4, 1, 3]
    assert [each.chunk_id for each in given] == [2, 4]
    assert [round(each.score, 2) for each in named] == [0.6, 0.6, 0.2, 0.2]
    assert lift_anchors(ranked, []) == ranked
