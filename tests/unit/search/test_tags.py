"""What is said of a document or a memory beside its text finds it: tags, path, title."""

import pytest

from mcp_memory.app import App
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.memory.facts.model import FactChange, NewFact
from mcp_memory.search.kinds import SearchRequest
from tests.fixtures.postgres import Stock
from tests.fixtures.queries import rows

EVERY_SOURCE = ("documents", "graph", "transcripts")


async def found(app: App, query: str) -> list[str]:
    answer = await app.search.passages(
        app.session("alice"), SearchRequest(query, sources=EVERY_SOURCE)
    )
    return [result.path for result in answer.results]


async def write(app: App, path: str, text: str, *tags: str) -> None:
    request = WriteDocument(path, text, mode="replace", tags=list(tags))
    await app.documents.write(app.session("alice"), request)


async def _fill_shelf(app: App) -> None:
    await write(app, "tools/shed.md", "The spade and the rake hang on the left wall.", "gardening")
    for number in range(20):
        await write(app, f"notes/{number}.md", f"Meeting {number} was moved to room {number + 7}.")


@pytest.fixture
async def shelf(app: App, stock: Stock) -> App:
    """Documents about many things; none speaks of gardening."""
    await stock(_fill_shelf)
    return app


async def count_noun(app: App, lexeme: str) -> object:
    """How many of alice's chunks the merged counts give the word."""
    await app.word_counts.merge(await app.databases.writing(None, "alice"))
    counts = await rows(app, "SELECT lexeme, sum(chunks)::int FROM word_counts GROUP BY lexeme")
    return next((chunks for counted, chunks in counts if counted == lexeme), 0)


async def test_a_document_is_found_by_its_tag(shelf: App) -> None:
    assert (await found(shelf, "gardening"))[0] == "tools/shed.md"
    assert await count_noun(shelf, "garden") == 1


async def test_a_word_of_the_text_that_is_a_tag_too_counts_once(app: App) -> None:
    await write(app, "a.md", "Gardening is slow.", "gardening")
    assert await count_noun(app, "garden") == 1


async def test_a_new_tag_finds_the_document_and_an_old_one_no_longer_does(shelf: App) -> None:
    await write(
        shelf, "tools/shed.md", "The spade and the rake hang on the left wall.", "winterproofing"
    )
    assert (await found(shelf, "winterproofing"))[0] == "tools/shed.md"
    assert await found(shelf, "gardening") == []
    assert await count_noun(shelf, "garden") == 0


async def test_retagging_indexes_the_text_as_writing_it_so_does(app: App) -> None:
    long = "\n\n".join(f"## Part {n}\n\nSentence {n} of yesterday. " * 20 for n in range(5))
    await write(app, "a.md", long, "before")
    await write(app, "a.md", long, "after")
    retagged = await rows(app, "SELECT text, lexemes::text FROM chunks ORDER BY position")
    await app.documents.delete(app.session("alice"), "a.md")
    await write(app, "a.md", long, "after")
    assert await rows(app, "SELECT text, lexemes::text FROM chunks ORDER BY position") == retagged


async def test_a_forgotten_document_is_not_found_by_its_tag(shelf: App) -> None:
    await shelf.documents.delete(shelf.session("alice"), "tools/shed.md")
    assert await found(shelf, "gardening") == []
    assert await count_noun(shelf, "garden") == 0
    await shelf.documents.restore(shelf.session("alice"), "tools/shed.md")
    assert (await found(shelf, "gardening"))[0] == "tools/shed.md"


@pytest.mark.parametrize("query", ["shed", "tools/shed.md", "the shed's tools"])
async def test_a_document_is_found_by_its_path(shelf: App, query: str) -> None:
    assert (await found(shelf, query))[0] == "tools/shed.md"


async def test_a_question_that_names_a_file_finds_the_document_itself(shelf: App) -> None:
    await write(shelf, "other.md", "What hangs where is written in tools/shed.md.")
    answer = await shelf.search.passages(
        shelf.session("alice"), SearchRequest("where", anchors=(("file", "tools/shed.md"),))
    )
    assert {result.path for result in answer.results} == {"tools/shed.md", "other.md"}


async def test_a_section_is_found_by_the_headings_above_it(shelf: App) -> None:
    text = "# Lighthouse\n\nBuilt of stone.\n\n## Lantern\n\nIt turns twice a minute."
    await write(shelf, "coast.md", text)
    assert (await found(shelf, "lighthouse lantern"))[0] == "coast.md"


async def test_a_memory_is_found_by_its_tag_until_it_loses_it(shelf: App) -> None:
    memory = NewFact("Ada prunes the roses in March.", tags=("horticulture",))
    stored = await shelf.graph.store(shelf.session("alice"), memory)
    assert (await found(shelf, "horticulture"))[0] == f"graph/{stored.id}"

    await shelf.graph.update(shelf.session("alice"), FactChange(stored.id, tags=("roses",)))
    assert await found(shelf, "horticulture") == []
    await shelf.forgetting.forget(shelf.session("alice"), stored.id)
    assert await found(shelf, "roses") == []
