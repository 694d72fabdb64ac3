"""What T1 would cost, answers in an UNLOGGED table that processes share: a hit beside a search.

The table is made here as it would have to be: an owner's rows by the policies, a key of all that an
answer depends on, the epoch compared in the statement that reads, no answer older than T0's. A hit
spares the embedding of the query too, which is not counted to the search.
"""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from hashlib import sha256

import anyio
import psycopg
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from benchmarks.tables import Measured
from mcp_memory.app import App
from mcp_memory.postgres.roles import Roles
from mcp_memory.search.kinds import SearchAnswer, SearchRequest

_MAKE = """
SET search_path TO mcp_memory, public;
CREATE UNLOGGED TABLE bench_answers (
    agent_id text NOT NULL,
    shared   boolean NOT NULL DEFAULT false,
    key      bytea NOT NULL,
    epoch    bigint NOT NULL,
    kept_at  timestamptz NOT NULL DEFAULT now(),
    answer   jsonb NOT NULL,
    PRIMARY KEY (agent_id, key)
);
CREATE TABLE bench_epochs (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id text NOT NULL,
    shared   boolean NOT NULL
);
CREATE INDEX bench_epochs_agent ON bench_epochs (agent_id, id);
CREATE INDEX bench_epochs_shared ON bench_epochs (id) WHERE shared;
INSERT INTO protected_tables (name) VALUES ('bench_answers'), ('bench_epochs');
SELECT secure();
"""
_DROP = """
DROP TABLE IF EXISTS mcp_memory.bench_answers, mcp_memory.bench_epochs;
DELETE FROM mcp_memory.protected_tables t
WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.name)
"""
_WRITTEN = """
INSERT INTO bench_epochs (agent_id, shared)
VALUES (current_agent(), false)
"""
_KEEP = """
INSERT INTO bench_answers (agent_id, key, epoch, answer)
SELECT current_agent(), %(key)s, coalesce(max(id), 0), %(answer)s
FROM bench_epochs
WHERE agent_id = current_agent() OR shared
"""
_HIT = """
SELECT answer
FROM bench_answers
WHERE agent_id = current_agent() AND key = %(key)s AND kept_at > now() - interval '5 minutes'
  AND epoch >= greatest(
      (SELECT max(id) FROM bench_epochs WHERE agent_id = current_agent()),
      (SELECT max(id) FROM bench_epochs WHERE shared)
  )
"""

_AS_ANSWER = TypeAdapter(SearchAnswer)

Search = Callable[[App, str], Awaitable[float]]


async def measure(
    app: App, url: str, agent: str, queries: Sequence[str], search: Search
) -> tuple[Measured, list[Measured]]:
    """Each query by `search`, which gives its seconds; then from T1; then from T0."""
    database = await app.databases.reading(None, agent)
    _make(url, database.layout.roles)
    async with database.writing(agent) as conn:
        await conn.execute(_WRITTEN)
    searched: list[float] = []
    kept: list[float] = []
    hit: list[float] = []
    known: list[float] = []
    try:
        for query in queries:
            request = SearchRequest(query, min_score=0.0)
            searched.append(await search(app, query))
            answer = await app.search.passages(app.session(agent), request)
            kept.append(await _seconds(partial(_keep, app, agent, request, answer)))
            hit.append(await _seconds(partial(_read, app, agent, request)))
            await _until_known(app, agent, request)
            known.append(await _seconds(partial(app.search.passages, app.session(agent), request)))
    finally:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(_DROP.encode())
    return Measured("the whole search", searched), [
        Measured("the same answer from T1", hit),
        Measured("keeping it for T1", kept),
        Measured("the same answer from T0", known),
    ]


def least_repeated(search: Measured, hit: Measured, keep: Measured) -> float:
    """The share of searches that must be hits for T1 to cost less than it spares.

    A miss costs the look, the search and the keeping; a hit the look.
    """
    looked, searched, kept = (each.percentile(50) for each in (hit, search, keep))
    return (looked + kept) / (searched + kept)


def _make(url: str, roles: Roles) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        for setting, role in (("app_role", roles.app), ("worker_role", roles.worker)):
            facts = {"name": f"mcp_memory.{setting}", "role": role or ""}
            conn.execute("SELECT set_config(%(name)s, %(role)s, false)", facts)
        conn.execute(_DROP.encode())
        conn.execute(_MAKE.encode())


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


def _key(request: SearchRequest) -> bytes:
    return sha256(json.dumps(asdict(request), default=str, sort_keys=True).encode()).digest()


async def _keep(app: App, agent: str, request: SearchRequest, answer: SearchAnswer) -> None:
    database = await app.databases.writing(None, agent)

    document = Jsonb(asdict(answer), dumps=lambda each: json.dumps(each, default=str))
    async with database.writing(agent) as conn:
        await conn.execute(_KEEP, {"key": _key(request), "answer": document})


async def _read(app: App, agent: str, request: SearchRequest) -> SearchAnswer:
    """The kept answer, an object again."""
    database = await app.databases.reading(None, agent)
    async with database.reading(agent) as conn:
        row = await (await conn.execute(_HIT, {"key": _key(request)})).fetchone()
    assert row is not None, "the answer was kept just now"
    return _AS_ANSWER.validate_python(row[0])


async def _until_known(app: App, agent: str, request: SearchRequest) -> None:
    """Return when T0 has the answer; the first time it begins to listen for that."""
    with anyio.fail_after(30):
        while (await app.search.passages(app.session(agent), request)).tier != "T0":  # noqa: ASYNC110 - it tells no event
            await anyio.sleep(0.01)
