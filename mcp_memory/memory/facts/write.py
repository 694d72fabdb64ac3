"""From what a fact says to its rows: chunks, links, the first version, the stored answer."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from functools import partial
from typing import TypedDict, cast

import anyio.to_thread

from mcp_memory.errors import FactConflict, FactNotFound, InvalidInput, PermissionRefused
from mcp_memory.memory import audit
from mcp_memory.memory.audit import Event
from mcp_memory.memory.facts import entities, relations, store, versions
from mcp_memory.memory.facts import similarity as facts_similarity
from mcp_memory.memory.facts.entities import Resolution
from mcp_memory.memory.facts.model import (
    Association,
    EntityCandidate,
    EntityResolution,
    FactHead,
    FactType,
    Link,
    Mention,
    NewFact,
    SimilarFact,
    Span,
    Statements,
    StoreResult,
    VersionContent,
    entity_id,
    entity_number,
    fact_id,
    fact_number,
)
from mcp_memory.memory.facts.provenance import trust_of
from mcp_memory.memory.facts.versions import METADATA_FIELDS, cut_spans
from mcp_memory.postgres.connection import Connection
from mcp_memory.text.chunking import Chunk, chunk_markdown
from mcp_memory.text.findable import Findable, NewChunk, day_of
from mcp_memory.text.tokens import estimate_tokens
from mcp_memory.vectors.spaces import QueryVector

# Longer texts are analysed in a thread, so that the loop goes on answering.
_INLINE_CHARS = 8192
_MAX_HEADING_CHARS = 200


@dataclass(frozen=True, slots=True)
class ChunkContext:
    """What a fact is found by besides its text: its tags, the day on which its "yesterday" is the
    day before, and the day that it is of."""

    tags: Sequence[str]
    recorded_on: date
    occurred_on: date


async def chunks_of(
    content: str, mentions: Sequence[Mention], context: ChunkContext
) -> list[NewChunk]:
    """The chunks of a fact; under the names of its entities it is found too."""
    work = partial(_chunks_of, content, heading_of(mentions), context)
    if len(content) <= _INLINE_CHARS:
        return work()
    return await anyio.to_thread.run_sync(work)


def heading_of(mentions: Sequence[Mention]) -> str:
    """The entities' names, as many as fit."""
    heading = ""
    for name in dict.fromkeys(mention.name for mention in mentions):
        longer = f"{heading}, {name}" if heading else name
        if len(longer) > _MAX_HEADING_CHARS:
            break
        heading = longer
    return heading


def _chunks_of(content: str, names: str, context: ChunkContext) -> list[NewChunk]:
    return [
        _new_chunk(position, names, chunk, context)
        for position, chunk in enumerate(chunk_markdown(content))
    ]


def _new_chunk(position: int, names: str, chunk: Chunk, context: ChunkContext) -> NewChunk:
    heading = " — ".join(part for part in (names, chunk.heading) if part)
    indexed = f"{heading}\n{chunk.text}"
    return NewChunk(
        position=position,
        heading=heading,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        text=chunk.text,
        text_hash=hashlib.sha256(indexed.encode()).digest(),
        tokens=estimate_tokens(chunk.text),
        lexemes=Findable(
            heading, chunk.text, context.recorded_on, context.occurred_on, tags=context.tags
        ).lexemes,
    )


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
    visible = await relations.find_visible(conn, numbers) if numbers else set[int]()
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
    await relations.add_statements(conn, version, statements)
    await index_version(conn, version, statements, zone)
    if ends:
        await store.settle(conn, list(ends))


async def index_version(
    conn: Connection, version: VersionContent, statements: Statements, zone: tzinfo
) -> None:
    """Let the version, whose span is known, be found; its days are counted in `zone`."""
    recorded_at, occurred_at = await store.get_times(conn, version)
    context = ChunkContext(version.tags, day_of(recorded_at, zone), day_of(occurred_at, zone))
    chunks = await chunks_of(version.content, statements.mentions, context)
    await store.add_chunks(conn, version, chunks, occurred_at)


def refuse_own_link(number: int, links: Sequence[Link]) -> None:
    """A fact cannot stand in a relation to itself."""
    if any(link.target_id == number for link in links):
        raise FactConflict(f"{fact_id(number)} cannot be associated with itself.")


