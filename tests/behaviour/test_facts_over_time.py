"""Two agents, thousands of memories, twenty updates of one fact: each instant gives its version."""

from datetime import timedelta

import pytest

from mcp_memory.app import App
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.memory.facts.model import EntityReference, RelationReference
from mcp_memory.postgres.connection import Connection
from tests.fixtures.fact_factories import ask, change, contents, day, search, steps, tell, texts
from tests.fixtures.queries import change as change_rows
from tests.fixtures.queries import until_embedded
from tests.fixtures.transactions import maintain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

UPDATES = 20
# The noise: what has no part in it, of both agents, some of it shared, a third of it over.
# As if indexed by all that will ever be: nothing renews it behind the test.
CROWD = """
INSERT INTO memories (agent_id, shared)
SELECT CASE WHEN n % 2 = 0 THEN 'alice' ELSE 'bob' END, n % 5 = 0 FROM generate_series(1, 4000) n;
INSERT INTO memory_versions (memory_id, version, agent_id, shared, memory_type, content, tokens,
                             importance, confidence, trust)
SELECT m.id, 1, m.agent_id, m.shared, 'fact', 'Company ' || m.id || ' employs somebody.', 5, 0.5,
       1, 'agent'
FROM memories m;
INSERT INTO memory_spans (memory_id, version, agent_id, shared, valid_until, recorded_at)
SELECT m.id, 1, m.agent_id, m.shared,
       CASE WHEN m.id % 3 = 0 THEN timestamptz '2026-01-10' END, now()
FROM memories m;
INSERT INTO chunks (agent_id, shared, source, position, path, title, start_line, end_line, text,
                    text_hash, tokens, lexemes, memory_id, memory_version, memory_type, importance,
                    confidence, truth, indexed_by)
SELECT m.agent_id, m.shared, 'graph', 0, 'graph/m' || m.id, 'fact', 1, 1,
       'Company ' || m.id || ' employs somebody.', sha256(m.id::text::bytea), 5,
       array_to_tsvector(ARRAY['compani', m.id::text, 'employ', 'somebodi']), m.id, 1, 'fact', 0.5,
       1, tstzrange(NULL, CASE WHEN m.id % 3 = 0 THEN timestamptz '2026-01-10' END),
       32767
FROM memories m;
"""
FEWER = CROWD.replace("4000", "1200")
WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
""".split()  # noqa: SIM905 - a list of twenty literals is longer to read


# Bob, who sees what is shared, is asked for every fourth: each instant is six searches.
@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
async def test_each_instant_has_its_version_in_recall_query_path_and_search(
    app: App, step: int
) -> None:
    await change_rows(app, FEWER)
    ben = EntityReference("Ben", "person")
    id = await tell(
        app, "Ben works at firm zero.", valid_from=day(1), shared=True, entities=[ben],
        relations=[("Ben", "works_at", "Firm0")],
    )  # fmt: skip
    known = [(await ask(app, mode="history", id=id)).matches[0].version.recorded_at]
    for number in range(1, UPDATES):
        await change(
            app,
            id,
            content=f"Ben works at firm {WORDS[number]}.",
            valid_from=day(1) + timedelta(days=number),
            relations=(RelationReference("Ben", "works_at", f"Firm{number}"),),
        )
        known.append((await ask(app, mode="history", id=id)).matches[0].version.recorded_at)

    for agent, every in (("alice", 1), ("bob", step)):
        for number in range(0, UPDATES, every):
            as_of = day(1) + timedelta(days=number, hours=3)
            said = f"Ben works at firm {WORDS[number]}."
            recalled = await ask(app, agent, query="Where does Ben work?", as_of=as_of)
            about = await ask(app, agent, mode="entity", entity="Ben", as_of=as_of)
            way = await ask(
                app, agent, mode="path", entity="Ben", related_to=f"Firm{number}", as_of=as_of
            )
            found = await search(app, "Where does Ben work?", agent, as_of=as_of)
            assert contents(recalled)[:1] == [said]
            assert contents(about) == [said]
            assert steps(way) == [("Ben", "works_at", f"Firm{number}")]
            assert contents(way) == [said]
            assert texts(found)[:1] == [said]
            assert not [each for each in texts(found)[1:] if "Ben" in each]
            other = f"Firm{(number + 1) % UPDATES}"
            none = await ask(
                app, agent, mode="path", entity="Ben", related_to=other, as_of=as_of, depth=1
            )
            assert none.path == []

    for number in (0, 7, UPDATES - 1):
        late = day(1) + timedelta(days=400)
        then = await ask(app, mode="entity", entity="Ben", as_of=late, known_at=known[number])
        assert contents(then) == [f"Ben works at firm {WORDS[number]}."]
    assert len((await ask(app, mode="history", id=id, limit=50)).matches) == UPDATES


LONG_AGO = "UPDATE memory_versions SET occurred_at = '2020-01-01' WHERE memory_id IN (20, 40, 80)"


async def test_a_page_is_full_though_hardly_any_of_what_is_relevant_is_as_wanted(app: App) -> None:
    await change_rows(app, CROWD)
    await change_rows(app, LONG_AGO)

    found = await ask(app, query="company employs somebody", happens_before=day(1, 1, 2021))

    assert {f"m{each.version.memory_id}" for each in found.matches} == {"m20", "m40", "m80"}


async def test_of_what_is_relevant_every_page_is_shown_until_there_is_no_more(app: App) -> None:
    # A vector, or the count of a word, that comes between two pages moves what it is of.
    await app.documents.write(
        app.session("bob"), WriteDocument("first.md", "so that there is a space")
    )
    await until_embedded(app)
    await change_rows(app, FEWER)
    space = await app.spaces.active(app.session("alice"))
    assert space is not None
    await app.spaces.administration.embed_due(app.session("alice"), space)
    await app.word_counts.merge(await app.databases.reading(None, "alice"))
    shown: list[str] = []
    cursor = ""
    while not shown or cursor:
        page = await ask(app, query="company employs somebody", limit=100, cursor=cursor)
        shown += contents(page)
        cursor = page.next_cursor

    # Of 1,200 alice has each second one and sees each fifth of bob's; two in three are still so.
    assert len(shown) == len(set(shown)) == 480


_SPANS_READ = """
SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid))
FROM pg_index
WHERE indrelid = 'memory_spans'::regclass
"""


async def test_what_was_known_of_one_memory_reads_no_others_spans(app: App) -> None:
    """Nor does it before there are any statistics to plan by."""
    await change_rows(app, FEWER)

    async def work(conn: Connection) -> list[int]:
        read: list[int] = []
        for _ in range(2):
            row = await (await conn.execute(_SPANS_READ)).fetchone()
            assert row is not None
            read.append(int(row[0]))
            await conn.execute(
                "SELECT count(was_known(memory_id, version, now(), now())) FROM memory_versions"
            )
        return read

    before, after = await maintain(await app.databases.writing(None, "alice"), work)
    assert after - before == 1200
