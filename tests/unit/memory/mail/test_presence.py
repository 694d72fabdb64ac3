"""Presence: whoever calls is known at once, and goes on being seen."""

import anyio
import pytest

from mcp_memory.app import open_app
from tests.fixtures.calls import ask, client_of
from tests.fixtures.postgres import MakeConfig


async def test_who_goes_on_calling_is_seen_again_in_every_round(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_memory.memory.mail.directory._PAUSE_SECONDS", 0.05)
    async with open_app(make_config()) as app, client_of(app, "alice") as client:
        seen: list[object] = []
        with anyio.fail_after(60):
            while len(set(seen)) < 4:
                await ask(client, "memory_current_database")
                agents = (await app.directory.agents(app.mail_session("alice"))).rows
                assert [agent.agent for agent in agents] == ["alice"]
                seen.append(agents[0].last_seen)
