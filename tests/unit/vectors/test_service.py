"""Vectors follow the text: at once, later, exactly once, and never in the way of anybody."""

from pathlib import Path

import anyio
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.documents.models import WriteDocument
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.provider import Provider
from tests.fixtures.vector_queries import (
    AGENT,
    counts,
    paths,
    search,
    status,
    until,
    until_full,
    write,
)
from tests.unit.vectors.conftest import MakeSettings


async def test_a_write_has_its_vectors_when_it_returns(app: App) -> None:
    assert await write(app, "a.md", "the harbour master counts boats") == 0
    assert await counts(app) == (1, 1, 0, 1)
    answer = await search(app, "boats")
    assert answer.degraded == []
    assert answer.results[0].routes == ["lexical", "semantic"]


async def test_with_the_embedder_stopped_writing_and_searching_go_on_and_say_so(
    app: App, provider: Provider
) -> None:
    await write(app, "a.md", "the harbour master counts boats")
    provider.stop()

    pending = await write(app, "b.md", "the lighthouse keeper counts ships")
    answer = await search(app, "lighthouse")

    assert pending == 1
    assert [result.path for result in answer.results] == ["b.md"]
    assert len(answer.degraded) == 1
    assert "semantic search" in answer.degraded[0]
    assert await app.spaces.pending(app.session(AGENT)) == 1


async def test_a_database_that_never_had_an_embedder_is_written_and_searched(
    app: App, provider: Provider
) -> None:
    provider.stop()
    await write(app, "a.md", "the lighthouse keeper counts ships")
    answer = await search(app, "lighthouse")
    assert [result.path for result in answer.results] == ["a.md"]
    assert answer.degraded != []
    assert await counts(app) == (1, 0, 0, 0)

    provider.start()

    async def has_its_vector() -> bool:
        await search(app, "lighthouse")
        return await counts(app) == (1, 1, 0, 1)

    await until(has_its_vector)


async def test_two_workers_embed_what_waited_exactly_once(
    app: App, other: App, provider: Provider
) -> None:
    await write(app, "first.md", "something to begin with")
    await write(other, "second.md", "the other process is here too")
    provider.stop()
    for number in range(30):
        writer = app if number % 2 else other
        await write(writer, f"{number}.md", f"note {number} waits for its vector")
    assert (await counts(app))[:3] == (32, 2, 30)

    provider.start()
    await until_full(app)

    assert (await counts(app))[:3] == (32, 32, 0)
    assert {n for text, n in provider.asked.items() if "waits for its vector" in text} == {1}
    answer = await search(app, "note 7 waits")
    assert answer.degraded == []


async def test_a_write_that_is_cancelled_while_it_embeds_keeps_its_text_and_gets_its_vector(
    app: App, provider: Provider
) -> None:
    await write(app, "first.md", "something to begin with")
    provider.hold("anchors")
    async with anyio.create_task_group() as group:
        group.start_soon(write, app, "anchors.md", "anchors hold the ship")
        await provider.until_holding()
        group.cancel_scope.cancel()
    assert (
        await app.documents.get(app.session(AGENT), "anchors.md")
    ).text == "anchors hold the ship"

    provider.release()
    await until_full(app)
    assert (await counts(app))[:3] == (2, 2, 0)


async def test_a_search_that_hangs_or_is_cancelled_holds_up_no_other(
    with_model: MakeSettings, provider: Provider
) -> None:
    async with open_app(with_model(timeout_seconds=30)) as app:
        await write(app, "a.md", "the harbour master counts boats")
        provider.hold("slowpoke")
        async with anyio.create_task_group() as group:
            group.start_soon(search, app, "slowpoke harbour")
            await provider.until_holding()
            group.cancel_scope.cancel()
        with anyio.fail_after(20):
            hanging = await search(app, "slowpoke harbour")
            quick = await search(app, "boats")
        assert not provider.released.is_set()

    assert "goes on in the background" in hanging.degraded[0]
    assert [result.path for result in hanging.results] == ["a.md"]
    assert quick.degraded == []


async def test_a_process_with_another_model_searches_by_words_and_says_so(
    app: App, hashing: Config
) -> None:
    await write(app, "a.md", "the harbour master counts boats")
    async with open_app(hashing) as foreign:
        answer = await search(foreign, "boats")
        pending = await write(foreign, "b.md", "boats come and go")

    assert [(r.path, r.routes) for r in answer.results] == [("a.md", ["lexical"])]
    assert "openai/small (8)" in answer.degraded[0]
    assert "hashing" in answer.degraded[0]
    assert pending == 1
    assert await counts(app) == (2, 1, 1, 1)

    [space] = await status(app)
    await app.spaces.administration.embed_due(app.session(AGENT), space.space)
    assert (await counts(app))[:3] == (2, 2, 0)


