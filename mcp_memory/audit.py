"""Who did what to which object: a row inside the caller's own transaction, never any text."""

from dataclasses import dataclass

from mcp_memory.db.cancellation import Connection


@dataclass(frozen=True, slots=True)
class Event:
    """`agent` did `action` (such as `write`) to the `kind` (such as `document`) of this id."""

    agent: str
    action: str
    kind: str
    object_id: str


_RECORD = """
INSERT INTO audit_log (agent_id, action, kind, object_id)
VALUES (%(agent)s, %(action)s, %(kind)s, %(object_id)s)
"""


async def record(conn: Connection, event: Event) -> None:
    """Add the event to the log; it is there if, and only if, the transaction commits."""
    await conn.execute(
        _RECORD,
        {
            "agent": event.agent,
            "action": event.action,
            "kind": event.kind,
            "object_id": event.object_id,
        },
    )
