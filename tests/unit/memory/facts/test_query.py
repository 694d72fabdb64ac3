"""The modes of a query: what each gives, in which order, and that every filter holds."""

from datetime import UTC, datetime

import pytest

from mcp_memory.app import App
from mcp_memory.errors import EntityNotFound, FactNotFound, InvalidInput
from mcp_memory.memory.facts.model import Association, EntityReference, RelationReference
from mcp_memory.paging import to_cursor
from tests.fixtures.fact_factories import ask, change, contents, day, steps, tell
from tests.fixtures.facts import expire


async def test_an_entity_is_found_by_its_name_its_alias_and_its_id(app: App) -> None:
    await tell(app, "Likes tea.", entities=[EntityReference("Ben Miller", "person", ("Benny",))])
    await tell(app, "Nothing of him.", entities=["Ada"])

    by_name = await ask(app, mode="entity", entity="ben  MILLER")
    number = by_name.matches[0].entities[0].id

    assert contents(by_name) == ["Likes tea."]
    assert contents(await ask(app, mode="entity", entity="Benny")) == ["Likes tea."]
    assert contents(await ask(app, mode="entity", entity=number)) == ["Likes tea."]


async def test_an_entity_that_nobody_knows_is_an_error_that_names_near_ones(app: App) -> None:
    await tell(app, "Likes tea.", entities=["Ben Miller"])

    with pytest.raises(EntityNotFound) as caught:
        await ask(app, mode="entity", entity="Miller")
    with pytest.raises(EntityNotFound) as misspelt:
        await ask(app, mode="entity", entity="Ben Milller")

    assert caught.value.near == misspelt.value.near == ["Ben Miller"]


async def test_depth_takes_in_what_is_known_of_neighbours(app: App) -> None:
    await tell(app, "a-b", relations=[("A", "knows", "B")])
    await tell(app, "b-c", relations=[("B", "knows", "C")])
    await tell(app, "c-d", relations=[("C", "knows", "D")])

    found = {
        depth: set(contents(await ask(app, mode="entity", entity="A", depth=depth)))
        for depth in (1, 2, 3)
    }
    related = {
        depth: set(contents(await ask(app, mode="related", entity="A", depth=depth)))
        for depth in (1, 2, 3)
    }

    assert found == {1: {"a-b"}, 2: {"a-b", "b-c"}, 3: {"a-b", "b-c", "c-d"}}
    assert related == found


async def test_related_follows_links_both_ways_and_only_those_asked_for(app: App) -> None:
    first = await tell(app, "first")
    second = await tell(app, "second", associations=(Association(first, "caused_by"),))
    await tell(app, "third", associations=(Association(second, "part_of"),))

    near = await ask(app, mode="related", id=second)
    far = await ask(app, mode="related", id=first, depth=2)
    only = await ask(app, mode="related", id=second, relation_types=("part_of",))

    assert set(contents(near)) == {"first", "third"}
    assert [(s.source, s.relation, s.target) for s in near.relations or ()].count(
        (second, "caused_by", first)
    ) == 1
    assert contents(far) == ["second", "third"]
    assert [each.score for each in far.matches] == [1.0, 0.5]
    assert contents(only) == ["third"]


async def test_a_path_is_the_shortest_and_tells_each_relation_as_it_is_stated(app: App) -> None:
    await tell(app, "ab", relations=[("Ada", "knows", "Ben")])
    await tell(app, "cb", relations=[("Acme", "employs", "Ben")])
    await tell(app, "long", relations=[("Ada", "met", "X"), ("X", "met", "Y"), ("Y", "at", "Acme")])

    found = await ask(app, mode="path", entity="Ada", related_to="Acme")

    assert steps(found) == [("Ada", "knows", "Ben"), ("Acme", "employs", "Ben")]
    assert contents(found) == ["ab", "cb"]


async def test_a_path_is_bounded_by_depth_and_by_relation_types(app: App) -> None:
    for one, other in zip("ABCDE", "BCDEF", strict=True):
        await tell(app, f"{one}{other}", relations=[(one, "next", other)])
    await tell(app, "short", relations=[("A", "jumps", "F")])

    only = await ask(app, mode="path", entity="A", related_to="F", relation_types=("next",))
    within = await ask(
        app, mode="path", entity="A", related_to="F", relation_types=("next",), depth=4
    )

    assert len(steps(only)) == 5
    assert steps(only)[0] == ("A", "next", "B")
    assert steps(only)[-1] == ("E", "next", "F")
    assert (steps(within), within.matches) == ([], [])
    assert steps(await ask(app, mode="path", entity="A", related_to="F")) == [("A", "jumps", "F")]
    assert (await ask(app, mode="path", entity="A", related_to="A")).path == []


