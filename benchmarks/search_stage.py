"""A database of any size for benchmarks/search.py, loaded past the services by COPY.

The words follow Zipf's law, each document keeps to a topic, and the vectors are the hashing
provider's own: a sum over words, taken here from one matrix. What triggers would note of each row
(owner marks, word counts) is written as they would; the indexes are built after the rows.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from benchmarks.corpus import CHUNKS_A_DOCUMENT, VOCABULARY, WORDS_A_CHUNK, zipf_shares, zipf_words
from mcp_memory.text.findable import INDEXING
from mcp_memory.vectors.providers.hashing import DEFAULT_DIMENSIONS, word_features

AGENT, SMALL_AGENT = "bench", "small"
SMALL_ROWS = 20
_TOPICS = 1000
_TOPIC_WORDS = 40
_TOPIC_SHARE = 0.3
_BLOCK = 1000
_START = datetime(2024, 1, 1, tzinfo=UTC)

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Language:
    """The words, their frequencies, the words of each topic, and each word's vector."""

    words: Sequence[str]
    shares: NDArray[np.float64]
    topics: Numbers
    vectors: NDArray[np.float32]


def make_language(seed: int) -> Language:
    """The same language from the same seed."""
    random = np.random.default_rng(seed)
    words = zipf_words()
    vectors = np.zeros((VOCABULARY, DEFAULT_DIMENSIONS), np.float32)
    for number, word in enumerate(words):
        features = word_features(word, DEFAULT_DIMENSIONS)
        vectors[number, features.columns] = features.weights
    topics = random.integers(100, VOCABULARY, (_TOPICS, _TOPIC_WORDS))
    return Language(words, zipf_shares(), topics, vectors)


def chunk_words(language: Language, chunks: int, seed: int) -> Iterator[Numbers]:
    """The word numbers of so many chunks, in blocks of rows."""
    random = np.random.default_rng(seed)
    steps = np.cumsum(language.shares)
    for start in range(0, chunks, _BLOCK):
        size = min(_BLOCK, chunks - start)
        shape = (size, WORDS_A_CHUNK)
        drawn = np.asarray(np.searchsorted(steps, random.random(shape) * steps[-1]), np.int64)
        topics = (np.arange(start, start + size) // CHUNKS_A_DOCUMENT * 7919) % _TOPICS
        chosen = random.integers(0, _TOPIC_WORDS, shape)
        of_topic = random.random(shape) < _TOPIC_SHARE
        yield np.where(of_topic, language.topics[topics[:, None], chosen], drawn)


def embedded(language: Language, drawn: Numbers) -> NDArray[np.float32]:
    """The hashing provider's vectors of these chunks: 1 + ln(times) for each distinct word."""
    keys = drawn + np.arange(len(drawn))[:, None] * VOCABULARY
    _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    weights = ((1 + np.log(counts)) / counts)[places].reshape(drawn.shape).astype(np.float32)
    rows = np.einsum("cw,cwd->cd", weights, language.vectors[drawn])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def make_queries(language: Language, number: int, seed: int) -> list[str]:
    """Questions of two common words, two of one topic, and a rare one."""
    random = np.random.default_rng(seed)

    def query() -> str:
        topic = language.topics[random.integers(_TOPICS)]
        common: Numbers = random.integers(0, 100, 2)
        of_topic: Numbers = random.choice(topic, 2, replace=False)
        rare = int(random.integers(3000, VOCABULARY))
        return " ".join(language.words[n] for n in [*common.tolist(), *of_topic.tolist(), rare])

    return [query() for _ in range(number)]


_AS_OWNER = """
SELECT set_config('search_path', 'mcp_memory, public', false),
       set_config('session_replication_role', 'replica', false),
       set_config('maintenance_work_mem', '3GB', false),
       set_config('max_parallel_maintenance_workers', '3', false),
       set_config('synchronous_commit', 'off', false)
"""
_LARGE_INDEXES = """
SELECT indexname::text, indexdef
FROM pg_indexes
WHERE schemaname = 'mcp_memory' AND (indexdef LIKE '%hnsw%' OR indexname = 'chunks_lexemes')
"""
_DOCUMENTS = """
INSERT INTO documents (agent_id, path, title, tokens, sha256)
SELECT CASE WHEN n <= %(small)s THEN %(small_agent)s ELSE %(agent)s END, 'bench/' || n || '.md',
       'Document ' || n, 1000, ''
FROM generate_series(1, %(documents)s) n
RETURNING id
"""
_COPY_CHUNKS = """
COPY chunks (id, agent_id, source, document_id, position, path, title, start_line, end_line, text,
             text_hash, tokens, lexemes, occurred_at, indexed_by)
FROM STDIN
"""
_COPY_VECTORS = """
COPY vectors (chunk_id, space_id, agent_id, embedding) FROM STDIN WITH (FORMAT binary)
"""
_SETTLE = """
SELECT setval(pg_get_serial_sequence('chunks', 'id'), (SELECT max(id) FROM chunks))
"""


def load(
    url: str,
    language: Language,
    chunks: int,
    *,
    seed: int,
    then: Sequence[LiteralString] = (),
) -> float:
    """Fill the prepared database of that URL with so many chunks; the seconds it took.

    The first rows are the small agent's. What is to be made of them (`then`) is done before the
    large indexes are built. Needs a login that may set session_replication_role.
    """
    started = time.perf_counter()
    with psycopg.connect(url) as conn:
        conn.execute(_AS_OWNER)
        with _without_large_indexes(conn):
            _copy_chunks(conn, language, chunks, seed)
            _copy_vectors(conn, language, chunks, seed)
            for statement in then:
                conn.execute(statement)
            conn.commit()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")
    return time.perf_counter() - started


@contextmanager
def _without_large_indexes(conn: psycopg.Connection) -> Generator[None]:
    indexes = conn.execute(_LARGE_INDEXES).fetchall()
    for name, _ in indexes:
        conn.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(str(name))))
    yield
    for _, definition in indexes:
        conn.execute(str(definition).encode())


