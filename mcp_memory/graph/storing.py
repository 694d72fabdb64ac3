"""The steps of storing a memory, inside the transaction of whoever asks for it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.db.connection import Connection
from mcp_memory.errors import InvalidInput
from mcp_memory.graph import revision, store, writing
from mcp_memory.graph.entities import resolving
from mcp_memory.graph.entities.resolving import Resolved
from mcp_memory.graph.models import Candidate, Similar, Span, Statements, StoreMemory, Version
from mcp_memory.graph.names import memory_id
from mcp_memory.graph.provenance import trust_of
from mcp_memory.graph.similarity import proposing
from mcp_memory.spaces.models import QueryVector


@dataclass(frozen=True, slots=True)
class SimilarityContext:
    """What a new memory is compared by: its vector, and the relations with one object at a time."""

    query: QueryVector
    functional: Collection[str]


async def store_memory(
    conn: Connection, agent: str, memory: StoreMemory, similarity: SimilarityContext, zone: tzinfo
) -> dict[str, object]:
    """The memory's response: ids and numbers. Exactly the same again is what is there."""
    fingerprint = writing.fingerprint(memory)
    if (known := await store.same(conn, fingerprint)) is not None:
        return await _repeated(conn, known)
    if memory.expires_at is not None and memory.expires_at <= datetime.now(UTC):
        raise InvalidInput("expires_at", "lies in the past; use a date to come, such as 2030-01-31")
    await store.let_go_of_expired(conn, fingerprint)
    links = await writing.targets(conn, memory.associations)
    ended = await writing.chain_of(conn, agent, memory.supersedes)
    number = await store.add(conn, memory, fingerprint, ended[-1] if ended else None)
    if number is None:
        known = await store.same(conn, fingerprint)
        assert known is not None
        return await _repeated(conn, known)
    version = await trusted(conn, revision.first_version(number, agent, memory))
    found = await resolving.resolve(conn, memory.entities, memory.relations)
    statements = Statements(found.mentions, found.relations, links)
    response = await _put(conn, memory, version, statements, similarity, ended, zone)
    await audit.record(conn, Event(agent, "store", "memory", memory_id(number)))
    return response | {"entities": await _named(conn, found)}


async def _put(
    conn: Connection,
    memory: StoreMemory,
    version: Version,
    statements: Statements,
    similarity: SimilarityContext,
    ended: Sequence[int],
    zone: tzinfo,
) -> dict[str, object]:
    """Keep the version from its beginning on; without one, what supersedes is true from now."""
    at = await store.instant(conn, [version.memory_id, *ended])
    start = memory.valid_from or (at if ended else None)
    if start is not None and memory.valid_until is not None and start >= memory.valid_until:
        raise InvalidInput("valid_until", "is past already; give valid_from too")
    span = Span(version.memory_id, 1, start, memory.valid_until)
    similar = await _proposed(conn, version, span, statements, similarity)
    await writing.put(conn, version, statements, span, ends=ended, at=at, zone=zone)
    await store.set_fingerprint(conn, ended, None)
    superseded = {memory_id(number) for number in ended}
    return {
        "number": version.memory_id,
        "version": 1,
        "memory_type": version.memory_type,
        "repeated": False,
        "similar": [
            [each.id, each.score, each.contradicts] for each in similar if each.id not in superseded
        ],
    }


async def _repeated(conn: Connection, number: int) -> dict[str, object]:
    version = await store.newest(conn, number)
    return {
        "number": number,
        "version": version.version,
        "memory_type": version.memory_type,
        "repeated": True,
        "similar": [],
        "entities": [],
    }


async def trusted(conn: Connection, version: Version) -> Version:
    """The version with its session, and with the least trust of its source and its messages."""
    session_id, roles = await store.spoken(conn, version.message_ids)
    return replace(version, session_id=session_id, trust=trust_of(version.source, roles))


async def _proposed(
    conn: Connection,
    version: Version,
    span: Span,
    statements: Statements,
    similarity: SimilarityContext,
) -> list[Similar]:
    """What contradicts the memory, then what else is like it."""
    opposed = await proposing.contradicted(
        conn, version.content, span, statements.relations, similarity.functional
    )
    alike = await proposing.similar(conn, version.memory_id, version.content, similarity.query)
    known = {each.id for each in opposed}
    return [*opposed, *(each for each in alike if each.id not in known)]


async def _named(conn: Connection, found: Resolved) -> list[object]:
    """The entities by number, whether each is new, and what a new one may be another name of."""
    named: dict[int, object] = {}
    for mention in found.mentions:
        if mention.entity_id not in named:
            is_new = mention.entity_id in found.created
            proposed: list[Candidate] = await resolving.candidates(conn, mention) if is_new else []
            named[mention.entity_id] = [
                mention.entity_id,
                is_new,
                [[each.id, each.score] for each in proposed],
            ]
    return list(named.values())
