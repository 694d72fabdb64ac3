"""What writing and finding documents costs beside bare COPY and the bare statement.

    python -m benchmarks.documents                       # 1,000, 10,000 and 100,000 chunks
    python -m benchmarks.documents --sizes 1000 --database-url postgresql://…

Without a URL it makes a PostgreSQL of its own in a temporary folder. Each size gets a database that
is dropped afterwards. All numbers of one table are of one run; the vectors are hashing ones.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import psycopg
from psycopg import sql

from benchmarks.corpus import CHUNKS_A_DOCUMENT, Corpus, make_corpus
from benchmarks.tables import Measured, print_table
from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.documents.chunks import add_lexemes, split
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.postgres.addresses import with_database
from mcp_memory.postgres.embedded.cluster import EmbeddedCluster
from mcp_memory.postgres.session import Database
from mcp_memory.search import routes
from mcp_memory.search.kinds import Filter, SearchRequest
from mcp_memory.text.findable import NewChunk
from mcp_memory.text.terms import query_lexemes, tsquery

AGENT = "bench"
QUERIES = 100
MEASURED_WRITES = 50
WRITERS = 4
EVERYTHING = Filter(sources=["documents"], path_prefix=None, tags=None, since=None, until=None)

_BARE_TABLE = """
CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text, lexemes tsvector);
CREATE INDEX ON bare USING gin (lexemes) WITH (fastupdate = off)
"""
_BARE_SEARCH = """
SELECT id, ts_rank(lexemes, query)
FROM bare, CAST(%(query)s AS tsquery) query
WHERE lexemes @@ query
ORDER BY 2 DESC
LIMIT 200
"""


async def measure(url: str, chunks: int) -> None:
    """Fill a fresh database, then print what its last writes and its searches took."""
    corpus = make_corpus(chunks, queries=QUERIES)
    async with open_app(config_of(url)) as app:
        copied, written = await write_all(app, url, corpus)
        await until_settled(app)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")
        print_table(
            f"Writing, {chunks:,} chunks, the last {len(written[0].seconds)} documents",
            "chunk",
            copied,
            written,
        )
        bare, ours = await search_all(app, url, corpus)
    print_table(f"Searching {chunks:,} chunks", "query", bare, ours)


def config_of(url: str) -> Config:
    """One database, and the vectors that need no model."""
    document = {"database": {"url": url}, "embeddings": {"provider": "hashing"}}
    return Config.model_validate(document)


def last(seconds: Sequence[float]) -> Sequence[float]:
    """The durations among all the rows that a table has in the end."""
    return seconds[-MEASURED_WRITES:]


async def write_all(app: App, url: str, corpus: Corpus) -> tuple[Measured, list[Measured]]:
    """Each document by COPY, then as a call, in turns, so that both meet the same machine.

    A write is timed as a call, in its transaction, and in analysing the text. The call waits for
    its vectors, the transaction does not: vectors cannot be switched off, so the difference of
    the two is their part. COPY gets its chunks analysed.
    """
    copied: list[float] = []
    analysed: list[float] = []
    stored: list[float] = []
    whole: list[float] = []
    database = await app.databases.writing(None, AGENT)
    measured_from = max(0, len(corpus.documents) - MEASURED_WRITES)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(_BARE_TABLE)
        await fill(app, conn, corpus.documents[:measured_from])
    with psycopg.connect(url, autocommit=True) as conn, timed(database, "write", stored):
        for number, document in enumerate(corpus.documents[measured_from:], measured_from):
            started = time.perf_counter()
            chunks = await analysed_chunks(number, document)
            analysed.append(time.perf_counter() - started)
            copied.append(copy(conn, chunks))
            request = WriteDocument(f"{number}.md", document, mode="create")
            started = time.perf_counter()
            await app.documents.write(app.session(AGENT), request)
            whole.append(time.perf_counter() - started)
    assert len(stored) == len(whole), "a write is one transaction"
    return _of_chunks("bare COPY with a GIN index", copied), [
        _of_chunks("analysis alone: chunks, lexemes", analysed),
        _of_chunks("text committed, without vectors", stored),
        _of_chunks("the call, with hashing vectors", whole),
    ]


async def fill(app: App, conn: psycopg.Connection, documents: Sequence[str]) -> None:
    """Everything before what is measured: by COPY, and by several writers at once."""
    waiting = iter(enumerate(documents))

    async def write() -> None:
        for number, document in waiting:
            await app.documents.write(
                app.session(AGENT), WriteDocument(f"{number}.md", document, mode="create")
            )

    async with anyio.create_task_group() as writers:
        for _ in range(WRITERS):
            writers.start_soon(write)
    for number, document in enumerate(documents):
        copy(conn, await analysed_chunks(number, document))


async def analysed_chunks(number: int, document: str) -> list[NewChunk]:
    """What a write works out of a document before it is stored."""
    chunks = await split(document)
    return await add_lexemes(chunks, path=f"{number}.md", tags=(), day=datetime.now(UTC).date())


def copy(conn: psycopg.Connection, chunks: Sequence[NewChunk]) -> float:
    """How long COPY of a document's chunks takes, in a transaction of its own."""
    started = time.perf_counter()
    with conn.cursor().copy("COPY bare (text, lexemes) FROM STDIN") as target:
        for chunk in chunks:
            target.write_row((chunk.text, chunk.lexemes))
    return time.perf_counter() - started