async def test_a_timeline_tells_past_facts_too_oldest_first(app: App) -> None:
    await tell(app, "wedding", occurred_at=day(5, 6, 2020), entities=["Ben"])
    job = await tell(app, "works at A", valid_from=day(1, 1, 2010), entities=["Ben"])
    await change(app, job, content="works at B", valid_from=day(1, 1, 2022))

    whole = await ask(app, mode="timeline")
    of_ben = await ask(app, mode="timeline", entity="Ben", until=day(1, 1, 2021))

    assert contents(whole) == ["works at A", "wedding", "works at B"]
    assert contents(of_ben) == ["works at A", "wedding"]
    assert contents(await ask(app, mode="timeline", as_of=day(1, 1, 2012))) == [
        "works at A",
        "wedding",
    ]


async def test_history_shows_every_version_and_what_was_superseded(app: App) -> None:
    first = await tell(app, "red", valid_from=day(1))
    await change(app, first, content="green", valid_from=day(2), reason="painted")
    second = await tell(app, "blue", valid_from=day(3), supersedes=first)

    found = await ask(app, mode="history", id=first)

    assert contents(found) == ["blue", "green", "red"]
    assert [(each.version.valid_from, each.version.valid_until) for each in found.matches] == [
        (day(3), None),
        (day(2), day(3)),
        (day(1), day(2)),
    ]
    assert contents(await ask(app, mode="history", id=second)) == contents(found)
    assert contents(await ask(app, mode="history", id=second, as_of=day(2))) == ["green"]
    assert found.matches[1].version.reason == "painted"


async def test_a_history_tells_what_is_no_longer_held_to_have_been_so(app: App) -> None:
    id = await tell(app, "red", valid_from=day(1))
    await change(app, id, content="green", valid_from=day(5))
    known = (await ask(app, mode="history", id=id)).matches[0].version.recorded_at
    await change(app, id, content="blue", valid_from=day(3))

    found = await ask(app, mode="history", id=id)
    then = await ask(app, mode="history", id=id, known_at=known)

    assert [(each.version.content, bool(each.version.retired_at)) for each in found.matches] == [
        ("blue", False),
        ("green", True),
        ("red", False),
    ]
    assert [each.version.retired_at for each in then.matches] == [None, None]


async def test_types_are_counted_as_of_any_instant(app: App) -> None:
    await tell(app, "goal", memory_type="goal", valid_from=day(1), valid_until=day(9))
    for number in range(3):
        await tell(app, f"fact {number}")

    assert (await ask(app, mode="types")).types == {"fact": 3}
    assert (await ask(app, mode="types", as_of=day(5))).types == {"fact": 3, "goal": 1}


async def test_typed_important_and_recent_have_their_orders(app: App) -> None:
    await tell(app, "small", memory_type="todo", importance=0.1)
    await tell(app, "big", memory_type="todo", importance=0.9)
    await tell(app, "note", memory_type="observation")

    assert contents(await ask(app, mode="typed", memory_type="todo")) == ["big", "small"]
    assert contents(await ask(app, mode="important")) == ["big", "note", "small"]
    assert contents(await ask(app, mode="recent")) == ["note", "big", "small"]
    with pytest.raises(InvalidInput):
        await ask(app, mode="typed")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"memory_type": "fact"}, {"kestrel one"}),
        ({"min_importance": 0.85}, {"kestrel two"}),
        ({"min_confidence": 0.95}, {"kestrel two"}),
        ({"source": "web:birds"}, {"kestrel one"}),
        ({"tags": ("sky",)}, {"kestrel two"}),
        ({"tags": ("sky", "sea")}, set[str]()),
        ({"since": day(5)}, {"kestrel two"}),
        ({"until": day(5)}, {"kestrel one"}),
        ({"happens_after": day(5)}, set[str]()),
        ({"happens_before": day(5)}, {"kestrel one"}),
    ],
)
@pytest.mark.parametrize("mode", ["recent", "entity", "timeline", "hybrid"])
async def test_every_filter_holds_in_every_mode(
    app: App, mode: str, given: dict[str, object], expected: set[str]
) -> None:
    await tell(
        app,
        "kestrel one",
        entities=["Ben"],
        occurred_at=day(2),
        confidence=0.9,
        source="web:birds",
    )
    await tell(
        app, "kestrel two", entities=["Ben"], memory_type="goal", tags=("sky",), source="user"
    )
    more: dict[str, object] = {"entity": {"entity": "Ben"}, "hybrid": {"query": "kestrel"}}.get(
        mode, {}
    )  # pyright: ignore[reportAssignmentType]  # a mapping of names

    found = await ask(app, mode=mode, **more, **given)

    assert set(contents(found)) == expected


