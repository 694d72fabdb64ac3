"""What documents are, what is asked of them, and what comes back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A piece of a document on its way into the database."""

    position: int
    heading: str
    start_line: int
    end_line: int
    text: str
    text_hash: bytes
    tokens: int
    lexemes: str = ""
