"""A process of its own that appends to one session: numbers from its own and from shared ids."""

import sys

import anyio

from mcp_memory.app import open_app
from mcp_memory.config import Config
from mcp_memory.memory.conversations.models import AppendMessages, NewMessage


async def append(url: str, name: str, count: int) -> None:
    """Append so many messages of our own, and as many that everybody appends."""
    config = Config.model_validate(
        {"database": {"url": url}, "embeddings": {"provider": "hashing"}}
    )
    async with open_app(config) as app:
        for number in range(count):
            own = NewMessage("user", f"{name} says {number}", f"{name}{number}")
            common = NewMessage("user", f"all say {number}", f"all{number}")
            await app.transcripts.append(app.session("alice"), AppendMessages("s", [own, common]))


if __name__ == "__main__":
    anyio.run(append, sys.argv[1], sys.argv[2], int(sys.argv[3]))