def _owner(row: int) -> str:
    return SMALL_AGENT if row < SMALL_ROWS else AGENT


def _copy_chunks(conn: psycopg.Connection, language: Language, chunks: int, seed: int) -> None:
    facts = {
        "agent": AGENT,
        "small_agent": SMALL_AGENT,
        "small": SMALL_ROWS // CHUNKS_A_DOCUMENT,
        "documents": -(-chunks // CHUNKS_A_DOCUMENT),
    }
    documents = [int(row[0]) for row in conn.execute(_DOCUMENTS, facts).fetchall()]
    counts = {agent: np.zeros(VOCABULARY, np.int64) for agent in (AGENT, SMALL_AGENT)}
    row = 0
    with conn.cursor().copy(_COPY_CHUNKS) as target:
        for drawn in chunk_words(language, chunks, seed):
            for numbers in drawn.tolist():
                counts[_owner(row)][list(set(numbers))] += 1
                target.write(_chunk_line(language, documents, row, numbers))
                row += 1
    conn.execute(_SETTLE)
    _copy_counts(conn, language, counts, chunks)


def _chunk_line(
    language: Language, documents: Sequence[int], row: int, numbers: Sequence[int]
) -> str:
    words = [language.words[number] for number in numbers]
    places: dict[str, str] = {}
    for place, word in enumerate(words, 1):
        places[word] = f"{places[word]},{place}" if word in places else f"'{word}':{place}"
    document, position = divmod(row, CHUNKS_A_DOCUMENT)
    owner = _owner(row)
    fields = (
        str(row + 1_000_000),
        owner,
        "documents",
        str(documents[document]),
        str(position),
        f"bench/{document + 1}.md",
        f"Document {document + 1}",
        str(position * 3 + 1),
        str(position * 3 + 3),
        " ".join(words),
        f"\\\\x{row:016x}",
        "110",
        f"'=owner:{owner}' {' '.join(places.values())}",
        (_START + timedelta(minutes=row)).isoformat(),
        str(INDEXING),
    )
    return "\t".join(fields) + "\n"


def _copy_counts(
    conn: psycopg.Connection, language: Language, counts: dict[str, Numbers], chunks: int
) -> None:
    with conn.cursor().copy(
        "COPY word_counts (lexeme, agent_id, shared, chunks) FROM STDIN"
    ) as target:
        for agent, total in ((AGENT, chunks - SMALL_ROWS), (SMALL_AGENT, SMALL_ROWS)):
            target.write_row(("", agent, False, total))
            for number in np.flatnonzero(counts[agent]).tolist():
                row = (language.words[number], agent, False, int(counts[agent][number]))
                target.write_row(row)


def _copy_vectors(conn: psycopg.Connection, language: Language, chunks: int, seed: int) -> None:
    """In COPY's binary form, made block by block: a row is four fields, each with its length."""
    found = conn.execute("SELECT id FROM vector_spaces WHERE state = 'active'").fetchone()
    assert found is not None, "the space is made by the first search or write"
    row = 0
    with conn.cursor().copy(_COPY_VECTORS) as target:
        target.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for drawn in chunk_words(language, chunks, seed):
            vectors = embedded(language, drawn)
            for agent in (SMALL_AGENT, AGENT):
                mine = [n for n in range(len(drawn)) if _owner(row + n) == agent]
                if mine:
                    first = row + 1_000_000 + mine[0]
                    target.write(_vector_rows(first, int(found[0]), agent, vectors[mine]))
            row += len(drawn)
        target.write(b"\xff\xff")


def _vector_rows(first: int, space: int, agent: str, vectors: NDArray[np.float32]) -> bytes:
    size, name = vectors.shape[1], agent.encode()
    rows = np.zeros(
        len(vectors),
        [
            ("fields", ">i2"),
            ("id_length", ">i4"),
            ("id", ">i8"),
            ("space_length", ">i4"),
            ("space", ">i2"),
            ("agent_length", ">i4"),
            ("agent", f"S{len(name)}"),
            ("vector_length", ">i4"),
            ("dimensions", ">i2"),
            ("unused", ">i2"),
            ("vector", ">f4", (size,)),
        ],
    )
    rows["fields"], rows["id_length"], rows["space_length"] = 4, 8, 2
    rows["agent_length"], rows["vector_length"] = len(name), 4 + 4 * size
    rows["id"] = np.arange(first, first + len(vectors))
    rows["space"], rows["agent"], rows["dimensions"], rows["vector"] = space, name, size, vectors
    return rows.tobytes()
