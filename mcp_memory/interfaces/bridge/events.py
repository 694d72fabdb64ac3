"""Events of mail: each message once, in the order it came, whatever happens to the connection.

A notification names a message, which is announced as it comes, unless another process of the agent
has taken it. What may have been missed, or was taken and not acknowledged, is found in the table:
after every (re)connection, and now and then.
"""

import logging
from collections.abc import Awaitable, Callable, Container, Sequence

import anyio
from anyio.abc import TaskStatus

from mcp_memory import __version__
from mcp_memory.app import App
from mcp_memory.errors import DatabaseError, DatabaseUnavailable
from mcp_memory.interfaces.bridge import protocol
from mcp_memory.interfaces.bridge.protocol import Output
from mcp_memory.interfaces.mcp.tools.mail_answers import MailAnswer
from mcp_memory.memory.mail.model import Mail
from mcp_memory.memory.mail.wait import hear_mail
from mcp_memory.postgres.notify import RECONNECTED
from mcp_memory.postgres.session import Session

_KEPT = 10_000


class SeenIds:
    """Ids of messages.

    The greatest one alone would not do: ids are given out before transactions commit, so a smaller
    one may become visible after a greater one.
    """

    def __init__(self) -> None:
        self._ids: dict[int, None] = {}

    def __contains__(self, id: int) -> bool:
        return id in self._ids

    def add(self, id: int) -> None:
        """Remember it."""
        self._ids[id] = None

    def forget_all_but(self, unread: Container[int]) -> None:
        """Forget what can hardly come again: what is not unread, the latest ones apart."""
        if len(self._ids) > 2 * _KEPT:
            old = [*self._ids][:-_KEPT]
            for id in old:
                if id not in unread:
                    del self._ids[id]


_LOOK_SECONDS = 15.0
_AGAIN_SECONDS = 1.0
_PAGE = 100
# Hints beyond these are dropped, and the table is read instead.
_MAX_HINTS = 10_000
_EVENT_FIELDS = {"id", "sender", "to", "type", "subject", "channel", "priority", "thread_id"}

logger = logging.getLogger(__name__)


class Announcer:
    """Tells an agent's mail as events; what is unread when it begins comes first."""

    def __init__(self, app: App, output: Output) -> None:
        self._app, self._output = app, output
        self._session = app.mail_session(app.config.agent)
        self._seen = SeenIds()
        self._hints: list[int] = []
        self._must_look = False
        self._look_at = 0.0
        self._connections = 0
        self._reported_connections = 1
        self._stirred = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Announce until cancelled, `ready` first; it has started when that is said.

        `DatabaseUnavailable` when listening cannot begin.
        """
        session = self._session
        # Noting has a time limit, which must not cut off the making of the database.
        database = await session.open(create=True)
        await self._app.presence.note(session)
        async with hear_mail(database, session.agent, self._hear) as subscription:
            if not subscription.is_listening:
                problem = f"LISTEN: {database.notifications.problem}"
                raise DatabaseUnavailable(session.database, problem)
            channels = await self._app.directory.subscriptions(session)
            await self._say(
                "ready",
                protocol=protocol.PROTOCOL,
                version=__version__,
                agent=session.agent,
                channels=channels,
            )
            task_status.started()
            while True:
                await self._announce()

    def _hear(self, payload: str) -> None:
        if payload.isdecimal() and len(self._hints) < _MAX_HINTS:
            self._hints.append(int(payload))
        else:
            self._must_look = True
            self._connections += payload == RECONNECTED
        self._stirred.set()

    async def _announce(self) -> None:
        """Wait until there may be something new, and tell it."""
        with anyio.CancelScope(deadline=self._look_at):
            await self._stirred.wait()
        self._stirred = anyio.Event()
        must_look = self._must_look or anyio.current_time() >= self._look_at
        hints, self._hints, self._must_look = self._hints, [], False
        try:
            if must_look:
                await self._look()
            news = [id for id in hints if id not in self._seen]
            await self._tell(news, self._app.messages.takeable)
        except DatabaseError as exc:
            logger.warning("what mail there is cannot be seen: %s", exc)
            self._must_look = True
            await anyio.sleep(_AGAIN_SECONDS)
            self._stirred.set()

    async def _look(self) -> None:
        """Tell what is free and was not told; after a reconnection, how much that is."""
        self._look_at = anyio.current_time() + _LOOK_SECONDS
        connections = self._connections
        free = await self._free()
        missed = [id for id in free if id not in self._seen]
        if connections > self._reported_connections:
            await self._say("reconnected", missed=len(missed))
            self._reported_connections = connections
        # As many as were said to be missed, even if somebody takes one just now.
        await self._tell(missed, self._app.messages.arrivals)
        self._seen.forget_all_but(set(free))

    async def _free(self) -> list[int]:
        """What is unread and held by nobody."""
        free: list[int] = []
        while page := await self._app.messages.unread_ids(
            self._session, after=free[-1] if free else 0, free_only=True
        ):
            free += page
        return free

    async def _tell(
        self, ids: Sequence[int], read: Callable[[Session, Sequence[int]], Awaitable[list[Mail]]]
    ) -> None:
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            mails = await read(self._session, page)
            by_id = {mail.id: mail for mail in mails if mail.state != "expired"}
            for id in page:
                if id in by_id and id not in self._seen:
                    await self._say("new_message", data=_data(by_id[id]))
                    self._seen.add(id)

    async def _say(self, name: str, **facts: object) -> None:
        await self._output.send(protocol.event(name, **facts))


def _data(mail: Mail) -> dict[str, object]:
    return MailAnswer.of(mail).model_dump(mode="json", include=_EVENT_FIELDS)
