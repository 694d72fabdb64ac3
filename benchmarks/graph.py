"""What recall and traversal cost among many memories, beside a search and a bare read.

    python -m benchmarks.graph                    # 100,000 memories, three relations each
    python -m benchmarks.graph --memories 10000 --database-url postgresql://…

Every question goes in turns to memory_search (narrowed to memories) and to memory_graph_recall,
both with the embedding of the question: a third of them are words, a third name an entity too, and
of a third only the entity is known, so that few memories are relevant. Then two hops from a hub of
10,000 relations, with all policies, beside one indexed read of as many relations as are followed.
Without a URL it makes a PostgreSQL of its own.
"""

import argparse
import time
from collections.abc import Sequence
from typing import LiteralString

import anyio
import psycopg
from psycopg import sql

from benchmarks.documents import config_of, server
from benchmarks.search import SEED, prepare
from benchmarks.search_stage import AGENT, load, make_language, make_queries
from benchmarks.tables import Measured, print_table
from mcp_memory.app import App, open_app
from mcp_memory.memory.facts import traversal
from mcp_memory.memory.facts.query import FactQuery, Instants
from mcp_memory.memory.facts.traversal import TraversalOptions
from mcp_memory.postgres.addresses import with_database
from mcp_memory.search.kinds import SearchRequest

WARMING, ASKED, WALKS = 20, 100, 20
HUB_RELATIONS = 10_000
_NAME = "bench_graph"

# The chunks that were loaded become memories, each with two entities; entity 1 is the hub.
_MEMORIES: tuple[LiteralString, ...] = (
    "ANALYZE chunks",
    """
    INSERT INTO memories (id, agent_id)
    OVERRIDING SYSTEM VALUE SELECT id, agent_id FROM chunks WHERE agent_id = 'bench'
    """,
    """
    INSERT INTO memory_versions (memory_id, version, agent_id, shared, memory_type, content, tokens,
                                 importance, confidence, trust)
    SELECT id, 1, agent_id, false, 'fact', text, tokens, random(), 1, 'agent'
    FROM chunks WHERE agent_id = 'bench'
    """,
    """
    INSERT INTO memory_spans (memory_id, version, agent_id, shared, recorded_at)
    SELECT id, 1, agent_id, false, occurred_at FROM chunks WHERE agent_id = 'bench'
    """,
    """
    UPDATE chunks
    SET source = 'graph', document_id = NULL, memory_id = id, memory_version = 1,
        memory_type = 'fact', importance = 0.5, confidence = 1, truth = '(,)', origin = ''
    WHERE agent_id = 'bench'
    """,
    """
    INSERT INTO entities (id, agent_id, name, type, normal, words)
    OVERRIDING SYSTEM VALUE
    SELECT n, 'bench', 'Entity' || n, 'person', 'entity' || n, '{}'
    FROM generate_series(1, (SELECT count(*) / 5 FROM memories)) n
    """,
    "ANALYZE memories, entities",
    """
    INSERT INTO memory_mentions (memory_id, version, agent_id, shared, entity_id, name, type,
                                 normal, truth)
    SELECT m.id, 1, 'bench', false, e.id, e.name, e.type, e.normal, '(,)'
    FROM memories m
    CROSS JOIN (SELECT count(*) AS entities FROM entities) c
    CROSS JOIN LATERAL (VALUES (m.id), (m.id * 7919)) v (n)
    JOIN entities e ON e.id = v.n % c.entities + 1
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO memory_relations (memory_id, version, agent_id, shared, subject_id, relation,
                                  object_id, subject, object, truth)
    SELECT m.id, 1, 'bench', false, s.id, 'knows', o.id, s.name, o.name, '(,)'
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM memories) m
    CROSS JOIN (SELECT count(*) AS entities FROM entities) c
    CROSS JOIN generate_series(1, 3) n
    JOIN entities s ON s.id = CASE WHEN n = 1 AND m.place <= 10000 THEN 1
                                   ELSE (m.id * 31 + n * 104729) % c.entities + 1 END
    JOIN entities o ON o.id = (m.id * 17 + n * 15485863) % c.entities + 1
    """,
)
_BARE_READ = """
SELECT id, memory_id, subject_id, object_id
FROM mcp_memory.memory_relations
WHERE id <= %(most)s
"""
_FOLLOWED = """
SELECT count(*)
FROM mcp_memory.memory_relations
WHERE subject_id = ANY (%(reached)s) OR object_id = ANY (%(reached)s)
"""


