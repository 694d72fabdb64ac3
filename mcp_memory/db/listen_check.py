"""Whether what is notified in a database is heard where this configuration listens."""

import uuid

from psycopg import sql

from mcp_memory.db import provision
from mcp_memory.db.addresses import Address
from mcp_memory.db.translate import translated

_HEARD_SECONDS = 5.0


async def is_heard(address: Address) -> bool:
    """Notify at the database's address, listen past any pooler; `DatabaseError` without a server.

    Behind a pooler in transaction mode LISTEN is answered like anything else, and nothing comes.
    """
    channel = f"mcp_memory_doctor_{uuid.uuid4().hex}"
    listen = sql.SQL("LISTEN {}").format(sql.Identifier(channel))
    with translated(address.name):
        async with await provision.connect(address.direct_url) as listener_conn:
            await listener_conn.execute(listen)
            async with await provision.connect(address.url) as sender_conn:
                await sender_conn.execute("SELECT pg_notify(%s, '')", (channel,))
            async for _ in listener_conn.notifies(timeout=_HEARD_SECONDS, stop_after=1):
                return True
    return False
