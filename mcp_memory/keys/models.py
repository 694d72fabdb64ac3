"""What a key is, what is asked for when one is made, and the text that its holder keeps."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")

_TOKEN = re.compile(r"mm_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be made. `databases` None: all of them; `lifetime` None: until it is revoked."""

    agent: str
    scopes: Sequence[Scope] = ("read", "write")
    databases: Sequence[str] | None = None
    lifetime: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the table knows it, without what proves it."""

    id: str
    agent: str
    scopes: list[Scope]
    databases: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key that has just been made: the only moment at which its text exists."""

    key: Key
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A key's text: `mm_`, the id that finds it, and 256 random bits that prove it."""

    id: str
    secret: str

    @classmethod
    def fresh(cls) -> Self:
        """A token that nobody has seen."""
        return cls(secrets.token_hex(6), secrets.token_urlsafe(32))

    @classmethod
    def parsed(cls, text: str) -> Self | None:
        """The token that a text is, or None."""
        match = _TOKEN.fullmatch(text)
        return cls(match[1], match[2]) if match else None

    @property
    def text(self) -> str:
        """The whole token, for its holder alone."""
        return f"mm_{self.id}_{self.secret}"

    @property
    def secret_hash(self) -> bytes:
        """What is stored. So much randomness cannot be guessed: one fast hash is enough."""
        return hashlib.sha256(self.secret.encode()).digest()

    def __repr__(self) -> str:
        return f"Token({self.id})"
