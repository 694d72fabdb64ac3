"""Summaries: what they may cover, how they are found, and how a session is resumed."""

import pytest

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput, SessionNotFound, SummaryConflict, SummaryNotFound
from mcp_memory.memory.conversations.models import Span, Summarize
from mcp_memory.paging import Page
from tests.fixtures.conversations import said, tell


async def keep(app: App, seq_from: int, seq_to: int, text: str = "", agent: str = "alice") -> str:
    """A summary of these messages; its id."""
    request = Summarize("s", text or f"facts {seq_from} to {seq_to}", seq_from, seq_to)
    return (await app.summaries.summarize(app.session(agent), request))[0]


async def keep_above(app: App, *ids: str, text: str = "all of it") -> tuple[str, int]:
    return await app.summaries.summarize(
        app.session("alice"), Summarize("s", text, summary_ids=ids)
    )


async def spans(app: App) -> list[tuple[int, int, int, bool]]:
    page = await app.summaries.find(app.session("alice"), session_id="s")
    return [(row.seq_from, row.seq_to, row.depth, row.stale) for row in page]


async def test_summaries_grow_to_a_tree(talk: App) -> None:
    first, second = await keep(talk, 1, 4), await keep(talk, 5, 8)
    top, depth = await keep_above(talk, second, first)
    assert depth == 2
    assert await spans(talk) == [(1, 8, 2, False), (1, 4, 1, False), (5, 8, 1, False)]
    expanded = await talk.summaries.expand(talk.session("alice"), top)
    assert [part.summary_id for part in expanded.parts] == [top, first, second]
    assert (expanded.truncated, expanded.tokens) == (False, sum(p.tokens for p in expanded.parts))


async def test_expanding_goes_down_to_the_messages_when_asked(talk: App) -> None:
    first = await keep(talk, 1, 2)
    top, _ = await keep_above(talk, first, await keep(talk, 3, 4))
    whole = await talk.summaries.expand(talk.session("alice"), top, include_messages=True)
    assert [(part.kind, part.seq_from, part.seq_to) for part in whole.parts] == [
        ("summary", 1, 4),
        ("summary", 1, 2),
        ("message", 1, 1),
        ("message", 2, 2),
        ("summary", 3, 4),
        ("message", 3, 3),
        ("message", 4, 4),
    ]
    assert [
        p.depth
        for p in (await talk.summaries.expand(talk.session("alice"), top, max_depth=0)).parts
    ] == [2]
    short = await talk.summaries.expand(
        talk.session("alice"), top, include_messages=True, max_tokens=20
    )
    assert short.truncated
    assert 0 < short.tokens <= 20


@pytest.mark.parametrize(("seq_from", "seq_to"), [(1, 4), (2, 3), (3, 9), (4, 4)])
async def test_an_overlap_is_refused_and_named(talk: App, seq_from: int, seq_to: int) -> None:
    first = await keep(talk, 1, 4)
    with pytest.raises(SummaryConflict) as caught:
        await keep(talk, seq_from, seq_to)
    assert f"summary {first} (1 to 4)" in str(caught.value)


async def test_a_hole_is_refused_and_named(talk: App) -> None:
    first, third = await keep(talk, 1, 2), await keep(talk, 6, 8)
    with pytest.raises(SummaryConflict) as caught:
        await keep_above(talk, first, third)
    assert "messages 3 to 5" in str(caught.value)
    second = await keep(talk, 3, 5)
    assert (await keep_above(talk, first, second, third))[1] == 2


async def test_what_is_covered_already_is_not_covered_twice(talk: App) -> None:
    first, second = await keep(talk, 1, 2), await keep(talk, 3, 4)
    top, _ = await keep_above(talk, first, second)
    with pytest.raises(SummaryConflict) as caught:
        await keep_above(talk, first, second)
    assert f"by summary {top}" in str(caught.value)


@pytest.mark.parametrize(
    "request_",
    [
        Summarize("s", "", 1, 2),
        Summarize("s", "x"),
        Summarize("s", "x", 1),
        Summarize("s", "x", 1, 2, ["1"]),
        Summarize("s", "x", 3, 2),
        Summarize("s", "x", 5, 11),
        Summarize("s", "a\0b", 1, 2),
    ],
)
async def test_a_summary_that_makes_no_sense_is_refused(talk: App, request_: Summarize) -> None:
    with pytest.raises(InvalidInput):
        await talk.summaries.summarize(talk.session("alice"), request_)
    assert await spans(talk) == []


async def test_a_late_message_makes_the_summaries_above_it_stale(talk: App) -> None:
    first, second = await keep(talk, 1, 4), await keep(talk, 5, 8)
    top, _ = await keep_above(talk, first, second)
    await tell(talk, "s", said(11))
    assert [each[3] for each in await spans(talk)] == [False, False, False]
    await tell(talk, "s", said(12, minutes=3), said(13))
    assert await spans(talk) == [(1, 8, 2, True), (1, 4, 1, True), (5, 8, 1, False)]

    assert await keep(talk, 1, 4, "renewed") == first
    assert await keep_above(talk, first, second, text="renewed above") == (top, 2)
    assert [each[3] for each in await spans(talk)] == [False, False, False]
    expanded = await talk.summaries.expand(talk.session("alice"), top)
    assert [part.text for part in expanded.parts[:2]] == ["renewed above", "renewed"]


