"""memory_search, through a client."""

import pytest
from mcp import Client

from tests.fixtures.calls import Facts, ask, paths, refusal, rows

WORDS = {
    "russian.md": "Встреча команды в четверг: обсудили миграцию.",
    "chinese.md": "我们决定把数据库迁移到新的服务器。",
    "arabic.md": "قررنا نقل قاعدة البيانات إلى خادم جديد.",
    "plain.md": "The rollout of Project-Heron is in week 42: see ops/deploy.md (urgent).",
}


async def remember(client: Client, **texts: str) -> None:
    for path, text in texts.items():
        await ask(client, "memory_write", path=path, content=text)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("what about the rollout?", "plain.md"),
        ("Project-Heron: (rollout)", "plain.md"),
        ('"rollout" - week', "plain.md"),
        ("it's the 'rollout' & | ! <-> *", "plain.md"),
        ("ops/deploy.md", "plain.md"),
        ("миграцию", "russian.md"),
        ("Что обсудили в четверг?", "russian.md"),
        ("数据库", "chinese.md"),
        ("服务器迁移", "chinese.md"),
        ("خادم", "arabic.md"),
    ],
)
async def test_the_exact_word_is_found_in_any_script_and_with_any_punctuation(
    alice: Client, query: str, path: str
) -> None:
    await remember(alice, **WORDS)
    assert paths(await ask(alice, "memory_search", query=query))[:1] == [path]


async def test_a_rare_word_is_among_the_first_whatever_else_matches(alice: Client) -> None:
    common = "the team met about the release plan and the budget of the project"
    await remember(alice, **{f"notes/{n}.md": f"{common}, part {n}" for n in range(20)})
    await remember(alice, **{"rare.md": "the project has a pet called Xylophagous"})
    found = await ask(alice, "memory_search", query="who is Xylophagous?")
    assert "rare.md" in paths(found)[:3]


async def test_more_matching_words_give_a_higher_score(alice: Client) -> None:
    await remember(
        alice,
        **{
            "three.md": "zebra lion giraffe",
            "two.md": "zebra lion house",
            "one.md": "zebra tree house",
        },
    )
    found = rows(
        await ask(alice, "memory_search", query="zebra lion giraffe", min_score=0), "results"
    )
    assert [row["path"] for row in found] == ["three.md", "two.md", "one.md"]
    scores = [float(str(row["score"])) for row in found]
    assert scores == sorted(set(scores), reverse=True)


async def test_what_is_stored_is_found_though_the_same_query_was_answered_before(
    alice: Client,
) -> None:
    assert paths(await ask(alice, "memory_search", query="zebra")) == []
    await remember(alice, **{"a.md": "the zebra sleeps"})
    assert paths(await ask(alice, "memory_search", query="zebra")) == ["a.md"]


async def test_a_result_says_where_it_is_and_how_it_was_found(alice: Client) -> None:
    await remember(alice, **{"zoo/a.md": "# Zoo\n\nThe zebra sleeps.\n"})
    found = await ask(alice, "memory_search", query="zebra")
    (result,) = rows(found, "results")
    assert list(found) == ["results", "tokens", "tier"]
    assert list(result) == [
        "id",
        "source",
        "path",
        "start_line",
        "end_line",
        "title",
        "text",
        "score",
        "occurred_at",
        "owner",
        "routes",
        "citation",
    ]
    assert (result["path"], result["owner"]) == ("zoo/a.md", "alice")
    assert isinstance(result["routes"], list)
    assert "lexical" in result["routes"]
    assert result["citation"] == f"zoo/a.md#L{result['start_line']}-L{result['end_line']}"
    assert 0 < float(str(result["score"])) <= 1

    (explained,) = rows(await ask(alice, "memory_search", query="zebra", explain=True), "results")
    assert isinstance(explained["scores"], dict)
    assert set(explained) - set(result) == {"scores", "shares", "used"}


async def _zoo(client: Client) -> None:
    """Eight zebras of each kind, so that a page of five can be filled by any filter."""
    for n in range(8):
        for folder, tags, day in (("old", ["zoo"], "2025-03-01"), ("new", ["farm"], "2026-03-01")):
            await ask(
                client,
                "memory_write",
                path=f"{folder}/{n}.md",
                content=f"the zebra sleeps, night {n}",
                tags=tags,
                occurred_at=day,
            )


