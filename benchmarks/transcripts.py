"""Transcripts at 100,000 messages: append, resume and the hooks, each beside the least there is.

    python -m benchmarks.transcripts [--messages 100000] [--sessions 1000]

`append` is compared with a bare INSERT of the same row on one connection, `resume` with one
indexed SELECT of as many rows, a hook with `python -c "import psycopg"`. Each pair is measured in
turns, so that a busy machine weighs on both.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import psycopg

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.conversations.models import AppendMessages, NewMessage, Summarize
from mcp_memory.postgres.embedded.cluster import EmbeddedCluster

START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ("harbour", "boat", "gannet", "kittiwake", "sail", "anchor", "net", "storm", "tide", "quay")
TURNS = 200
HOOK_TURNS = 15

Row = tuple[str, float, float]

INSERT = """
INSERT INTO mcp_memory.session_messages
    (agent_id, session, seq, external_id, role, speaker, source, content, tokens, created_at)
SELECT agent_id, id, %(seq)s, %(name)s, 'user', '', 'bench', %(content)s, 20, now()
FROM mcp_memory.sessions
WHERE session_id = %(session_id)s
"""
SELECT = """
SELECT m.seq, m.role, m.content
FROM mcp_memory.session_messages m
JOIN mcp_memory.sessions s ON s.id = m.session
WHERE s.agent_id = 'default' AND s.session_id = %(session_id)s
ORDER BY m.seq DESC
LIMIT %(limit)s
"""


def message(session: int, number: int) -> NewMessage:
    """A message of some twenty words."""
    words = [WORDS[(session * 7 + number * k) % len(WORDS)] for k in range(1, 19)]
    return NewMessage(
        role="user" if number % 2 else "assistant",
        content=f"Message {number} of session {session}: {' '.join(words)}.",
        id=f"m{number}",
        created_at=START + timedelta(hours=session, seconds=number),
    )


async def load(app: App, sessions: int, each: int) -> None:
    """Fill the database by the service's own bulk path, with two summaries in each session."""
    for session in range(sessions):
        batch = [message(session, number) for number in range(1, each + 1)]
        name = f"session {session}"
        await app.transcripts.append(app.session("default"), AppendMessages(name, batch, "bench"))
        for first in (1, each // 4 + 1):
            await app.summaries.summarize(
                app.session("default"),
                Summarize(name, "They spoke of boats.", first, first + each // 4 - 1),
            )


async def until_embedded(app: App) -> None:
    """Return when no message waits for its vector."""
    with anyio.fail_after(7200):
        while (await app.transcripts.stats(app.session("default"))).pending_embeddings:  # noqa: ASYNC110 - a row tells, no event does
            await anyio.sleep(0.01)


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """How long it takes, in milliseconds."""
    start = time.perf_counter()
    await work()
    return (time.perf_counter() - start) * 1000


async def appends(app: App, url: str, sessions: int, each: int) -> Row:
    """One message by the service, and one row by hand."""
    ours: list[float] = []
    bare: list[float] = []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        for turn in range(TURNS):
            chosen = turn % sessions
            said = message(chosen, each + 1 + turn // sessions)
            request = AppendMessages(f"session {chosen}", [said])

            async def append(request: AppendMessages = request) -> None:
                await app.transcripts.append(app.session("default"), request)

            row = {
                "seq": 1_000_000 + turn,
                "name": f"bare {turn}",
                "content": said.content,
                "session_id": f"session {(chosen + 1) % sessions}",
            }

            # What the append before left to the worker is not this one's.
            await until_embedded(app)
            ours.append(await timed(append))
            bare.append(await timed(partial(conn.execute, INSERT, row)))
        await conn.execute("DELETE FROM mcp_memory.session_messages WHERE seq >= 1000000")
    return "append, one message", statistics.median(ours), statistics.median(bare)


async def resumes(app: App, url: str, sessions: int) -> Row:
    """A resume of 4,000 tokens, and a SELECT of as many rows as it gave back."""
    ours: list[float] = []
    bare: list[float] = []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        for turn in range(TURNS):
            name = f"session {turn * 37 % sessions}"
            parts = (await app.summaries.resume(app.session("default"), name)).parts

            async def resume(name: str = name) -> None:
                await app.summaries.resume(app.session("default"), name)

            async def select(name: str = name, limit: int = len(parts)) -> None:
                found = await conn.execute(SELECT, {"session_id": name, "limit": limit})
                await found.fetchall()

            ours.append(await timed(resume))
            bare.append(await timed(select))
    return "resume, 4,000 tokens", statistics.median(ours), statistics.median(bare)


def hooks(url: str) -> list[Row]:
    """Each event as a process of its own, and a process that only imports psycopg."""
    environ = {**os.environ, "MCP_MEMORY_DATABASE_URL": url}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "session.jsonl"
        line = {
            "type": "user",
            "sessionId": "hooked",
            "uuid": "u1",
            "timestamp": "2026-03-01T09:00:00Z",
            "message": {"role": "user", "content": "Where is the lighthouse?"},
        }
        file.write_text(f"{json.dumps(line)}\n", encoding="utf-8")
        told = {
            "session_id": "hooked",
            "prompt": "where is the lighthouse keeper?",
            "transcript_path": str(file),
        }
        return [
            _hook(event, json.dumps(told), environ)
            for event in ("UserPromptSubmit", "Stop", "SessionStart")
        ]


def _hook(event: str, told: str, environ: dict[str, str]) -> Row:
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(HOOK_TURNS):
        ours.append(_process(["-m", "mcp_memory", "hook", event], told, environ))
        bare.append(_process(["-c", "import psycopg"], "", environ))
    return f"hook {event}", statistics.median(ours), statistics.median(bare)


def _process(arguments: list[str], told: str, environ: dict[str, str]) -> float:
    start = time.perf_counter()
    command = [sys.executable, *arguments]
    subprocess.run(command, input=told, env=environ, text=True, check=True, capture_output=True)
    return (time.perf_counter() - start) * 1000


def print_rows(rows: list[Row]) -> None:
    """The table, medians in milliseconds."""
    print(f"{'what':24} {'ours':>9} {'least':>9} {'ratio':>6}")
    for name, ours, bare in rows:
        print(f"{name:24} {ours:7.2f}ms {bare:7.2f}ms {ours / bare:6.2f}")


async def measure(url: str, sessions: int, each: int) -> list[Row]:
    """Load, then every pair."""
    config = Config.model_validate(
        {"database": {"url": url}, "embeddings": {"provider": "hashing"}}
    )
    async with open_app(config) as app:
        start = time.perf_counter()
        await load(app, sessions, each)
        seconds = time.perf_counter() - start
        print(f"loaded {sessions * each} messages in {seconds:.0f} s", flush=True)
        await until_embedded(app)
        rows = [await appends(app, url, sessions, each), await resumes(app, url, sessions)]
        return rows + await anyio.to_thread.run_sync(hooks, url)


def main() -> None:
    """Measure on a cluster of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--sessions", type=int, default=1_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mcpm-bench-") as folder:
        Path(folder).chmod(0o755)
        cluster = EmbeddedCluster(Path(folder) / "cluster")
        with cluster:
            url = cluster.url("bench")
            rows = anyio.run(measure, url, chosen.sessions, chosen.messages // chosen.sessions)
            print_rows(rows)
        cluster.wait_stopped()


if __name__ == "__main__":
    main()
