"""The types of single settings: names, zones, folders and hours, and what checks them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from mcp_memory.errors import ConfigError, nearest

Key = tuple[str, ...]

Toolset = Literal["documents", "transcripts", "graph", "messages", "databases"]
ALL_TOOLSETS: tuple[Toolset, ...] = ("documents", "transcripts", "graph", "messages", "databases")

_AGENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_DATABASE_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_QUIET_HOURS = re.compile(r"(\d{2}:\d{2})-(\d{2}:\d{2})")


@dataclass(frozen=True, slots=True)
class Sources:
    """Passed to pydantic as validation context: the environment, and who set which key."""

    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    origins: Mapping[Key, str] = field(default_factory=dict[Key, str])


def home(environ: Mapping[str, str]) -> Path:
    """The user's home folder; without HOME, the one the system's user list knows."""
    named = environ.get("HOME") or environ.get("USERPROFILE")
    if named:
        return Path(named)
    try:
        return Path.home()
    except RuntimeError as exc:
        raise ConfigError("the home folder is unknown: set HOME") from exc


def expand(path: Path, environ: Mapping[str, str]) -> Path:
    """The absolute path that `~/…` means, judged by the given environment."""
    if path.parts[:1] == ("~",):
        return home(environ).joinpath(*path.parts[1:])
    return path


def is_agent_name(name: str) -> bool:
    """Whether an agent can be called so."""
    return _AGENT_NAME.fullmatch(name) is not None


def _agent_name(name: str) -> str:
    if not is_agent_name(name):
        raise ValueError(
            "is not an agent name: letters, digits and _.:- after a letter or digit, at most 64"
        )
    return name


def _database_name(name: str) -> str:
    if not _DATABASE_NAME.fullmatch(name):
        raise ValueError(
            "is not a database name: lower-case letters, digits and _, starting with a letter,"
            f" at most 48. Try {nearest_database_name(name)!r}."
        )
    return name


def nearest_database_name(name: str) -> str:
    """The valid database name made of what can be kept of the given text."""
    words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return words.lstrip("0123456789_")[:48].rstrip("_") or "memory"


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        hint = nearest(name, sorted(available_timezones()))
        raise ValueError(f"{name[:80]!r} is not an IANA time zone.{hint}") from exc
    return name


def _absolute(path: Path, info: ValidationInfo) -> Path:
    sources = info.context if isinstance(info.context, Sources) else Sources()
    expanded = expand(path, sources.environ)
    if not expanded.is_absolute():
        raise ValueError("must be an absolute path, or start with ~/")
    return expanded


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _without_repeats(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("names the same thing twice")
    return names


def _in_ascending_order(percents: tuple[int, ...]) -> tuple[int, ...]:
    if list(percents) != sorted(set(percents)):
        raise ValueError("must go up from one to the next")
    return percents


def check_quiet_hours(text: str) -> str:
    """The text itself, empty for none; `ValueError` when it is not such a span."""
    if text:
        _ends(text)
    return text


def is_quiet(text: str, now: datetime) -> bool:
    """Whether the local time lies in these hours, which may pass midnight; the end does not."""
    if not text:
        return False
    begin, end = _ends(text)
    clock = now.time()
    if begin < end:
        return begin <= clock < end
    return clock >= begin or clock < end


def _ends(text: str) -> tuple[time, time]:
    match = _QUIET_HOURS.fullmatch(text)
    try:
        begin, end = (time.fromisoformat(part) for part in match.groups()) if match else (None,) * 2
    except ValueError:
        begin = end = None
    if begin is None or end is None or begin == end:
        raise ValueError("use two times of day such as 22:00-07:00")
    return begin, end


AgentName = Annotated[str, AfterValidator(_agent_name)]
DatabaseName = Annotated[str, AfterValidator(_database_name)]
TimeZoneName = Annotated[str, AfterValidator(_time_zone)]
Folder = Annotated[Path, AfterValidator(_absolute)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]
Toolsets = Annotated[tuple[Toolset, ...], Field(min_length=1), AfterValidator(_without_repeats)]
RelationName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
SourceName = Annotated[str, Field(min_length=1, max_length=100)]
FlushPercents = Annotated[
    tuple[Annotated[int, Field(ge=1, le=99)], ...], AfterValidator(_in_ascending_order)
]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
QuietHours = Annotated[str, AfterValidator(check_quiet_hours)]
