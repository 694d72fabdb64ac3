"""LISTEN: heard by channel, said again after a loss."""

import anyio
import psycopg

from mcp_memory.db.database import Database
from mcp_memory.db.notifications import RECONNECTED, Notifications

CHANNEL = "a channel with 'quotes'"


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


def notify(url: str, channel: str, payload: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT pg_notify(%s, %s)", (channel, payload))


async def test_a_payload_reaches_the_listeners_of_its_channel(
    db: Database, database_url: str
) -> None:
    heard, other = Heard(), Heard()
    notifications = Notifications(db)
    notifications.subscribe(CHANNEL, heard)
    notifications.subscribe("another", other)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(notifications.run)
        await heard.until(RECONNECTED)
        notify(database_url, CHANNEL, "x")
        await heard.until(RECONNECTED, "x")
        tasks.cancel_scope.cancel()

    assert other.payloads == [RECONNECTED]
    assert not notifications.is_listening


async def test_after_a_lost_connection_listeners_are_told_to_look(
    db: Database, database_url: str
) -> None:
    heard = Heard()
    notifications = Notifications(db)
    notifications.subscribe(CHANNEL, heard)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(notifications.run)
        await heard.until(RECONNECTED)
        with psycopg.connect(database_url, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        await heard.until(RECONNECTED, RECONNECTED)
        notify(database_url, CHANNEL, "after")
        await heard.until(RECONNECTED, RECONNECTED, "after")
        tasks.cancel_scope.cancel()
