"""Few rows among 100,000 of others: they are found, all of them, by words and by meaning."""

import pytest

from mcp_memory.app import App
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.search.kinds import SearchRequest
from tests.fixtures.queries import until_embedded

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


async def found(app: App, agent: str, query: str, route: str, **wanted: object) -> list[str]:
    """The paths that a route gives, however little they score."""
    request = SearchRequest(
        query,
        max_results=100,
        min_score=0.0,
        **wanted,  # pyright: ignore[reportArgumentType]  # its fields are given by name
    )
    answer = await app.search.passages(app.session(agent), request)
    return [result.path for result in answer.results if route in result.routes]


async def test_ten_rows_among_100_000_are_found_by_words_and_by_meaning(crowded_app: App) -> None:
    mine = [f"notes/{number}.md" for number in range(10)]
    for path in mine:
        await crowded_app.documents.write(
            crowded_app.session("carol"), WriteDocument(path, f"A kestrel, in {path}.")
        )
    await until_embedded(crowded_app)

    by_words = await found(crowded_app, "carol", "kestrel", "lexical")
    by_meaning = await found(crowded_app, "carol", "kestrel hovering", "semantic")
    narrowed = await found(
        crowded_app, "carol", "kestrel", "semantic", path_prefix="notes/3", sources=("documents",)
    )

    assert sorted(by_words) == mine
    assert sorted(by_meaning) == mine
    assert narrowed == ["notes/3.md"]


async def test_a_page_of_a_filter_that_few_of_many_rows_pass_is_full(crowded_app: App) -> None:
    wanted: dict[str, object] = {"path_prefix": "crowd/77.md"}

    by_words = await found(crowded_app, "crowd", "kestrel", "lexical", **wanted)
    by_meaning = await found(crowded_app, "crowd", "osprey diving", "semantic", **wanted)

    assert by_words == ["crowd/77.md"] * 10
    assert by_meaning == ["crowd/77.md"] * 10


async def test_a_page_is_full_for_an_owner_of_some_thousand_rows(crowded_app: App) -> None:
    request = SearchRequest("osprey", max_results=100, min_score=0.0)
    answer = await crowded_app.search.passages(crowded_app.session("middling"), request)

    assert len(answer.results) == 100
    assert {result.owner for result in answer.results} == {"middling"}


async def test_nearer_rows_of_others_crowd_nobody_out_of_the_index(crowded_app: App) -> None:
    """More rows than are compared one by one, and 100,000 of another agent are nearer."""
    by_meaning = await found(crowded_app, "middling", "kestrel hovering", "semantic")

    assert len(by_meaning) == 100


async def test_pages_of_a_large_owner_give_nothing_twice(crowded_app: App) -> None:
    seen: list[str] = []
    cursor = ""
    for _ in range(12):
        request = SearchRequest("kestrel", max_results=50, min_score=0.0, cursor=cursor)
        answer = await crowded_app.search.passages(crowded_app.session("crowd"), request)
        seen += [result.id for result in answer.results]
        cursor = answer.next_cursor

    assert len(seen) == len(set(seen)) == 600