async def test_a_message_before_the_first_one_makes_its_summary_stale(talk: App) -> None:
    await keep(talk, 1, 4)
    await tell(talk, "s", said(12, minutes=-5))
    assert await spans(talk) == [(1, 4, 1, True)]


async def test_summaries_are_found_by_their_words(talk: App) -> None:
    await keep(talk, 1, 2, "We spoke of boats and of the harbour master.")
    await keep(talk, 3, 4, "The lighthouse was painted.")
    found = await talk.summaries.find(talk.session("alice"), query="who painted the lighthouse?")
    assert [each.seq_from for each in found] == [3]
    page = await talk.summaries.find(talk.session("alice"), limit=1)
    rest = await talk.summaries.find(talk.session("alice"), limit=1, cursor=page.next_cursor)
    assert [each.seq_from for each in [*page, *rest]] == [1, 3]
    assert rest.next_cursor == ""


async def test_resume_packs_summaries_before_the_newest_messages(talk: App) -> None:
    first, second = await keep(talk, 1, 4, "the beginning"), await keep(talk, 5, 8, "the middle")
    resumed = await talk.summaries.resume(talk.session("alice"), "s", max_tokens=60)
    shown = [(part.kind, part.seq_from, part.seq_to) for part in resumed.parts]
    assert shown[:2] == [("summary", 1, 4), ("summary", 5, 8)]
    assert shown[2:] == [("message", seq, seq) for seq in (8, 9, 10)]
    assert [part.summary_id for part in resumed.parts[:2]] == [first, second]
    assert resumed.tokens <= 60
    assert resumed.omitted == []

    tight = await talk.summaries.resume(talk.session("alice"), "s", max_tokens=14)
    assert [part.seq_from for part in tight.parts][-1] == 10 or tight.omitted
    assert tight.tokens <= 14
    whole = await talk.summaries.resume(talk.session("alice"), "s")
    assert [part.text for part in whole.parts] == [
        f"fact number {n}: the harbour has {n} boats" for n in range(1, 11)
    ]


async def test_a_message_larger_than_the_budget_is_begun(app: App) -> None:
    await tell(app, "s", said(1), said(2, "the boats of the harbour are many. " * 200))
    resumed = await app.summaries.resume(app.session("alice"), "s", max_tokens=50)
    (part,) = resumed.parts
    assert part.text.startswith("the boats")
    assert 0 < resumed.tokens <= 50
    assert resumed.omitted == [Span(1, 1)]


async def test_secrets_in_summaries_are_redacted(talk: App) -> None:
    summary = await keep(talk, 1, 2, "the key is ghp_" + "a" * 36)
    expanded = await talk.summaries.expand(talk.session("alice"), summary)
    assert expanded.parts[0].text == "the key is [redacted: github token]"


async def test_another_agent_sees_no_summary(talk: App) -> None:
    summary = await keep(talk, 1, 2, "alice's marmalade")
    assert await talk.summaries.find(talk.session("bob")) == Page([])
    assert await talk.summaries.find(talk.session("bob"), query="marmalade") == Page([])
    with pytest.raises(SummaryNotFound):
        await talk.summaries.expand(talk.session("bob"), summary)
    with pytest.raises(SessionNotFound):
        await talk.summaries.resume(talk.session("bob"), "s")
    with pytest.raises(SessionNotFound):
        await keep(talk, 3, 4, agent="bob")
    await tell(talk, "s", said(1), agent="bob")
    with pytest.raises(SummaryNotFound):
        await talk.summaries.summarize(
            talk.session("bob"), Summarize("s", "mine", summary_ids=[summary])
        )


async def test_expanding_reads_no_more_messages_than_there_is_room_for(app: App) -> None:
    await tell(app, "long", *[said(n, "ok") for n in range(1, 1001)])
    await tell(app, "long", *[said(n, "ok") for n in range(1001, 1201)])
    request = Summarize("long", "they agreed", seq_from=1, seq_to=1200)
    summary, _ = await app.summaries.summarize(app.session("alice"), request)

    whole = await app.summaries.expand(
        app.session("alice"), summary, include_messages=True, max_tokens=100_000
    )
    part = await app.summaries.expand(
        app.session("alice"), summary, include_messages=True, max_tokens=50
    )

    assert ([p.seq_from for p in whole.parts[1:]], whole.truncated) == ([*range(1, 1201)], False)
    assert part.truncated
    assert part.tokens <= 50
    assert [p.seq_from for p in part.parts[1:]] == [*range(1, len(part.parts))]
