"""Standard input as lines."""

import os
from pathlib import Path

import anyio
import pytest

from mcp_memory.interfaces.lines import Lines


async def test_lines_come_whole_however_they_are_written() -> None:
    reader, writer = os.pipe()
    text = 'one\n{"ü": "' + "€" * 50_000 + '"}\n\nlast without an end'
    rest = text.encode()

    def write() -> None:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            for start in range(0, len(rest), 997):
                pipe.write(rest[start : start + 997])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, write)
        with anyio.fail_after(5):
            assert [line async for line in Lines(reader)] == text.split("\n")
    os.close(reader)


@pytest.mark.parametrize("text", ["one\ntwo\n", "one\ntwo"])
async def test_a_file_can_be_read_too(tmp_path: Path, text: str) -> None:
    file = tmp_path / "requests"
    file.write_text(text, encoding="utf-8")
    with file.open("rb") as opened:
        assert [line async for line in Lines(opened.fileno())] == ["one", "two"]


async def test_nothing_has_no_lines() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    assert [line async for line in Lines(nothing)] == []
    os.close(nothing)


async def test_bytes_that_are_no_text_do_not_end_the_stream() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"\xff\xfe\nnext\n\xc3")
    os.close(writer)
    assert [line async for line in Lines(reader)] == ["\ufffd\ufffd", "next", "\ufffd"]
    os.close(reader)


async def test_waiting_for_a_line_can_be_cancelled() -> None:
    reader, writer = os.pipe()
    with anyio.fail_after(5), anyio.move_on_after(0.01) as scope:
        async for _ in Lines(reader):
            pass
    assert scope.cancelled_caught
    os.close(reader)
    os.close(writer)
