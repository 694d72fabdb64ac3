"""Spell correction: a slip in a word is read as what was meant, unless the slip is a word."""

import pytest

from mcp_memory.app import App
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.search.kinds import SearchRequest


async def write(app: App, path: str, text: str, agent: str = "alice") -> None:
    await app.documents.write(app.session(agent), WriteDocument(path, text))


async def merge(app: App) -> None:
    await app.word_counts.merge(await app.databases.reading(None, "alice"))


async def words(app: App, query: str, agent: str = "alice") -> tuple[list[str], list[str]]:
    """The paths that words find, and the words that are looked for."""
    request = SearchRequest(query, min_score=0.0, explain=True)
    answer = await app.search.passages(app.session(agent), request)
    found = [each.path for each in answer.results if "lexical" in each.routes]
    assert answer.query is not None
    return found, list(answer.query.words)


@pytest.mark.parametrize("query", ["kestrl", "KESTERL", "what about the kestral?"])
async def test_a_slip_finds_the_word_that_was_meant(app: App, query: str) -> None:
    await write(app, "a.md", "A kestrel hovers.")
    await merge(app)

    assert await words(app, query) == (["a.md"], ["kestrel"])


async def test_a_word_that_stands_somewhere_is_no_slip_though_it_is_not_counted_yet(
    app: App,
) -> None:
    await write(app, "a.md", "The martin is a bird.")
    await merge(app)
    await write(app, "b.md", "The marten is none.")

    assert await words(app, "marten") == (["b.md"], ["marten"])


async def test_identifiers_and_short_words_are_taken_by_the_letter(app: App) -> None:
    await write(app, "a.md", "Ticket ABC-1234 about the barn.")
    await merge(app)

    assert (await words(app, "ABC-1235"))[1] == ["abc-1235", "abc", "1235"]
    assert await words(app, "born") == ([], ["born"])


async def test_nobodys_query_is_corrected_by_anothers_private_words(app: App) -> None:
    await write(app, "secret.md", "The marmalade is hidden.", agent="bob")
    await write(app, "a.md", "A kestrel hovers.")
    await merge(app)

    assert await words(app, "marmalad jar") == ([], ["marmalad", "jar"])
    assert await words(app, "marmlade") == ([], ["marmlad"])
