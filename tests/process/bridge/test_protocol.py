"""The bridge as a real process: requests, refusals, and how it ends."""

import json
import signal
import subprocess
from typing import Literal, cast

import anyio
import psycopg
import pytest

from tests.fixtures.bridge import bridge
from tests.fixtures.calls import Facts
from tests.fixtures.forks import program_command
from tests.fixtures.servers import Environ, environ_of

pytestmark = pytest.mark.slow


@pytest.fixture
def environ(database_url: str) -> Environ:
    return environ_of(database_url, MCP_MEMORY__EMBEDDINGS__PROVIDER="hashing")


def error(line: Facts) -> tuple[object, object]:
    return line["id"], cast("Facts", line["error"])["code"]


async def test_every_tool_answers_by_its_name(environ: Environ) -> None:
    async with bridge(environ, "alice") as alice:
        ready = alice.lines[0]
        assert (ready["protocol"], ready["agent"], ready["channels"]) == (1, "alice", [])
        written = await alice.ask(1, "memory_write", path="a.md", content="the zebra sleeps")
        assert written["version"] == 1
        found = await alice.ask("s", "memory_search", query="zebra", min_score=0)
        assert cast("list[Facts]", found["results"])[0]["path"] == "a.md"
        assert (await alice.ask(2, "memory_current_database"))["agent"] == "alice"
        assert "at" in await alice.ask(3, "_ping")


async def test_what_cannot_be_done_says_why_under_a_code(environ: Environ) -> None:
    async with bridge(environ, "alice") as alice:
        for id, method, params, code in (
            (1, "no_such_tool", {}, "unknown_method"),
            (2, "memory_get", {"path": "none.md"}, "not_found"),
            (3, "memory_get", {"path": "../x"}, "bad_request"),
            (4, "memory_get", {"pth": "x"}, "bad_request"),
            (5, "_ping", {"x": 1}, "bad_request"),
            (6, "_subscribe", {}, "bad_request"),
            (7, "_cancel", {}, "bad_request"),
            (8, "memory_write", {"path": "a.md", "content": "x\0y"}, "bad_request"),
        ):
            await alice.request(id, method, **params)
            assert error(await alice.answer(id)) == (id, code)


async def test_bad_lines_are_answered_and_the_stream_goes_on(environ: Environ) -> None:
    bad = [b"junk", b"[1]", b"\xff\xfe\x00", b"[" * 50_000, b'{"method": "x"}', b"\0" * 10]
    limited = {**environ, "MCP_MEMORY__LIMITS__CONTENT_BYTES": "1000"}
    async with bridge(limited, "alice") as alice:
        for line in bad:
            await alice.write(line + b"\n")
            assert error(await alice.answer(None)) == (None, "bad_line")
        await alice.write(b"\n  \n")
        await alice.write(b'{"id": 1, "method": "' + b"x" * 1_000_000 + b'"}\n')
        assert error(await alice.answer(None)) == (None, "too_large")
        await alice.ask(2, "_ping")
        await alice.close()
        assert await alice.ended() == 0
    assert "Traceback" not in alice.log


async def test_a_slow_request_makes_no_other_wait_and_can_be_cancelled(environ: Environ) -> None:
    async with bridge(environ, "alice") as alice:
        await alice.request("slow", "memory_message", action="wait", timeout_seconds=300)
        await alice.ask(1, "memory_write", path="a.md", content="x")
        await alice.request("slow", "_ping")
        assert error(await alice.answer("slow")) == ("slow", "conflict")
        assert await alice.ask(2, "_cancel", id="slow") == {"cancelled": True}
        assert error(await alice.answer("slow")) == ("slow", "cancelled")
        assert await alice.ask(3, "_cancel", id="slow") == {"cancelled": False}
        # What is over leaves its id to the next one.
        await alice.ask("slow", "_ping")


async def test_a_cancelled_write_leaves_no_query_behind(
    environ: Environ, database_url: str
) -> None:
    async with bridge(environ, "alice") as alice:
        await alice.ask(1, "memory_write", path="a.md", content="x")
        with psycopg.connect(database_url) as conn:
            conn.execute("LOCK TABLE mcp_memory.documents IN EXCLUSIVE MODE")
            await alice.request("w", "memory_write", path="a.md", content="y")
            await until_waiting(database_url, 1)
            await alice.ask(2, "_cancel", id="w")
            assert error(await alice.answer("w")) == ("w", "cancelled")
            await until_waiting(database_url, 0)
        assert (await alice.ask(3, "memory_get", path="a.md"))["version"] == 1