def questions(memories: int) -> list[str]:
    """As in benchmarks/search.py; a third names an entity, another asks of nothing else."""
    asked = make_queries(make_language(SEED), WARMING + ASKED, SEED)
    entities = [f"Entity{number * 131 % (memories // 5) + 2}" for number in range(len(asked))]
    kinds = ("{query}", "{query} {entity}", "What is known of {entity}?")
    return [
        kinds[number % 3].format(query=query, entity=entity)
        for number, (query, entity) in enumerate(zip(asked, entities, strict=True))
    ]


async def recalled(app: App, asked: Sequence[str]) -> tuple[Measured, Measured]:
    """Each question to both, after some that warm the caches."""
    searches: list[float] = []
    recalls: list[float] = []
    for query in asked:
        started = time.perf_counter()
        request = SearchRequest(query, max_results=10, min_score=0.0, sources=("graph",))
        await app.search.passages(app.session(AGENT), request)
        searches.append(time.perf_counter() - started)
        started = time.perf_counter()
        await app.search.facts(app.session(AGENT), FactQuery(query=query, include_related=True))
        recalls.append(time.perf_counter() - started)
    return Measured("memory_search", searches[-ASKED:]), Measured(
        "memory_graph_recall", recalls[-ASKED:]
    )


async def walked(app: App, url: str) -> tuple[Measured, Measured, int]:
    """Two hops from the hub, and a read of as many relations as those follow."""
    database = await app.databases.reading(None, AGENT)
    options = TraversalOptions(Instants(), with_others=False)
    bare: list[float] = []
    ours: list[float] = []

    async def walk() -> dict[int, int]:
        async with database.reading(AGENT) as conn:
            return await traversal.reach(conn, [1], 2, options)

    with psycopg.connect(url, autocommit=True) as conn:
        hops = await walk()
        near = [entity for entity, hop in hops.items() if hop < 2]
        row = conn.execute(_FOLLOWED, {"reached": near}).fetchone()
        assert row is not None
        for _ in range(WALKS):
            started = time.perf_counter()
            conn.execute(_BARE_READ, {"most": row[0]}).fetchall()
            bare.append(time.perf_counter() - started)
            started = time.perf_counter()
            await walk()
            ours.append(time.perf_counter() - started)
    return (
        Measured(f"one indexed read of {row[0]:,} relations", bare),
        Measured(f"two hops, {len(hops):,} entities", ours),
        len(hops),
    )


async def measure(url: str, memories: int) -> None:
    """Print both tables."""
    async with open_app(config_of(url)) as app:
        search, recall = await recalled(app, questions(memories))
        print_table(f"Recall among {memories:,} memories", "question", search, [recall])
        bare, hops, _ = await walked(app, url)
        print_table(f"From a hub of {HUB_RELATIONS:,} relations", "walk", bare, [hops])


def main() -> None:
    """Load once, measure, and leave nothing behind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--database-url", help="a server; a database of its own is made there")
    arguments = parser.parse_args()
    with server(arguments.database_url) as url, psycopg.connect(url, autocommit=True) as conn:
        create = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'"
        conn.execute(sql.SQL(create).format(sql.Identifier(_NAME)))
        own = with_database(url, _NAME)
        try:
            anyio.run(prepare, own)
            seconds = load(own, make_language(SEED), arguments.memories, seed=SEED, then=_MEMORIES)
            print(f"{arguments.memories:,} memories loaded in {seconds:.0f} s\n")
            anyio.run(measure, own, arguments.memories)
        finally:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(_NAME)))


if __name__ == "__main__":
    main()
