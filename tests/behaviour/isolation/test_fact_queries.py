"""Nobody reads what another agent keeps private, on no way and by no detour."""

from dataclasses import asdict

import pytest

from mcp_memory.app import App
from mcp_memory.errors import EntityNotFound, FactNotFound
from mcp_memory.memory.facts.model import Association, EntityReference
from tests.fixtures.fact_factories import ask, change, contents, search, steps, tell, texts
from tests.fixtures.tables import all_rows_of_every_table
from tests.fixtures.transactions import read_as

BEN = EntityReference("Ben", "person", ("Benny",))


async def test_no_way_of_reading_leads_to_what_another_keeps_private(app: App) -> None:
    secret = await tell(
        app, "marmalade secret", entities=[BEN], relations=[("Ben", "hides_in", "Cellar")]
    )
    shared = await tell(
        app,
        "marmalade notice",
        entities=["Ada"],
        shared=True,
        associations=(Association(secret, "related_to"),),
    )

    for fields in (
        {"query": "marmalade secret"},
        {"query": "Where does Benny hide?"},
        {"query": "marmalade", "mode": "recent"},
        {"mode": "recent"},
        {"mode": "important"},
        {"mode": "typed", "memory_type": "fact"},
        {"mode": "timeline"},
        {"mode": "history", "id": shared},
        {"mode": "related", "id": shared, "depth": 4},
        {"mode": "entity", "entity": "Ada", "depth": 4},
        {"mode": "types"},
    ):
        found = await ask(app, "bob", include_related=True, **fields)
        told = str([asdict(each) for each in found.matches]) + str(found.relations)
        for word in ("secret", "Ben", "Cellar", "hides"):
            assert word not in told, fields
        assert found.types in (None, {"fact": 1})
    assert texts(await search(app, "marmalade secret", "bob")) == ["marmalade notice"]


@pytest.mark.parametrize("mode", ["related", "history"])
async def test_anothers_private_id_answers_like_an_unknown_one(app: App, mode: str) -> None:
    secret = await tell(app, "marmalade secret")

    for id in (secret, "m4711"):
        with pytest.raises(FactNotFound) as caught:
            await ask(app, "bob", mode=mode, id=id)
        assert str(caught.value).replace(id, "") == str(FactNotFound("")).replace("''", "''")


async def test_anothers_private_entity_answers_like_an_unknown_one(app: App) -> None:
    await tell(app, "marmalade secret", entities=[BEN])

    for name in ("Ben", "Benny", "e1", "e4711"):
        with pytest.raises(EntityNotFound) as caught:
            await ask(app, "bob", mode="entity", entity=name)
        assert caught.value.near == []
    await tell(app, "mine", "bob", entities=["Zoe"])
    with pytest.raises(EntityNotFound):
        await ask(app, "bob", mode="path", entity="Zoe", related_to="Ben")


async def test_what_was_private_when_it_was_told_stays_so_when_its_next_version_is_shared(
    app: App,
) -> None:
    id = await tell(app, "marmalade secret")
    await change(app, id, content="marmalade notice", shared=True)

    assert contents(await ask(app, "bob", mode="history", id=id)) == ["marmalade notice"]
    assert contents(await ask(app, "bob", mode="timeline")) == ["marmalade notice"]


async def test_a_path_leads_over_what_is_shared_and_over_nothing_else(app: App) -> None:
    await tell(app, "one", "bob", relations=[("Zoe", "knows", "Ben")])
    await tell(app, "two", shared=True, relations=[("Ben", "works_at", "Acme")])
    await tell(app, "three", relations=[("Acme", "owes", "Bank")])
    await tell(app, "bank", "bob", entities=[EntityReference("Bank", "unknown")])

    open_way = await ask(app, "bob", mode="path", entity="Zoe", related_to="Acme")
    closed_way = await ask(app, "bob", mode="path", entity="Zoe", related_to="Bank")

    assert steps(open_way) == [("Zoe", "knows", "Ben"), ("Ben", "works_at", "Acme")]
    assert steps(closed_way) == []
    assert contents(await ask(app, "bob", mode="entity", entity="Zoe", depth=2)) == ["one", "two"]


async def test_without_our_where_clauses_nothing_private_shows(app: App) -> None:
    await tell(
        app,
        "marmalade secret",
        entities=[BEN],
        relations=[("Ben", "hides_in", "Cellar")],
        source="whisper",
        tags=("hush",),
    )
    await tell(app, "marmalade notice", entities=["Ada"], shared=True)
    database = await app.databases.reading(None, "bob")

    seen = await read_as(database, "bob", all_rows_of_every_table)

    assert "marmalade notice" in seen
    for word in ("secret", "Ben", "ben", "Cellar", "hides_in", "whisper", "hush"):
        assert word not in seen, word
