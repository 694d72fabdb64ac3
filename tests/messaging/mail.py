"""Sending and taking mail in tests, past the tool."""

from collections.abc import Sequence

from mcp_memory.app import App
from mcp_memory.config import Config
from mcp_memory.memory.mail.model import Mail, MailFilter, SendMessage

ALL = MailFilter()


def config_at(url: str, **keys: object) -> Config:
    """A configuration on that database, with a small pool."""
    database = {"url": url, "pool": {"min": 0, "max": 4}}
    return Config.model_validate(
        {"database": database, "embeddings": {"provider": "hashing"}} | keys
    )


async def arrive(app: App, *agents: str) -> None:
    """Let the agents be known."""
    for agent in agents:
        await app.presence.note(app.mail_session(agent))


async def send(app: App, sender: str, to: str, content: str, priority: int = 5) -> int:
    """The id of the message that was sent."""
    request = SendMessage(content, [to], priority=priority)
    return int((await app.messages.send(app.mail_session(sender), request)).message_id)


async def take(app: App, agent: str, timeout_seconds: float = 0, limit: int = 20) -> list[Mail]:
    """What a wait hands out."""
    return await app.messages.wait(
        app.mail_session(agent), ALL, timeout_seconds=timeout_seconds, limit=limit
    )


async def acknowledge(app: App, agent: str, mails: Sequence[Mail]) -> None:
    """Have read these."""
    await app.messages.acknowledge(app.mail_session(agent), [str(mail.id) for mail in mails])


def contents(mails: Sequence[Mail]) -> list[str]:
    """What they say, in order."""
    return [mail.content for mail in mails]
