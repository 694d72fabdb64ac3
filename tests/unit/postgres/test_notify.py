"""LISTEN: heard by channel, in order, said again after a loss, and never in anybody's way."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

import anyio
import psycopg
import pytest
from psycopg import sql

from mcp_memory.errors import DatabaseUnavailable
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.notify import RECONNECTED
from mcp_memory.postgres.session import Database
from tests.fixtures.postgres import MakeConfig

CHANNEL = "a channel with 'quotes'"
LISTENERS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND query ~ 'LISTEN|advisory' AND pid <> pg_backend_pid()"
)


class Heard:
    """What came in on a channel, and a way to wait for it."""

    def __init__(self) -> None:
        self.payloads: list[str] = []

    def __call__(self, payload: str) -> None:
        self.payloads.append(payload)

    async def until(self, *wanted: str) -> None:
        with anyio.fail_after(20):
            while self.payloads != list(wanted):  # noqa: ASYNC110 - another process decides
                await anyio.sleep(0.01)


def notify(url: str, channel: str, *payloads: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        for payload in payloads:
            conn.execute("SELECT pg_notify(%s, %s)", (channel, payload))


@contextmanager
def server(url: str) -> Generator["psycopg.Connection[tuple[int]]"]:
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


def pids(url: str) -> list[int]:
    with server(url) as conn:
        return [row[0] for row in conn.execute(LISTENERS)]


def kill_listeners(url: str) -> None:
    with server(url) as conn:
        for pid in pids(url):
            conn.execute("SELECT pg_terminate_backend(%s)", (pid,))


async def test_a_payload_reaches_the_listeners_of_its_channel(
    db: Database, database_url: str
) -> None:
    heard, other = Heard(), Heard()
    subscription = await db.notifications.subscribe(CHANNEL, heard)
    await db.notifications.subscribe("another", other)
    assert subscription.is_listening
    notify(database_url, CHANNEL, "x", "y")
    await heard.until(RECONNECTED, "x", "y")

    assert other.payloads == [RECONNECTED]
    assert db.notifications.problem == ""


async def test_all_subscribers_share_one_connection(db: Database, database_url: str) -> None:
    for number in range(20):
        await db.notifications.subscribe(f"channel {number}", Heard())
    assert len(pids(database_url)) == 1


async def test_after_a_lost_connection_listeners_are_told_to_look(
    db: Database, database_url: str
) -> None:
    heard = Heard()
    subscription = await db.notifications.subscribe(CHANNEL, heard)
    kill_listeners(database_url)
    await heard.until(RECONNECTED, RECONNECTED)
    assert subscription.is_listening
    notify(database_url, CHANNEL, "after")
    await heard.until(RECONNECTED, RECONNECTED, "after")


async def test_a_closed_subscription_hears_nothing_more(db: Database, database_url: str) -> None:
    gone, stays = Heard(), Heard()
    first = await db.notifications.subscribe(CHANNEL, gone)
    await db.notifications.subscribe(CHANNEL, stays)
    first.close()
    first.close()
    notify(database_url, CHANNEL, "x")
    await stays.until(RECONNECTED, "x")
    assert gone.payloads == [RECONNECTED]
    assert not first.is_listening


async def test_a_channel_without_subscribers_is_given_up(db: Database, database_url: str) -> None:
    heard = Heard()
    (await db.notifications.subscribe(CHANNEL, heard, presence="me")).close()
    await db.notifications.subscribe("another", heard)
    assert locks(database_url, "me") == 0
    again = await db.notifications.subscribe(CHANNEL, heard)
    assert again.is_listening


def locks(url: str, presence: str) -> int:
    with server(url) as conn:
        row = conn.execute(
            "SELECT count(*) FROM pg_locks, hashtextextended(%s, 0) key WHERE locktype = 'advisory'"
            " AND ((classid::bigint << 32) | objid::bigint) = key",
            (presence,),
        ).fetchone()
    assert row is not None
    return row[0]


async def test_who_listens_can_be_seen_until_the_connection_ends(
    db: Database, databases: Databases, database_url: str
) -> None:
    for _ in range(2):
        await db.notifications.subscribe(CHANNEL, Heard(), presence="listening/me")
    assert locks(database_url, "listening/me") == 1
    await databases.close()
    with anyio.fail_after(20):
        while locks(database_url, "listening/me"):  # noqa: ASYNC110 - the server decides
            await anyio.sleep(0.01)
        # The lock goes first, the process a moment after it.
        while pids(database_url):  # noqa: ASYNC110 - the server decides
            await anyio.sleep(0.01)


async def test_a_busy_loop_is_told_to_look_instead_of_filling_the_memory(
    db: Database, database_url: str
) -> None:
    heard = Heard()
    await db.notifications.subscribe(CHANNEL, heard)
    everything = [str(number) for number in range(3_000)]
    # The loop stands still meanwhile: what comes in has to wait.
    notify(database_url, CHANNEL, *everything)
    deadline = time.monotonic() + 20
    while heard.payloads[-1] != everything[-1]:
        assert time.monotonic() < deadline
        await anyio.sleep(0.01)
    assert len(heard.payloads) < 3_000
    assert heard.payloads.count(RECONNECTED) > 1
    later = heard.payloads[heard.payloads.index(RECONNECTED, 1) + 1 :]
    assert [p for p in later if p] == everything[-len([p for p in later if p]) :]


async def test_without_a_server_a_subscriber_is_not_kept_waiting_for_ever(
    db: Database, database_url: str, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_memory.postgres.notify._IN_FORCE_SECONDS", 0.3)
    heard = Heard()
    name = database_url.rpartition("/")[2].partition("?")[0]
    forbid = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format
    with server(server_url) as conn:
        conn.execute(forbid(sql.Identifier(name), sql.Literal(False)))
        subscription = await db.notifications.subscribe(CHANNEL, heard)
        assert not subscription.is_listening
        assert db.notifications.problem != ""
        conn.execute(forbid(sql.Identifier(name), sql.Literal(True)))
    await heard.until(RECONNECTED)
    assert subscription.is_listening


async def test_closing_ends_the_thread(make_config: MakeConfig) -> None:
    for _ in range(3):
        databases = Databases(make_config())
        database = await databases.writing(None, "tester")
        await database.notifications.subscribe(CHANNEL, Heard())
        await databases.close()
    names = [thread.name for thread in threading.enumerate()]
    assert "mcp-memory-listener" not in names


async def test_who_subscribes_too_late_is_told_so(db: Database) -> None:
    await db.close()
    with anyio.fail_after(20), pytest.raises(DatabaseUnavailable):
        await db.notifications.subscribe(CHANNEL, Heard())
