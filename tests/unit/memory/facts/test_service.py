"""Storing and changing memories: repeats, versions, two times, and what is refused."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest

from mcp_memory.app import App
from mcp_memory.errors import (
    FactConflict,
    FactNotFound,
    IdempotencyConflict,
    InvalidInput,
    PermissionRefused,
)
from mcp_memory.memory.facts.model import (
    DEFAULT_IMPORTANCE,
    FACT_TYPES,
    Association,
    EntityReference,
    FactChange,
    NewFact,
    RelationReference,
)
from mcp_memory.memory.idempotency import request_hash
from tests.fixtures.facts import day, expire, found, so_at, store, update
from tests.fixtures.queries import change, rows

LATER = datetime(2040, 1, 1, tzinfo=UTC)


async def test_a_stored_memory_is_found_at_once_though_the_answer_was_empty_before(
    app: App,
) -> None:
    assert await found(app, "where does Ada live") == []
    stored = await store(app, "Ada lives in Ghent")

    assert (stored.id, stored.version, stored.repeated) == ("m1", 1, False)
    assert await found(app, "where does Ada live") == ["Ada lives in Ghent"]


@pytest.mark.parametrize("memory_type", FACT_TYPES)
async def test_each_type_has_its_usual_importance(app: App, memory_type: str) -> None:
    await store(app, "something", memory_type=memory_type)

    assert await rows(app, "SELECT memory_type, importance FROM memory_versions") == [
        (memory_type, DEFAULT_IMPORTANCE[memory_type])  # pyright: ignore[reportArgumentType]  # one of them
    ]


async def test_exactly_the_same_again_is_the_memory_that_is_there(app: App) -> None:
    fields: dict[str, object] = {"entities": (EntityReference("Ada", "person"),), "tags": ("home",)}
    first = await store(app, "Ada lives in Ghent", "alice", **fields)
    again = await store(app, "Ada lives in Ghent ", "alice", importance=0.9, **fields)

    assert (again.id, again.repeated) == (first.id, True)
    assert again.entities == [replace(each, created=False) for each in first.entities]
    assert await rows(app, "SELECT count(*) FROM memories") == [(1,)]


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "Ada lives in ghent"},
        {"memory_type": "event"},
        {"valid_from": day(1)},
        {"occurred_at": day(1)},
        {"tags": ("home",)},
        {"shared": True},
        {"entities": (EntityReference("Ada"),)},
    ],
)
async def test_what_differs_in_anything_that_is_said_is_another_memory(
    app: App, fields: dict[str, object]
) -> None:
    await app.graph.store(app.session("alice"), NewFact("Ada lives in Ghent"))
    other = replace(NewFact("Ada lives in Ghent"), **fields)  # pyright: ignore[reportArgumentType]  # fields by name

    assert not (await app.graph.store(app.session("alice"), other)).repeated


async def test_the_same_from_two_agents_is_two_memories(app: App) -> None:
    await store(app, "Ada lives in Ghent")
    await store(app, "Ada lives in Ghent", agent="bob")
    await app.forgetting.forget(app.session("alice"), "m1")

    assert await found(app, "Ada Ghent", agent="bob") == ["Ada lives in Ghent"]
    assert await found(app, "Ada Ghent") == []


async def test_two_meals_of_one_day_are_two_facts(app: App) -> None:
    for hour in (12, 19):
        at = datetime(2026, 3, 1, hour, tzinfo=UTC)
        await store(app, "Ada ate soup", memory_type="event", occurred_at=at)

    assert len(await so_at(app, "alice")) == 2


async def test_none_of_200_rules_takes_the_place_of_another(app: App) -> None:
    for number in range(200):
        await store(app, f"Always remember rule number {number}", memory_type="preference")

    assert len(await so_at(app, "alice")) == 200


async def test_an_update_adds_a_version_and_the_older_one_stays_true_before(app: App) -> None:
    before = datetime.now(UTC)
    stored = await store(app, "Ada lives in Ghent")
    changed = await update(app, stored.id, content="Ada lives in Bruges", importance=0.9)

    assert changed == ["content", "importance"]
    assert await so_at(app, "alice", before) == {"m1": "Ada lives in Ghent"}
    assert await so_at(app, "alice") == {"m1": "Ada lives in Bruges"}
    assert await found(app, "Ada lives in") == ["Ada lives in Bruges"]


async def test_a_change_of_nothing_makes_no_version(app: App) -> None:
    stored = await store(app, "Ada lives in Ghent", tags=("home",))

    assert await update(app, stored.id, content="Ada lives in Ghent", tags=("home",)) == []
    assert await rows(app, "SELECT version FROM memories") == [(1,)]


async def test_twenty_updates_are_each_right_at_their_time(app: App) -> None:
    stored = await store(app, "state 0", valid_from=day(1))
    for number in range(1, 21):
        await update(app, stored.id, content=f"state {number}", valid_from=day(1 + number))

    told = [await so_at(app, "alice", day(number)) for number in range(1, 22)]
    assert told == [{"m1": f"state {number}"} for number in range(21)]
    assert await so_at(app, "alice", day(1) - timedelta(days=1)) == {}


async def test_what_was_known_then_is_still_known_to_have_been_known(app: App) -> None:
    stored = await store(app, "the launch is in May")
    known = datetime.now(UTC)
    await update(app, stored.id, content="the launch is in June", valid_from=day(1))

    assert await so_at(app, "alice", day(2)) == {"m1": "the launch is in June"}
    assert await so_at(app, "alice", day(2), known) == {"m1": "the launch is in May"}
    assert await so_at(app, "alice", day(2), known - timedelta(days=1)) == {}


async def test_superseding_twice_gives_the_right_value_at_each_instant(app: App) -> None:
    first = await store(app, "the price is 5", valid_from=day(1))
    second = await store(app, "the price is 6", valid_from=day(11), supersedes=first.id)
    await store(app, "the price is 7", valid_from=day(21), supersedes=second.id)

    told = [list((await so_at(app, "alice", day(n))).values()) for n in (1, 10, 11, 20, 21, 28)]
    assert told == [[f"the price is {price}"] for price in (5, 5, 6, 6, 7, 7)]


async def test_superseding_what_is_superseded_takes_the_place_of_what_is_so(app: App) -> None:
    first = await store(app, "the price is 5")
    for price in (6, 7):
        await store(app, f"the price is {price}", supersedes=first.id)

    assert list((await so_at(app, "alice")).values()) == ["the price is 7"]


async def test_an_end_alone_keeps_the_beginning(app: App) -> None:
    stored = await store(app, "Ada works at Acme", valid_from=day(1))
    await update(app, stored.id, valid_until=day(10))

    assert await so_at(app, "alice", day(9)) == {"m1": "Ada works at Acme"}
    assert await so_at(app, "alice", day(10)) == {}
    await update(app, stored.id, valid_until="never")
    assert await so_at(app, "alice", day(20)) == {"m1": "Ada works at Acme"}


async def test_a_change_that_keeps_the_content_changes_what_is_true_then(app: App) -> None:
    """What was told last may be of another time: a change of importance leaves it there."""
    stored = await store(app, "Ben lives in Voss", valid_from=day(10))
    await update(app, stored.id, content="Ben lives in Rome", valid_from=day(1), valid_until=day(5))

    assert await update(app, stored.id, importance=0.9) == ["importance"]
    assert await so_at(app, "alice") == {"m1": "Ben lives in Voss"}
    assert await so_at(app, "alice", day(2)) == {"m1": "Ben lives in Rome"}
    await update(app, stored.id, tags=("holiday",), valid_from=day(2))
    assert await so_at(app, "alice", day(3)) == {"m1": "Ben lives in Rome"}
    assert await so_at(app, "alice", day(6)) == {}
    later = datetime(2040, 1, 1, tzinfo=UTC)
    await update(app, stored.id, valid_until=later)
    assert await so_at(app, "alice") == {"m1": "Ben lives in Voss"}
    assert await so_at(app, "alice", later) == {}
    assert await rows(app, "SELECT version FROM memories") == [(5,)]


async def test_what_has_expired_is_never_found_whatever_the_instant(app: App) -> None:
    await store(app, "the code is 1234", expires_at=LATER)
    assert await found(app, "code") == ["the code is 1234"]

    await expire(app)

    assert await so_at(app, "alice") == {}
    assert await so_at(app, "alice", day(1)) == {}
    assert not (await store(app, "the code is 1234")).repeated


async def test_what_would_never_be_found_is_not_kept(app: App) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(InvalidInput) as caught:
        await store(app, "the code is 5678", expires_at=past)

    assert caught.value.parameter == "expires_at"
    assert await rows(app, "SELECT id FROM memories") == []


async def test_a_request_comes_again_under_its_key_though_its_memory_has_expired(app: App) -> None:
    memory = NewFact("the code is 1234", expires_at=LATER, idempotency_key="k")
    first = await app.graph.store(app.session("alice"), memory)
    await expire(app)
    # As if the same request had been made while its instant was yet to come.
    past = replace(memory, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    asked = request_hash({"store": asdict(past)})
    await change(app, "UPDATE idempotency_keys SET request_hash = %(asked)s", asked=asked)

    again = await app.graph.store(app.session("alice"), past)

    assert (again.id, await found(app, "code")) == (first.id, [])


@pytest.mark.parametrize(
    ("parameter", "fields"),
    [
        ("content", {"content": "  "}),
        ("content", {"content": "x" * 1_048_577}),
        ("content", {"content": "a\0b"}),
        ("importance", {"importance": 1.5}),
        ("confidence", {"confidence": float("nan")}),
        ("valid_until", {"valid_from": day(2), "valid_until": day(2)}),
        ("entities", {"entities": (EntityReference(" "),)}),
        ("relations", {"relations": (RelationReference("a", "???", "b"),)}),
        ("tags", {"tags": ("",)}),
    ],
)
async def test_what_cannot_be_stored_is_refused_and_nothing_is(
    app: App, parameter: str, fields: dict[str, object]
) -> None:
    request = replace(NewFact("something"), **fields)  # pyright: ignore[reportArgumentType]  # fields by name
    with pytest.raises(InvalidInput) as caught:
        await app.graph.store(app.session("alice"), request)

    assert caught.value.parameter == parameter
    assert await rows(app, "SELECT count(*) FROM memories") == [(0,)]


async def test_a_key_given_twice_stores_once_and_answers_twice(app: App) -> None:
    memory = NewFact("the price is 5", idempotency_key="k", valid_from=day(1))
    first = await app.graph.store(app.session("alice"), memory)
    await update(app, first.id, content="the price is 6")

    assert (await app.graph.store(app.session("alice"), memory)).id == first.id
    with pytest.raises(IdempotencyConflict):
        await app.graph.store(app.session("alice"), replace(memory, content="the price is 7"))
    assert await rows(app, "SELECT count(*) FROM memories") == [(1,)]


UNKNOWN = ["m999", "nothing", "e1", "00000000-0000-0000-0000-000000000000", ""]


@pytest.mark.parametrize("id", UNKNOWN)
async def test_an_unknown_id_is_not_found(app: App, id: str) -> None:
    with pytest.raises(FactNotFound):
        await app.graph.update(app.session("alice"), FactChange(id, content="x"))
    with pytest.raises(FactNotFound):
        await store(app, "x", associations=(Association(id),))
    with pytest.raises(FactNotFound):
        await app.forgetting.forget(app.session("alice"), id)


async def test_anothers_private_memory_is_like_an_unknown_one(app: App) -> None:
    secret = await store(app, "alice's secret")

    for attempt in (
        app.graph.update(app.session("bob"), FactChange(secret.id, content="mine")),
        app.graph.store(app.session("bob"), NewFact("mine", supersedes=secret.id)),
        app.graph.store(
            app.session("bob"), NewFact("mine", associations=(Association(secret.id),))
        ),
        app.forgetting.forget(app.session("bob"), secret.id),
        app.forgetting.restore(app.session("bob"), secret.id),
        app.forgetting.purge(app.session("bob"), secret.id),
    ):
        with pytest.raises(FactNotFound) as caught:
            await attempt
        assert str(caught.value) == str(FactNotFound(secret.id))
    assert await rows(app, "SELECT agent_id FROM memories") == [("alice",)]


async def test_what_another_shares_can_be_linked_to_and_not_changed(app: App) -> None:
    notice = await store(app, "the office is closed", shared=True)
    linked = await store(
        app, "so bob stays at home", agent="bob", associations=(Association(notice.id),)
    )

    assert linked.id == "m2"
    assert (await found(app, "office closed", agent="bob"))[0] == "the office is closed"
    with pytest.raises(PermissionRefused):
        await app.graph.update(app.session("bob"), FactChange(notice.id, content="open"))
    with pytest.raises(PermissionRefused):
        await app.graph.store(app.session("bob"), NewFact("open", supersedes=notice.id))


async def test_a_version_written_in_private_stays_private_when_the_memory_is_shared(
    app: App,
) -> None:
    stored = await store(app, "the launch is secretly in May", valid_from=day(1))
    await update(app, stored.id, content="the launch is in June", shared=True, valid_from=day(10))

    assert await so_at(app, "bob", day(20)) == {"m1": "the launch is in June"}
    assert await so_at(app, "bob", day(2)) == {}
    await update(app, stored.id, shared=False, valid_from=day(15))
    assert await so_at(app, "bob", day(20)) == {}
    assert await so_at(app, "bob", day(12)) == {}


async def test_a_memory_cannot_supersede_what_supersedes_it_nor_itself(app: App) -> None:
    first = await store(app, "one")
    second = await store(app, "two", supersedes=first.id)

    for older, newer in ((first.id, second.id), (first.id, first.id)):
        with pytest.raises(FactConflict):
            await update(app, older, supersedes=newer)


async def test_a_superseded_memory_is_corrected_where_it_was_true(app: App) -> None:
    first = await store(app, "the price is 5", valid_from=day(1))
    await store(app, "the price is 6", valid_from=day(10), supersedes=first.id)
    await update(app, first.id, content="the price was 5 euros")

    assert list((await so_at(app, "alice", day(9))).values()) == ["the price was 5 euros"]
    assert list((await so_at(app, "alice", day(10))).values()) == ["the price is 6"]


async def test_a_link_to_itself_is_refused(app: App) -> None:
    stored = await store(app, "one")
    with pytest.raises(FactConflict):
        await update(app, stored.id, associations=(Association(stored.id),))
