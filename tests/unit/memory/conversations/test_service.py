"""Appending to sessions and reading them."""

from dataclasses import replace
from datetime import UTC, timedelta

import anyio
import pytest

from mcp_memory.app import App
from mcp_memory.errors import (
    AmbiguousMessage,
    InvalidInput,
    McpMemoryError,
    MessageNotFound,
    SessionNotFound,
)
from mcp_memory.memory.conversations import store
from mcp_memory.memory.conversations.batch import prepare_batch
from mcp_memory.memory.conversations.models import (
    AppendMessages,
    AppendResult,
    Gap,
    MessageFilter,
    NewMessage,
    Stats,
)
from tests.fixtures.conversations import DAY, find, said, tell, until_embedded

EVERYTHING = MessageFilter()


async def ids(app: App, wanted: MessageFilter, limit: int = 20) -> list[str]:
    page = await app.transcripts.recent(app.session("alice"), wanted, limit=limit)
    return [message.id for message in page]


async def test_messages_are_numbered_in_order_of_arrival(app: App) -> None:
    assert await tell(app, "s", said(1), said(2)) == AppendResult("s", 2, 0, 0, 2)
    assert await tell(app, "s", said(3)) == AppendResult("s", 1, 0, 0, 3)
    found = await app.transcripts.get(app.session("alice"), session_id="s")
    assert [(message.seq, message.id) for message in found] == [(1, "m1"), (2, "m2"), (3, "m3")]


async def test_a_message_is_kept_word_for_word(app: App) -> None:
    message = NewMessage(
        "assistant",
        "  Tabs\tand\n\n* lists *  \n",
        "x",
        "Bea",
        DAY,
        {"model": "m", "n": [1, None]},
    )
    await tell(app, "s", message, source="chat")
    (kept,) = await app.transcripts.get(app.session("alice"), message_ids=["x"])
    assert (kept.content, kept.speaker, kept.created_at) == (message.content, "Bea", DAY)
    assert (kept.role, kept.source, kept.metadata) == (
        "assistant",
        "chat",
        {"model": "m", "n": [1, None]},
    )


async def test_a_repeated_id_is_a_duplicate_and_the_first_one_stays(app: App) -> None:
    await tell(app, "s", said(1, "the first"))
    again = await tell(app, "s", said(1, "the second"), said(2), said(2))
    assert again == AppendResult("s", 1, 2, 0, 2)
    (kept,) = await app.transcripts.get(app.session("alice"), message_ids=["m1"])
    assert kept.content == "the first"


async def test_the_same_id_in_two_sessions_is_two_messages(app: App) -> None:
    await tell(app, "a", said(1))
    await tell(app, "b", said(1))
    with pytest.raises(AmbiguousMessage) as caught:
        await app.transcripts.get(app.session("alice"), message_ids=["m1"])
    assert caught.value.sessions == ["a", "b"]
    (kept,) = await app.transcripts.get(app.session("alice"), message_ids=["m1"], session_id="b")
    assert kept.session_id == "b"


async def test_a_message_without_an_id_gets_one_and_an_instant(app: App) -> None:
    await tell(app, "s", NewMessage("user", "hello"), NewMessage("user", "hello"))
    first, second = await app.transcripts.get(app.session("alice"), session_id="s")
    assert first.id != second.id
    assert first.created_at < second.created_at


async def test_a_batch_is_put_in_the_order_of_its_instants(app: App) -> None:
    await tell(app, "s", said(3), said(1), said(2))
    found = await app.transcripts.get(app.session("alice"), session_id="s")
    assert [message.id for message in found] == ["m1", "m2", "m3"]


async def test_what_was_said_is_found_at_once(app: App) -> None:
    assert await find(app, "zebra") == []
    await tell(app, "s", said(1, "the zebra sleeps"))
    assert await find(app, "zebra") == ["m1"]


