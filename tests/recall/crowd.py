"""A database in which a few rows stand among very many of others."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import psycopg
from psycopg import sql

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.postgres.addresses import with_database
from mcp_memory.text.findable import INDEXING
from mcp_memory.vectors.providers.hashing import HashingEmbedder
from tests.documents.looking import rows, until_embedded
from tests.fixtures.postgres import copy_template

# Few, so that an index over 100,000 vectors is built in seconds.
DIMENSIONS = 32

# As the owner, the login of the tests; a forced owner steps out of the policies so.
_AS_OWNER = """
SELECT set_config('search_path', 'mcp_memory, public', false),
       set_config('mcp_memory.maintenance', 'on', false),
       set_config('maintenance_work_mem', '256MB', false),
       setseed(0.5)
"""

_ADD_DOCUMENTS = """
INSERT INTO documents (agent_id, path, title, tokens, sha256)
SELECT %(agent)s, 'crowd/' || n || '.md', 'Crowd', 100, ''
FROM generate_series(1, (%(rows)s + 9) / 10) n
"""

# Words by a power law, spelled so that no stemmer touches them: wbbc is word 1, wbbd word 2.
_ADD_CHUNKS = """
INSERT INTO chunks (agent_id, source, document_id, position, path, title, start_line, end_line,
                    text, text_hash, tokens, lexemes, indexed_by)
SELECT d.agent_id, 'documents', d.id, place, d.path, d.title, place * 5 + 1, place * 5 + 5,
       words.text, sha256(words.text::bytea), 30, to_tsvector('simple', words.text),
       %(indexing)s
FROM documents d
CROSS JOIN generate_series(0, 9) place
CROSS JOIN LATERAL (
    SELECT string_agg(
               'w' || translate(floor(power(random(), 3) * 5000 + (d.id + n) * 0)::text,
                                '0123456789', 'bcdfghjklm'), ' '
           ) || ' ' || %(text)s AS text
    FROM generate_series(1, 10) n
    WHERE place >= 0
) words
WHERE d.agent_id = %(agent)s AND d.path LIKE 'crowd/%%'
"""

_ADD_VECTORS = """
INSERT INTO vectors (chunk_id, space_id, agent_id, embedding)
SELECT c.id, m.id, c.agent_id, noisy.embedding
FROM chunks c
CROSS JOIN vector_spaces m
CROSS JOIN LATERAL (
    SELECT array_agg(part + (random() - 0.5) * 0.2 + c.id * 0)::vector AS embedding
    FROM unnest(%(near)s::float8[]) part
) noisy
WHERE c.agent_id = %(agent)s AND c.path LIKE 'crowd/%%' AND m.state = 'active'
ON CONFLICT DO NOTHING
"""

_VECTOR_INDEXES = """
SELECT indexname::text, indexdef
FROM pg_indexes
WHERE schemaname = 'mcp_memory' AND tablename = 'vectors' AND indexdef LIKE '%hnsw%'
"""

# Built over all rows at the end they cost a fraction of what they do row by row.
_LARGE_INDEXES = """
SELECT indexname::text, indexdef
FROM pg_indexes
WHERE schemaname = 'mcp_memory'
  AND (indexname = 'chunks_lexemes'
       OR tablename = 'vectors' AND indexdef LIKE '%hnsw%')
"""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many chunks of whom: each holds these words, and its vector is near these words'."""

    agent: str
    rows: int
    text: str
    near: str


@asynccontextmanager
async def crowded(server_url: str, template: str, *crowds: Crowd) -> AsyncGenerator[str]:
    """The URL of a database that holds these crowds; it is dropped afterwards."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    url = with_database(server_url, name)
    copy_template(server_url, template, name)
    try:
        async with open_app(config_of(url)) as app:
            await _make_the_space(app)
        vectors = [await HashingEmbedder(DIMENSIONS).embed_query(crowd.near) for crowd in crowds]
        fill(url, [(crowd, row.tolist()) for crowd, row in zip(crowds, vectors, strict=True)])
        yield url
    finally:
        with psycopg.connect(server_url, autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def config_of(url: str) -> Config:
    """The configuration for such a database."""
    return Config.model_validate(
        {
            "database": {"url": url, "pool": {"min": 0, "max": 4}},
            "embeddings": {"provider": "hashing", "dimensions": DIMENSIONS},
        }
    )


async def _make_the_space(app: App) -> None:
    await app.documents.write(
        app.session("nobody"), WriteDocument("first.md", "so that there is a space")
    )
    await until_embedded(app)
    with anyio.fail_after(10):
        while not await rows(app, _VECTOR_INDEXES):  # noqa: ASYNC110 - rows tell no event
            await anyio.sleep(0.01)


def fill(url: str, crowds: list[tuple[Crowd, list[float]]]) -> None:
    """Add the crowds in one transaction, so that nobody begins to embed them."""
    with psycopg.connect(url) as conn:
        conn.execute(_AS_OWNER)
        indexes = conn.execute(_LARGE_INDEXES).fetchall()
        for name, _ in indexes:
            conn.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(str(name))))
        # Without its trigger nothing is queued: the vectors are here already.
        conn.execute("ALTER TABLE chunks DISABLE TRIGGER enqueue_embeddings")
        for crowd, near in crowds:
            facts = {
                "agent": crowd.agent,
                "rows": crowd.rows,
                "text": crowd.text,
                "near": near,
                "indexing": INDEXING,
            }
            for statement in (_ADD_DOCUMENTS, _ADD_CHUNKS, _ADD_VECTORS):
                conn.execute(statement, facts)
        conn.execute("ALTER TABLE chunks ENABLE TRIGGER enqueue_embeddings")
        for _, definition in indexes:
            # A coarser graph of vectors than ours: what is found at all is asked, not how much.
            coarse = str(definition).replace(" WHERE", " WITH (m=8, ef_construction=24) WHERE")
            conn.execute(coarse.encode())
        conn.commit()
        conn.autocommit = True
        while conn.execute("SELECT merge_lexemes()").fetchone() != (0,):
            pass
        conn.execute("VACUUM ANALYZE")
