"""Processes of their own: one that takes and acknowledges until there is nothing left, and one
that is killed the moment its message is sent."""

import os
import signal
import sys

import anyio

from mcp_memory.app import App, open_app
from tests.messaging.mail import acknowledge, config_at, send, take


async def drain(app: App) -> None:
    """Say the priority and id of each of bob's messages, once it is acknowledged."""
    while mails := await take(app, "bob", timeout_seconds=2, limit=3):
        await acknowledge(app, "bob", mails)
        for mail in mails:
            sys.stdout.write(f"{mail.priority} {mail.id}\n")


async def send_and_die(app: App) -> None:
    """Leave no chance to do anything after the commit."""
    await send(app, "alice", "bob", "last words")
    os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, what: str) -> None:
    """Do one of the two."""
    async with open_app(config_at(url)) as app:
        await (drain if what == "drain" else send_and_die)(app)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2])
