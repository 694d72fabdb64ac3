"""Storing, changing and counting facts; each change is one transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import tzinfo
from functools import partial

from mcp_memory.config import GraphConfig, LimitsConfig
from mcp_memory.errors import FactConflict
from mcp_memory.memory import audit, idempotency
from mcp_memory.memory.audit import Event
from mcp_memory.memory.facts import entities, relations, store, versions, write
from mcp_memory.memory.facts.check import check_change, check_fact
from mcp_memory.memory.facts.model import (
    FactChange,
    FactHead,
    Mention,
    NewFact,
    RelationReference,
    Statements,
    StoreResult,
    UpdateResult,
    VersionContent,
    fact_id,
)
from mcp_memory.memory.facts.versions import METADATA_FIELDS
from mcp_memory.memory.facts.write import SimilarityContext, store_fact, with_trust
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Session
from mcp_memory.vectors.service import Spaces


@dataclass(frozen=True, slots=True)
class _State:
    """All that can change of a fact: what is the same for all versions, and one of them."""

    head: FactHead
    version: VersionContent
    statements: Statements


async def update_fact(
    conn: Connection, agent: str, request: FactChange, zone: tzinfo
) -> dict[str, object]:
    """The change's response; a change of nothing makes no version."""
    await store.lock_chains(conn)
    head = await write.lock_own(conn, agent, request.id)
    ended = await _lock_newly_ended(conn, agent, request, head)
    version = await _version_to_revise(conn, head, request)
    before = _State(head, version, await relations.get_statements(conn, version))
    after = await _revise(conn, before, request, ended)
    changed = versions.list_changes(
        (before.version, before.statements, before.head),
        (after.version, after.statements, after.head),
        request,
    )
    if not changed:
        return asdict(UpdateResult(fact_id(head.id), head.version, []))
    await _put_change(conn, before.version, after, request, ended, zone)
    if not METADATA_FIELDS.issuperset(changed):
        await store.set_fingerprint(conn, [head.id, *ended], None)
    await audit.record(conn, Event(agent, "update", "memory", fact_id(head.id)))
    return asdict(UpdateResult(fact_id(head.id), after.version.version, changed))


async def _version_to_revise(
    conn: Connection, head: FactHead, request: FactChange
) -> VersionContent:
    """The version that is changed: the one told last.

    When the content is to stay, it is the one that is true where the change begins: what was told
    last may be of another time.
    """
    true_then = None
    if request.content is None:
        true_then = await store.get_true_at(conn, head.id, request.valid_from)
    return true_then or await store.get_newest(conn, head.id)


async def _lock_newly_ended(
    conn: Connection, agent: str, request: FactChange, head: FactHead
) -> list[int]:
    """What the fact supersedes from now on, as far as it did not before."""
    ended = await write.lock_chain(conn, agent, request.supersedes)
    if not ended or head.supersedes in ended:
        return []
    if head.id in ended or head.supersedes is not None:
        raise FactConflict(
            f"{fact_id(head.id)} cannot supersede {request.supersedes}: it supersedes another,"
            " or is superseded by that one. Look with memory_graph_query mode history."
        )
    return ended


async def _revise(
    conn: Connection, before: _State, request: FactChange, ended: Sequence[int]
) -> _State:
    """The fact after the change, not yet written."""
    changed = versions.revise_version(before.version, request)
    version = await with_trust(conn, replace(changed, version=before.head.version + 1))
    statements = await _revise_statements(conn, before.statements, request)
    write.refuse_own_link(before.head.id, statements.links)
    head = replace(
        before.head,
        version=version.version,
        shared=version.shared,
        supersedes=ended[-1] if ended else before.head.supersedes,
        expires_at=versions.revise_expiry(before.head, request),
    )
    return _State(head, version, statements)


async def _revise_statements(
    conn: Connection, before: Statements, request: FactChange
) -> Statements:
    """What the fact says after the change; the ends of relations that stay are still named."""
    links = before.links
    if request.associations is not None:
        links = await write.to_links(conn, request.associations)
    if request.entities is None and request.relations is None:
        return replace(before, links=links)
    resolution = await entities.resolve(
        conn, request.entities or (), _relation_references(before, request)
    )
    mentions = list(resolution.mentions)
    if request.entities is None:
        names = {(mention.entity_id, mention.normal) for mention in mentions}
        mentions += [
            mention
            for mention in _remaining_mentions(before)
            if (mention.entity_id, mention.normal) not in names
        ]
    return Statements(mentions, resolution.relations, links)


