"""The tool transcript, through a client."""

import pytest
from mcp import Client

from mcp_memory.app import App
from tests.fixtures.calls import Facts, ask, refusal, rows

TALK = [
    {
        "role": "user",
        "content": "Where is the Gannet?",
        "id": "a",
        "created_at": "2026-03-01T09:00Z",
    },
    {
        "role": "assistant",
        "content": "In the harbour.",
        "id": "b",
        "created_at": "2026-03-01T09:01:00Z",
    },
    {
        "role": "user",
        "content": "Paint the Gannet.",
        "id": "c",
        "speaker": "Ann",
        "created_at": "2026-03-01T15:00:00+01:00",
        "metadata": {"channel": "quay"},
    },
]


async def transcript(client: Client, action: str, **arguments: object) -> Facts:
    return await ask(client, "transcript", action=action, **arguments)


async def talk(client: Client) -> Facts:
    return await transcript(client, "append", session_id="s", messages=TALK)


async def test_what_is_appended_is_kept_and_found(alice: Client) -> None:
    assert await talk(alice) == {
        "session_id": "s",
        "appended": 3,
        "duplicates": 0,
        "ignored": 0,
        "last_seq": 3,
    }
    assert (await talk(alice))["duplicates"] == 3
    found = rows(
        await transcript(alice, "search", query="paint the gannet", match="exact", context=1),
        "results",
    )
    assert list(found[0]) == [
        "session_id",
        "message_ids",
        "seq_from",
        "seq_to",
        "role",
        "speaker",
        "text",
        "occurred_at",
        "score",
        "routes",
        "source",
        "context",
    ]
    first = found[0]
    assert (first["message_ids"], first["seq_from"], first["text"]) == (
        ["c"],
        3,
        "Paint the Gannet.",
    )
    assert first["occurred_at"] == "2026-03-01T14:00:00Z"
    assert [row["id"] for row in rows(first, "context")] == ["b"]


async def test_messages_are_read_back_as_they_were(alice: Client) -> None:
    await talk(alice)
    by_id = rows(await transcript(alice, "get", message_ids=["c"]), "messages")
    by_seq = rows(await transcript(alice, "get", session_id="s", seq_from=3, seq_to=3), "messages")
    newest = rows(await transcript(alice, "recent", limit=1), "messages")
    assert (
        by_id
        == by_seq
        == newest
        == [
            {
                "id": "c",
                "session_id": "s",
                "seq": 3,
                "role": "user",
                "speaker": "Ann",
                "content": "Paint the Gannet.",
                "created_at": "2026-03-01T14:00:00Z",
                "source": "mcp",
                "metadata": {"channel": "quay"},
            }
        ]
    )
    text = await refusal(alice, "transcript", action="get", message_ids=[])
    assert text.startswith("message_ids: ")


async def test_gaps_stats_and_sessions_tell_when_people_spoke(alice: Client) -> None:
    await talk(alice)
    assert await transcript(alice, "gaps", min_hours=2) == {
        "gaps": [
            {
                "session_id": "s",
                "from": "2026-03-01T09:00:00Z",
                "to": "2026-03-01T14:00:00Z",
                "hours": 5.0,
                "last_message_id": "a",
            }
        ]
    }
    stats = await transcript(alice, "stats")
    assert (stats["sessions"], stats["messages"], stats["summaries"]) == (1, 3, 0)
    assert rows(await transcript(alice, "sessions"), "sessions") == [
        {
            "session_id": "s",
            "messages": 3,
            "first_at": "2026-03-01T09:00:00Z",
            "last_at": "2026-03-01T14:00:00Z",
            "source": "mcp",
        }
    ]


async def test_empty_answers_have_numbers_and_lists(alice: Client) -> None:
    assert await transcript(alice, "gaps") == {"gaps": []}
    assert await transcript(alice, "sessions") == {"sessions": []}
    assert await transcript(alice, "summaries") == {"summaries": []}
    stats = await transcript(alice, "stats")
    assert set(stats.values()) == {0}


async def test_a_session_is_summarized_expanded_and_resumed(alice: Client) -> None:
    await talk(alice)
    kept = await transcript(
        alice, "summarize", session_id="s", summary="The Gannet is in.", seq_from=1, seq_to=2
    )
    assert kept["depth"] == 1
    (summary,) = rows(await transcript(alice, "summaries", query="gannet"), "summaries")
    assert (summary["summary_id"], summary["stale"]) == (kept["summary_id"], False)
    expanded = await transcript(
        alice, "expand", summary_id=kept["summary_id"], include_messages=True
    )
    assert [row["kind"] for row in rows(expanded, "parts")] == ["summary", "message", "message"]
    resumed = await transcript(alice, "resume", session_id="s", max_tokens=12)
    assert [(row["kind"], row["seq_from"]) for row in rows(resumed, "parts")] == [
        ("summary", 1),
        ("message", 3),
    ]
    assert resumed["omitted"] == []


async def test_a_full_context_is_answered_with_what_to_save(alice: Client) -> None:
    flush = (
        await transcript(
            alice,
            "append",
            session_id="s",
            messages=TALK,
            context_tokens_used=76_000,
            context_window=100_000,
        )
    )["flush"]
    assert isinstance(flush, dict)
    assert flush["percent"] == 75
    assert "memory_write" in str(flush["prompt"])


