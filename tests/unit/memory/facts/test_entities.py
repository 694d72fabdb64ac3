"""Whom and what memories speak of: one entity a name, its aliases, and what is only proposed."""

import pytest

from mcp_memory.app import App
from mcp_memory.errors import EntityNotFound, FactConflict, InvalidInput
from mcp_memory.memory.facts.model import EntityReference, RelationReference
from mcp_memory.text.terms import normalize
from tests.fixtures.facts import day, so_at, store, update
from tests.fixtures.queries import rows


async def named(app: App, *entities: EntityReference, content: str = "") -> list[str]:
    """The ids of the entities that a new memory speaks of."""
    names = content or f"about {' and '.join(each.name for each in entities)} {entities}"
    stored = await store(app, names, entities=entities)
    return [each.id for each in stored.entities]


@pytest.mark.parametrize(
    "other", ["ada  lovelace", "ADA LOVELACE", "'Ada Lovelace'", "Áda Lovelace"]
)
async def test_a_name_is_the_same_however_it_is_written(app: App, other: str) -> None:
    first = await named(app, EntityReference("Ada Lovelace", "person"))

    assert await named(app, EntityReference(other, "person")) == first
    assert normalize(other) == "ada lovelace"


async def test_an_alias_leads_to_the_entity_and_never_away_from_one(app: App) -> None:
    ada = await named(app, EntityReference("Ada Lovelace", "person", ("Countess",)))

    assert await named(app, EntityReference("countess", "person")) == ada
    bob = await named(app, EntityReference("Bob", "person", ("Countess",)))
    assert bob != ada
    assert await named(app, EntityReference("Countess"), content="again") == ada


async def test_one_name_of_two_types_is_two_entities(app: App) -> None:
    company = await named(app, EntityReference("Apple", "organization"))
    fruit = await named(app, EntityReference("Apple", "fruit"))

    assert company != fruit


async def test_what_was_only_named_becomes_what_it_is_said_to_be(app: App) -> None:
    stored = await store(
        app, "Ada works at Acme", relations=(RelationReference("Ada", "works at", "Acme"),)
    )
    ada = next(each.id for each in stored.entities if each.name == "Ada")

    assert await named(app, EntityReference("Ada", "person")) == [ada]
    assert await rows(app, "SELECT name, type FROM entities ORDER BY name") == [
        ("Acme", "unknown"),
        ("Ada", "person"),
    ]
    assert await rows(app, "SELECT subject, relation, object FROM memory_relations") == [
        ("Ada", "works_at", "Acme")
    ]


async def test_a_new_entity_is_told_which_known_one_it_may_be(app: App) -> None:
    await named(app, EntityReference("Ada Lovelace", "person"))
    await named(app, EntityReference("Grace Hopper", "person"))
    stored = await store(app, "Ada came", entities=(EntityReference("Ada", "person"),))

    (ada,) = stored.entities
    assert ada.created
    assert [each.name for each in ada.candidates] == ["Ada Lovelace"]


@pytest.mark.parametrize(
    ("known", "named_now"),
    [
        ("Globex", "Globx"),
        ("Katherine Novak", "Kathrine Novak"),
        ("John Smith", "Jon Smiht"),
        ("Grace Hopper", "Hopper, Grace"),
        ("International Business Machines", "IBM"),
        ("The New York Times", "NYT"),
        ("WHO", "World Health Organization"),
        ("Deutsche Bank AG", "Deutsche Bank"),
    ],
)
async def test_a_slip_another_order_and_initials_are_proposed_and_never_merged(
    app: App, known: str, named_now: str
) -> None:
    older = await named(app, EntityReference(known, "thing"))
    stored = await store(app, f"{named_now} again", entities=(EntityReference(named_now, "thing"),))

    (entity,) = stored.entities
    assert entity.created
    assert [each.id for each in entity.candidates] == older
    assert await rows(app, "SELECT count(*) FROM entities") == [(2,)]


@pytest.mark.parametrize(
    ("known", "named_now"),
    [("Ada Lovelace", "Ada Jensen"), ("Berlin", "Bern"), ("IBM", "Intel"), ("Rome", "Roma")],
)
async def test_what_is_merely_like_a_name_is_not_proposed(
    app: App, known: str, named_now: str
) -> None:
    await named(app, EntityReference(known, "thing"))
    stored = await store(app, f"{named_now} again", entities=(EntityReference(named_now, "thing"),))

    assert stored.entities[0].candidates == []


async def test_entities_of_two_agents_are_never_one(app: App) -> None:
    mine = await store(app, "Ada came", entities=(EntityReference("Ada", "person"),))
    theirs = await store(app, "Ada came", "bob", entities=(EntityReference("Ada", "person"),))

    assert mine.entities[0].id != theirs.entities[0].id
    assert theirs.entities[0].created
    assert theirs.entities[0].candidates == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada takes 5 mg of aspirin", "Ada takes 50 mg of aspirin"),
        ("Ada likes spicy food", "Ada does not like spicy food"),
        ("Ada likes spicy food", "Ada dislikes spicy food"),
        ("the meeting is at 3 pm", "the meeting is at four pm"),
    ],
)
async def test_numbers_and_negation_are_never_even_proposed(app: App, one: str, other: str) -> None:
    await store(app, one)

    assert (await store(app, other)).similar == []
    assert len(await so_at(app, "alice")) == 2


