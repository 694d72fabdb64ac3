"""Prompts."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from mcp import Client, MCPError
from mcp_types import INVALID_PARAMS, TextContent

from mcp_memory.app import open_app
from mcp_memory.interfaces.mcp.server import build_server
from tests.fixtures.postgres import MakeConfig


async def prompted(client: Client, name: str, **arguments: str) -> str:
    (message,) = (await client.get_prompt(name, arguments)).messages
    assert isinstance(message.content, TextContent)
    return message.content.text


async def test_the_prompts_are_listed_with_their_arguments(alice: Client) -> None:
    prompts = (await alice.list_prompts()).prompts
    assert {p.name: [(a.name, a.required) for a in p.arguments or []] for p in prompts} == {
        "recall": [("topic", True)],
        "daily_note": [("highlights", False)],
        "save_before_compaction": [("session_id", False)],
    }


async def test_recall_asks_for_the_topic(alice: Client) -> None:
    text = await prompted(alice, "recall", topic="the zebra project")
    assert "the zebra project" in text
    assert "memory_search" in text


async def test_the_daily_note_is_of_today_where_the_user_is(make_config: MakeConfig) -> None:
    # Twenty-five hours apart: at any moment one of the two has another date than UTC.
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
        async with open_app(make_config(timezone=zone)) as app, Client(build_server(app)) as client:
            before = datetime.now(UTC)
            text = await prompted(client, "daily_note", highlights="the zebra")
            days = {
                moment.astimezone(ZoneInfo(zone)).date()
                for moment in (before, before + timedelta(minutes=1))
            }
            assert any(f"memory/{day}.md" in text for day in days)
            assert "the zebra" in text


async def test_the_daily_note_needs_no_highlights(alice: Client) -> None:
    assert "must mention" not in await prompted(alice, "daily_note")


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("recall", {}, "topic"),
        ("recall", {"topic": " "}, "topic"),
        ("recall", {"topic": "boats", "subject": "ships"}, "subject"),
        ("recal", {"topic": "boats"}, "recall"),
    ],
)
async def test_a_prompt_asked_for_wrongly_is_refused_by_what_is_wrong(
    alice: Client, name: str, arguments: dict[str, str], named: str
) -> None:
    with pytest.raises(MCPError) as refused:
        await alice.get_prompt(name, arguments)
    assert refused.value.error.code == INVALID_PARAMS
    assert named in refused.value.error.message
