"""How fast texts become vectors: bare libraries, our providers, the queue, COPY, a cold search.

`python -m benchmarks.embeddings --locomo FILE --model-dir DIR` makes a PostgreSQL of its own in a
temporary folder and prints tables. Rates of one table are of one run on one machine.
"""

import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict, cast

import anyio
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from mcp_memory.app import open_app
from mcp_memory.config import Config
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.embedded.cluster import EmbeddedCluster
from mcp_memory.postgres.session import Database, Session
from mcp_memory.search.kinds import SearchRequest
from mcp_memory.text.findable import INDEXING
from mcp_memory.vectors.administration import Administration
from mcp_memory.vectors.embedders import Embedders, SpaceCache
from mcp_memory.vectors.providers.base import EmbeddingSettings, Provider, import_extra
from mcp_memory.vectors.providers.factory import open_embedder
from mcp_memory.vectors.providers.minilm_files import MAX_TOKENS, model_folder
from mcp_memory.vectors.worker import EmbeddingTarget, embed_due, queue_all_missing

AGENT = "bench"
TURNS_PER_TEXT = 6
PROCESSORS = os.cpu_count() or 1


class Turn(TypedDict):
    text: str


class Talk(TypedDict):
    turns: list[Turn]


class Conversation(TypedDict):
    sessions: list[Talk]


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured, and with what."""

    locomo: Path
    model_dir: Path
    texts: int
    rows: int
    rounds: int


def texts_of(file: Path, count: int) -> list[str]:
    """Passages of six turns each; after the last conversation numbered repeats follow."""
    conversations = cast("list[Conversation]", json.loads(file.read_text("utf-8")))
    turns = [turn["text"] for c in conversations for s in c["sessions"] for turn in s["turns"]]
    starts = range(0, len(turns), TURNS_PER_TEXT)
    texts = ["\n".join(turns[start : start + TURNS_PER_TEXT]) for start in starts]
    return [
        text if number < len(texts) else f"{number}\n{text}"
        for number, text in zip(range(count), _endless(texts), strict=False)
    ]


def _endless(texts: Sequence[str]) -> Iterator[str]:
    while True:
        yield from texts


class BareMiniLM:
    """The two libraries called directly, in the best way found: short batches side by side."""

    def __init__(self, model_dir: Path) -> None:
        folder = model_folder(model_dir)
        fix = "pip install 'mcp-memory-postgres[local]'"
        ctranslate2 = import_extra("ctranslate2", provider="minilm", fix=fix)
        tokenizers = import_extra("tokenizers", provider="minilm", fix=fix)
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.encoder = ctranslate2.Encoder(
            str(folder), device="cpu", inter_threads=PROCESSORS, intra_threads=1
        )

    def embed(self, texts: Sequence[str]) -> None:
        encodings = self.tokenizer.encode_batch_fast(list(texts))
        tokens = sorted((list(each.ids) for each in encodings), key=len)
        batches = [tokens[start : start + 8] for start in range(0, len(tokens), 8)]
        with ThreadPoolExecutor(PROCESSORS) as threads:
            list(threads.map(self.embed_batch, batches))

    def embed_batch(self, batch: list[list[int]]) -> None:
        hidden: NDArray[np.float32] = np.array(self.encoder.forward_batch(batch).last_hidden_state)
        rows = hidden.mean(axis=1)
        _ = rows / np.linalg.norm(rows, axis=1, keepdims=True)


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def providers(options: Options, texts: Sequence[str]) -> None:
    """Texts a second and query latency of each provider, beside the bare libraries."""
    table = Table("provider", "texts/s", "query p50 ms", "query p95 ms")
    bare = BareMiniLM(options.model_dir)
    bare.embed(texts[:32])
    began = time.perf_counter()
    bare.embed(texts)
    rate = len(texts) / (time.perf_counter() - began)
    table.add_row("ctranslate2 + tokenizers, bare", f"{rate:.0f}", *_latency(bare_query(bare)))
    local: tuple[Provider, ...] = ("minilm", "hashing")
    for provider in local:
        settings = EmbeddingSettings(provider=provider, model_dir=options.model_dir)
        embedder = open_embedder(settings)
        await embedder.embed_documents(texts[:32])
        rate = len(texts) / await seconds(partial(embedder.embed_documents, texts))
        queries = [await seconds(partial(embedder.embed_query, text[:60])) for text in texts[:60]]
        table.add_row(provider, f"{rate:.0f}", *_latency(queries))
        await embedder.aclose()
    Console().print(table)


def bare_query(bare: BareMiniLM) -> list[float]:
    taken: list[float] = []
    for number in range(60):
        began = time.perf_counter()
        bare.embed_batch([list(bare.tokenizer.encode(f"where was the party, {number}?").ids)])
        taken.append(time.perf_counter() - began)
    return taken


def _latency(taken: Sequence[float]) -> tuple[str, str]:
    ordered = sorted(taken)
    return f"{statistics.median(ordered) * 1000:.1f}", f"{ordered[-4] * 1000:.1f}"


_CHUNK = """
INSERT INTO chunks (agent_id, source, position, path, title, start_line, end_line, text, text_hash,
                    tokens, lexemes, indexed_by)
