"""T0: an answer is given again only while nothing has changed that it depends on."""

import anyio

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.memory.mail.model import MailFilter
from mcp_memory.search.cache import AnswerCache
from mcp_memory.search.kinds import SearchRequest
from tests.fixtures.mail import arrive, send
from tests.fixtures.postgres import MakeConfig

QUERY = SearchRequest("marmalade")


async def is_cached(app: App, agent: str) -> bool:
    return (await app.search.passages(app.session(agent), QUERY)).tier == "T0"


async def until_cached(app: App, agent: str) -> None:
    """Search until the answer comes from the cache: the listener has to be there first."""
    with anyio.fail_after(20):
        while not await is_cached(app, agent):  # noqa: ASYNC110 - PostgreSQL decides
            await anyio.sleep(0.01)


async def paths(app: App, agent: str) -> list[str]:
    answer = await app.search.passages(app.session(agent), QUERY)
    return [result.path for result in answer.results]


async def test_a_repeated_search_is_answered_from_the_cache(app: App) -> None:
    await app.documents.write(
        app.session("alice"), WriteDocument("a.md", "marmalade for breakfast")
    )
    await until_cached(app, "alice")

    again = await app.search.passages(app.session("alice"), QUERY)

    assert again.tier == "T0"
    assert [result.path for result in again.results] == ["a.md"]


async def test_the_writing_process_sees_its_own_write_at_once(app: App) -> None:
    await app.documents.write(
        app.session("alice"), WriteDocument("a.md", "marmalade for breakfast")
    )
    await until_cached(app, "alice")

    await app.documents.write(app.session("alice"), WriteDocument("b.md", "more marmalade"))
    assert set(await paths(app, "alice")) == {"a.md", "b.md"}

    await app.documents.delete(app.session("alice"), "a.md")
    assert await paths(app, "alice") == ["b.md"]


async def test_waiting_for_mail_leaves_kept_answers_as_they_are(app: App) -> None:
    await app.documents.write(
        app.session("alice"), WriteDocument("a.md", "marmalade for breakfast")
    )
    await until_cached(app, "alice")
    await arrive(app, "alice", "bob")
    await app.messages.wait(app.mail_session("bob"), MailFilter(), timeout_seconds=0)
    await send(app, "alice", "alice", "hello")
    assert await is_cached(app, "alice")


async def test_another_process_hears_of_a_write(app: App, config: Config) -> None:
    await app.documents.write(
        app.session("alice"), WriteDocument("a.md", "marmalade for breakfast")
    )
    await until_cached(app, "alice")
    async with open_app(config) as other:
        await other.documents.write(other.session("alice"), WriteDocument("b.md", "more marmalade"))

    with anyio.fail_after(10):
        while len(await paths(app, "alice")) < 2:  # noqa: ASYNC110 - another process decides
            await anyio.sleep(0.01)


async def test_one_agents_cached_answer_is_never_anothers(app: App) -> None:
    await app.documents.write(
        app.session("alice"), WriteDocument("a.md", "marmalade for breakfast")
    )
    await until_cached(app, "alice")

    assert await paths(app, "bob") == []


async def test_what_becomes_shared_is_found_by_others_at_once(app: App) -> None:
    await app.documents.write(app.session("bob"), WriteDocument("b.md", "marmalade of bob"))
    await app.documents.write(
        app.session("alice"), WriteDocument("a.md", "marmalade for breakfast")
    )
    await until_cached(app, "bob")

    await app.documents.write(
        app.session("alice"),
        WriteDocument("a.md", "marmalade for everybody", mode="replace", shared=True),
    )

    assert set(await paths(app, "bob")) == {"a.md", "b.md"}


async def test_an_empty_answer_is_never_kept(app: App) -> None:
    for _ in range(3):
        assert await paths(app, "alice") == []
    await app.documents.write(
        app.session("alice"), WriteDocument("a.md", "marmalade for breakfast")
    )

    assert await paths(app, "alice") == ["a.md"]


async def test_without_a_cache_nothing_is_kept(make_config: MakeConfig) -> None:
    async with open_app(make_config(cache={"enabled": False})) as app:
        await app.documents.write(
            app.session("alice"), WriteDocument("a.md", "marmalade for breakfast")
        )
        tiers = {(await app.search.passages(app.session("alice"), QUERY)).tier for _ in range(5)}
    assert tiers == {"T2_hybrid"}


def test_the_cache_forgets_what_was_used_longest_ago() -> None:
    cache = AnswerCache[str](2)
    epoch = (1, 0, 0, 0)
    for key in ("a", "b"):
        cache.put(key, epoch, key)
    assert cache.get("a", epoch) == "a"
    cache.put("c", epoch, "c")

    assert [cache.get(key, epoch) for key in ("a", "b", "c")] == ["a", None, "c"]


def test_an_answer_of_another_epoch_is_gone() -> None:
    cache = AnswerCache[str](2)
    cache.put("a", (1, 0, 0, 0), "old")

    assert cache.get("a", (1, 1, 0, 0)) is None
    assert cache.get("a", (1, 0, 0, 0)) is None


def test_without_a_known_epoch_nothing_is_trusted() -> None:
    cache = AnswerCache[str](2)
    cache.put("a", None, "unknown")
    cache.put("b", (1, 0, 0, 0), "known")

    assert cache.get("a", (1, 0, 0, 0)) is None
    assert cache.get("b", None) is None
