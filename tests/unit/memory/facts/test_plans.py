"""How the database finds memories, entities and relations, with the policies on: by indexes.

One agent has 20,000 memories, another a few; what one of them asks must not read the whole.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime

import psycopg
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.memory.facts import entities, rows, similarity, store, traversal
from mcp_memory.memory.facts.model import Relation
from mcp_memory.memory.facts.query import FactFilter, FactQuery, Instants
from mcp_memory.memory.facts.rows import PageRange
from mcp_memory.memory.facts.traversal import TraversalOptions
from mcp_memory.postgres.addresses import with_database
from mcp_memory.postgres.connection import Connection
from mcp_memory.search import routes
from mcp_memory.search.facts import recall_facts
from mcp_memory.search.kinds import Filter
from mcp_memory.search.query import find_names, read_query, read_question
from mcp_memory.text.tokens import TokenCounter
from tests.fixtures.crowd import config_of
from tests.fixtures.fact_crowd import AGENT, HUB, MEMORIES, fill
from tests.fixtures.fact_factories import tell
from tests.fixtures.postgres import copy_template, drop_databases
from tests.fixtures.transactions import read_as

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Statement = Callable[[Connection], Awaitable[object]]

NOW = Instants()
OPTIONS = TraversalOptions(NOW, with_others=False)
GRAPH = Filter(sources=["graph"])
KNOWS = Relation(77, "knows", 4001, "Entity77 Miller0", "Somebody", None, None)


@pytest.fixture(scope="module")
async def fact_crowd_url(
    server_url: str, maintenance: psycopg.Connection, template: str
) -> AsyncIterator[str]:
    """The crowd's memories and three of alice's, in a database that is dropped afterwards."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    of_crowd = with_database(server_url, name)
    copy_template(maintenance, template, name)
    try:
        fill(of_crowd)
        async with open_app(config_of(of_crowd)) as app:
            for number in range(3):
                await tell(app, f"Alice saw kestrel {number}.", entities=["Ada"])
        yield of_crowd
    finally:
        drop_databases(maintenance, name)


@pytest.fixture
async def app(fact_crowd_url: str) -> AsyncIterator[App]:
    """An app on that database."""
    async with open_app(config_of(fact_crowd_url)) as opened:
        yield opened


# Counted for this transaction alone, and at once; the scans of a table are its sequential ones.
_COUNTED = """
SELECT c.relname::text, c.relkind::text, pg_stat_get_xact_numscans(c.oid),
       pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)
FROM pg_class c
WHERE c.relnamespace = 'mcp_memory'::regnamespace AND c.relkind IN ('r', 'i')
  AND pg_stat_get_xact_numscans(c.oid) > 0
"""
# What is small whoever asks: the settings of the database.
SMALL = {"vector_spaces"}


async def scans(app: App, agent: str, statement: Statement) -> Mapping[str, tuple[str, int]]:
    """What the statement scans as that agent: each table or index, its kind, the rows read."""
    database = await app.databases.reading(None, agent)

    async def work(conn: Connection) -> Mapping[str, tuple[str, int]]:
        assert await statement(conn) is not None
        rows = await (await conn.execute(_COUNTED)).fetchall()
        return {str(row[0]): (str(row[1]), int(row[3])) for row in rows}

    return await read_as(database, agent, work)


