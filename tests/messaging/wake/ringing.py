"""An app that rings, and looks at what became of it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.mail.wake.model import WakeState

# Fast, so that a test need not wait for what is slow on purpose.
QUICK = {"gather_seconds": 0, "pause_seconds": 0, "retry_seconds": 0.05}


@asynccontextmanager
async def ringing(config: Config) -> AsyncGenerator[App]:
    """An open app whose worker rings until the block ends."""
    async with open_app(config) as app, anyio.create_task_group() as tasks:
        tasks.start_soon(app.wake.run)
        yield app
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def held_as_listener(app: App, agent: str) -> AsyncGenerator[None]:
    """Hold the lock that says somebody listens for the agent."""
    async with app.databases.direct_connection("main", create=False) as conn:
        await conn.execute(
            "SELECT pg_advisory_lock_shared(mcp_memory.listening_key(%(agent)s))", {"agent": agent}
        )
        yield


async def bell(app: App, sender: str, message_id: int) -> WakeState | None:
    """How the one recipient of the message was woken, if there is anything to say."""
    found = await app.wake.states(app.mail_session(sender), str(message_id))
    return found[0] if found else None


async def until_bell(
    app: App, sender: str, message_id: int, state: str, seconds: float = 30
) -> WakeState:
    """The bell, once it is in that state."""
    return await _until(app, sender, message_id, lambda found: found.state == state, seconds)


async def until_problem(app: App, sender: str, message_id: int) -> WakeState:
    """The bell, once an attempt has failed and that is written down."""
    return await _until(app, sender, message_id, lambda found: found.problem != "")


async def until_announced(app: App) -> None:
    """Wait until somebody can be woken: what is sent from now on has a bell of its own."""
    with anyio.fail_after(30):
        while True:
            if any(
                each.outbox is not None
                for each in await app.wake.list(app.mail_session(app.config.agent))
            ):
                return
            await anyio.sleep(0.02)


async def _until(
    app: App,
    sender: str,
    message_id: int,
    is_so: Callable[[WakeState], bool],
    seconds: float = 30,
) -> WakeState:
    with anyio.fail_after(seconds):
        while True:
            found = await bell(app, sender, message_id)
            if found is not None and is_so(found):
                return found
            await anyio.sleep(0.02)
