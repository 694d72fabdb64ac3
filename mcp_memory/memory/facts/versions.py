"""A revision of a fact: what it is like after a change, and how long that is true; pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from mcp_memory.errors import FactConflict, InvalidInput
from mcp_memory.memory.facts.model import (
    DEFAULT_IMPORTANCE,
    FactChange,
    FactHead,
    NewFact,
    Span,
    Statements,
    VersionContent,
)
from mcp_memory.text.tokens import estimate_tokens

# A change of one of these leaves what is said as it was: told again, it is still a repeat.
METADATA_FIELDS = frozenset({"reasoning", "importance", "confidence", "source", "message_ids"})

_FIELDS = (
    "content",
    "memory_type",
    "reasoning",
    "importance",
    "confidence",
    "source",
    "message_ids",
    "tags",
    "occurred_at",
    "shared",
)


def make_first_version(number: int, agent: str, fact: NewFact) -> VersionContent:
    """The version that a stored fact begins with; whom to trust for it is not said yet."""
    importance = fact.importance
    return VersionContent(
        memory_id=number,
        version=1,
        agent_id=agent,
        shared=fact.shared,
        memory_type=fact.memory_type,
        content=fact.content,
        tokens=estimate_tokens(fact.content),
        reasoning=fact.reasoning,
        importance=DEFAULT_IMPORTANCE[fact.memory_type] if importance is None else importance,
        confidence=fact.confidence,
        source=fact.source,
        trust="agent",
        session_id="",
        message_ids=list(fact.message_ids),
        tags=sorted(set(fact.tags)),
        occurred_at=fact.occurred_at,
        reason="",
    )


def revise_version(before: VersionContent, request: FactChange) -> VersionContent:
    """The version after it; what the request leaves open is as it was.

    An importance that was only its type's usual one follows the type.
    """
    after = replace(before, version=before.version + 1, reason=request.reason)
    if request.memory_type and before.importance == DEFAULT_IMPORTANCE[before.memory_type]:
        after = replace(after, importance=DEFAULT_IMPORTANCE[request.memory_type])
    return replace(
        after,
        shared=before.shared if request.shared is None else request.shared,
        memory_type=request.memory_type or before.memory_type,
        content=before.content if request.content is None else request.content,
        tokens=before.tokens if request.content is None else estimate_tokens(request.content),
        reasoning=before.reasoning if request.reasoning is None else request.reasoning,
        importance=after.importance if request.importance is None else request.importance,
        confidence=before.confidence if request.confidence is None else request.confidence,
        source=before.source if request.source is None else request.source,
        message_ids=before.message_ids
        if request.message_ids is None
        else list(request.message_ids),
        tags=before.tags if request.tags is None else sorted(set(request.tags)),
        occurred_at=request.occurred_at or before.occurred_at,
    )


def revise_expiry(before: FactHead, request: FactChange) -> datetime | None:
    """When the fact expires after the change."""
    if request.expires_at is None:
        return before.expires_at
    return None if request.expires_at == "never" else request.expires_at


def revise_span(
    before: Span | None, request: FactChange, *, version: int, superseded: bool, at: datetime
) -> Span:
    """How long the change is true: from its own beginning, else from now on.

    A change of the end alone, or of what is over because something supersedes it, keeps the
    beginning: it corrects what was told, and lasts no longer than that.
    """
    if before is None:
        raise _make_superseded_conflict(request)
    keeps = superseded or (request.valid_until is not None and request.content is None)
    start = request.valid_from or (before.valid_from if keeps else at)
    end = _revise_end(before, request, start)
    if superseded and before.valid_until is not None:
        end = before.valid_until if end is None else min(end, before.valid_until)
        if start is not None and start >= end:
            raise _make_superseded_conflict(request)
    if start is not None and end is not None and start >= end:
        raise InvalidInput(
            "valid_until" if request.valid_until else "valid_from",
            f"the change would begin at {start.isoformat()} and end at {end.isoformat()};"
            " give both, the earlier one as valid_from",
        )
    return Span(before.memory_id, version, start, end)


def _revise_end(before: Span, request: FactChange, start: datetime | None) -> datetime | None:
    """A new end, else the one that is known, unless that is past when the change begins."""
    if request.valid_until is not None:
        return None if request.valid_until == "never" else request.valid_until
    if start is not None and before.valid_until is not None and before.valid_until <= start:
        return None
    return before.valid_until


def _make_superseded_conflict(request: FactChange) -> FactConflict:
    return FactConflict(
        f"Memory {request.id} was superseded and is over by then: change what superseded it, or"
        " store it anew."
    )


def list_changes(
    before: tuple[VersionContent, Statements, FactHead],
    after: tuple[VersionContent, Statements, FactHead],
    request: FactChange,
) -> list[str]:
    """The names of the fields that differ, in the order of the tool's parameters."""
    (old, old_statements, old_head), (new, new_statements, new_head) = before, after
    changed = [name for name in _FIELDS if getattr(old, name) != getattr(new, name)]
    if _entities(old_statements) != _entities(new_statements):
        changed.append("entities")
    if old_statements.relations != new_statements.relations:
        changed.append("relations")
    if set(old_statements.links) != set(new_statements.links):
        changed.append("associations")
    if old_head.expires_at != new_head.expires_at:
        changed.append("expires_at")
    if old_head.supersedes != new_head.supersedes:
        changed.append("supersedes")
    if request.valid_from is not None:
        changed.append("valid_from")
    if request.valid_until is not None:
        changed.append("valid_until")
    return changed


def _entities(statements: Statements) -> set[tuple[int, str, tuple[str, ...]]]:
    return {
        (mention.entity_id, mention.normal, tuple(mention.known_as))
        for mention in statements.mentions
    }


def cut_spans(
    spans: Iterable[Span],
    start: datetime | None,
    end: datetime | None,
    *,
    corrects: Span | None = None,
) -> Iterator[tuple[Span, Span | None]]:
    """Each span that the new one from `start` until `end` changes, with what is left of it."""
    for span in spans:
        left = _rest_of(span, start, None if span == corrects else end)
        if left != span:
            yield span, left


def _rest_of(span: Span, start: datetime | None, end: datetime | None) -> Span | None:
    if start is not None and (span.valid_from is None or span.valid_from < start):
        is_over = span.valid_until is not None and span.valid_until <= start
        return span if is_over else replace(span, valid_until=start)
    if end is None or span.valid_from == start:
        return None
    if span.valid_from is not None and span.valid_from >= end:
        return span
    if span.valid_until is not None and span.valid_until <= end:
        return None
    return replace(span, valid_from=end)


def contains(span: Span, instant: datetime) -> bool:
    """Whether the span contains the instant; its end does not belong to it."""
    return (span.valid_from is None or span.valid_from <= instant) and (
        span.valid_until is None or instant < span.valid_until
    )
