"""The steps of changing a memory, inside the transaction of whoever asks for it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import tzinfo

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.db.connection import Connection
from mcp_memory.errors import MemoryConflict
from mcp_memory.graph import revision, store, writing
from mcp_memory.graph.entities import resolving
from mcp_memory.graph.models import (
    Head,
    Mention,
    NamedRelation,
    Statements,
    Updated,
    UpdateMemory,
    Version,
)
from mcp_memory.graph.names import memory_id
from mcp_memory.graph.revision import METADATA_FIELDS
from mcp_memory.graph.statements import store as statements_store
from mcp_memory.graph.storing import trusted


@dataclass(frozen=True, slots=True)
class _State:
    """All that can change of a memory: what is the same for all versions, and one of them."""

    head: Head
    version: Version
    statements: Statements


async def update_memory(
    conn: Connection, agent: str, request: UpdateMemory, zone: tzinfo
) -> dict[str, object]:
    """The change's response; a change of nothing makes no version."""
    await store.hold_chains(conn)
    head = await writing.own(conn, agent, request.id)
    ended = await _newly_ended(conn, agent, request, head)
    version = await _version_to_revise(conn, head, request)
    before = _State(head, version, await statements_store.of_version(conn, version))
    after = await _changed(conn, before, request, ended)
    changed = revision.changed_fields(
        (before.version, before.statements, before.head),
        (after.version, after.statements, after.head),
        request,
    )
    if not changed:
        return asdict(Updated(memory_id(head.id), head.version, []))
    await _put(conn, before.version, after, request, ended, zone)
    if not METADATA_FIELDS.issuperset(changed):
        await store.set_fingerprint(conn, [head.id, *ended], None)
    await audit.record(conn, Event(agent, "update", "memory", memory_id(head.id)))
    return asdict(Updated(memory_id(head.id), after.version.version, changed))


async def _version_to_revise(conn: Connection, head: Head, request: UpdateMemory) -> Version:
    """The version that is changed: the one told last.

    When the content is to stay, it is the one that is true where the change begins: what was told
    last may be of another time.
    """
    true_then = None
    if request.content is None:
        true_then = await store.true_at(conn, head.id, request.valid_from)
    return true_then or await store.newest(conn, head.id)


async def _newly_ended(
    conn: Connection, agent: str, request: UpdateMemory, head: Head
) -> list[int]:
    """What the memory supersedes from now on, as far as it did not before."""
    ended = await writing.chain_of(conn, agent, request.supersedes)
    if not ended or head.supersedes in ended:
        return []
    if head.id in ended or head.supersedes is not None:
        raise MemoryConflict(
            f"{memory_id(head.id)} cannot supersede {request.supersedes}: it supersedes another,"
            " or is superseded by that one. Look with memory_graph_query mode history."
        )
    return ended


async def _changed(
    conn: Connection, before: _State, request: UpdateMemory, ended: Sequence[int]
) -> _State:
    """The memory after the change, not yet written."""
    changed = revision.changed_version(before.version, request)
    version = await trusted(conn, replace(changed, version=before.head.version + 1))
    statements = await _changed_statements(conn, before.statements, request)
    writing.refuse_own_link(before.head.id, statements.links)
    head = replace(
        before.head,
        version=version.version,
        shared=version.shared,
        supersedes=ended[-1] if ended else before.head.supersedes,
        expires_at=revision.changed_expiry(before.head, request),
    )
    return _State(head, version, statements)


async def _changed_statements(
    conn: Connection, before: Statements, request: UpdateMemory
) -> Statements:
    """What the memory says after the change; the ends of relations that stay are still named."""
    links = before.links
    if request.associations is not None:
        links = await writing.targets(conn, request.associations)
    if request.entities is None and request.relations is None:
        return replace(before, links=links)
    found = await resolving.resolve(conn, request.entities or (), _relations(before, request))
    mentions = list(found.mentions)
    if request.entities is None:
        named = {(each.entity_id, each.normal) for each in mentions}
        mentions += [each for each in _told(before) if (each.entity_id, each.normal) not in named]
    return Statements(mentions, found.relations, links)


def _relations(before: Statements, request: UpdateMemory) -> Sequence[NamedRelation]:
    """The relations that are stated after the change, by name."""
    if request.relations is not None:
        return request.relations
    return [
        NamedRelation(each.subject, each.relation, each.object, each.valid_from, each.valid_until)
        for each in before.relations
    ]


def _told(before: Statements) -> list[Mention]:
    """The entities that were named, but for those that only the replaced relations did."""
    ends = {number for each in before.relations for number in (each.subject_id, each.object_id)}
    return [each for each in before.mentions if each.entity_id not in ends or each.known_as]


async def _put(
    conn: Connection,
    changed: Version,
    after: _State,
    request: UpdateMemory,
    ended: Sequence[int],
    zone: tzinfo,
) -> None:
    """Keep the change, true from its own beginning; what it supersedes is not true beside it."""
    number = after.head.id
    chain = await store.chain(conn, number)
    ends = [*chain[: chain.index(number) + 1], *ended]
    await store.locked(conn, ends)
    at = await store.instant(conn, ends)
    spans = {(each.memory_id, each.version): each for each in await store.spans(conn, [number])}
    before = spans.get((number, changed.version))
    span = revision.changed_span(
        before,
        request,
        version=after.version.version,
        superseded=chain[-1] != number,
        at=at,
    )
    await store.change(conn, after.head)
    await writing.put(
        conn,
        after.version,
        after.statements,
        span,
        ends=ends,
        at=at,
        zone=zone,
        corrects=before if request.content is None else None,
    )
