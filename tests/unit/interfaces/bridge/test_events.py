"""The parts of a bridge that a process need not show."""

import json
import os

import anyio

from mcp_memory.interfaces.bridge.events import SeenIds
from mcp_memory.interfaces.bridge.loop import HEARTBEAT_SECONDS, beat
from mcp_memory.interfaces.bridge.protocol import write_to
from mcp_memory.interfaces.lines import Lines


async def test_the_heart_beats_until_the_end() -> None:
    assert HEARTBEAT_SECONDS == 30
    reader, writer = os.pipe()
    with anyio.fail_after(20):
        async with write_to(writer) as output, anyio.create_task_group() as tasks:
            tasks.start_soon(beat, output, 0.01)
            lines = aiter(Lines(reader))
            said = [json.loads(await anext(lines)) for _ in range(3)]
            assert {each["event"] for each in said} == {"heartbeat"}
            instants = [str(each["at"]) for each in said]
            assert instants == sorted(instants)
            tasks.cancel_scope.cancel()
    os.close(reader)
    os.close(writer)


async def test_a_reader_who_never_reads_keeps_senders_waiting_and_not_the_end() -> None:
    reader, writer = os.pipe()
    sent = 0
    with anyio.fail_after(20):
        async with write_to(writer) as output:
            with anyio.move_on_after(0.5):
                while True:
                    await output.send("x" * 10_000 + "\n")
                    sent += 1
    assert 0 < sent < 200
    os.close(reader)
    os.close(writer)


def test_what_is_unread_stays_remembered_and_the_rest_fades() -> None:
    seen = SeenIds()
    for id in range(30_000):
        seen.add(id)
    seen.forget_all_but({5, 7})
    assert {5, 7, 29_999, 20_001} <= {id for id in range(30_000) if id in seen}
    assert 6 not in seen
    assert 10_000 not in seen