async def test_what_says_nearly_the_same_is_proposed_and_not_merged(app: App) -> None:
    first = await store(app, "Ada likes very spicy Thai food")
    second = await store(app, "Ada likes spicy Thai food", memory_type="preference")

    assert [each.id for each in second.similar] == [first.id]
    assert 0.6 <= second.similar[0].score <= 1
    assert len(await so_at(app, "alice")) == 2


async def test_another_object_of_a_functional_relation_names_the_older_fact(app: App) -> None:
    def works(where: str) -> tuple[RelationReference, ...]:
        return (RelationReference("Ada", "works_at", where),)

    old = await store(app, "Ada is with Acme", relations=works("Acme"), valid_until=day(10))
    now = await store(app, "Ada joined Globex", relations=works("Globex"), valid_from=day(10))
    new = await store(app, "Initech hired Ada", relations=works("Initech"), valid_from=day(20))

    assert now.similar == []
    assert [(each.id, each.contradicts) for each in new.similar] == [(now.id, "works_at")]
    assert old.id not in [each.id for each in new.similar]
    assert set((await so_at(app, "alice", day(21))).values()) == {
        "Ada joined Globex",
        "Initech hired Ada",
    }


async def test_relations_end_with_their_memory_and_are_never_longer_than_they_say(
    app: App,
) -> None:
    stored = await store(
        app,
        "Ada works at Acme",
        valid_from=day(1),
        relations=(RelationReference("Ada", "works_at", "Acme", valid_until=day(20)),),
    )
    assert await rows(app, _TRUTHS) == [(1, day(1), day(20))]
    await update(app, stored.id, content="Ada left Acme", relations=(), valid_from=day(15))

    assert await rows(app, _TRUTHS) == [(1, day(1), day(15))]
    await update(app, stored.id, content="Ada works at Acme", entities=(), valid_from=day(1))
    assert await rows(app, _TRUTHS) == [(1, None, None)]


_TRUTHS = "SELECT version, lower(truth), upper(truth) FROM memory_relations ORDER BY version"


async def spoken_of(app: App) -> list[tuple[object, ...]]:
    """Which entity each memory speaks of, and each relation joins, by name."""
    return await rows(
        app,
        "SELECT m.memory_id, m.name, e.name FROM memory_mentions m JOIN entities e"
        " ON e.id = m.entity_id UNION ALL SELECT r.memory_id, r.subject || '>' || r.object,"
        " s.name || '>' || o.name FROM memory_relations r JOIN entities s ON s.id = r.subject_id"
        " JOIN entities o ON o.id = r.object_id ORDER BY 1, 2",
    )


async def two_names_of_ada(app: App) -> None:
    await store(
        app,
        "Ada Lovelace wrote",
        entities=(EntityReference("Ada Lovelace", "person"),),
        relations=(RelationReference("Ada Lovelace", "wrote_to", "Charles"),),
    )
    await store(
        app,
        "the Countess came",
        entities=(EntityReference("The Countess", "noble", ("Milady",)),),
        relations=(RelationReference("Charles", "met", "The Countess"),),
    )


async def test_merged_entities_are_one_under_both_names(app: App) -> None:
    await two_names_of_ada(app)
    kept = await app.identity.merge(app.session("alice"), "the countess", "Ada Lovelace")

    assert await named(app, EntityReference("Milady")) == [kept]
    assert await named(app, EntityReference("The Countess", "noble")) == [kept]
    assert await named(app, EntityReference("the countess", "person"), content="x") == [kept]
    assert (2, "Charles>The Countess", "Charles>Ada Lovelace") in await spoken_of(app)
    listed = await app.identity.list(app.session("alice"))
    assert {each.name: each.aliases for each in listed} == {
        "Ada Lovelace": ["Milady", "The Countess"],
        "Charles": [],
    }


async def test_what_was_merged_parts_again_as_it_was(app: App) -> None:
    await two_names_of_ada(app)
    before = await spoken_of(app)
    await app.identity.merge(app.session("alice"), "The Countess", "Ada Lovelace")
    assert await spoken_of(app) != before
    parted = await app.identity.split(
        app.session("alice"), "Ada Lovelace", ["The Countess", "Milady"]
    )

    assert await spoken_of(app) == before
    assert await named(app, EntityReference("Milady")) == [parted]
    assert await rows(app, "SELECT name, type FROM entities WHERE type = 'noble'") == [
        ("The Countess", "noble")
    ]


async def test_what_cannot_be_merged_or_split_is_refused_and_stays(app: App) -> None:
    await two_names_of_ada(app)
    await named(app, EntityReference("Charles", "person"))
    await named(app, EntityReference("Charles", "city"))
    before = await spoken_of(app)

    with pytest.raises(EntityNotFound):
        await app.identity.merge(app.session("bob"), "The Countess", "Ada Lovelace")
    with pytest.raises(EntityNotFound):
        await app.identity.split(app.session("alice"), "Nobody", ["x"])
    for names in ([], ["Ada Lovelace"], ["unheard of"]):
        with pytest.raises(InvalidInput):
            await app.identity.split(app.session("alice"), "Ada Lovelace", names)
    with pytest.raises(InvalidInput):
        await app.identity.merge(app.session("alice"), "Ada Lovelace", "ada lovelace")
    with pytest.raises(FactConflict):
        await app.identity.merge(app.session("alice"), "Charles", "Ada Lovelace")
    assert await spoken_of(app) == before
