"""Several real processes that append to one session at once."""

import anyio
import pytest

from mcp_memory.app import App
from tests.fixtures import message_writer
from tests.fixtures.conversations import said, tell
from tests.fixtures.forks import module_command

pytestmark = pytest.mark.slow

COUNT = 40


async def test_two_processes_lose_and_double_nothing(app: App, database_url: str) -> None:
    await tell(app, "other", said(1))
    async with anyio.create_task_group() as tasks:
        for name in ("a", "b"):
            command = module_command(message_writer.__name__, database_url, name, str(COUNT))
            tasks.start_soon(anyio.run_process, command)

    found = await app.transcripts.get(app.session("alice"), session_id="s")
    assert [message.seq for message in found] == list(range(1, 3 * COUNT + 1))
    wanted = [f"{name}{number}" for name in ("a", "b", "all") for number in range(COUNT)]
    assert sorted(message.id for message in found) == sorted(wanted)
