"""One version more: kept, true for its span, found, and everything that it ends ended."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime, tzinfo

from mcp_memory.db.connection import Connection
from mcp_memory.errors import FactConflict, FactNotFound, PermissionRefused
from mcp_memory.graph import indexing, store
from mcp_memory.graph.models import (
    Association,
    FactHead,
    Link,
    NewFact,
    Span,
    Statements,
    VersionContent,
)
from mcp_memory.graph.names import fact_id, fact_number
from mcp_memory.graph.revision import METADATA_FIELDS
from mcp_memory.graph.statements import store as statements_store
from mcp_memory.graph.timeline import cut_spans
from mcp_memory.text.findable import day_of


def make_fingerprint(fact: NewFact) -> bytes:
    """Equal for facts that say the same, whoever told them and however sure they are."""
    fields = asdict(fact) | {"content": fact.content.strip()}
    for field in (*METADATA_FIELDS, "idempotency_key"):
        del fields[field]
    text = json.dumps(fields, sort_keys=True, default=_json_text, ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


def _json_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


async def lock_own(conn: Connection, agent: str, text: str, *, forgotten: bool = False) -> FactHead:
    """The caller's own fact of that id, held; what is not the caller's is as if it were not."""
    number = fact_number(text)
    heads = await store.lock(conn, [number]) if number is not None else []
    if heads and (forgotten or heads[0].forgotten_at is None):
        return heads[0]
    visible = await store.get_head(conn, number) if number is not None else None
    if visible is not None and visible.agent_id != agent:
        raise PermissionRefused(
            f"Memory {fact_id(visible.id)} belongs to {visible.agent_id}; only its owner may"
            " change it."
        )
    raise FactNotFound(text)


async def lock_chain(conn: Connection, agent: str, text: str) -> list[int]:
    """The facts that one superseding this one takes the place of, all held, newest last."""
    if not text:
        return []
    await store.lock_chains(conn)
    head = await lock_own(conn, agent, text)
    numbers = await store.get_chain(conn, head.id)
    await store.lock(conn, numbers)
    return numbers


async def to_links(conn: Connection, associations: Sequence[Association]) -> list[Link]:
    """The links to these facts; one that the caller cannot see is an unknown one."""
    numbered = [(association, fact_number(association.target_id)) for association in associations]
    numbers = [number for _, number in numbered if number is not None]
    visible = await statements_store.find_visible(conn, numbers) if numbers else set[int]()
    links: list[Link] = []
    for association, number in numbered:
        if number is None or number not in visible:
            raise FactNotFound(association.target_id)
        links.append(Link(number, association.relation_type))
    return list(dict.fromkeys(links))


async def put_version(
    conn: Connection,
    version: VersionContent,
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

    The caller holds the facts in `ends`, the version's own among them when it has others.
    """
    spans = await store.get_spans(conn, list(ends))
    await store.add_version(conn, version)
    for old, left in cut_spans(spans, span.valid_from, span.valid_until, corrects=corrects):
        await store.retire(conn, old, at)
        if left is not None:
            await store.add_span(conn, left, at)
    await store.add_span(conn, span, at)
    await statements_store.add_statements(conn, version, statements)
    await index_version(conn, version, statements, zone)
    if ends:
        await store.settle(conn, list(ends))


async def index_version(
    conn: Connection, version: VersionContent, statements: Statements, zone: tzinfo
) -> None:
    """Let the version, whose span is known, be found; its days are counted in `zone`."""
    recorded_at, occurred_at = await store.get_times(conn, version)
    context = indexing.ChunkContext(
        version.tags, day_of(recorded_at, zone), day_of(occurred_at, zone)
    )
    chunks = await indexing.chunks_of(version.content, statements.mentions, context)
    await store.add_chunks(conn, version, chunks, occurred_at)


def refuse_own_link(number: int, links: Sequence[Link]) -> None:
    """A fact cannot stand in a relation to itself."""
    if any(link.target_id == number for link in links):
        raise FactConflict(f"{fact_id(number)} cannot be associated with itself.")