SELECT 'bench', 'graph', 0, 'p', 't', 1, 1, text, sha256(convert_to(text, 'UTF8')), 1, '',
       %(indexing)s
FROM unnest(%(texts)s::text[]) text
"""


async def add_chunks(database: Database, texts: Sequence[str]) -> None:
    """Chunks without vectors, as a write leaves them."""

    async with database.writing(AGENT) as conn:
        await conn.execute(_CHUNK, {"texts": list(texts), "indexing": INDEXING})


_EMPTY = """
DELETE FROM vectors
"""


@asynccontextmanager
async def filler_of(
    options: Options, url: str, provider: Provider, texts: Sequence[str]
) -> AsyncGenerator[tuple[Databases, EmbeddingTarget]]:
    """A space over these texts that nobody else fills: an app's own worker would take its part."""
    databases = Databases(config_of(url, provider, options.model_dir))
    embedders = Embedders(EmbeddingSettings(provider=provider, model_dir=options.model_dir))
    admin = Administration(embedders, SpaceCache())
    try:
        session = Session(AGENT, databases.configured_default, databases)
        database = await session.open(create=True)
        await add_chunks(database, texts)
        space = await admin.add(session, provider)
        yield databases, EmbeddingTarget(database, space, await embedders.of_space(space))
    finally:
        await databases.close()
        await embedders.aclose()


async def filled(filler: EmbeddingTarget, texts: Sequence[str]) -> float:
    """How long filling takes, in seconds."""
    began = time.perf_counter()
    done = await embed_due(filler, batch=64)
    assert done == len(texts), "somebody else took a part of it"
    return time.perf_counter() - began


async def queue(options: Options, url: str, texts: Sequence[str]) -> None:
    """Filling a space through the queue, in turns with the bare library; the best of each."""
    bare = BareMiniLM(options.model_dir)
    bare.embed(texts[:32])
    library: list[float] = []
    filling: list[float] = []
    async with filler_of(options, url, "minilm", texts) as (_, filler):
        for turn in range(options.rounds):
            library.append(timed(bare, texts))
            if turn:
                async with filler.database.maintaining() as conn:
                    await _emptied(conn)
                await queue_all_missing(filler.database, filler.space)
            filling.append(await filled(filler, texts))
    best, through = len(texts) / min(library), len(texts) / min(filling)
    shares = sorted(one / other for one, other in zip(library, filling, strict=True))
    table = Table("minilm", "texts/s", "of the library", "median of turns")
    table.add_row("library, bare", f"{best:.0f}", "1.00", "1.00")
    table.add_row(
        "through the queue",
        f"{through:.0f}",
        f"{through / best:.2f}",
        f"{statistics.median(shares):.2f}",
    )
    Console().print(table)


async def _emptied(conn: Connection) -> None:
    await conn.execute(_EMPTY)


def timed(bare: BareMiniLM, texts: Sequence[str]) -> float:
    began = time.perf_counter()
    bare.embed(texts)
    return time.perf_counter() - began


async def copying(options: Options, url: str, texts: Sequence[str]) -> None:
    """Filling with hashing, beside COPY of the same vectors into a space with the same index."""
    async with filler_of(options, url, "hashing", texts) as (databases, filler):
        rate = len(texts) / await filled(filler, texts)
        copied = await copy_rate(databases, filler.database)
    table = Table("hashing", "rows/s", "of COPY")
    table.add_row("COPY, with the HNSW index", f"{copied:.0f}", "1.00")
    table.add_row("through the queue", f"{rate:.0f}", f"{rate / copied:.2f}")
    Console().print(table)


COPY = """
COPY mcp_memory.vectors (chunk_id, space_id, agent_id, embedding)
FROM STDIN (FORMAT binary)
"""


async def copy_rate(databases: Databases, database: Database) -> float:
    """Rows a second of a binary COPY into an equal space that is as empty as the first was."""
    embedder = open_embedder(EmbeddingSettings(provider="hashing"))
    async with database.maintaining() as conn:
        rows = await _read_texts(conn)
    vectors = await embedder.embed_documents([text for _, text in rows])

    async with database.maintaining() as conn:
        row = await (
            await conn.execute("SELECT add_vector_space('hashing', 'copied', 384)")
        ).fetchone()
        assert row is not None
        copied_id = int(row[0])

    async with database.maintaining() as conn:
        await conn.execute("SELECT index_vector_space(%(id)s)", {"id": copied_id})
    packed = b"".join(_packed(rows, vectors, copied_id))

    # COPY refuses tables with row-level security: the cluster's own login stands above it.
    async with (
        databases.direct_connection(database.name, create=False) as conn,
        conn.cursor() as cursor,
    ):
        began = time.perf_counter()
        async with cursor.copy(COPY) as stream:
            await stream.write(packed)
        return len(rows) / (time.perf_counter() - began)


