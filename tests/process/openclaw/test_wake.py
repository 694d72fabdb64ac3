"""End to end: one process sends mail, OpenClaw's agent is woken and reads the cue in its turn."""

import json
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from mcp_memory.app import App
from mcp_memory.memory.mail.wake.model import WakeState
from tests.fixtures.mail import arrive, send
from tests.fixtures.postgres_servers import free_port
from tests.fixtures.program import Program
from tests.fixtures.wake import until_bell
from tests.process.openclaw.gateway import TOKEN, NoOpenClaw, gateway, program
from tests.process.openclaw.model import Model, quiet_model

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]

CUE = "Mail for agent ben: 1 new message from ada, highest priority {}."
# Each is sent mail of another priority, by which its turn is known.
KINDS = {"openclaw-wake": 7, "openclaw-agent": 8}


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
    """What the model was asked that holds the text; in a turn it may not be the last."""
    with anyio.fail_after(180):
        while True:
            said = [text_of(each) for turn in model.asked for each in turn]
            if found := [each for each in said if text in each]:
                return found[0]
            await anyio.sleep(0.1)


# One test, and so one worker: two gateways at once would fetch 650 MB twice and starve each other.
async def test_the_agents_turn_holds_the_cue_and_not_the_message(
    app: App, database_url: str, tmp_path: Path
) -> None:
    try:
        command = await anyio.to_thread.run_sync(program)
    except NoOpenClaw as exc:
        pytest.skip(str(exc))
    await arrive(app, "ada", "ben")
    port = free_port()
    with quiet_model() as model:
        async with gateway(command, tmp_path, port, model.server_port):
            for kind, priority in KINDS.items():
                async with memory_server(tmp_path, database_url, kind, port) as own:
                    told = await rung(own, app, model, priority)
                sys.stdout.write(transcript(told))

    assert "the backups are late" not in json.dumps(model.asked)


@dataclass(frozen=True, slots=True)
class Told:
    """What was seen of one ring; seconds since the message was sent."""

    finding: Mapping[str, Any]
    bell: WakeState
    rung_after: float
    turn: str
    turn_after: float


async def rung(own: Program, app: App, model: Model, priority: int) -> Told:
    """Send ben mail; the doctor's finding before, his bell and the turn that it leads to after."""
    doctor = await anyio.to_thread.run_sync(own.run, "doctor", "--json")
    (finding,) = [each for each in json.loads(doctor.stdout) if each["check"] == "wake ben"]
    sent_at = anyio.current_time()
    number = await send(app, "ada", "ben", "the backups are late", priority=priority)
    bell = await until_bell(app, "ada", number, "rung", seconds=180)
    rung_after = anyio.current_time() - sent_at
    turn = await asked(model, CUE.format(priority))
    assert finding["state"] == "ok"
    assert KINDS[bell.kind] == priority
    assert "memory_message" in turn
    return Told(finding, bell, rung_after, turn, anyio.current_time() - sent_at)


def text_of(message: Mapping[str, Any]) -> str:
    """What a message says, which has one part, several or none."""
    content = message["content"] or ""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def transcript(told: Told) -> str:
    """What docs/mail-and-waking.md shows; printed with `-rP`."""
    return "\n".join(
        [
            f"doctor: {told.finding['state']}, {told.finding['what']}",
            f"rung by {told.bell.kind} after {told.rung_after:.1f} s, attempt {told.bell.attempts}",
            f"the model is asked after {told.turn_after:.1f} s:",
            told.turn,
            "",
        ]
    )