@pytest.mark.parametrize(
    ("message", "parameter"),
    [
        (NewMessage("user", ""), "messages[0].content"),
        (NewMessage("user", " \n"), "messages[0].content"),
        (NewMessage("user", "a\0b"), "messages[0].content"),
        (NewMessage("user", "\ud800"), "messages[0].content"),
        (NewMessage("user", "x" * 1_048_577), "messages[0].content"),
        (NewMessage("user", "x", "i" * 201), "messages[0].id"),
        (NewMessage("user", "x", speaker="a\nb"), "messages[0].speaker"),
        (NewMessage("user", "x", created_at=DAY.replace(tzinfo=None)), "messages[0].created_at"),
        (NewMessage("user", "x", metadata={"a": "\0"}), "messages[0].metadata"),
        (NewMessage("user", "x", metadata={"a": "b" * 70_000}), "messages[0].metadata"),
    ],
)
async def test_a_message_that_cannot_be_stored_is_refused_and_nothing_is_written(
    app: App, message: NewMessage, parameter: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await tell(app, "s", message, said(2))
    assert caught.value.parameter == parameter
    assert await app.transcripts.stats(app.session("alice")) == Stats(0, 0, 0, 0, 0, None, None)


@pytest.mark.parametrize(
    "request_",
    [
        AppendMessages("", [said(1)]),
        AppendMessages("s" * 201, [said(1)]),
        AppendMessages("a\nb", [said(1)]),
        AppendMessages("s", []),
        AppendMessages("s", [said(1)], context_used=5),
    ],
)
async def test_an_append_that_makes_no_sense_is_refused(app: App, request_: AppendMessages) -> None:
    with pytest.raises(InvalidInput):
        await app.transcripts.append(app.session("alice"), request_)


async def test_recent_messages_come_newest_first_page_by_page(app: App) -> None:
    await tell(app, "s", *[said(n) for n in range(1, 8)])
    first = await app.transcripts.recent(app.session("alice"), EVERYTHING, limit=4)
    rest = await app.transcripts.recent(
        app.session("alice"), EVERYTHING, limit=4, cursor=first.next_cursor
    )
    found = [message.id for message in [*first, *rest]]
    assert (found, rest.next_cursor) == ([f"m{n}" for n in range(7, 0, -1)], "")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (MessageFilter(session_id="s"), ["m4", "m3", "m2", "m1"]),
        (MessageFilter(role="tool"), ["m4"]),
        (MessageFilter(human_only=True), ["m5", "m3", "m1"]),
        (MessageFilter(human_only=True, role="assistant"), []),
        (MessageFilter(speaker="ANN"), ["m3"]),
        (MessageFilter(sources=["chat"]), ["m5"]),
        (MessageFilter(exclude_sources=["chat"]), ["m4", "m3", "m2", "m1"]),
        (MessageFilter(since=DAY + timedelta(minutes=4)), ["m5", "m4"]),
        (MessageFilter(until=DAY + timedelta(minutes=2)), ["m1"]),
    ],
)
async def test_recent_messages_pass_every_filter(
    app: App, wanted: MessageFilter, expected: list[str]
) -> None:
    await tell(
        app,
        "s",
        said(1),
        said(2, role="assistant"),
        said(3, speaker="Ann"),
        said(4, "output", role="tool"),
    )
    await tell(app, "t", said(5), source="chat")
    assert await ids(app, wanted) == expected


async def test_gaps_are_the_silences_of_a_person(app: App) -> None:
    await tell(
        app,
        "s",
        said(1, minutes=0),
        said(2, role="assistant", minutes=90),
        said(3, minutes=150),
        said(4, minutes=155),
        said(5, minutes=1000),
    )
    long, short = await app.transcripts.gaps(app.session("alice"))
    assert long == Gap(
        "s", DAY + timedelta(minutes=155), DAY + timedelta(minutes=1000), 14.08, "m4"
    )
    assert short == Gap("s", DAY, DAY + timedelta(minutes=150), 2.5, "m1")
    assert await app.transcripts.gaps(app.session("alice"), min_hours=3) == [long]


