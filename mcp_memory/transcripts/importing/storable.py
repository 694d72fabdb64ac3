"""Making a message of a file fit the database: nothing of it is left out."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import cast

from mcp_memory.transcripts.models import NewMessage

_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
_MAX_ID_CHARS = 180
_MAX_METADATA_CHARS = 32_768


def fit_message(message: NewMessage, most_bytes: int) -> Iterator[NewMessage]:
    """The message, or its parts where it is longer than one may be; what is no text is marked."""
    clean = replace(
        message,
        id=message.id
        if len(message.id) <= _MAX_ID_CHARS
        else sha256(message.id.encode()).hexdigest(),
        content=_NOT_STORABLE.sub("\ufffd", message.content),
        metadata=_fit_metadata(message),
    )
    for number, part in enumerate(_split_content(clean.content, most_bytes), start=1):
        suffix = "" if number == 1 else f"/{number}"
        yield replace(clean, id=f"{clean.id}{suffix}", content=part)


def _fit_metadata(message: NewMessage) -> dict[str, object]:
    plain = json.dumps(dict(message.metadata), default=str, ensure_ascii=False)
    clean = _NOT_STORABLE.sub("\ufffd", plain).replace("\\u0000", "\ufffd")
    return cast("dict[str, object]", json.loads(clean)) if len(clean) <= _MAX_METADATA_CHARS else {}


def _split_content(content: str, most_bytes: int) -> Iterator[str]:
    encoded = content.encode()
    start = 0
    while len(encoded) - start > most_bytes:
        end = start + most_bytes
        # Not inside a letter: continuation bytes begin with the bits 10.
        while encoded[end] & 0xC0 == 0x80:
            end -= 1
        yield encoded[start:end].decode()
        start = end
    yield encoded[start:].decode()
