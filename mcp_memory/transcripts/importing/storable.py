"""Making a message of a file fit the database: nothing of it is left out."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import cast

from mcp_memory.transcripts.models import NewMessage

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MAX_ID_CHARS = 180
_MAX_METADATA_CHARS = 32_768


def fitting(message: NewMessage, most_bytes: int) -> Iterator[NewMessage]:
    """The message, or its parts where it is longer than one may be; what is no text is marked."""
    clean = replace(
        message,
        id=message.id
        if len(message.id) <= _MAX_ID_CHARS
        else sha256(message.id.encode()).hexdigest(),
        content=_UNSTORABLE.sub("\ufffd", message.content),
        metadata=_fitting_metadata(message),
    )
    for place, part in enumerate(_parts(clean.content, most_bytes), start=1):
        number = "" if place == 1 else f"/{place}"
        yield replace(clean, id=f"{clean.id}{number}", content=part)


def _fitting_metadata(message: NewMessage) -> dict[str, object]:
    plain = json.dumps(dict(message.metadata), default=str, ensure_ascii=False)
    clean = _UNSTORABLE.sub("\ufffd", plain).replace("\\u0000", "\ufffd")
    return cast("dict[str, object]", json.loads(clean)) if len(clean) <= _MAX_METADATA_CHARS else {}


def _parts(content: str, most_bytes: int) -> Iterator[str]:
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
