"""One version more: kept, true for its span, found, and everything that it ends ended."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime, tzinfo

from mcp_memory.db.connection import Connection
from mcp_memory.errors import MemoryConflict, MemoryNotFound, PermissionRefused
from mcp_memory.graph import indexing, store
from mcp_memory.graph.models import Association, Head, Link, Span, Statements, StoreMemory, Version
from mcp_memory.graph.names import memory_id, memory_number
from mcp_memory.graph.revision import METADATA_FIELDS
from mcp_memory.graph.statements import store as statements_store
from mcp_memory.graph.timeline import cut
from mcp_memory.text.findable import day_of


def fingerprint(memory: StoreMemory) -> bytes:
    """Equal for memories that say the same, whoever told them and however sure they are."""
    said = asdict(memory) | {"content": memory.content.strip()}
    for field in (*METADATA_FIELDS, "idempotency_key"):
        del said[field]
    text = json.dumps(said, sort_keys=True, default=_plain, ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


async def own(conn: Connection, agent: str, text: str, *, forgotten: bool = False) -> Head:
    """The caller's own memory of that id, held; what is not the caller's is as if it were not."""
    number = memory_number(text)
    found = await store.locked(conn, [number]) if number is not None else []
    if found and (forgotten or found[0].forgotten_at is None):
        return found[0]
    visible = await store.head(conn, number) if number is not None else None
    if visible is not None and visible.agent_id != agent:
        raise PermissionRefused(
            f"Memory {memory_id(visible.id)} belongs to {visible.agent_id}; only its owner may"
            " change it."
        )
    raise MemoryNotFound(text)


async def chain_of(conn: Connection, agent: str, text: str) -> list[int]:
    """The memories that one superseding this one takes the place of, all held, newest last."""
    if not text:
        return []
    await store.hold_chains(conn)
    named = await own(conn, agent, text)
    numbers = await store.chain(conn, named.id)
    await store.locked(conn, numbers)
    return numbers


async def targets(conn: Connection, associations: Sequence[Association]) -> list[Link]:
    """The links to these memories; one that the caller cannot see is an unknown one."""
    numbered = [(each, memory_number(each.target_id)) for each in associations]
    numbers = [number for _, number in numbered if number is not None]
    known = await statements_store.visible(conn, numbers) if numbers else set[int]()
    links: list[Link] = []
    for each, number in numbered:
        if number is None or number not in known:
            raise MemoryNotFound(each.target_id)
        links.append(Link(number, each.relation_type))
    return list(dict.fromkeys(links))


async def put(
    conn: Connection,
    version: Version,
    statements: Statements,
    span: Span,
    *,
    ends: Collection[int],
    at: datetime,
    zone: tzinfo,
    corrects: Span | None = None,
) -> None:
    """Keep the version, known since `at` to be true for `span`; what it ends, ends there.

    `corrects` is the span that the same thing was held to be true for until now.

    The caller holds the memories in `ends`, the version's own among them when it has others.
    """
    known = await store.spans(conn, list(ends))
    await store.add_version(conn, version)
    for old, left in cut(known, span.valid_from, span.valid_until, corrects=corrects):
        await store.retire(conn, old, at)
        if left is not None:
            await store.add_span(conn, left, at)
    await store.add_span(conn, span, at)
    await statements_store.add(conn, version, statements)
    await index(conn, version, statements, zone)
    if ends:
        await store.settle(conn, list(ends))


async def index(conn: Connection, version: Version, statements: Statements, zone: tzinfo) -> None:
    """Let the version, whose span is known, be found; its days are counted in `zone`."""
    told_at, occurred_at = await store.times(conn, version)
    beside = indexing.Beside(version.tags, day_of(told_at, zone), day_of(occurred_at, zone))
    chunks = await indexing.chunks_of(version.content, statements.mentions, beside)
    await store.add_chunks(conn, version, chunks, occurred_at)


def refuse_own_link(number: int, links: Sequence[Link]) -> None:
    """A memory cannot stand in a relation to itself."""
    if any(link.target_id == number for link in links):
        raise MemoryConflict(f"{memory_id(number)} cannot be associated with itself.")
