"""Search among messages: the same routes, narrowed to one kind, answered message by message."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Literal, assert_never

from mcp_memory.config import LimitsConfig, SearchConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.errors import InvalidInput, SessionNotFound
from mcp_memory.recall import ranking, routes
from mcp_memory.recall.candidates import PreparedQuery, best_candidates
from mcp_memory.recall.models import Candidate, SearchFilter
from mcp_memory.recall.question import read
from mcp_memory.recall.weights import weights_for
from mcp_memory.spaces.service import QueryVector, Spaces
from mcp_memory.transcripts import store
from mcp_memory.transcripts.models import Message, MessageFilter

Match = Literal["hybrid", "semantic", "exact"]

_CANDIDATES = 200
_MAX_CANDIDATES = 12_800


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
class _Question:
    """A query made ready for the routes."""

    request: TranscriptRequest
    prepared: PreparedQuery
    floor: float

    def relevant(self, hits: list[tuple[int, MessageHit]]) -> list[tuple[int, MessageHit]]:
        """What reaches the floor. By default all of it does, or none: where the best message is
        relevant, those around it in the order may be, though by themselves they say little."""
        if self.request.min_score is not None:
            return [hit for hit in hits if hit[1].score >= self.request.min_score]
        best = max((hit[1].score for hit in hits), default=0.0)
        return hits if best >= self.floor else []


class TranscriptSearch:
    """Search among each agent's own conversations."""

    def __init__(
        self,
        databases: Databases,
        spaces: Spaces,
        settings: SearchConfig,
        limits: LimitsConfig,
        zone: tzinfo,
    ) -> None:
        self._databases, self._spaces = databases, spaces
        self._settings, self._limits, self._zone = settings, limits, zone

    async def search_transcripts(
        self, agent: str, request: TranscriptRequest, *, database: str | None = None
    ) -> TranscriptAnswer:
        """The messages that match, best first (exact ones newest first)."""
        self._check(request)
        chosen = await self._databases.reading(database, agent)
        asks_meaning = request.match != "exact"
        vector = (
            await self._spaces.query_vector(chosen, request.query)
            if asks_meaning
            else QueryVector()
        )
        prepared = PreparedQuery(
            read(request.query, now=datetime.now(UTC), zone=self._zone), vector
        )
        question = _Question(request, prepared, self._settings.min_score)

        async def search(conn: Connection) -> list[MessageHit]:
            search_filter = await _search_filter(conn, request.wanted)
            hits = await _enough(conn, question, search_filter)
            return [await _with_context(conn, *hit, request.context) for hit in hits]

        degraded = [vector.problem] if vector.problem else []
        return TranscriptAnswer(await chosen.read(agent, search), degraded)

    def _check(self, request: TranscriptRequest) -> None:
        if not request.query.strip():
            raise InvalidInput("query", "is empty; say what to look for")
        if len(request.query) > self._limits.query_chars or "\0" in request.query:
            raise InvalidInput(
                "query", f"at most {self._limits.query_chars} characters, without NUL"
            )


async def _search_filter(conn: Connection, wanted: MessageFilter) -> SearchFilter:
    """The filters as the routes know them; an unknown session is an error."""
    session = None
    if wanted.session_id is not None:
        session = await store.conversation(conn, wanted.session_id)
        if session is None:
            raise SessionNotFound(wanted.session_id)
    roles = wanted.roles
    return SearchFilter(
        sources=["transcripts"],
        since=wanted.since,
        until=wanted.until,
        session=session.id if session else None,
        roles=None if roles is None else list(roles),
        speaker=wanted.speaker,
        origins=None if wanted.sources is None else list(wanted.sources),
        no_origins=None if wanted.exclude_sources is None else list(wanted.exclude_sources),
    )


async def _enough(
    conn: Connection, question: _Question, search_filter: SearchFilter
) -> list[tuple[int, MessageHit]]:
    """As many messages as are asked for, if there are: one long message has many chunks."""
    wanted, limit = question.request.max_results, _CANDIDATES
    while True:
        found = await _candidates(conn, question, search_filter, limit)
        hits = await _messages(conn, found)
        if len(hits) >= wanted or len(found) < limit or limit >= _MAX_CANDIDATES:
            return question.relevant(hits)[:wanted]
        limit *= 4


async def _candidates(
    conn: Connection, question: _Question, search_filter: SearchFilter, limit: int
) -> list[Candidate]:
    prepared = question.prepared
    match question.request.match:
        case "exact":
            phrase, lexemes = question.request.query.strip(), prepared.question.lexemes
            hits = await routes.phrase(conn, phrase, lexemes, search_filter, limit)
            return [Candidate(hit.chunk_id, ("exact",), hit.signals, 1.0) for hit in hits]
        case "semantic":
            return await _by_meaning(conn, prepared.vector, search_filter, limit)
        case "hybrid":
            return await best_candidates(conn, prepared, search_filter, wanted=limit)
        case _:
            assert_never(question.request.match)


async def _by_meaning(
    conn: Connection, query: QueryVector, search_filter: SearchFilter, limit: int
) -> list[Candidate]:
    """The messages nearest in meaning, by what they say and what was said around them."""
    hits = await routes.semantic(conn, query, search_filter, limit)
    ids = [hit.chunk_id for hit in hits]
    evidence = await routes.evidence(
        conn, ids, [], search_filter=search_filter, lexemes=[], query=query
    )
    return ranking.by_meaning(evidence, weights_for(query.provider))


async def _messages(
    conn: Connection, candidates: Sequence[Candidate]
) -> list[tuple[int, MessageHit]]:
    """The messages of the chunks, each with its session's number, by its best chunk."""
    messages = await store.of_chunks(conn, [each.chunk_id for each in candidates])
    best: dict[tuple[int, int], tuple[int, MessageHit]] = {}
    for candidate in candidates:
        place = messages.get(candidate.chunk_id)
        if place is not None:
            session, message = place
            hit = MessageHit(message, round(candidate.score, 4), list(candidate.routes))
            best.setdefault((session, message.seq), (session, hit))
    return list(best.values())


async def _with_context(
    conn: Connection, session: int, hit: MessageHit, neighbours: int
) -> MessageHit:
    if neighbours <= 0:
        return hit
    seq = hit.message.seq
    first, last = max(1, seq - neighbours), seq + neighbours
    around = await store.by_seq(conn, session, first, last, 2 * neighbours + 1)
    return replace(hit, context=[each for each in around if each.seq != seq])
