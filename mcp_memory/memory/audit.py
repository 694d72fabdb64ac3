"""Who did what to which object: a row inside the caller's own transaction, never any text.

Where `audit.enabled` is off, transactions say so (mcp_memory.audit), and no row is added.
"""

from dataclasses import dataclass

from mcp_memory.postgres.connection import Connection


@dataclass(frozen=True, slots=True)
class Event:
    """`agent` did `action` (such as `write`) to the `kind` (such as `document`) of this id."""

    agent: str
    action: str
    kind: str
    object_id: str


_RECORD = """
INSERT INTO audit_log (agent_id, action, kind, object_id)
SELECT %(agent)s, %(action)s, %(kind)s, %(object_id)s
WHERE current_setting('mcp_memory.audit', true) IS DISTINCT FROM 'off'
"""


async def record(conn: Connection, event: Event) -> None:
    """Add the event to the log, where there is one; it is there if the transaction commits."""
    await conn.execute(
        _RECORD,
        {
            "agent": event.agent,
            "action": event.action,
            "kind": event.kind,
            "object_id": event.object_id,
        },
    )