STATEMENTS: dict[str, tuple[Statement, set[str]]] = {
    "one hop": (
        lambda conn: traversal.reach(conn, [77], 1, OPTIONS),
        {"memory_relations_subject", "memory_relations_object"},
    ),
    "two hops from a hub": (
        lambda conn: traversal.reach(conn, [HUB], 2, OPTIONS),
        {"memory_relations_subject", "memory_relations_object"},
    ),
    "memories of an entity": (
        lambda conn: traversal.find_mentioning(conn, [77], 0, OPTIONS),
        {"memory_mentions_entity"},
    ),
    "memories that state a relation": (
        lambda conn: traversal.find_relating(conn, [77], 1, OPTIONS),
        {"memory_relations_subject", "memory_relations_object"},
    ),
    "relations of an entity": (
        lambda conn: traversal.get_relations(conn, [77], 100, OPTIONS),
        {"memory_relations_subject", "memory_relations_object"},
    ),
    "relations between two groups": (
        lambda conn: traversal.find_between(conn, [77], [1293], OPTIONS),
        {"memory_relations_subject"},
    ),
    "linked memories": (
        lambda conn: traversal.find_linked(conn, [77], 2, OPTIONS),
        {"memory_links_target"},
    ),
    "links of memories": (
        lambda conn: _links_of(conn, [77, 78]),
        {"memory_links_target"},
    ),
    "names that a query may hold": (
        lambda conn: find_names(conn, ["entity77 miller0", "ada"]),
        {"entities_normal", "entity_aliases_normal", "memory_mentions_normal"},
    ),
    "a name": (
        lambda conn: traversal.find_entities(conn, "entity77 miller0"),
        {"entities_normal", "memory_mentions_normal"},
    ),
    "whether others share": (traversal.others_share, {"memory_mentions_normal"}),
    "names to resolve": (
        lambda conn: entities.find_matches(conn, ["entity77 miller0"]),
        {"entities_normal", "entity_aliases_normal"},
    ),
    "near names": (
        lambda conn: entities.find_near_entities(conn, 4001, "Entitty77 Somebody"),
        {"entities_words"},
    ),
    "contradicted relations": (
        lambda conn: similarity.query_contradictions(conn, 4001, KNOWS, None, None),
        {"memory_relations_subject"},
    ),
    "the same": (lambda conn: _same(conn), {"memories_fingerprint"}),
    "a chain": (
        lambda conn: store.get_chain(conn, 77),
        {"memories_pkey", "memories_supersedes_key"},
    ),
    "a history": (
        lambda conn: rows.get_history(conn, 77, None, PageRange("recorded_at", 10)),
        {"memories_supersedes_key", "memory_versions_pkey"},
    ),
    "some memories": (
        lambda conn: rows.list_among(
            conn, {77: 1.0, 78: 0.5}, FactFilter(), NOW, PageRange("rank", 2)
        ),
        {"memory_versions_pkey"},
    ),
    "chunks of an entity": (
        lambda conn: routes.mentioning(conn, [77], GRAPH, 120),
        {"memory_mentions_entity", "chunks_memory"},
    ),
    "memories by a word": (
        lambda conn: routes.lexical(conn, ["777"], GRAPH, 120),
        {"chunks_lexemes"},
    ),
}


async def _links_of(conn: Connection, ids: list[int]) -> object:
    page = PageRange("rank", len(ids))
    held = await rows.list_among(conn, dict.fromkeys(ids, 0.0), FactFilter(), NOW, page)
    return await rows.get_links(conn, held, NOW)


async def _same(conn: Connection) -> bool:
    return await store.find_repeat(conn, b"nothing that is there") is None


@pytest.mark.parametrize("name", STATEMENTS)
async def test_the_graph_is_read_by_its_indexes_alone(app: App, name: str) -> None:
    statement, expected = STATEMENTS[name]

    done = await scans(app, AGENT, statement)

    whole = {table for table, (kind, _) in done.items() if kind == "r"} - SMALL
    assert whole == set()
    assert expected <= done.keys()


@pytest.mark.parametrize("query", ["What of zzyzx?", "Is Entity77 Miller0 well?"])
async def test_how_much_a_recall_reads_does_not_follow_the_memory(app: App, query: str) -> None:
    """Though few memories are relevant, or none: what is not is not gone through."""
    session = app.session(AGENT)
    vector = await app.spaces.query_vector(await session.open(), query)
    question = read_question(query, now=datetime.now(UTC), zone=UTC)
    async with session.reading() as conn:
        asked = await read_query(conn, question, vector)
        await recall_facts(conn, FactQuery(query=query), asked, 0.3, TokenCounter())
        rows = await (await conn.execute(_COUNTED)).fetchall()
    count = sum(int(row[3]) for row in rows if row[1] == "r" or "chunks" in row[0])

    assert count < MEMORIES // 4


async def test_a_small_owner_reads_hardly_more_than_his_own(app: App) -> None:
    done = await scans(
        app, "alice", lambda conn: traversal.find_mentioning(conn, [4001], 2, OPTIONS)
    )

    assert sum(rows for _, rows in done.values()) < 200
