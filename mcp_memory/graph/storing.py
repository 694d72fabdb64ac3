"""The steps of storing a fact, inside the transaction of whoever asks for it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.db.connection import Connection
from mcp_memory.errors import InvalidInput
from mcp_memory.graph import revision, store, writing
from mcp_memory.graph.entities import resolving
from mcp_memory.graph.entities.resolving import Resolution
from mcp_memory.graph.models import (
    EntityCandidate,
    NewFact,
    SimilarFact,
    Span,
    Statements,
    VersionContent,
)
from mcp_memory.graph.names import fact_id
from mcp_memory.graph.provenance import trust_of
from mcp_memory.graph.similarity import proposing
from mcp_memory.spaces.models import QueryVector


@dataclass(frozen=True, slots=True)
class SimilarityContext:
    """What a new fact is compared by: its vector, and the relations with one object at a time."""

    query: QueryVector
    functional: Collection[str]


async def store_fact(
    conn: Connection, agent: str, fact: NewFact, similarity: SimilarityContext, zone: tzinfo
) -> dict[str, object]:
    """The fact's response: ids and numbers. Exactly the same again is what is there."""
    fingerprint = writing.make_fingerprint(fact)
    if (number := await store.find_repeat(conn, fingerprint)) is not None:
        return await _repeat_response(conn, number)
    if fact.expires_at is not None and fact.expires_at <= datetime.now(UTC):
        raise InvalidInput("expires_at", "lies in the past; use a date to come, such as 2030-01-31")
    await store.release_expired(conn, fingerprint)
    links = await writing.to_links(conn, fact.associations)
    ended = await writing.lock_chain(conn, agent, fact.supersedes)
    number = await store.add_fact(conn, fact, fingerprint, ended[-1] if ended else None)
    if number is None:
        number = await store.find_repeat(conn, fingerprint)
        assert number is not None
        return await _repeat_response(conn, number)
    version = await with_trust(conn, revision.make_first_version(number, agent, fact))
    resolution = await resolving.resolve(conn, fact.entities, fact.relations)
    statements = Statements(resolution.mentions, resolution.relations, links)
    response = await _put_first(conn, fact, version, statements, similarity, ended, zone)
    await audit.record(conn, Event(agent, "store", "memory", fact_id(number)))
    return response | {"entities": await _entity_rows(conn, resolution)}


async def _put_first(
    conn: Connection,
    fact: NewFact,
    version: VersionContent,
    statements: Statements,
    similarity: SimilarityContext,
    ended: Sequence[int],
    zone: tzinfo,
) -> dict[str, object]:
    """Keep the version from its beginning on; without one, what supersedes is true from now."""
    at = await store.next_instant(conn, [version.memory_id, *ended])
    start = fact.valid_from or (at if ended else None)
    if start is not None and fact.valid_until is not None and start >= fact.valid_until:
        raise InvalidInput("valid_until", "is past already; give valid_from too")
    span = Span(version.memory_id, 1, start, fact.valid_until)
    similar = await _propose(conn, version, span, statements, similarity)
    await writing.put_version(conn, version, statements, span, ends=ended, at=at, zone=zone)
    await store.set_fingerprint(conn, ended, None)
    superseded = {fact_id(number) for number in ended}
    return {
        "number": version.memory_id,
        "version": 1,
        "memory_type": version.memory_type,
        "repeated": False,
        "similar": [
            [other.id, other.score, other.contradicts]
            for other in similar
            if other.id not in superseded
        ],
    }


async def _repeat_response(conn: Connection, number: int) -> dict[str, object]:
    version = await store.get_newest(conn, number)
    return {
        "number": number,
        "version": version.version,
        "memory_type": version.memory_type,
        "repeated": True,
        "similar": [],
        "entities": [],
    }


async def with_trust(conn: Connection, version: VersionContent) -> VersionContent:
    """The version with its session, and with the least trust of its source and its messages."""
    session_id, roles = await store.get_speakers(conn, version.message_ids)
    return replace(version, session_id=session_id, trust=trust_of(version.source, roles))


async def _propose(
    conn: Connection,
    version: VersionContent,
    span: Span,
    statements: Statements,
    similarity: SimilarityContext,
) -> list[SimilarFact]:
    """What contradicts the fact, then what else is like it."""
    contradictions = await proposing.find_contradictions(
        conn, version.content, span, statements.relations, similarity.functional
    )
    similar = await proposing.find_similar(
        conn, version.memory_id, version.content, similarity.query
    )
    numbers = {other.id for other in contradictions}
    return [*contradictions, *(other for other in similar if other.id not in numbers)]


async def _entity_rows(conn: Connection, resolution: Resolution) -> list[object]:
    """The entities by number, whether each is new, and what a new one may be another name of."""
    rows: dict[int, object] = {}
    for mention in resolution.mentions:
        if mention.entity_id not in rows:
            is_new = mention.entity_id in resolution.created
            candidates: list[EntityCandidate] = (
                await resolving.find_candidates(conn, mention) if is_new else []
            )
            rows[mention.entity_id] = [
                mention.entity_id,
                is_new,
                [[candidate.id, candidate.score] for candidate in candidates],
            ]
    return list(rows.values())
