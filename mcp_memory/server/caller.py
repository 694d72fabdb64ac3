"""Who calls: the identity that every tool, resource and prompt acts for."""

from dataclasses import dataclass

from mcp_memory.config import Config


@dataclass(frozen=True, slots=True)
class Caller:
    """The agent that a call acts for; never taken from a tool's arguments."""

    agent: str


def caller_of(config: Config) -> Caller:
    """The caller of the call that is being answered: on stdio the configured agent."""
    return Caller(config.agent)