@pytest.mark.parametrize("mode", ["recent", "important", "entity", "timeline", "hybrid"])
async def test_pages_hold_everything_once_while_others_write(app: App, mode: str) -> None:
    for number in range(17):
        await tell(app, f"kestrel {number}", entities=["Ben"], importance=0.5)
    more = {"entity": {"entity": "Ben"}, "hybrid": {"query": "kestrel"}}.get(mode, {})
    shown: list[str] = []
    cursor = ""
    while True:
        page = await ask(app, mode=mode, limit=5, cursor=cursor, **more)
        shown += contents(page)
        last = page.matches[-1].version
        await tell(app, f"kestrel new {len(shown)}", entities=["Ben"], importance=0.5)
        await change(app, f"m{last.memory_id}", content=f"kestrel changed {len(shown)}")
        cursor = page.next_cursor
        if not cursor:
            break

    assert sorted(shown) == sorted(f"kestrel {number}" for number in range(17))


async def test_what_is_forgotten_or_expired_is_nowhere(app: App) -> None:
    gone = await tell(app, "secret kestrel", relations=[("Ben", "hides_in", "Cellar")])
    kept = await tell(
        app, "kestrel", entities=["Ben"], associations=(Association(gone, "related_to"),)
    )
    later = datetime(2040, 1, 1, tzinfo=UTC)
    await tell(app, "old kestrel", entities=["Ben"], expires_at=later)
    await expire(app)
    await app.forgetting.forget(app.session("alice"), gone)

    for fields in (
        {"mode": "recent"},
        {"mode": "hybrid", "query": "kestrel"},
        {"mode": "hybrid", "query": "where does Ben hide?"},
        {"mode": "entity", "entity": "Ben", "depth": 4},
        {"mode": "related", "entity": "Ben", "depth": 4},
        {"mode": "related", "id": kept, "depth": 4},
        {"mode": "timeline"},
        {"mode": "path", "entity": "Ben", "related_to": "Cellar"},
    ):
        for known_at in (None, now()):
            found = await ask(app, known_at=known_at, **fields)
            assert not {"secret kestrel", "old kestrel"} & set(contents(found)), fields
            assert not found.path
            assert not found.relations
    assert (await ask(app, mode="types")).types == {"fact": 1}
    with pytest.raises(FactNotFound):
        await ask(app, mode="history", id=gone)


def now() -> datetime:
    """What was known just now."""
    return datetime.now(UTC)


@pytest.mark.parametrize("since", [day(2), day(3)])
async def test_a_span_that_ends_before_it_begins_is_a_mistake(app: App, since: datetime) -> None:
    with pytest.raises(InvalidInput):
        await ask(app, mode="recent", since=since, until=day(2))
    with pytest.raises(InvalidInput):
        await ask(app, mode="recent", happens_after=since, happens_before=day(2))


async def test_a_path_says_which_of_its_ends_is_missing(app: App) -> None:
    await tell(app, "x", entities=["Ben"])
    with pytest.raises(InvalidInput) as caught:
        await ask(app, mode="path", entity="Ben")
    assert caught.value.parameter == "related_to"


@pytest.mark.parametrize("id", ["m99", "m1x", "nonsense", "e1", "m9999999999999999999"])
async def test_unknown_memories_are_not_found(app: App, id: str) -> None:
    with pytest.raises(FactNotFound):
        await ask(app, mode="related", id=id)


NAIVE = datetime(2026, 3, 1).isoformat()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "AAAA",
        "WyJtZW1vcmllcyJd",
        to_cursor("recalled", 0, NAIVE, NAIVE),
        to_cursor("memories", "recent", 0.5, 1, 1, NAIVE, NAIVE),
    ],
)
@pytest.mark.parametrize("mode", ["recent", "hybrid"])
async def test_a_cursor_that_is_not_ours_is_refused(app: App, cursor: str, mode: str) -> None:
    with pytest.raises(InvalidInput):
        await ask(app, mode=mode, query="x" if mode == "hybrid" else "", cursor=cursor)


async def test_a_relation_ends_when_it_says(app: App) -> None:
    await tell(
        app,
        "career",
        relations=[
            RelationReference("Ben", "works_at", "A", valid_until=day(5)),
            RelationReference("Ben", "works_at", "B", valid_from=day(5)),
        ],
    )

    async def employers(**fields: object) -> set[str]:
        found = await ask(app, mode="entity", entity="Ben", **fields)
        return {each.target for each in found.relations or ()}

    assert await employers() == {"B"}
    assert await employers(as_of=day(2)) == {"A"}
    assert await employers(as_of=day(2), known_at=now()) == {"A"}
    assert steps(await ask(app, mode="path", entity="Ben", related_to="A")) == []