async def test_stats_and_sessions_count_what_is_there(app: App) -> None:
    await tell(app, "a", said(1), said(2))
    await tell(app, "b", said(3), source="chat")
    await until_embedded(app)
    last = DAY + timedelta(minutes=3)
    assert await app.transcripts.stats(app.session("alice")) == Stats(
        2, 3, 3, 0, 0, DAY + timedelta(minutes=1), last
    )
    page = await app.transcripts.sessions(app.session("alice"), EVERYTHING, limit=1)
    rest = await app.transcripts.sessions(app.session("alice"), EVERYTHING, cursor=page.next_cursor)
    assert [(row.session_id, row.messages, row.source) for row in [*page, *rest]] == [
        ("b", 1, "chat"),
        ("a", 2, "mcp"),
    ]


async def test_what_is_not_there_is_an_error_that_names_it(app: App) -> None:
    await tell(app, "s", said(1))
    with pytest.raises(MessageNotFound) as caught:
        await app.transcripts.get(app.session("alice"), message_ids=["m1", "m9"])
    assert caught.value.message_ids == ["m9"]
    with pytest.raises(SessionNotFound):
        await app.transcripts.get(app.session("alice"), session_id="none")
    with pytest.raises(InvalidInput):
        await app.transcripts.get(app.session("alice"), session_id="s", seq_from=3, seq_to=2)


async def test_the_agent_is_asked_to_save_once_at_each_threshold(app: App) -> None:
    async def asked(number: int, used: int) -> int:
        request = AppendMessages("s", [said(number)], context_used=used, context_window=1000)
        flush = (await app.transcripts.append(app.session("alice"), request)).flush
        assert flush is None or ("summarize" in flush.prompt and f"1 to {number}" in flush.prompt)
        return flush.percent if flush else 0

    fills = [100, 499, 500, 520, 800, 760, 910, 990, 100, 600]
    found = [await asked(number, used) for number, used in enumerate(fills, start=1)]
    assert found == [0, 0, 50, 0, 75, 0, 90, 0, 0, 50]


async def test_many_writers_of_one_session_lose_and_double_nothing(app: App) -> None:
    async def write(first: int) -> None:
        for number in range(first, first + 10):
            await tell(app, "s", said(number), said(1000, "everybody says this"))

    async with anyio.create_task_group() as tasks:
        for first in (0, 10, 20):
            tasks.start_soon(write, first)
    found = await app.transcripts.get(app.session("alice"), session_id="s")
    assert [message.seq for message in found] == list(range(1, 32))
    assert sorted(message.id for message in found) == sorted(
        [*(f"m{n}" for n in range(30)), "m1000"]
    )


