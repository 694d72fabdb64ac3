"""Which paths a document may have."""

import re

from mcp_memory.errors import InvalidInput
from mcp_memory.text.storable import is_storable

_DRIVE = re.compile(r"[A-Za-z]:")


def check_path(path: str, longest: int) -> str:
    """The path itself; `InvalidInput` when it is absolute, climbs, or cannot be a path."""
    problem = _problem(path, longest)
    if problem:
        raise InvalidInput("path", problem)
    return path


def check_prefix(parameter: str, prefix: str) -> str:
    """The beginning of a path; `InvalidInput` when no path can begin so."""
    if prefix.startswith(("/", "\\", "~")) or _DRIVE.match(prefix):
        raise InvalidInput(parameter, "is absolute; use a relative one such as notes/")
    if any(part in (".", "..") for part in re.split(r"[/\\]", prefix)[:-1]) or prefix == "..":
        raise InvalidInput(parameter, "has a '.' or '..' part; use a plain one such as notes/")
    return prefix


def _problem(path: str, longest: int) -> str:
    if not path.strip():
        return "is empty; use one such as notes/today.md"
    if len(path) > longest:
        return f"is longer than {longest} characters"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        return "holds control characters"
    if not is_storable(path):
        return "is not UTF-8, which cannot be stored"
    if path.startswith(("/", "\\", "~")) or _DRIVE.match(path):
        return "is absolute; use a relative one such as notes/today.md"
    if any(part in ("", ".", "..") for part in re.split(r"[/\\]", path)):
        return "has an empty, '.' or '..' part; use a plain one such as notes/today.md"
    return ""
