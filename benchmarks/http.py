"""What the memory costs over HTTP, and whether it loses anything when PostgreSQL restarts.

    python -m benchmarks.http                 # all of it: about three minutes
    python -m benchmarks.http --seconds 2 --soak-seconds 10

Server, PostgreSQL and all clients share this machine. Every call looks its key up.
"""

import argparse
import itertools
import re
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
import psycopg
from mcp import Client
from mcp.types import TextContent

from benchmarks.http_stage import Stage, open_stage

CLIENTS = (1, 8, 64)
SEEDS = 200
_WORDS = (
    "harbour",
    "lantern",
    "marmalade",
    "orchard",
    "kettle",
    "violin",
    "meadow",
    "compass",
    "glacier",
    "saffron",
)

# Every call has a number of its own, so that no path and no query comes twice.
_TURNS = itertools.count(1)

Call = Callable[[Client, int, int], Awaitable[None]]


async def _empty(client: Client, _who: int, _turn: int) -> None:
    await _called(client, "empty", {})


async def _search(client: Client, _who: int, turn: int) -> None:
    first, second = _WORDS[turn % 10], _WORDS[(turn // 10) % 10]
    await _called(client, "memory_search", {"query": f"{first} {second} {turn}"})


async def _write(client: Client, who: int, turn: int) -> None:
    await _called(client, "memory_write", _document(f"bench/{who}/{turn}.md", turn))


def _document(path: str, turn: int) -> dict[str, object]:
    words = " ".join(_WORDS[(turn * step) % 10] for step in (1, 3, 7, 9))
    return {"path": path, "content": f"# Note {turn}\n\nOn day {turn}: {words}.", "mode": "create"}


async def _called(client: Client, tool: str, arguments: dict[str, object]) -> None:
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        texts = [part.text for part in result.content if isinstance(part, TextContent)]
        raise Refused(" ".join(texts))


class Refused(Exception):
    """The tool said no."""


CALLS: dict[str, Call] = {"empty": _empty, "memory_search": _search, "memory_write": _write}


@dataclass(slots=True)
class Measured:
    """The calls of one row."""

    seconds: float
    latencies: list[float] = field(default_factory=list[float])

    async def work(self, call: Call, client: Client, who: int) -> None:
        """One client's calls, one after the other, until the time is over."""
        end = time.perf_counter() + self.seconds
        while (started := time.perf_counter()) < end:
            await call(client, who, next(_TURNS))
            self.latencies.append(time.perf_counter() - started)

    def row(self, name: str, clients: int, empty_p50: float) -> tuple[str, float]:
        """The line of the table, and the median."""
        ordered = sorted(self.latencies)
        p50, p95 = statistics.median(ordered), ordered[int(len(ordered) * 0.95) - 1]
        rate = len(ordered) / self.seconds
        ratio = p50 / empty_p50 if empty_p50 else 1.0
        line = f"| {name} | {clients} | {p50 * 1000:.1f} | {p95 * 1000:.1f} | {rate:.0f} |"
        return f"{line} {ratio:.2f} |", p50


async def measure(stage: Stage, seconds: float) -> None:
    """Print the table of latencies."""
    print("| call | clients | p50 ms | p95 ms | calls/s | p50 / empty p50 |")
    print("|---|---|---|---|---|---|")
    for count in CLIENTS:
        async with stage.clients(count) as clients:
            empty_p50 = 0.0
            for name, call in CALLS.items():
                for who, client in enumerate(clients):
                    await call(client, who, next(_TURNS))
                measured = Measured(seconds)
                async with anyio.create_task_group() as tasks:
                    for who, client in enumerate(clients):
                        tasks.start_soon(measured.work, call, client, who)
                line, p50 = measured.row(name, count, empty_p50)
                empty_p50 = empty_p50 or p50
                print(line, flush=True)


@dataclass(slots=True)
class Soak:
    """What came of every write: the path when it was acknowledged, else what was said."""

    acknowledged: list[str] = field(default_factory=list[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    unclear: Counter[str] = field(default_factory=Counter[str])
    told: dict[str, str] = field(default_factory=dict[str, str])

    async def write(self, client: Client, path: str) -> None:
        """One write."""
        try:
            await _called(client, "memory_write", _document(path, len(self.acknowledged)))
        except Refused as exc:
            self._note(path, str(exc))
        except Exception as exc:
            # Whatever a client can meet is an outcome, and is counted as one.
            self._note(path, f"{type(exc).__name__}: {exc}")
        else:
            self.acknowledged.append(path)

    def _note(self, path: str, said: str) -> None:
        self.told[path] = said = re.sub(r"\d+", "N", said)[:110]
        is_clear = re.search(r"Database '\w+' is (unavailable|busy)|whether the change", said)
        is_clear = is_clear or "keys cannot be checked now" in said
        (self.refused if is_clear else self.unclear)[said] += 1


async def soak(stage: Stage, seconds: float, count: int) -> bool:
    """Write all the time, restart PostgreSQL in the middle; whether nothing was lost."""
    outcome = Soak()

    async def work(client: Client, who: int) -> None:
        turn, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            turn += 1
            before = len(outcome.acknowledged)
            await outcome.write(client, f"soak/{who}/{turn}.md")
            if len(outcome.acknowledged) == before:
                await anyio.sleep(0.1)

    async def restart() -> None:
        await anyio.sleep(seconds / 2)
        await anyio.to_thread.run_sync(stage.restart_postgres)

    async with stage.clients(count) as clients, anyio.create_task_group() as tasks:
        tasks.start_soon(restart)
        for who, client in enumerate(clients):
            tasks.start_soon(work, client, who)
    return _judged(outcome, _stored(stage.database_url))


_STORED = "SELECT path FROM mcp_memory.documents WHERE starts_with(path, 'soak/')"


def _stored(database_url: str) -> set[str]:
    with psycopg.connect(database_url) as conn:
        return {str(path) for (path,) in conn.execute(_STORED).fetchall()}


def _judged(outcome: Soak, stored: set[str]) -> bool:
    lost = set(outcome.acknowledged) - stored
    extra = stored - set(outcome.acknowledged)
    print(f"acknowledged {len(outcome.acknowledged)}, of them lost {len(lost)}")
    print(f"refused clearly {outcome.refused.total()}, otherwise {outcome.unclear.total()}")
    print(f"there without an acknowledgement (the answer was cut off): {len(extra)}")
    for said, times in Counter(outcome.told.get(path, "nothing") for path in extra).most_common(5):
        print(f"  told {times} x {said}")
    for kind, counted in (("clear", outcome.refused), ("UNCLEAR", outcome.unclear)):
        for said, times in counted.most_common(5):
            print(f"  {kind} {times} x {said}")
    return not lost and not outcome.unclear


async def main(arguments: argparse.Namespace) -> bool:
    """Measure, then soak."""
    async with open_stage(max(CLIENTS)) as stage:
        async with stage.clients(max(CLIENTS)) as clients:
            for number in range(SEEDS):
                await _write(clients[number % len(clients)], 0, next(_TURNS))
        if arguments.seconds:
            await measure(stage, arguments.seconds)
        if not arguments.soak_seconds:
            return True
        print(f"\nsoak: {arguments.soak_seconds:g} s, {arguments.soak_clients} clients")
        return await soak(stage, arguments.soak_seconds, arguments.soak_clients)


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What the memory costs over HTTP.")
    parser.add_argument("--seconds", type=float, default=10, help="each row; 0: none")
    parser.add_argument("--soak-seconds", type=float, default=60, help="0: no soak")
    parser.add_argument("--soak-clients", type=int, default=64)
    return parser.parse_args(given)


if __name__ == "__main__":
    if not anyio.run(main, _arguments()):
        raise SystemExit(1)
