"""Dates in arguments: read in the configured time zone, empty for none."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from mcp_memory.config import Config
from mcp_memory.text.times.arguments import parse_instant


def instant(config: Config, parameter: str, text: str, *, day_end: bool = False) -> datetime | None:
    """The instant a parameter names; `InvalidInput` when it cannot be read."""
    if not text.strip():
        return None
    zone = ZoneInfo(config.timezone)
    return parse_instant(parameter, text, now=datetime.now(UTC), zone=zone, day_end=day_end)
