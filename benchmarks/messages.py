"""Mail between agents: how soon it wakes, how much of it goes through, how many may wait.

    python -m benchmarks.messages [--rounds 300] [--sends 300] [--waits 1000]

- Waking: two agents, each with a stdio server of its own. From before alice's `send` until bob's
  waiting call has answered, beside two empty tool calls (one of each), in turns.
- Sending: messages through the service to 1, 8 and 64 recipients, beside a bare loop on one
  connection that inserts the same rows into plain tables and notifies as often, in turns.
- Ringing: from before a `send` until the endpoint of a wake route has read the ring, beside a bare
  POST of the same process to it.
- Waiting: so many agents of one process wait at once; connections are counted, then one message
  goes to everybody.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import psycopg
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from benchmarks.ringing import measure_ringing
from benchmarks.tables import Measured, print_table
from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.mail.model import MailFilter, SendMessage
from mcp_memory.postgres.embedded.cluster import EmbeddedCluster

TOOL = "memory_message"
CONTENT = "the north pier is closed until the storm has passed, take the south one " * 3
EMPTY = {"action": "ack", "message_ids": list[str]()}
TURN = 25

BARE_TABLES = """
CREATE TABLE IF NOT EXISTS bare_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sender text, content text, sent_at timestamptz
);
CREATE TABLE IF NOT EXISTS bare_deliveries (
    agent_id text, message_id bigint, state text, PRIMARY KEY (agent_id, message_id)
)
"""
BARE_MESSAGE = """
INSERT INTO bare_messages (sender, content, sent_at) VALUES ('alice', %s, now()) RETURNING id
"""
BARE_DELIVERIES = """
INSERT INTO bare_deliveries (agent_id, message_id, state)
SELECT agent, %s, 'queued' FROM unnest(%s::text[]) agent
"""
BARE_NOTIFY = "SELECT pg_notify('bare_' || agent, %s::text) FROM unnest(%s::text[]) agent"


@contextmanager
def cluster() -> Generator[EmbeddedCluster]:
    """A PostgreSQL of its own, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mcpm-bench-", dir="/tmp"))
    folder.chmod(0o755)
    started = EmbeddedCluster(folder / "cluster")
    try:
        started.start()
        yield started
    finally:
        started.leave()
        started.wait_stopped()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def stdio(url: str, agent: str) -> AsyncGenerator[Client]:
    """A client of a server process of its own."""
    environ = {
        **os.environ,
        "MCP_MEMORY_DATABASE_URL": url,
        "MCP_MEMORY__EMBEDDINGS__PROVIDER": "hashing",
    }
    arguments = ["-m", "mcp_memory", "serve", "--agent", agent]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=environ)
    with open(os.devnull, "w") as nowhere:  # noqa: ASYNC230 - it opens at once
        async with Client(stdio_client(server, errlog=nowhere)) as client:
            yield client


async def wake(alice: Client, bob: Client) -> float:
    """Seconds from before the send until bob's wait, which waits already, has answered."""
    waiting = anyio.Event()
    ended: list[float] = []
    begun = 0.0

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        del progress, total, message
        waiting.set()

    async def wait() -> None:
        arguments = {"action": "wait", "timeout_seconds": 60}
        result = await bob.call_tool(TOOL, arguments, progress_callback=tell)
        ended.append(time.perf_counter())
        assert result.structured_content
        ids = [message["id"] for message in result.structured_content["messages"]]
        await bob.call_tool(TOOL, {"action": "ack", "message_ids": ids})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await waiting.wait()
        await anyio.sleep(0.02)  # bob listens by now
        begun = time.perf_counter()
        await alice.call_tool(TOOL, {"action": "send", "to": "bob", "content": CONTENT})
    return ended[0] - begun


async def measure_waking(url: str, rounds: int) -> None:
    """Print how long a wake takes."""
    empty: list[float] = []
    woken: list[float] = []
    async with stdio(url, "alice") as alice, stdio(url, "bob") as bob:
        for client in (alice, bob):
            await client.call_tool(TOOL, {"action": "agents"})
        for turn in range(rounds):
            begun = time.perf_counter()
            await alice.call_tool(TOOL, EMPTY)
            await bob.call_tool(TOOL, EMPTY)
            empty.append(time.perf_counter() - begun)
            woken.append(await wake(alice, bob))
            if turn < rounds // 10:
                empty.pop()
                woken.pop()
    base = Measured("two empty tool calls", empty)
    print_table("waking over two stdio processes", "wake", base, [Measured("wake", woken)])


