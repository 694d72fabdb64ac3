"""What a search costs in memories of any size, beside the bare statements of the same run.

    python -m benchmarks.search                          # 10,000, 100,000 and 1,000,000 chunks
    python -m benchmarks.search --sizes 100000 --database-url postgresql://… --keep
    python -m benchmarks.search --shared-answers         # T1, which there is not, beside T2 and T0

Every query goes in turns to the bare HNSW top-20 statement, to bare full text (any word, `ts_rank`
over every match), and to the whole search, whose time is given without that of embedding the
query. Then, over real stdio, an answer from T0 beside a tool that returns the same payload and does
nothing. Last, the semantic route for an owner of 20 rows among all the others, against the exact
order. Without a URL it makes a PostgreSQL of its own; a million chunks take some ten minutes to
load, so `--keep` uses what an earlier run has loaded, and leaves it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
import psycopg
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from pgvector.psycopg import register_vector
from psycopg import sql

from benchmarks import shared_answers
from benchmarks.documents import config_of, server
from benchmarks.search_stage import (
    AGENT,
    SMALL_AGENT,
    SMALL_ROWS,
    Language,
    load,
    make_language,
    make_queries,
)
from benchmarks.tables import Measured, print_table
from mcp_memory.app import App, open_app
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.postgres.addresses import with_database
from mcp_memory.search import routes
from mcp_memory.search.kinds import Filter, SearchRequest
from mcp_memory.text.terms import query_lexemes, tsquery

SEED, WARMING, ASKED, CALLS = 7, 30, 100, 200
EVERYTHING = Filter(sources=["documents", "graph"])

_BARE_VECTORS = """
SELECT chunk_id
FROM mcp_memory.vectors
WHERE space_id = %(space)s
ORDER BY (embedding::halfvec(384)) <=> %(vector)s::vector::halfvec(384)
LIMIT 20
"""
_BARE_TEXT = """
SELECT id, ts_rank(lexemes, query)
FROM mcp_memory.chunks, CAST(%(query)s AS tsquery) query
WHERE lexemes @@ query
ORDER BY 2 DESC
LIMIT 20
"""
_EXACT = """
SELECT e.chunk_id
FROM mcp_memory.vectors e
WHERE e.agent_id = %(agent)s AND e.space_id = %(space)s
ORDER BY e.embedding <=> %(vector)s::vector
LIMIT 10
"""


async def measure(url: str, language: Language, chunks: int, *, are_answers_shared: bool) -> None:
    """Print what a loaded database answers in what time."""
    queries = make_queries(language, WARMING + ASKED, SEED)
    async with open_app(config_of(url)) as app:
        base, others = await in_turns(app, url, queries)
        print_table(f"Searching {chunks:,} chunks", "query", base, others)
        if are_answers_shared:
            base, others = await shared_answers.measure(app, url, AGENT, queries[-ASKED:], _whole)
            print_table(f"Shared answers, {chunks:,} chunks", "query", base, others)
            least = shared_answers.least_repeated(base, *others[:2])
            print(f"T1 gains something if more than {least:.0%} of what T0 misses is a repeat\n")
            return
        share = await recall_of_few(app, url, queries[:20])
    print_table(f"T0 over stdio, {chunks:,} chunks", "call", *await over_stdio(url, queries[0]))
    print(f"recall@10 of the semantic route, {SMALL_ROWS} rows among {chunks:,}: {share:.2f}\n")


async def in_turns(app: App, url: str, queries: Sequence[str]) -> tuple[Measured, list[Measured]]:
    """Each query to each way of asking it, one after the other, after some that warm the caches."""
    names = ("bare HNSW, top 20", "bare full text, any word", "the whole search")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    database = await app.databases.reading(None, AGENT)
    with psycopg.connect(url, autocommit=True) as conn:
        register_vector(conn)
        for number, query in enumerate(queries):
            vector = await app.spaces.query_vector(database, query)
            facts = {"space": vector.space_id, "vector": vector.vector}
            started = time.perf_counter()
            conn.execute(_BARE_VECTORS, facts).fetchall()
            seconds[names[0]].append(time.perf_counter() - started)
            # It takes seconds at a million chunks: a tenth of the queries tell enough.
            if number % 10 == 0:
                started = time.perf_counter()
                conn.execute(_BARE_TEXT, {"query": tsquery(query_lexemes(query))}).fetchall()
                seconds[names[1]].append(time.perf_counter() - started)
            seconds[names[2]].append(await _whole(app, query))
    warm = {name: taken[-ASKED:] for name, taken in seconds.items()}
    warm[names[1]] = seconds[names[1]][WARMING // 10 :]
    return Measured(names[0], warm[names[0]]), [Measured(name, warm[name]) for name in names[1:]]


async def _whole(app: App, query: str) -> float:
    """Seconds that the search takes without embedding its query."""
    embedding: list[float] = []
    spaces = app.spaces
    embed = spaces.query_vector

    async def clocked(*arguments: object) -> object:
        started = time.perf_counter()
        try:
            return await embed(*arguments)  # pyright: ignore[reportArgumentType]  # passed on
        finally:
            embedding.append(time.perf_counter() - started)

    spaces.query_vector = clocked  # pyright: ignore[reportAttributeAccessIssue]  # restored below
    try:
        started = time.perf_counter()
        await app.search.passages(app.session(AGENT), SearchRequest(query, min_score=0.0))
        return time.perf_counter() - started - sum(embedding)
    finally:
        del spaces.query_vector


async def recall_of_few(app: App, url: str, queries: Sequence[str]) -> float:
    """The share of the exact ten nearest that the route gives an owner of few rows."""
    database = await app.databases.reading(None, SMALL_AGENT)
    found = 0
    with psycopg.connect(url, autocommit=True) as conn:
        register_vector(conn)
        for query in queries:
            vector = await app.spaces.query_vector(database, query)
            async with database.reading(SMALL_AGENT) as reader:
                hits = await routes.semantic(reader, vector, EVERYTHING, 10)
            ids = {hit.chunk_id for hit in hits}
            facts = {"agent": SMALL_AGENT, "space": vector.space_id, "vector": vector.vector}
            found += sum(row[0] in ids for row in conn.execute(_EXACT, facts).fetchall())
    return found / (10 * len(queries))


async def over_stdio(url: str, query: str) -> tuple[Measured, list[Measured]]:
    """Calls answered from T0, and calls of a tool that returns the same and does nothing."""
    asked: dict[str, object] = {"query": query, "min_score": 0.0}
    taken: dict[str, list[float]] = {"empty": [], "memory_search": []}
    with tempfile.TemporaryDirectory() as folder:
        payload = Path(folder) / "payload.json"
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", "benchmarks.search_server", str(payload)],
            env={**os.environ, "MCP_MEMORY_DATABASE_URL": url, "MCP_MEMORY_AGENT": AGENT},
        )
        async with Client(stdio_client(parameters)) as client:
            answer = await _from_cache(client, asked)
            payload.write_text(json.dumps(answer))
            for _ in range(CALLS):
                for tool, seconds in taken.items():
                    started = time.perf_counter()
                    await client.call_tool(tool, asked)
                    seconds.append(time.perf_counter() - started)
    return Measured("an empty call of equal payload", taken["empty"]), [
        Measured("a search answered from T0", taken["memory_search"])
    ]


async def _from_cache(client: Client, asked: dict[str, object]) -> object:
    """The answer once it comes from T0: that takes a listener, which the second search starts."""
    with anyio.fail_after(30):
        while True:
            answer = (await client.call_tool("memory_search", asked)).structured_content
            assert answer is not None, "a search answers in structured form"
            if answer["tier"] == "T0":
                return answer


async def prepare(url: str) -> None:
    """Migrate, and make the vector space that is to be filled."""
    async with open_app(config_of(url)) as app:
        await app.documents.write(
            app.session("nobody"), WriteDocument("first.md", "So that there is a space.")
        )
        while await app.spaces.pending(app.session("nobody")):  # noqa: ASYNC110 - rows tell no event
            await anyio.sleep(0.1)


def run(url: str, language: Language, chunks: int, *, keep: bool, are_answers_shared: bool) -> None:
    """Measure one size in a database of its own."""
    name = f"bench_search_{chunks}"
    own = with_database(url, name)
    with psycopg.connect(url, autocommit=True) as conn:
        known = conn.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if known is None:
            create = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'"
            conn.execute(sql.SQL(create).format(sql.Identifier(name)))
            anyio.run(prepare, own)
            print(f"{chunks:,} chunks loaded in {load(own, language, chunks, seed=SEED):.0f} s\n")
        work = partial(measure, own, language, chunks, are_answers_shared=are_answers_shared)
        anyio.run(work)
        if not keep:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--database-url", help="a server; databases of its own are made there")
    parser.add_argument("--keep", action="store_true", help="use and leave loaded databases")
    parser.add_argument("--shared-answers", action="store_true", help="measure what T1 would be")
    arguments = parser.parse_args()
    language = make_language(SEED)
    with server(arguments.database_url) as url:
        for size in arguments.sizes:
            are_shared = arguments.shared_answers
            run(url, language, size, keep=arguments.keep, are_answers_shared=are_shared)


if __name__ == "__main__":
    main()
