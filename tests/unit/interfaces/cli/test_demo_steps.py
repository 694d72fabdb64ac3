"""The demo's checks: an answer that is not as it must be is never passed over."""

import pytest
from mcp import Client

from mcp_memory.app import App
from mcp_memory.interfaces.cli.demo_steps import (
    STEPS,
    Agent,
    Stage,
    UnexpectedAnswer,
    entries,
    expect,
)
from mcp_memory.interfaces.mcp.server import build_server


def test_what_does_not_hold_is_an_unexpected_answer() -> None:
    expect(True, "fine")
    with pytest.raises(UnexpectedAnswer):
        expect(False, "not fine")


def test_an_answer_without_its_list_is_unexpected() -> None:
    assert entries({"results": []}, "results") == []
    with pytest.raises(UnexpectedAnswer):
        entries({}, "results")


async def test_a_refusal_is_no_answer_and_an_answer_no_refusal(app: App) -> None:
    async with Client(build_server(app)) as client:
        agent = Agent("ada", client, [])
        with pytest.raises(UnexpectedAnswer):
            await agent.call("memory_get", path="nowhere.md")
        with pytest.raises(UnexpectedAnswer):
            await agent.expect_refusal("memory_list")
        assert "nowhere.md" in await agent.expect_refusal("memory_get", path="nowhere.md")
    assert [line.split("(")[0] for line in agent.log] == [
        "ada> memory_get",
        "ada> memory_list",
        "ada> memory_get",
    ]


async def test_the_demo_notices_a_server_that_does_not_keep_secrets(app: App) -> None:
    """Both play at one server with one identity: then Ben sees what is Ada's alone."""
    async with Client(build_server(app)) as client:
        log: list[str] = []
        stage = Stage(Agent("ada", client, log), Agent("ben", client, log), log)
        with pytest.raises(UnexpectedAnswer):
            for step in STEPS:
                await step.show(stage)