async def test_another_dimension_is_refused_with_both_numbers_before_a_row_is_written(
    app: App, config: Config, provider: Provider
) -> None:
    await write(app, "a.md", "the harbour master counts boats")
    provider.dimensions["small"] = 12

    await write(app, "b.md", "boats come and go")
    async with open_app(config) as restarted:
        await write(restarted, "c.md", "boats lie at anchor")
        answers = [await search(app, "boats"), await search(restarted, "boats")]

        async def is_shown() -> bool:
            return "12" in (await status(app))[0].last_problem

        await until(is_shown)

    for answer in answers:
        assert len(answer.results) == 3
        assert "8" in answer.degraded[0]
        assert "12" in answer.degraded[0]
    assert await counts(app) == (3, 1, 2, 1)

    provider.dimensions["small"] = 8
    await app.spaces.administration.embed_due(app.session(AGENT), (await status(app))[0].space)
    assert (await counts(app))[:3] == (3, 3, 0)


async def test_auto_goes_on_with_the_vectors_a_database_began_with(
    hashing: Config, make_config: MakeConfig, minilm_dir: Path
) -> None:
    async with open_app(hashing) as began:
        await write(began, "a.md", "the harbour master counts boats")
    auto = make_config(embeddings={"provider": "auto", "model_dir": str(minilm_dir)})
    async with open_app(auto) as app:
        answer = await search(app, "harbour master")
        await write(app, "b.md", "boats come and go")

        assert answer.degraded == []
        assert answer.results[0].routes == ["lexical", "semantic"]
        assert await counts(app) == (2, 2, 0, 1)

        space = await app.spaces.administration.add(app.session(AGENT), "minilm")
        await app.spaces.administration.embed_due(app.session(AGENT), space)
        await app.spaces.administration.activate(app.session(AGENT), space)
        assert (await search(app, "harbour master")).degraded == []
        assert await app.spaces.active(app.session(AGENT)) is not None
        assert await counts(app) == (2, 4, 0, 2)


async def test_minilm_finds_a_paraphrase_without_a_word_in_common(
    make_config: MakeConfig, minilm_dir: Path
) -> None:
    config = make_config(embeddings={"provider": "minilm", "model_dir": str(minilm_dir)})
    async with open_app(config) as app:
        await write(app, "car.md", "The automobile was repaired at the garage on Monday.")
        await write(app, "soup.md", "Add two carrots and simmer the broth for an hour.")

        answer = await search(app, "when did my vehicle get fixed?")

    assert answer.degraded == []
    assert answer.results[0].path == "car.md"
    assert answer.results[0].routes == ["semantic"]


async def test_pending_counts_ones_own_chunks_alone(app: App, provider: Provider) -> None:
    await write(app, "a.md", "something to begin with")
    provider.stop()
    await write(app, "b.md", "mine waits")
    await write(app, "c.md", "another's waits too", agent="somebody")
    assert await app.spaces.pending(app.session(AGENT)) == 1
    assert await app.spaces.pending(app.session("stranger")) == 0


async def test_a_read_never_waits_for_a_space_that_cannot_be_made(
    with_model: MakeSettings, provider: Provider
) -> None:
    provider.stop()
    async with open_app(with_model()) as app:
        await app.databases.writing(None, AGENT)
        with anyio.fail_after(10):
            for _ in range(20):
                assert await paths(app, "nothing yet") == set()


@pytest.mark.parametrize("agent", ["alice", "bob"])
async def test_equal_text_of_another_agent_lends_its_vector_and_nothing_else(
    app: App, provider: Provider, agent: str
) -> None:
    await app.documents.write(
        app.session("carol"), WriteDocument("private.md", "one and the same text")
    )
    await app.documents.write(app.session(agent), WriteDocument("mine.md", "one and the same text"))

    assert [n for text, n in provider.asked.items() if "one and the same" in text] == [1]
    assert await counts(app) == (2, 2, 0, 1)
    found = (await search(app, "one and the same text", agent=agent)).results
    assert [(result.owner, result.path) for result in found] == [(agent, "mine.md")]