async def _read_texts(conn: Connection) -> list[tuple[int, str]]:
    rows = await (await conn.execute("SELECT id, text FROM chunks ORDER BY id")).fetchall()
    return [(int(row[0]), str(row[1])) for row in rows]


def _packed(
    rows: Sequence[tuple[int, str]],
    vectors: NDArray[np.float32],
    model_id: int,
) -> Iterator[bytes]:
    """PostgreSQL's binary COPY format."""
    yield b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
    agent = AGENT.encode()
    for (chunk_id, _), vector in zip(rows, vectors.astype(">f4"), strict=True):
        value = struct.pack(">hh", len(vector), 0) + vector.tobytes()
        yield struct.pack(">hiqihi", 4, 8, chunk_id, 2, model_id, len(agent)) + agent
        yield struct.pack(">i", len(value)) + value
    yield struct.pack(">h", -1)


async def searching(options: Options, url: str) -> None:
    """A warm search of one process: how much of it is asking for the query's vector."""
    async with open_app(config_of(url, "hashing", options.model_dir)) as app:
        database = await app.databases.reading(None, AGENT)
        request = SearchRequest("when did she go to the group?", sources=("graph",))
        await app.search.passages(app.session(AGENT), request)
        search = partial(app.search.passages, app.session(AGENT), request)
        whole = [await seconds(search) for _ in range(60)]
        vector = [
            await seconds(partial(app.spaces.query_vector, database, request.query))
            for _ in range(60)
        ]
    table = Table("warm search, hashing", "p50 ms", "p95 ms")
    table.add_row("query_vector", *_latency(vector))
    table.add_row("whole search", *_latency(whole))
    Console().print(table)


COLD = """
import json, os, sys, time
began = float(sys.argv[1])
phases = {}
def lap(name, since):
    now = time.time(); phases[name] = now - since; return now
import anyio
from benchmarks.embeddings_cold import main
imported = lap("interpreter and imports", began)
anyio.run(main, sys.argv[2], sys.argv[3], phases, imported)
phases["whole"] = time.time() - began
print(json.dumps(phases))
"""


def config_of(url: str, provider: str, model_dir: Path) -> Config:
    return Config.model_validate(
        {
            "database": {"url": url},
            "embeddings": {"provider": provider, "model_dir": str(model_dir)},
        }
    )


def cold(options: Options, url: str, *, times: int = 7) -> None:
    """Phases of the first search of a fresh process, medians of several."""
    runs: list[dict[str, float]] = []
    for _ in range(times + 1):
        command = [sys.executable, "-c", COLD, str(time.time()), url, str(options.model_dir)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append(cast("dict[str, float]", json.loads(done.stdout)))
    table = Table("cold search, minilm", "ms", "share")
    medians = {name: statistics.median(run[name] for run in runs[1:]) for name in runs[0]}
    for name, value in medians.items():
        table.add_row(name, f"{value * 1000:.0f}", f"{value / medians['whole']:.0%}")
    Console().print(table)


@contextmanager
def cluster() -> Generator[EmbeddedCluster]:
    """A PostgreSQL in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="mcpm-bench-", dir="/tmp"))
    folder.chmod(0o755)
    running = EmbeddedCluster(folder / "cluster")
    try:
        running.start()
        yield running
    finally:
        running.leave()
        shutil.rmtree(folder, ignore_errors=True)


def options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locomo", type=Path, required=True, help="the LoCoMo conversations")
    parser.add_argument("--model-dir", type=Path, required=True, help="the installed local model")
    parser.add_argument("--texts", type=int, default=1000, help="how many for the models")
    parser.add_argument("--rows", type=int, default=10_000, help="how many for COPY")
    parser.add_argument("--rounds", type=int, default=4, help="turns of library and queue")
    return Options(**vars(parser.parse_args()))


def main() -> None:
    chosen = options()
    texts = texts_of(chosen.locomo, chosen.texts)
    anyio.run(providers, chosen, texts)
    with cluster() as running:
        anyio.run(queue, chosen, running.url("bench_minilm"), texts)
        cold(chosen, running.url("bench_minilm"))
        rows = texts_of(chosen.locomo, chosen.rows)
        anyio.run(copying, chosen, running.url("bench_hashing"), rows)
        anyio.run(searching, chosen, running.url("bench_hashing"))


if __name__ == "__main__":
    main()