async def measure_sending(app: App, url: str, recipients: int, sends: int) -> None:
    """Print how long a message takes to so many recipients, and the bare loop."""
    agents = [f"reader-{number}" for number in range(recipients)]
    for agent in agents:
        await app.presence.note(app.mail_session(agent))
    request = SendMessage(CONTENT, agents)
    turn = min(TURN, sends)
    ours: list[float] = []
    bare: list[float] = []
    async with await psycopg.AsyncConnection.connect(url) as conn:
        await conn.execute(BARE_TABLES)
        await conn.commit()
        for _ in range(sends // turn):
            begun = time.perf_counter()
            for _ in range(turn):
                await app.messages.send(app.mail_session("alice"), request)
            ours.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            for _ in range(turn):
                await send_bare(conn, agents)
            bare.append(time.perf_counter() - begun)
    rates = [turn * len(each) / sum(each) for each in (ours, bare)]
    title = (
        f"sending to {recipients}: {rates[0]:.0f} messages/s,"
        f" the bare loop {rates[1]:.0f}, {rates[0] / rates[1]:.2f} of it"
    )
    print_table(title, "message", Measured("bare", bare, turn), [Measured("send", ours, turn)])


async def send_bare(conn: "psycopg.AsyncConnection[tuple[object, ...]]", agents: list[str]) -> None:
    """The least that stores a message for each and tells them."""
    async with conn.transaction():
        row = await (await conn.execute(BARE_MESSAGE, [CONTENT])).fetchone()
        assert row is not None
        await conn.execute(BARE_DELIVERIES, [row[0], agents])
        await conn.execute(BARE_NOTIFY, [row[0], agents])


async def measure_waiting(app: App, url: str, waits: int) -> None:
    """Print how many connections so many waits need, and how soon all are answered."""
    agents = [f"waiter-{number}" for number in range(waits)]
    for agent in agents:
        await app.presence.note(app.mail_session(agent))
    waiting, all_wait, answered = set[str](), anyio.Event(), 0
    used, begun, sent = 0, 0.0, 0.0

    async def wait(agent: str) -> None:
        nonlocal answered

        async def idle(_waited_seconds: float) -> None:
            waiting.add(agent)
            if len(waiting) == waits:
                all_wait.set()

        mails = await app.messages.wait(
            app.mail_session(agent), MailFilter(), timeout_seconds=300, idle=idle
        )
        answered += len(mails)

    async with anyio.create_task_group() as tasks:
        for agent in agents:
            tasks.start_soon(wait, agent)
        await all_wait.wait()
        used = await connections(url)
        begun = time.perf_counter()
        await app.messages.send(app.mail_session("alice"), SendMessage(CONTENT, ["*"]))
        sent = time.perf_counter() - begun
    took = time.perf_counter() - begun
    print(
        f"{waits} waits at once over {used} connections; a message to everybody took {sent:.3f} s,"
        f" {answered} were answered within {took:.2f} s: {took * 1000 / waits:.2f} ms a wait\n"
    )


async def connections(url: str) -> int:
    """How many connections of this program the server has, this one apart."""
    async with await psycopg.AsyncConnection.connect(url) as conn:
        found = await conn.execute(
            "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()"
        )
        row = await found.fetchone()
    assert row is not None
    return int(row[0])


async def main(rounds: int, sends: int, waits: int) -> None:
    """Measure all four."""
    with cluster() as server:
        url = server.url("bench")
        document = {"database": {"url": url}, "embeddings": {"provider": "hashing"}}
        async with open_app(Config.model_validate(document)) as app:
            await app.presence.note(app.mail_session("alice"))
            await measure_waking(url, rounds)
            for recipients in (1, 8, 64):
                await measure_sending(app, url, recipients, sends)
            await measure_ringing(url, rounds)
            if waits:
                await measure_waiting(app, url, waits)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Mail between agents: waking, sending, waiting.")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--sends", type=int, default=300)
    parser.add_argument("--waits", type=int, default=1000)
    given = parser.parse_args()
    if min(given.rounds, given.sends) < 1 or given.waits < 0:
        parser.error("at least one round and one send; no fewer than no waits")
    anyio.run(main, given.rounds, given.sends, given.waits)
