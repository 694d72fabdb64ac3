"""How the database finds what a search asks for, with the policies on: by its indexes.

What a SECURITY DEFINER function does inside shows in no EXPLAIN of its caller, but in what the
transaction has counted: scans of each index and table, and rows read.
"""

from dataclasses import dataclass

import pytest

from mcp_memory.app import App
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Database
from mcp_memory.search import query, routes
from mcp_memory.search.kinds import Filter, Hit
from mcp_memory.text.terms import spellings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Whatever the corpus: a tenth of it when it was 30,000 rows.
MOST_READ = 3_000
ALL = Filter(sources=["documents"], path_prefix=None, tags=None, since=None, until=None)


@pytest.fixture
def app(crowded_app: App) -> App:
    """An app on a database of 100,000 chunks of one agent and ten of another."""
    return crowded_app


@pytest.fixture
async def db(app: App) -> Database:
    """That database."""
    return await app.databases.reading(None, "alice")


@dataclass(frozen=True, slots=True)
class Scans:
    """What one transaction did: which indexes and tables it scanned, and how much it read."""

    indexes: frozenset[str]
    whole_tables: frozenset[str]
    chunks_read: int


# Counted for this transaction alone, and at once; numscans of a table are its sequential ones.
_COUNTED = """
SELECT c.relname::text, c.relkind::text, pg_stat_get_xact_numscans(c.oid),
       pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)
FROM pg_class c
WHERE c.relnamespace = 'mcp_memory'::regnamespace AND c.relkind IN ('r', 'i')
"""


async def scans(conn: Connection) -> Scans:
    """What the transaction has done so far."""
    counted = await (await conn.execute(_COUNTED)).fetchall()
    names = {kind: [row[0] for row in counted if row[1] == kind and row[2]] for kind in "ri"}
    return Scans(
        indexes=frozenset(names["i"]),
        whole_tables=frozenset(names["r"]) & {"chunks", "vectors", "documents"},
        chunks_read=sum(int(row[3]) for row in counted if row[0] == "chunks"),
    )


async def by_words(db: Database, agent: str, *lexemes: str) -> tuple[list[Hit], Scans]:
    """What the lexical route finds as that agent, and how."""
    async with db.reading(agent) as conn:
        return await routes.lexical(conn, lexemes, ALL, 200), await scans(conn)


async def by_meaning(app: App, db: Database, agent: str, query: str) -> tuple[list[Hit], Scans]:
    """What the semantic route finds as that agent, and how."""
    vector = await app.spaces.query_vector(db, query)
    async with db.reading(agent) as conn:
        return await routes.semantic(conn, vector, ALL, 200), await scans(conn)


@pytest.mark.parametrize(
    "lexemes", [("wkjh",), ("wc", "wkjh"), ("kestrel", "wc"), ("wkjh", "nowhere")]
)
async def test_words_are_found_by_their_index_among_many_rows(
    db: Database, lexemes: tuple[str, ...]
) -> None:
    hits, done = await by_words(db, "crowd", *lexemes)

    assert hits
    assert "chunks_lexemes" in done.indexes
    assert done.whole_tables == frozenset()


@pytest.mark.parametrize("lexemes", [("kestrel",), ("wc", "wb"), ("kestrel", "wc", "wkjh")])
async def test_how_many_rows_are_read_does_not_follow_the_corpus(
    db: Database, lexemes: tuple[str, ...]
) -> None:
    """A word that every row holds may be looked for in the table itself, but not to its end."""
    _, done = await by_words(db, "crowd", *lexemes)

    assert 0 < done.chunks_read <= MOST_READ


async def test_for_a_small_owner_hardly_more_than_his_own_rows_are_read(db: Database) -> None:
    hits, done = await by_words(db, "alice", "kestrel", "sight")

    assert len(hits) == 10
    assert done.whole_tables == frozenset()
    assert done.chunks_read <= 100


async def test_meaning_is_found_by_the_index_of_the_space_among_many_rows(
    app: App, db: Database
) -> None:
    hits, done = await by_meaning(app, db, "crowd", "kestrel")

    assert len(hits) == 200
    assert "vectors_space_1" in done.indexes
    assert "vectors" not in done.whole_tables


async def test_that_an_owner_has_many_rows_is_seen_without_reading_them(
    app: App, db: Database
) -> None:
    hits, done = await by_meaning(app, db, "crowd", "kestrel")

    assert "chunks_agent" in done.indexes
    assert done.chunks_read <= 2 * len(hits)


async def test_a_small_owners_vectors_are_compared_one_by_one(app: App, db: Database) -> None:
    hits, done = await by_meaning(app, db, "alice", "kestrel")

    assert len(hits) == 10
    assert "vectors_space_1" not in done.indexes
    assert {"vectors_pkey", "chunks_agent"} <= done.indexes
    assert done.whole_tables == frozenset()
    assert done.chunks_read <= 100


async def test_an_anchor_is_found_by_the_index_of_words(app: App, db: Database) -> None:
    await app.documents.write(app.session("crowd"), WriteDocument("pr.md", "PR #4242 is open."))

    async with db.reading("crowd") as conn:
        look = await routes.by_anchors(conn, "what of PR 4242", {}, ALL, 200)
        done = await scans(conn)

    assert (len(look.hits), look.anchors) == (1, ["pr:4242"])
    assert "chunks_lexemes" in done.indexes
    assert done.whole_tables == frozenset()
    assert done.chunks_read <= 10


async def test_a_slip_is_corrected_by_indexes_alone(db: Database) -> None:
    async with db.reading("crowd") as conn:
        word = await query.correct_lexeme(conn, "kestrl", spellings("kestrl"))
        done = await scans(conn)

    assert word == "kestrel"
    assert done.whole_tables == frozenset()
    assert done.chunks_read <= 10


_NAIVE = """
EXPLAIN
SELECT id
FROM chunks
WHERE lexemes @@ 'wkjh'::tsquery
"""


async def naive_plan(conn: Connection) -> str:
    return "\n".join(str(row[0]) for row in await (await conn.execute(_NAIVE)).fetchall())


async def test_the_plain_statement_is_refused_its_index_by_the_policies(db: Database) -> None:
    """Why there are functions of the owner: `@@` is not leakproof, so a policy goes before it."""
    async with db.reading("crowd") as conn:
        plan = await naive_plan(conn)

    assert "chunks_lexemes" not in plan
    assert "Seq Scan on chunks" in plan


async def test_without_policies_the_same_statement_has_its_index(db: Database) -> None:
    async with db.maintaining() as conn:
        assert "chunks_lexemes" in await naive_plan(conn)
