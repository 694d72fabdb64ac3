"""Where settings come from: what a value's validator may ask about the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mcp_memory.errors import ConfigError

Key = tuple[str, ...]


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
