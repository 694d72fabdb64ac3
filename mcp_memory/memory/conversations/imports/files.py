"""Files read in whole lines from where the last reading ended, however long a line is."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

# A batch is what one transaction and one thread may be busy with, whatever the lines are like.
_BLOCK_BYTES = 1_048_576
_BATCH_BYTES = 8 * _BLOCK_BYTES
_BATCH_LINES = 500
# Enough to tell a replaced or cut file from one that grew.
_FINGERPRINT_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its newline, and where in the file it starts."""

    start: int
    text: bytes
    is_ended: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Some lines; `end` is where the next batch starts."""

    lines: list[Line]
    end: int


def read_batch(path: Path, start: int) -> Batch:
    """The next lines of the file, no more than some; none at its end.

    The last line of a file may not have ended yet: it comes too, marked, for whoever can tell
    whether it is whole.
    """
    lines: list[Line] = []
    position, unfinished = start, [b""]
    with path.open("rb") as file:
        file.seek(start)
        while len(lines) < _BATCH_LINES and position - start < _BATCH_BYTES:
            block = file.read(_BLOCK_BYTES)
            if not block:
                break
            # Only what is new is looked through: a line of many blocks costs no more than they.
            *ended, rest = block.split(b"\n")
            for part in ended:
                text = b"".join([*unfinished, part])
                lines.append(Line(position, text, is_ended=True))
                position += len(text) + 1
                unfinished = []
            unfinished.append(rest)
        else:
            return Batch(lines, position)
    if text := b"".join(unfinished):
        lines.append(Line(position, text, is_ended=False))
    return Batch(lines, position)


def fingerprint(path: Path, read_to: int) -> bytes | None:
    """A hash of the first bytes and of the last ones before `read_to`; None for a shorter file."""
    with path.open("rb") as file:
        head = file.read(min(_FINGERPRINT_BYTES, read_to))
        file.seek(max(0, read_to - _FINGERPRINT_BYTES))
        last = file.read(min(_FINGERPRINT_BYTES, read_to))
        file.seek(0, 2)
        if file.tell() < read_to:
            return None
    return hashlib.sha256(head + last).digest()