@dataclass(frozen=True, slots=True)
class SimilarityContext:
    """What a new fact is compared by: its vector, and the relations with one object at a time."""

    query: QueryVector
    functional: Collection[str]


async def store_fact(
    conn: Connection, agent: str, fact: NewFact, similarity: SimilarityContext, zone: tzinfo
) -> dict[str, object]:
    """The fact's response: ids and numbers. Exactly the same again is what is there."""
    fingerprint = make_fingerprint(fact)
    if (number := await store.find_repeat(conn, fingerprint)) is not None:
        return await _repeat_response(conn, number)
    if fact.expires_at is not None and fact.expires_at <= datetime.now(UTC):
        raise InvalidInput("expires_at", "lies in the past; use a date to come, such as 2030-01-31")
    await store.release_expired(conn, fingerprint)
    links = await to_links(conn, fact.associations)
    ended = await lock_chain(conn, agent, fact.supersedes)
    number = await store.add_fact(conn, fact, fingerprint, ended[-1] if ended else None)
    if number is None:
        number = await store.find_repeat(conn, fingerprint)
        assert number is not None
        return await _repeat_response(conn, number)
    version = await with_trust(conn, versions.make_first_version(number, agent, fact))
    resolution = await entities.resolve(conn, fact.entities, fact.relations)
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
    await put_version(conn, version, statements, span, ends=ended, at=at, zone=zone)
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
    contradictions = await facts_similarity.find_contradictions(
        conn, version.content, span, statements.relations, similarity.functional
    )
    similar = await facts_similarity.find_similar(
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
                await entities.find_candidates(conn, mention) if is_new else []
            )
            rows[mention.entity_id] = [
                mention.entity_id,
                is_new,
                [[candidate.id, candidate.score] for candidate in candidates],
            ]
    return list(rows.values())


_SHOWN_CHARS = 500


class _Response(TypedDict):
    number: int
    version: int
    memory_type: FactType
    repeated: bool
    entities: list[tuple[int, bool, list[tuple[str, float]]]]
    similar: list[tuple[str, float, str]]


async def to_result(conn: Connection, response: dict[str, object]) -> StoreResult:
    """The answer to a store. What has been forgotten since is not shown any more."""
    typed = cast("_Response", cast("object", response))
    return StoreResult(
        id=fact_id(typed["number"]),
        memory_type=typed["memory_type"],
        version=typed["version"],
        entities=await _to_resolutions(conn, typed),
        similar=await _to_similar(conn, typed),
        repeated=typed["repeated"],
    )


async def _to_resolutions(conn: Connection, typed: _Response) -> list[EntityResolution]:
    rows = (
        typed["entities"]
        if not typed["repeated"]
        else await _mention_entities(conn, typed["number"])
    )
    others = [entity_number(id) or 0 for _, _, candidates in rows for id, _ in candidates]
    names = await entities.get_entities(conn, [*(number for number, _, _ in rows), *others])
    return [
        EntityResolution(
            entity_id(number),
            names[number].name,
            is_new,
            [
                EntityCandidate(id, names[other].name, score)
                for id, score in candidates
                if (other := entity_number(id) or 0) in names
            ],
        )
        for number, is_new, candidates in rows
        if number in names
    ]


async def _mention_entities(
    conn: Connection, number: int
) -> list[tuple[int, bool, list[tuple[str, float]]]]:
    """The entities of a fact that is there already."""
    statements = await relations.get_statements(conn, await store.get_newest(conn, number))
    return [
        (number, False, [])
        for number in dict.fromkeys(mention.entity_id for mention in statements.mentions)
    ]


async def _to_similar(conn: Connection, typed: _Response) -> list[SimilarFact]:
    numbers = {id: fact_number(id) or 0 for id, _, _ in typed["similar"]}
    contents = await store.get_contents(conn, list(numbers.values()))
    return [
        SimilarFact(id, contents[numbers[id]][:_SHOWN_CHARS], score, contradicts)
        for id, score, contradicts in typed["similar"]
        if numbers[id] in contents
    ]