def _relation_references(before: Statements, request: FactChange) -> Sequence[RelationReference]:
    """The relations that are stated after the change, by name."""
    if request.relations is not None:
        return request.relations
    return [
        RelationReference(
            relation.subject,
            relation.relation,
            relation.object,
            relation.valid_from,
            relation.valid_until,
        )
        for relation in before.relations
    ]


def _remaining_mentions(before: Statements) -> list[Mention]:
    """The entities that were named, but for those that only the replaced relations did."""
    ends = {
        number
        for relation in before.relations
        for number in (relation.subject_id, relation.object_id)
    }
    return [
        mention for mention in before.mentions if mention.entity_id not in ends or mention.known_as
    ]


async def _put_change(
    conn: Connection,
    changed: VersionContent,
    after: _State,
    request: FactChange,
    ended: Sequence[int],
    zone: tzinfo,
) -> None:
    """Keep the change, true from its own beginning; what it supersedes is not true beside it."""
    number = after.head.id
    chain = await store.get_chain(conn, number)
    ends = [*chain[: chain.index(number) + 1], *ended]
    await store.lock(conn, ends)
    at = await store.next_instant(conn, ends)
    spans = {(span.memory_id, span.version): span for span in await store.get_spans(conn, [number])}
    before = spans.get((number, changed.version))
    span = versions.revise_span(
        before,
        request,
        version=after.version.version,
        superseded=chain[-1] != number,
        at=at,
    )
    await store.change_head(conn, after.head)
    await write.put_version(
        conn,
        after.version,
        after.statements,
        span,
        ends=ends,
        at=at,
        zone=zone,
        corrects=before if request.content is None else None,
    )


# Of a long text the beginning tells what it is about.
_COMPARED_CHARS = 2000


class Facts:
    """The facts of every named database, as each agent writes them."""

    def __init__(
        self,
        spaces: Spaces,
        limits: LimitsConfig,
        settings: GraphConfig,
        zone: tzinfo,
    ) -> None:
        self._spaces, self._limits, self._zone = spaces, limits, zone
        self._functional = frozenset(settings.functional_relations)

    async def store(self, session: Session, memory: NewFact) -> StoreResult:
        """Keep the fact; exactly the same again is the one that is there.

        What is only like it, or contradicts it, is proposed: nothing else changes.
        """
        check_fact(memory, content_bytes=self._limits.content_bytes)
        key = idempotency.check_key(memory.idempotency_key)
        # What it refers to is in no database that is not there.
        is_first = not (memory.supersedes or memory.associations)
        database = await session.open(create=is_first)
        query = await self._spaces.query_vector(database, memory.content[:_COMPARED_CHARS])
        similarity = SimilarityContext(query, self._functional)
        request = idempotency.request_hash({"store": asdict(memory)})
        agent = session.agent
        async with database.writing(agent) as conn:
            do = partial(store_fact, conn, agent, memory, similarity, self._zone)
            response = await idempotency.once(conn, agent, key, request, do)
            stored = await write.to_result(conn, response)
        await self._spaces.follow(database)
        return stored

    async def update(self, session: Session, request: FactChange) -> UpdateResult:
        """Add a version to one's own fact; the one before stays true until this one begins."""
        check_change(request, content_bytes=self._limits.content_bytes)
        key = idempotency.check_key(request.idempotency_key)
        fingerprint = idempotency.request_hash({"update": asdict(request)})
        agent = session.agent
        async with session.writing(create=False) as conn:
            do = partial(update_fact, conn, agent, request, self._zone)
            response = await idempotency.once(conn, agent, key, fingerprint, do)
        await self._spaces.follow(await session.open())
        return UpdateResult(**response)  # pyright: ignore[reportArgumentType]  # our own JSON

    async def count(self, session: Session) -> dict[str, int]:
        """How many facts and entities the agent can see."""
        async with session.reading() as conn:
            memories, entities = await store.count_facts(conn)
        return {"memories": memories, "entities": entities}