def _of_chunks(name: str, seconds: Sequence[float]) -> Measured:
    return Measured(name, last(seconds), CHUNKS_A_DOCUMENT)


@contextmanager
def timed(database: Database, method: str, seconds: list[float]) -> Generator[None]:
    """How long each call of one of the database's methods takes, in this block."""
    original = getattr(database, method)

    async def clocked(*arguments: object) -> object:
        started = time.perf_counter()
        try:
            return await original(*arguments)
        finally:
            seconds.append(time.perf_counter() - started)

    setattr(database, method, clocked)
    try:
        yield
    finally:
        delattr(database, method)


async def until_settled(app: App) -> None:
    """Return when no vector and no word count is outstanding."""
    while await app.spaces.pending(app.session(AGENT)):  # noqa: ASYNC110 - rows tell no event
        await anyio.sleep(0.1)
    await app.word_counts.merge(await app.databases.reading(None, AGENT))


async def search_all(app: App, url: str, corpus: Corpus) -> tuple[Measured, list[Measured]]:
    """Each query as the bare statement, as our lexical route, and as the whole search."""
    database = await app.databases.reading(None, AGENT)
    bare: list[float] = []
    route: list[float] = []
    whole: list[float] = []
    with psycopg.connect(url, autocommit=True) as conn:
        for query in (*corpus.queries[:5], *corpus.queries):
            lexemes = query_lexemes(query)
            started = time.perf_counter()
            conn.execute(_BARE_SEARCH, {"query": tsquery(lexemes)}).fetchall()
            bare.append(time.perf_counter() - started)
            started = time.perf_counter()
            async with database.reading(AGENT) as reader:
                await routes.lexical(reader, lexemes=lexemes, filter=EVERYTHING, limit=200)
            route.append(time.perf_counter() - started)
            started = time.perf_counter()
            await app.search.passages(app.session(AGENT), SearchRequest(query))
            whole.append(time.perf_counter() - started)
    # The first five warm the connections and the caches.
    return Measured("bare: @@ of any word, ts_rank", bare[5:]), [
        Measured("our lexical route, policies on", route[5:]),
        Measured("the call: both routes and texts", whole[5:]),
    ]


@contextmanager
def server(url: str | None) -> Generator[str]:
    """The server to measure on: the given one, else an embedded one that is gone afterwards."""
    if url is not None:
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="mcpm-bench-"))
    folder.chmod(0o755)
    cluster = EmbeddedCluster(folder / "cluster")
    try:
        cluster.start()
        yield cluster.url("postgres")
    finally:
        cluster.leave()
        cluster.wait_stopped()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Measure each size in a database of its own, and drop it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--database-url", help="a server; databases of its own are made there")
    arguments = parser.parse_args()
    with server(arguments.database_url) as url:
        for size in arguments.sizes:
            name = sql.Identifier(f"bench_documents_{size}")
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(name)
                )
                try:
                    anyio.run(measure, with_database(url, f"bench_documents_{size}"), size)
                finally:
                    conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


if __name__ == "__main__":
    main()
