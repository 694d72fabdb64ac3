"""End to end: one process sends mail, OpenClaw's agent is woken and reads the cue in its turn."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from mcp_memory.app import App
from tests.cli.program import Program
from tests.fixtures.servers import free_port
from tests.messaging.mail import arrive, send
from tests.messaging.wake.ringing import until_bell
from tests.openclaw.gateway import TOKEN, NoOpenClaw, gateway, program
from tests.openclaw.model import Model, quiet_model

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]

CUE = "Mail for agent ben: 1 new message from ada, highest priority 7."


@pytest.fixture(scope="module")
def command() -> list[str]:
    """The command `openclaw`."""
    try:
        return program()
    except NoOpenClaw as exc:
        pytest.skip(str(exc))


@asynccontextmanager
async def memory_server(folder: Path, url: str, kind: str, port: int) -> AsyncGenerator[Program]:
    """A server process by which ben is woken through OpenClaw; and the program beside it."""
    route = {"kind": kind, "url": f"http://127.0.0.1:{port}", "token": TOKEN, "agent_id": "main"}
    document = {"database": {"url": url}, "wake_routes": {"ben": route}}
    settings = folder / "memory.json"
    await anyio.to_thread.run_sync(settings.write_text, json.dumps(document))
    own = Program({"HOME": str(folder), "MCP_MEMORY_CONFIG": str(settings)})
    process = own.start("serve", "--transport", "streamable-http", "--port", "0")
    try:
        yield own
    finally:
        process.terminate()
        await anyio.to_thread.run_sync(process.communicate)


async def asked(model: Model, text: str) -> str:
    """The turn in which the model was asked something that holds the text."""
    with anyio.fail_after(180):
        while True:
            if found := [each for each in model.asked if text in each]:
                return found[0]
            await anyio.sleep(0.1)


@pytest.mark.parametrize("kind", ["openclaw-wake", "openclaw-agent"])
async def test_the_agents_turn_holds_the_cue_and_not_the_message(
    command: list[str], app: App, database_url: str, tmp_path: Path, kind: str
) -> None:
    await arrive(app, "ada", "ben")
    port = free_port()
    with quiet_model() as model:
        async with (
            gateway(command, tmp_path, port, model.server_port),
            memory_server(tmp_path, database_url, kind, port) as own,
        ):
            doctor = await anyio.to_thread.run_sync(own.run, "doctor", "--json")
            (found,) = [each for each in json.loads(doctor.stdout) if each["check"] == "wake ben"]
            number = await send(app, "ada", "ben", "the backups are late", priority=7)
            rung = await until_bell(app, "ada", number, "rung", seconds=180)
            turn = await asked(model, CUE)

    assert found["state"] == "ok"
    # A gateway that has just begun may take longer than one attempt.
    assert rung.kind == kind
    assert "memory_message" in turn
    assert "the backups are late" not in "".join(model.asked)