async def test_the_prompt_says_how_to_save(alice: Client) -> None:
    prompt = await alice.get_prompt("save_before_compaction", {"session_id": "s"})
    text = prompt.messages[0].content
    assert 'session_id="s"' in str(text)
    assert "memory_write" in str(text)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"action": "apend"}, "action"),
        ({"action": "append", "messages": TALK}, "session_id"),
        ({"action": "append", "session_id": "s"}, "messages"),
        ({"action": "append", "session_id": "s", "messages": ["x"]}, "messages[0]"),
        (
            {"action": "append", "session_id": "s", "messages": [{"role": "king"}]},
            "messages[0].role",
        ),
        (
            {"action": "append", "session_id": "s", "messages": [{"role": "user", "contnt": "x"}]},
            "messages[0]",
        ),
        (
            {
                "action": "append",
                "session_id": "s",
                "messages": [{"role": "user", "content": "x", "created_at": "soon"}],
            },
            "messages[0].created_at",
        ),
        ({"action": "search"}, "query"),
        ({"action": "search", "query": "x", "match": "fuzzy"}, "match"),
        ({"action": "search", "query": "x", "max_results": 101}, "max_results"),
        ({"action": "search", "query": "x", "since": "2d", "last_days": 1}, "last_days"),
        ({"action": "get"}, "message_ids"),
        ({"action": "summarize", "session_id": "s", "summary": "x"}, "summary_ids"),
        ({"action": "expand"}, "summary_id"),
        ({"action": "resume"}, "session_id"),
        ({"action": "recent", "cursor": "bm90IG91cnM"}, "cursor"),
    ],
)
async def test_a_call_that_makes_no_sense_is_refused_by_name(
    alice: Client, arguments: dict[str, object], named: str
) -> None:
    text = await refusal(alice, "transcript", **arguments)
    assert text.startswith(f"{named}: ")


async def test_anothers_conversation_does_not_exist(alice: Client, bob: Client, app: App) -> None:
    await talk(alice)
    kept = await transcript(alice, "summarize", session_id="s", summary="x", seq_from=1, seq_to=2)
    mine, unknown = str(kept["summary_id"]), "987654321"
    assert rows(await transcript(bob, "search", query="gannet"), "results") == []
    assert rows(await transcript(bob, "recent"), "messages") == []
    for arguments in (
        {"action": "get", "message_ids": ["a"]},
        {"action": "get", "session_id": "s"},
        {"action": "search", "query": "x", "session_id": "s"},
        {"action": "resume", "session_id": "s"},
    ):
        seen = await refusal(bob, "transcript", **arguments)
        renamed = {
            name: ["zz"] if name == "message_ids" else "zz" if name == "session_id" else value
            for name, value in arguments.items()
        }
        there = await refusal(bob, "transcript", **renamed)
        assert seen.replace("'s'", "'zz'").replace("'a'", "'zz'") == there
    seen = await refusal(bob, "transcript", action="expand", summary_id=mine)
    there = await refusal(bob, "transcript", action="expand", summary_id=unknown)
    assert seen.replace(f"'{mine}'", f"'{unknown}'") == there


async def test_what_belongs_to_another_action_is_refused_and_nothing_happens(
    alice: Client,
) -> None:
    text = await refusal(alice, "transcript", action="stats", session_id="s", messages=TALK)
    assert "messages: is an argument of append, not of stats" in text
    assert (await transcript(alice, "stats"))["messages"] == 0


async def test_clients_that_send_every_parameter_may_use_every_action(alice: Client) -> None:
    nothing: Facts = {
        "session_id": "", "messages": None, "query": "", "match": "hybrid", "role": None,
        "speaker": "", "source": "", "exclude_sources": [], "human_only": False, "since": "",
        "until": "", "last_days": None, "max_results": 0, "context": 0, "limit": 20, "cursor": "",
        "message_ids": [], "seq_from": 0, "seq_to": None, "min_hours": 0, "summary": "",
        "summary_ids": [], "summary_id": "", "max_tokens": 0, "include_messages": False,
        "max_depth": 3, "context_tokens_used": None, "context_window": 0, "database": None,
    }  # fmt: skip

    async def strictly(action: str, **arguments: object) -> Facts:
        return await ask(alice, "transcript", **nothing | {"action": action} | arguments)

    assert (await strictly("append", session_id="s", messages=TALK))["appended"] == 3
    assert len(rows(await strictly("search", query="gannet"), "results")) > 0
    assert len(rows(await strictly("recent"), "messages")) == 3
    assert len(rows(await strictly("get", session_id="s"), "messages")) == 3
    assert len(rows(await strictly("gaps"), "gaps")) == 1
    assert (await strictly("stats"))["messages"] == 3
    assert len(rows(await strictly("sessions"), "sessions")) == 1
    kept = await strictly("summarize", session_id="s", summary="boats", seq_from=1, seq_to=2)
    assert len(rows(await strictly("summaries"), "summaries")) == 1
    assert len(rows(await strictly("expand", summary_id=kept["summary_id"]), "parts")) == 1
    assert (await strictly("resume", session_id="s"))["omitted"] == []
