"""However messages arrive, the index ends the same."""

import random

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.conversations.models import NewMessage, Role
from tests.fixtures.conversations import (
    find,
    indexed,
    said,
    tell,
    tell_each,
    until_embedded,
    vectors,
)

LONG = "\n\n".join(f"Paragraph {n} tells of the harbour and its boats. " * 8 for n in range(12))
CONTENTS = ["a zebra", "the lion sleeps tonight", "# Plan\n\nto sail", LONG, "y" * 900]

roles: st.SearchStrategy[Role] = st.sampled_from(["user", "assistant", "system", "tool"])
speakers = st.sampled_from(["", "Ann"])


@st.composite
def conversations(draw: st.DrawFn) -> list[NewMessage]:
    """Some messages in their order, at distinct instants."""
    return [
        said(n, draw(st.sampled_from(CONTENTS)), role=draw(roles), speaker=draw(speakers))
        for n in range(1, draw(st.integers(2, 8)) + 1)
    ]


@pytest.mark.timeout(300)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=conversations(), chance=st.randoms(use_true_random=False))
def test_the_chunks_are_the_same_however_the_messages_came(
    config: Config, messages: list[NewMessage], chance: random.Random
) -> None:
    anyio.run(_compare, config, messages, chance)


async def _compare(config: Config, messages: list[NewMessage], chance: random.Random) -> None:
    async with open_app(config) as app:
        await _compare_ways(app, messages, chance)


async def _compare_ways(app: App, messages: list[NewMessage], chance: random.Random) -> None:
    # Sessions outlive an example: each way of arriving has one of its own.
    name = chance.getrandbits(64)
    shuffled = chance.sample(messages, len(messages))
    cut = chance.randrange(len(messages) + 1)
    await tell(app, f"{name} bulk", *messages)
    await tell_each(app, f"{name} each", messages)
    await tell(app, f"{name} shuffled", *shuffled)
    await tell_each(app, f"{name} late", shuffled)
    for part in (shuffled[:cut], shuffled[cut:]):
        if part:
            await tell(app, f"{name} parts", *part)

    bulk = await indexed(app, f"{name} bulk")
    assert bulk
    for way in ("each", "shuffled", "late", "parts"):
        there = await indexed(app, f"{name} {way}")
        assert [_nameless(row) for row in there] == [_nameless(row) for row in bulk], way


def _nameless(row: tuple[object, ...]) -> tuple[object, ...]:
    """The row without the session's name."""
    path = 13
    return row[:path] + row[path + 1 :]


async def test_the_vectors_are_the_same_however_the_messages_came(app: App) -> None:
    messages = [said(1, "a zebra"), said(2, "it sleeps"), said(3, LONG), said(4, "good night")]
    await tell(app, "bulk", *messages)
    for message in reversed(messages):
        await tell(app, "late", message)
        await until_embedded(app)
    assert await vectors(app, "late") == await vectors(app, "bulk")
    assert len(await vectors(app, "bulk")) == len(await indexed(app, "bulk"))


async def test_a_short_message_is_embedded_between_its_neighbours(app: App) -> None:
    await tell(
        app,
        "s",
        said(1, "Where is the lighthouse?", speaker="Ann"),
        said(2, "out of order", role="tool"),
        said(3, "On the cape.", role="assistant"),
        said(4, LONG),
    )
    contexts = {row[0]: row[9] for row in await indexed(app, "s")}
    assert contexts["m1"] == "Ann: Where is the lighthouse?\nassistant: On the cape."
    assert contexts["m2"] is None
    assert str(contexts["m3"]).startswith(
        "Ann: Where is the lighthouse?\nassistant: On the cape.\nuser: Paragraph 0 tells"
    )
    assert contexts["m4"] is None
    # A hit names the message that matches, not the whole window.
    assert await find(app, "lighthouse", match="exact") == ["m1"]


async def test_a_short_message_has_a_vector_of_its_own_words_beside_the_window(app: App) -> None:
    await tell(app, "first", said(1, "a zebra"), said(2, "it sleeps"))
    await tell(app, "second", said(1, "a zebra"), said(2, "good night"), said(3, LONG))
    await until_embedded(app)
    first = {row[0]: row[2:] for row in await vectors(app, "first")}
    second = {row[0]: row[2:] for row in await vectors(app, "second")}
    # Both messages of the first session have the same window around them.
    assert first["m1"][0] == first["m2"][0]
    assert first["m1"][1] != first["m2"][1]
    assert second["m1"][0] != first["m1"][0]
    assert second["m1"][1] == first["m1"][1]
    assert second["m3"][1] is None
