"""What documents are, what is asked of them, and what comes back."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mcp_memory.errors import InvalidInput
from mcp_memory.text.terms import is_storable

WriteMode = Literal["append", "replace", "create"]


@dataclass(frozen=True, slots=True)
class Document:
    """A document as its table knows it, without its text."""

    id: int
    agent_id: str
    shared: bool
    path: str
    title: str
    tags: list[str]
    version: int
    tokens: int
    sha256: bytes
    occurred_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class WriteDocument:
    """A write; None keeps what the document has (a new one: no tags, private, now)."""

    path: str
    content: str
    mode: WriteMode = "append"
    tags: list[str] | None = None
    occurred_at: datetime | None = None
    shared: bool | None = None
    expected_version: int | None = None
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class WriteReceipt:
    """What a write left behind. `chunks` counts all of the document's, not only the new ones.

    `changed` is false when the document was like this before: then there is no new version.
    """

    path: str
    version: int
    chunks: int
    pending_embeddings: int
    created: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some lines of a document; the numbers are 1-based and inclusive."""

    path: str
    text: str
    start_line: int
    end_line: int
    total_lines: int
    version: int
    updated_at: datetime
    owner: str


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """A document in a list."""

    path: str
    title: str
    version: int
    updated_at: datetime
    tokens: int
    shared: bool
    owner: str


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of a document: deleted at an instant, restored, or purged."""

    path: str
    deleted_at: datetime | None = None
    restored: bool = False
    purged: bool = False


@dataclass(frozen=True, slots=True)
class PurgeCounts:
    """How much was removed for good: deleted documents, and kept answers to repeated writes."""

    documents: int
    idempotency_keys: int


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