@pytest.mark.parametrize(
    ("filters", "folder"),
    [
        ({"path_prefix": "old/"}, "old"),
        ({"tags": ["farm"]}, "new"),
        ({"until": "2025-12-31"}, "old"),
        ({"since": "2026-01-01"}, "new"),
        ({"since": "2026-03-01", "until": "2026-03-01"}, "new"),
        ({"path_prefix": "new/", "tags": ["farm"], "since": "2025-12-31T00:00:00Z"}, "new"),
    ],
)
async def test_every_filter_holds_and_the_page_is_full(
    alice: Client, filters: dict[str, object], folder: str
) -> None:
    await _zoo(alice)
    query: dict[str, object] = {"query": "zebra", "max_results": 5} | filters
    first = await ask(alice, "memory_search", **query)
    rest = await ask(alice, "memory_search", **query, cursor=first["next_cursor"])
    assert (len(paths(first)), "next_cursor" in rest) == (5, False)
    assert sorted(paths(first) + paths(rest)) == [f"{folder}/{n}.md" for n in range(8)]


async def test_filters_that_nothing_passes_give_nothing(alice: Client) -> None:
    await _zoo(alice)
    for filters in ({"tags": ["zoo", "farm"]}, {"since": "1d"}, {"sources": ["transcripts"]}):
        assert paths(await ask(alice, "memory_search", query="zebra", **filters)) == []


async def test_the_texts_fit_the_budget(alice: Client) -> None:
    await _zoo(alice)
    found = await ask(alice, "memory_search", query="zebra", max_tokens=20, max_results=100)
    assert 0 < int(str(found["tokens"])) <= 20
    assert "next_cursor" in found


async def test_anchors_help_to_find(alice: Client) -> None:
    await remember(alice, **{"a.md": "Reviewed #4711 with Ann.", "b.md": "Reviewed the garden."})
    found = await ask(alice, "memory_search", query="what was reviewed", anchors={"pr": "#4711"})
    assert paths(found)[0] == "a.md"


async def test_anchors_of_another_shape_are_refused_with_the_keys_there_are(alice: Client) -> None:
    text = await refusal(alice, "memory_search", query="zebra", anchors=["#4711"])
    assert text.startswith("anchors: ")
    assert "keys: pr, file, branch, session, cwd" in text


async def test_a_null_is_as_good_as_nothing(alice: Client) -> None:
    await remember(alice, **{"a.md": "the zebra sleeps"})
    names = ("max_results", "min_score", "sources", "path_prefix", "tags", "since", "until")
    more = ("anchors", "max_tokens", "explain", "cursor", "database")
    nulls: Facts = dict.fromkeys([*names, *more])
    assert paths(await ask(alice, "memory_search", query="zebra", **nulls)) == ["a.md"]
    neutral: Facts = {"max_results": 0, "sources": [], "tags": [], "since": "", "anchors": {}}
    assert paths(await ask(alice, "memory_search", query="zebra", **nulls | neutral)) == ["a.md"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"query": ""}, "query"),
        ({"query": " \n"}, "query"),
        ({"query": " ", "anchors": {"pr": "1"}}, "query"),
        ({"query": "x" * 5000}, "query"),
        ({"query": "a\0b"}, "query"),
        ({"max_results": -1}, "max_results"),
        ({"max_results": 101}, "max_results"),
        ({"min_score": 1.5}, "min_score"),
        ({"min_score": "high"}, "min_score"),
        ({"sources": ["document"]}, "sources"),
        ({"since": "yesteryear"}, "since"),
        ({"until": "2026-02-30"}, "until"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "since"),
        ({"anchors": {"brunch": "main"}}, "anchors"),
        ({"anchors": "main"}, "anchors"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"explain": "loudly"}, "explain"),
        ({"cursor": "bm90IG91cnM"}, "cursor"),
    ],
)
async def test_a_search_that_makes_no_sense_is_refused_by_name(
    alice: Client, arguments: dict[str, object], named: str
) -> None:
    text = await refusal(alice, "memory_search", **{"query": "zebra"} | arguments)
    assert text.startswith(f"{named}: ")
    assert len(text) < 300