async def test_a_session_that_begins_between_looking_and_adding_is_not_added_to(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer commits it just then: whoever does not hold it must begin anew."""
    await tell(app, "s", said(1))
    lock: str = getattr(store, "_LOCK")  # noqa: B009 - the statement is the module's own
    blind = lock.replace("FOR NO KEY", "  AND false\nFOR NO KEY")
    monkeypatch.setattr(store, "_LOCK", blind)
    batch = await prepare_batch([said(2)], UTC)

    async with app.session("alice").writing() as conn:
        extension = await store.extend(conn, "s", "", batch.messages)

    assert (extension.conversation, extension.added) == (None, [])
    assert [m.id for m in await app.transcripts.get(app.session("alice"), session_id="s")] == ["m1"]


async def test_many_first_writers_of_many_sessions_lose_and_double_nothing(app: App) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            for writer in range(4):
                tasks.start_soon(tell, app, f"s{number}", said(writer), said(1000, "all say this"))
    for number in range(20):
        found = await app.transcripts.get(app.session("alice"), session_id=f"s{number}")
        assert [message.seq for message in found] == [*range(1, 6)]
        assert {message.id for message in found} == {"m0", "m1", "m2", "m3", "m1000"}


async def test_another_agent_sees_nothing_and_may_use_the_same_ids(app: App) -> None:
    await tell(app, "s", said(1, "alice keeps a marmalade secret"))
    assert await find(app, "marmalade", agent="bob") == []
    assert (await app.transcripts.recent(app.session("bob"), EVERYTHING)).rows == []
    assert (await app.transcripts.sessions(app.session("bob"), EVERYTHING)).rows == []
    assert await app.transcripts.gaps(app.session("bob")) == []
    assert await app.transcripts.stats(app.session("bob")) == Stats(0, 0, 0, 0, 0, None, None)
    for wanted in ({"message_ids": ["m1"]}, {"session_id": "s"}):
        with pytest.raises(McpMemoryError) as caught:
            await app.transcripts.get(app.session("bob"), **wanted)  # pyright: ignore[reportArgumentType]  # two kinds of key
        assert "marmalade" not in str(caught.value)
    assert await tell(app, "s", said(1, "mine"), agent="bob") == AppendResult("s", 1, 0, 0, 1)
    (kept,) = await app.transcripts.get(app.session("alice"), message_ids=["m1"])
    assert kept.content == "alice keeps a marmalade secret"


async def test_secrets_are_redacted_before_anything_is_stored(app: App) -> None:
    key = "sk-ant-" + "a1B2" * 10
    message = replace(said(1, f"use {key} for it"), metadata={"env": {"KEY": [key]}})
    await tell(app, "s", message)
    (kept,) = await app.transcripts.get(app.session("alice"), message_ids=["m1"])
    assert kept.content == "use [redacted: anthropic key] for it"
    assert kept.metadata == {"env": {"KEY": ["[redacted: anthropic key]"]}}
    assert await find(app, key, match="exact") == []


async def test_what_the_memory_itself_said_is_not_stored_again(app: App) -> None:
    recalled = '<recalled-memory source="mcp-memory">\n- the zebra sleeps\n</recalled-memory>'
    appended = await tell(
        app,
        "s",
        said(1, recalled),
        said(2, f"{recalled}\nAnd what of the lion?"),
        said(3, "HEARTBEAT_OK", role="assistant"),
        replace(said(4, "the zebra sleeps", role="tool"), metadata={"tool": "memory_search"}),
    )
    assert (appended.appended, appended.ignored, appended.last_seq) == (1, 3, 1)
    assert await find(app, "zebra", wanted=MessageFilter(role="tool")) == []
    assert await find(app, "zebra", match="exact") == []
    assert await find(app, "lion", match="exact") == ["m2"]
    assert await tell(app, "empty", said(1, recalled)) == AppendResult("empty", 0, 0, 1, 0)


async def test_more_ids_than_can_be_looked_up_at_once_are_refused_as_such(app: App) -> None:
    with pytest.raises(InvalidInput) as caught:
        await app.transcripts.get(app.session("alice"), message_ids=[str(n) for n in range(1001)])
    assert caught.value.parameter == "message_ids"


async def test_what_is_appended_between_two_pages_is_told_by_neither_twice(app: App) -> None:
    await tell(app, "s", *[said(n) for n in range(1, 5)])
    await tell(app, "t", *[said(n, minutes=2) for n in range(11, 14)])
    recent = await app.transcripts.recent(app.session("alice"), EVERYTHING, limit=3)
    sessions = await app.transcripts.sessions(app.session("alice"), EVERYTHING, limit=1)

    await tell(app, "u", said(90))

    seen, cursor = [m.id for m in recent], recent.next_cursor
    while cursor:
        page = await app.transcripts.recent(
            app.session("alice"), EVERYTHING, limit=2, cursor=cursor
        )
        seen, cursor = [*seen, *(m.id for m in page)], page.next_cursor
    rest = await app.transcripts.sessions(
        app.session("alice"), EVERYTHING, cursor=sessions.next_cursor
    )
    assert seen == ["m4", "m3", "m13", "m12", "m11", "m2", "m1"]
    assert [row.session_id for row in [*sessions, *rest]] == ["s", "t"]
