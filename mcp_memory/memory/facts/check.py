"""What may not be stored as a fact: refused before anything is written."""

import re
from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from typing import TypeVar

from mcp_memory.errors import InvalidInput
from mcp_memory.memory.facts.model import EntityReference, FactChange, NewFact, RelationReference
from mcp_memory.text.terms import is_storable

Entry = TypeVar("Entry")

MAX_ENTRIES = 100
_MAX_NAME_CHARS = 200
_RELATION = re.compile(r"[a-z][a-z0-9_]{0,62}")


def check_fact(memory: NewFact, *, content_bytes: int) -> None:
    """`InvalidInput` naming the first field that cannot be stored."""
    _check_content(memory.content, content_bytes)
    _check_text("reasoning", memory.reasoning, content_bytes)
    _check_text("source", memory.source, 1000)
    _check_share("importance", memory.importance)
    _check_share("confidence", memory.confidence)
    _check_names("tags", memory.tags, 100)
    _check_names("message_ids", memory.message_ids, 1000)
    for entity in _check_count("entities", memory.entities):
        _check_entity(entity)
    for relation in _check_count("relations", memory.relations):
        _check_relation(relation)
    _check_count("associations", memory.associations)
    check_span("valid_until", memory.valid_from, memory.valid_until)


def check_change(change: FactChange, *, content_bytes: int) -> None:
    """`InvalidInput` naming the first field of a change that cannot be stored."""
    end = None if change.valid_until == "never" else change.valid_until
    as_if_new = NewFact(
        content="unchanged" if change.content is None else change.content,
        reasoning=change.reasoning or "",
        importance=change.importance,
        confidence=1.0 if change.confidence is None else change.confidence,
        source=change.source or "",
        entities=change.entities or (),
        relations=change.relations or (),
        associations=change.associations or (),
        valid_from=change.valid_from,
        valid_until=end,
        message_ids=change.message_ids or (),
        tags=change.tags or (),
    )
    check_fact(as_if_new, content_bytes=content_bytes)
    _check_text("reason", change.reason, content_bytes)


def check_span(parameter: str, start: datetime | None, end: datetime | None) -> None:
    """`InvalidInput` when it ends before it begins."""
    if start is not None and end is not None and start >= end:
        raise InvalidInput(parameter, f"{end.isoformat()} is not after {start.isoformat()}")


def relation_name(text: str) -> str:
    """The relation as it is kept: `Works at` is works_at."""
    name = re.sub(r"[\s\-]+", "_", text.strip().lower())
    if not _RELATION.fullmatch(name):
        raise InvalidInput(
            "relations", f"{text[:60]!r} is no relation; use a verb such as works_at"
        )
    return name


def _check_content(content: str, most: int) -> None:
    if not content.strip():
        raise InvalidInput("content", "is empty; say what to remember")
    _check_text("content", content, most)


def _check_text(parameter: str, text: str, most: int) -> None:
    if not is_storable(text):
        raise InvalidInput(parameter, "holds NUL or is not UTF-8; it cannot be stored")
    size = len(text.encode())
    if size > most:
        raise InvalidInput(parameter, f"{size} bytes are over the limit of {most}")


def _check_share(parameter: str, number: float | None) -> None:
    if number is not None and not (isfinite(number) and 0 <= number <= 1):
        raise InvalidInput(parameter, f"{number} cannot be used; use a number from 0 to 1")


def _check_names(parameter: str, names: Sequence[str], longest: int) -> None:
    for name in _check_count(parameter, names):
        if not name.strip() or len(name) > longest or not is_storable(name):
            raise InvalidInput(parameter, f"each is 1 to {longest} characters, without NUL")


def _check_count(parameter: str, entries: Sequence[Entry]) -> Sequence[Entry]:
    if len(entries) > MAX_ENTRIES:
        raise InvalidInput(parameter, f"{len(entries)} are over the limit of {MAX_ENTRIES}")
    return entries


def _check_entity(entity: EntityReference) -> None:
    _check_names("entities", (entity.name, *entity.aliases), _MAX_NAME_CHARS)
    if entity.type:
        _check_names("entities", (entity.type,), 60)


def _check_relation(relation: RelationReference) -> None:
    _check_names("relations", (relation.subject, relation.object), _MAX_NAME_CHARS)
    relation_name(relation.relation)
    check_span("relations", relation.valid_from, relation.valid_until)