async def until_waiting(url: str, count: int) -> None:
    """Look until so many backends wait for a lock; there is no event to wait for."""
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        found = -1
        while found != count:
            row = await (await conn.execute(query)).fetchone()
            assert row is not None
            found = int(row[0])


@pytest.mark.parametrize("how", ["close", "shutdown", "term", "interrupt"])
async def test_it_ends_cleanly_however_it_is_asked_to(
    environ: Environ, how: Literal["close", "shutdown", "term", "interrupt"]
) -> None:
    async with bridge(environ, "alice") as alice:
        await alice.request("w", "memory_message", action="wait", timeout_seconds=300)
        await alice.ask(1, "_ping")
        match how:
            case "close":
                await alice.close()
            case "shutdown":
                await alice.request("end", "_shutdown")
            case "term":
                alice.process.send_signal(signal.SIGTERM)
            case "interrupt":
                alice.process.send_signal(signal.SIGINT)
        assert await alice.ended() == 0
        assert error(await alice.answer("w")) == ("w", "cancelled")
    if how == "shutdown":
        assert alice.lines[-1] == {"id": "end", "result": {}}
    assert "Traceback" not in alice.log


async def test_all_requests_of_a_file_are_answered(environ: Environ) -> None:
    count = 3_000
    lines = [json.dumps({"id": n, "method": "_ping"}) for n in range(count)]
    writes = [
        json.dumps(
            {"id": f"w{n}", "method": "memory_write", "params": {"path": f"{n}.md", "content": "x"}}
        )
        for n in range(20)
    ]
    done = await anyio.run_process(
        program_command("bridge", "--agent", "alice"),
        input="\n".join([*writes, *lines]).encode(),
        env=dict(environ),
        stderr=subprocess.DEVNULL,
    )
    answers = [cast("Facts", json.loads(line)) for line in done.stdout.splitlines()[1:]]
    assert len(answers) == count + 20
    assert all("result" in answer for answer in answers)


async def test_a_reader_who_does_not_read_stops_nothing_but_himself(environ: Environ) -> None:
    async with bridge(environ, "alice") as alice:
        await alice.ask("w", "memory_write", path="big.md", content="long line\n" * 50_000)
        # Half a megabyte an answer; more than any pipe holds.
        for number in range(40):
            await alice.request(number, "memory_get", path="big.md", lines=50_000)
        await alice.request("last", "_ping")
        answers = [await alice.answer(id) for id in ["last"]]
        while len([line for line in alice.lines if line.get("id") in range(40)]) < 40:
            await alice.next()
        assert all("result" in line for line in [*answers, *alice.lines[1:]])


async def test_stdout_carries_the_protocol_alone(environ: Environ) -> None:
    async with bridge({**environ, "MCP_MEMORY_LOG_LEVEL": "debug"}, "alice", is_cold=True) as alice:
        await alice.ask(1, "memory_write", path="a.md", content="x")
        await alice.request(2, "memory_get", path="none.md")
        await alice.answer(2)
        await alice.close()
        assert await alice.ended() == 0
    assert all({"id", "event"} & line.keys() for line in alice.lines)
    assert "listening on main" in alice.log


def test_a_reader_that_went_away_ends_it(environ: Environ) -> None:
    process = subprocess.Popen(
        program_command("bridge", "--agent", "alice"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environ),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        assert b"ready" in process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b'{"id": 1, "method": "_ping"}\n')
        process.stdin.flush()
        assert process.wait(60) == 1
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("times", [2, pytest.param(4, marks=pytest.mark.cluster)])
async def test_many_starts_and_ends_leave_nothing_on_the_server(
    environ: Environ, database_url: str, times: int
) -> None:
    async def start_and_end() -> None:
        for _ in range(times):
            async with bridge(environ, "alice") as alice:
                await alice.close()
                assert await alice.ended() == 0

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(start_and_end)
    with psycopg.connect(database_url, autocommit=True) as conn, anyio.fail_after(20):
        while conn.execute(LEFT).fetchall():  # noqa: ASYNC110 - the server decides
            await anyio.sleep(0.05)


LEFT = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'mcp-memory'"
    " AND datname = current_database()"
)


async def test_without_its_database_it_never_says_that_it_is_ready(environ: Environ) -> None:
    nowhere = {**environ, "MCP_MEMORY_DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:1/x"}
    async with bridge(nowhere, "alice", is_ready=False) as alice:
        assert await alice.ended() == 1
    assert alice.lines == []
    assert alice.log.splitlines()[-1].startswith("mcp-memory: ")
    assert "s3cret" not in alice.log
