"""What is said in the tests of transcripts, and what the database then holds."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import anyio

from mcp_memory.app import App
from mcp_memory.memory.conversations.models import (
    AppendMessages,
    AppendResult,
    MessageFilter,
    NewMessage,
    Role,
)
from mcp_memory.search.messages import Match, TranscriptRequest

DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)


def said(
    number: int,
    content: str = "",
    *,
    role: Role = "user",
    speaker: str = "",
    minutes: int | None = None,
) -> NewMessage:
    """Message `number`: its id, its words, and an instant so many minutes into the day."""
    return NewMessage(
        role=role,
        content=content or f"message number {number} of the conversation",
        id=f"m{number}",
        speaker=speaker,
        created_at=DAY + timedelta(minutes=number if minutes is None else minutes),
    )


async def tell(
    app: App, session_id: str, *messages: NewMessage, agent: str = "alice", source: str = ""
) -> AppendResult:
    """Append these messages."""
    request = AppendMessages(session_id, messages, source)
    return await app.transcripts.append(app.session(agent), request)


async def tell_each(app: App, session_id: str, messages: Sequence[NewMessage]) -> None:
    """Append these messages one by one."""
    for message in messages:
        await tell(app, session_id, message)


async def find(
    app: App,
    query: str,
    *,
    match: Match = "hybrid",
    wanted: MessageFilter | None = None,
    max_results: int = 5,
    agent: str = "alice",
) -> list[str]:
    """The ids of the messages that a search finds, best first."""
    request = TranscriptRequest(query, match, wanted or MessageFilter(), max_results, 0.0)
    answer = await app.search.messages(app.session(agent), request)
    assert answer.degraded == []
    return [hit.message.id for hit in answer.results]


async def until_embedded(app: App, agent: str = "alice") -> None:
    """Return when every message of the agent has its vector."""
    with anyio.fail_after(20):
        while (await app.transcripts.stats(app.session(agent))).pending_embeddings:  # noqa: ASYNC110 - a row tells, no event does
            await anyio.sleep(0.01)


Rows = list[tuple[object, ...]]

_INDEXED = """
SELECT m.external_id, c.position, c.heading, c.start_line, c.end_line, c.text, c.text_hash,
       c.tokens, c.lexemes::text, c.context, c.role, c.speaker, c.origin, c.path, c.title,
       c.occurred_at
FROM chunks c
JOIN session_messages m ON m.id = c.message_id
JOIN sessions s ON s.id = m.session AND s.session_id = %(session_id)s
ORDER BY 1, 2
"""


async def indexed(app: App, session_id: str) -> Rows:
    """Everything that the session's messages are found by, but for their numbers."""
    async with app.session("alice").maintaining() as conn:
        return await (await conn.execute(_INDEXED, {"session_id": session_id})).fetchall()


_VECTORS = """
SELECT m.external_id, c.position, e.embedding::text, e.alone::text
FROM chunks c
JOIN session_messages m ON m.id = c.message_id
JOIN sessions s ON s.id = m.session AND s.session_id = %(session_id)s
JOIN vectors e ON e.chunk_id = c.id
ORDER BY 1, 2
"""


async def vectors(app: App, session_id: str) -> Rows:
    """The vectors of the session's messages."""
    async with app.session("alice").maintaining() as conn:
        return await (await conn.execute(_VECTORS, {"session_id": session_id})).fetchall()
