"""Search among messages: the same pipeline, answered message by message."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from mcp_memory.errors import SessionNotFound
from mcp_memory.memory.conversations import store
from mcp_memory.memory.conversations.models import Message, MessageFilter
from mcp_memory.postgres.connection import Connection
from mcp_memory.search import rank, routes
from mcp_memory.search.candidates import candidates, widening
from mcp_memory.search.kinds import MESSAGES, Candidate, Filter, weights_for
from mcp_memory.search.query import Query, Question, read_query
from mcp_memory.vectors.spaces import QueryVector

Match = Literal["hybrid", "semantic", "exact"]

# A message is a few chunks, so that these are more messages than one page shows.
_FIRST_CANDIDATES = 200


@dataclass(frozen=True, slots=True)
class TranscriptRequest:
    """A search among messages; `context` is how many neighbours on each side come along."""

    query: str
    match: Match = "hybrid"
    wanted: MessageFilter = field(default_factory=MessageFilter)
    max_results: int = 5
    min_score: float | None = None
    context: int = 0


@dataclass(frozen=True, slots=True)
class MessageHit:
    """A message that matches, apart from what stands around it. `score` is absolute, 0 to 1."""

    message: Message
    score: float
    routes: list[str]
    context: list[Message] = field(default_factory=list[Message])


@dataclass(frozen=True, slots=True)
class TranscriptAnswer:
    """Messages, best first; `degraded` names what took no part."""

    results: list[MessageHit]
    degraded: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class _Match:
    """A message that matches, and the number of its conversation."""

    conversation: int
    hit: MessageHit

    @property
    def score(self) -> float:
        return self.hit.score


async def search_messages(
    conn: Connection,
    request: TranscriptRequest,
    question: Question,
    vector: QueryVector,
    floor: float,
) -> list[MessageHit]:
    """The messages that match, best first (exact ones newest first)."""
    filter = await _filter(conn, request.wanted)
    # An exact phrase and meaning alone need nothing of the words: nothing is asked for them.
    query = Query(question, vector)
    if request.match == "hybrid":
        query = await read_query(conn, question, vector)
    matches: list[_Match] = []
    # One long message has many chunks: it takes more of them where there are too few messages.
    for limit in widening(_FIRST_CANDIDATES):
        ranked = await _candidates(conn, request, query, filter, limit)
        matches = await _messages(conn, ranked)
        if len(matches) >= request.max_results or len(ranked) < limit:
            break
    best = rank.relevant(matches, floor, MESSAGES, request.min_score)[: request.max_results]
    return [await _with_context(conn, match, request.context) for match in best]


async def _filter(conn: Connection, wanted: MessageFilter) -> Filter:
    """The filters as the routes know them; an unknown conversation is an error."""
    conversation = None
    if wanted.session_id is not None:
        conversation = await store.conversation(conn, wanted.session_id)
        if conversation is None:
            raise SessionNotFound(wanted.session_id)
    roles = wanted.roles
    return Filter(
        sources=["transcripts"],
        since=wanted.since,
        until=wanted.until,
        session=conversation.id if conversation else None,
        roles=None if roles is None else list(roles),
        speaker=wanted.speaker,
        origins=None if wanted.sources is None else list(wanted.sources),
        no_origins=None if wanted.exclude_sources is None else list(wanted.exclude_sources),
    )


async def _candidates(
    conn: Connection, request: TranscriptRequest, query: Query, filter: Filter, limit: int
) -> list[Candidate]:
    match request.match:
        case "exact":
            phrase, words = request.query.strip(), query.question.lexemes
            hits = await routes.phrase(conn, phrase, words, filter, limit)
            return [Candidate(hit.chunk_id, ("exact",), hit.signals, 1.0) for hit in hits]
        case "semantic":
            return await _by_meaning(conn, query.vector, filter, limit)
        case "hybrid":
            return (await candidates(conn, query, filter, at_least=limit)).ranked
        case _:
            assert_never(request.match)


async def _by_meaning(
    conn: Connection, vector: QueryVector, filter: Filter, limit: int
) -> list[Candidate]:
    """The messages nearest in meaning, by what they say and what was said around them."""
    hits = await routes.semantic(conn, vector, filter, limit)
    ids = [hit.chunk_id for hit in hits]
    evidence = await routes.evidence(conn, ids, [], filter=filter, lexemes=[], query=vector)
    return rank.by_meaning(evidence, weights_for(vector.provider))


async def _messages(conn: Connection, ranked: Sequence[Candidate]) -> list[_Match]:
    """The messages of the chunks, each by its best chunk."""
    messages = await store.of_chunks(conn, [candidate.chunk_id for candidate in ranked])
    best: dict[tuple[int, int], _Match] = {}
    for candidate in ranked:
        if candidate.chunk_id in messages:
            conversation, message = messages[candidate.chunk_id]
            hit = MessageHit(message, round(candidate.score, 4), list(candidate.routes))
            best.setdefault((conversation, message.seq), _Match(conversation, hit))
    return list(best.values())


async def _with_context(conn: Connection, match: _Match, neighbours: int) -> MessageHit:
    if neighbours <= 0:
        return match.hit
    seq = match.hit.message.seq
    first, last = max(1, seq - neighbours), seq + neighbours
    around = await store.by_seq(conn, match.conversation, first, last, 2 * neighbours + 1)
    return replace(match.hit, context=[message for message in around if message.seq != seq])
