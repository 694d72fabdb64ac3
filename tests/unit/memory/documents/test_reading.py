"""Getting and listing documents: lines, versions, chunks, owners, pages; nothing is touched."""

import pytest

from mcp_memory.app import App
from mcp_memory.errors import AmbiguousPath, ChunkNotFound, DocumentNotFound, InvalidInput
from mcp_memory.memory.documents.models import Excerpt, WriteDocument
from mcp_memory.paging import to_cursor
from mcp_memory.search.kinds import SearchRequest
from tests.fixtures.queries import chunks, rows, until_embedded, write

TEN_LINES = "".join(f"line {number}\n" for number in range(1, 11))


async def share(app: App, agent: str, path: str, content: str) -> None:
    await app.documents.write(
        app.session(agent), WriteDocument(path, content, mode="replace", shared=True)
    )


def place(excerpt: Excerpt) -> tuple[str, int, int, int]:
    return excerpt.text, excerpt.start_line, excerpt.end_line, excerpt.total_lines


async def listed(app: App, agent: str, **filters: object) -> list[str]:
    page = await app.documents.list(app.session(agent), **filters)  # pyright: ignore[reportArgumentType]  # its fields are given by name
    return [document.path for document in page.rows]


async def test_a_document_comes_back_whole(app: App) -> None:
    await write(app, "alice", "a.md", TEN_LINES)
    whole = await app.documents.get(app.session("alice"), "a.md")

    assert place(whole) == (TEN_LINES, 1, 10, 10)
    assert (whole.path, whole.version, whole.owner) == ("a.md", 1, "alice")
    assert whole.updated_at.utcoffset() is not None


@pytest.mark.parametrize(
    ("start_line", "lines", "expected"),
    [
        (3, 2, ("line 3\nline 4", 3, 4, 10)),
        (9, 5, ("line 9\nline 10", 9, 10, 10)),
        (10, None, ("line 10", 10, 10, 10)),
    ],
)
async def test_a_document_is_read_by_lines(
    app: App, start_line: int, lines: int | None, expected: tuple[str, int, int, int]
) -> None:
    await write(app, "alice", "a.md", TEN_LINES)

    excerpt = await app.documents.get(
        app.session("alice"), "a.md", start_line=start_line, lines=lines
    )

    assert place(excerpt) == expected


@pytest.mark.parametrize(("start_line", "lines"), [(11, None), (0, None), (-3, 2)])
async def test_lines_that_are_not_there_are_refused(
    app: App, start_line: int, lines: int | None
) -> None:
    await write(app, "alice", "a.md", TEN_LINES)

    with pytest.raises(InvalidInput) as caught:
        await app.documents.get(app.session("alice"), "a.md", start_line=start_line, lines=lines)

    assert caught.value.parameter == "start_line"


async def test_every_older_version_is_readable(app: App) -> None:
    for text in ("one", "two", "three"):
        await write(app, "alice", "a.md", text)

    read = [
        await app.documents.get(app.session("alice"), "a.md", version=number)
        for number in (1, 2, 3)
    ]

    assert [(excerpt.text, excerpt.version) for excerpt in read] == [
        ("one", 1),
        ("two", 2),
        ("three", 3),
    ]
    with pytest.raises(DocumentNotFound):
        await app.documents.get(app.session("alice"), "a.md", version=4)


async def test_an_older_version_says_when_it_was_written(app: App) -> None:
    await write(app, "alice", "a.md", "first")
    first = await app.documents.get(app.session("alice"), "a.md")
    await write(app, "alice", "a.md", "second")

    assert (
        await app.documents.get(app.session("alice"), "a.md", version=1)
    ).updated_at == first.updated_at
    assert (await app.documents.get(app.session("alice"), "a.md")).updated_at > first.updated_at


async def test_a_chunk_comes_with_its_neighbours(app: App) -> None:
    sections = [f"# Part {number}\n\nText of part {number}.\n" for number in range(1, 6)]
    await write(app, "alice", "a.md", "\n".join(sections))
    third = (await chunks(app))[2]

    excerpt = await app.search.context(app.session("alice"), str(third.id))

    assert excerpt.text == "\n".join(sections[1:4]).removesuffix("\n")
    assert (excerpt.start_line, excerpt.end_line, excerpt.total_lines) == (5, 15, 19)


async def test_the_first_chunk_has_one_neighbour(app: App) -> None:
    await write(app, "alice", "a.md", "# One\n\n1\n\n# Two\n\n2\n\n# Three\n\n3\n")
    first = (await chunks(app))[0]

    excerpt = await app.search.context(app.session("alice"), str(first.id))

    assert (excerpt.start_line, excerpt.end_line) == (1, 7)


@pytest.mark.parametrize(
    "chunk_id", ["", "0", "-1", "1.5", "x", "٣", "9" * 19, str(2**63), "9" * 5000, "1; --"]
)
async def test_an_id_that_no_chunk_has_is_not_found(app: App, chunk_id: str) -> None:
    await write(app, "alice", "a.md", "text")

    with pytest.raises(ChunkNotFound):
        await app.search.context(app.session("alice"), chunk_id)


async def test_anothers_private_chunk_answers_like_an_unknown_id(app: App) -> None:
    await write(app, "alice", "a.md", "text")
    (chunk,) = await chunks(app)

    with pytest.raises(ChunkNotFound):
        await app.search.context(app.session("bob"), str(chunk.id))
    await share(app, "alice", "a.md", "text")
    assert (await app.search.context(app.session("bob"), str(chunk.id))).text == "text"


async def test_anothers_private_document_does_not_exist(app: App) -> None:
    await write(app, "alice", "a.md", "secret")

    refusals: list[str] = []
    for path, owner in (("a.md", None), ("a.md", "alice"), ("b.md", "alice")):
        with pytest.raises(DocumentNotFound) as caught:
            await app.documents.get(app.session("bob"), path, owner=owner)
        refusals.append(str(caught.value).replace(path, "?"))
    assert len(set(refusals)) == 1


async def test_ones_own_document_comes_before_shared_ones(app: App) -> None:
    for agent in ("alice", "bob"):
        await share(app, agent, "a.md", f"of {agent}")
    await write(app, "carol", "a.md", "of carol")

    assert (await app.documents.get(app.session("carol"), "a.md")).text == "of carol"
    assert (await app.documents.get(app.session("alice"), "a.md")).text == "of alice"
    assert (await app.documents.get(app.session("carol"), "a.md", owner="bob")).text == "of bob"


async def test_the_only_shared_document_is_meant(app: App) -> None:
    await share(app, "alice", "a.md", "of alice")
    await write(app, "bob", "a.md", "private")

    excerpt = await app.documents.get(app.session("carol"), "a.md")

    assert (excerpt.text, excerpt.owner) == ("of alice", "alice")


async def test_several_shared_documents_are_ambiguous_until_one_is_chosen(app: App) -> None:
    await share(app, "bob", "a.md", "of bob")
    await share(app, "alice", "a.md", "of alice")

    with pytest.raises(AmbiguousPath) as caught:
        await app.documents.get(app.session("carol"), "a.md")

    assert (caught.value.path, caught.value.owners) == ("a.md", ["alice", "bob"])
    assert (await app.documents.get(app.session("carol"), "a.md", owner="bob")).text == "of bob"


async def test_a_version_written_while_private_stays_private(app: App) -> None:
    await write(app, "alice", "a.md", "draft with a secret")
    await share(app, "alice", "a.md", "for everyone")

    assert (await app.documents.get(app.session("bob"), "a.md")).text == "for everyone"
    with pytest.raises(DocumentNotFound):
        await app.documents.get(app.session("bob"), "a.md", version=1)
    assert (
        await app.documents.get(app.session("alice"), "a.md", version=1)
    ).text == "draft with a secret"


async def test_what_is_private_again_is_gone_for_others_in_every_version(app: App) -> None:
    await share(app, "alice", "a.md", "for everyone")
    private = WriteDocument("a.md", "mine again", mode="replace", shared=False)
    await app.documents.write(app.session("alice"), private)

    for version in (None, 1):
        with pytest.raises(DocumentNotFound):
            await app.documents.get(app.session("bob"), "a.md", version=version)
    answer = await app.search.passages(app.session("bob"), SearchRequest("everyone", min_score=0.0))
    assert answer.results == []
    assert await listed(app, "bob") == []


async def test_a_list_is_in_the_order_of_paths_and_shows_what_is_visible(app: App) -> None:
    for path in ("b.md", "a/z.md", "B.md", "ä.md", "a.md"):
        await write(app, "alice", path, path)
    await share(app, "bob", "a.md", "of bob")
    await write(app, "bob", "private.md", "of bob")

    page = await app.documents.list(app.session("alice"))

    assert [(document.path, document.owner) for document in page.rows] == [
        ("B.md", "alice"),
        ("a.md", "alice"),
        ("a.md", "bob"),
        ("a/z.md", "alice"),
        ("b.md", "alice"),
        ("ä.md", "alice"),
    ]
    assert page.next_cursor == ""


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"prefix": "notes/"}, ["notes/1.md", "notes/2.md"]),
        ({"prefix": "notes_"}, []),
        ({"prefix": "note%"}, []),
        ({"prefix": ""}, ["notes/1.md", "notes/2.md", "notes2.md"]),
        ({"tags": ["x"]}, ["notes/1.md", "notes2.md"]),
        ({"tags": ["y", "x", "x"]}, ["notes/1.md"]),
        ({"tags": ["z"]}, []),
        ({"tags": []}, ["notes/1.md", "notes/2.md", "notes2.md"]),
        ({"prefix": "notes/", "tags": ["x"]}, ["notes/1.md"]),
    ],
)
async def test_a_list_is_narrowed_by_prefix_and_by_all_tags(
    app: App, filters: dict[str, object], expected: list[str]
) -> None:
    for path, tags in (("notes/1.md", ["x", "y"]), ("notes/2.md", ["y"]), ("notes2.md", ["x"])):
        await app.documents.write(app.session("alice"), WriteDocument(path, "text", tags=tags))

    assert await listed(app, "alice", **filters) == expected


async def test_pages_are_full_and_give_everything_once(app: App) -> None:
    for number in range(11):
        tags = ["odd"] if number % 2 else []
        await app.documents.write(
            app.session("alice"), WriteDocument(f"{number:02}.md", "text", tags=tags)
        )
        await share(app, "bob", f"{number:02}.md", "text")

    sizes: list[int] = []
    seen: list[tuple[str, str]] = []
    cursor = ""
    while not sizes or cursor:
        page = await app.documents.list(app.session("alice"), limit=4, cursor=cursor)
        sizes.append(len(page.rows))
        seen += [(document.path, document.owner) for document in page.rows]
        cursor = page.next_cursor

    assert sizes == [4, 4, 4, 4, 4, 2]
    assert seen == [(f"{n:02}.md", owner) for n in range(11) for owner in ("alice", "bob")]
    odd = await app.documents.list(app.session("alice"), limit=5, tags=["odd"])
    assert [document.path for document in odd.rows] == [f"{n:02}.md" for n in range(1, 10, 2)]
    assert odd.next_cursor == ""


async def test_a_page_goes_on_where_the_last_one_ended_whatever_was_written_meanwhile(
    app: App,
) -> None:
    for path in ("b.md", "d.md", "f.md"):
        await write(app, "alice", path, "text")
    first = await app.documents.list(app.session("alice"), limit=2)
    await write(app, "alice", "a.md", "text")
    await app.documents.delete(app.session("alice"), "d.md")

    assert await listed(app, "alice", cursor=first.next_cursor) == ["f.md"]


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "é",
        to_cursor("search", 5),
        to_cursor("documents", "a.md"),
        to_cursor("documents", "a.md", 7),
        to_cursor("documents", "nul\0", "alice"),
    ],
)
async def test_a_cursor_of_something_else_is_refused(app: App, cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await app.documents.list(app.session("alice"), cursor=cursor)

    assert caught.value.parameter == "cursor"


async def test_counts_are_of_what_one_can_see(app: App) -> None:
    await write(app, "alice", "a.md", "# One\n\n1\n\n# Two\n\n2")
    await share(app, "bob", "b.md", "text")
    await write(app, "bob", "c.md", "text")
    await write(app, "alice", "gone.md", "text")
    await app.documents.delete(app.session("alice"), "gone.md")

    assert await app.documents.count(app.session("alice")) == {"documents": 2, "chunks": 3}
    assert await app.documents.count(app.session("carol")) == {"documents": 1, "chunks": 1}


# Without the spaces of vectors: the worker marks a new one as prepared when it is done with it.
EVERY_ROW = """
SELECT tableoid::regclass::text AS name, ctid::text, xmin::text, xmax::text FROM documents
UNION ALL
SELECT tableoid::regclass::text, ctid::text, xmin::text, xmax::text FROM document_versions
UNION ALL
SELECT tableoid::regclass::text, ctid::text, xmin::text, xmax::text FROM chunks
UNION ALL
SELECT tableoid::regclass::text, ctid::text, xmin::text, xmax::text FROM vectors
UNION ALL
SELECT tableoid::regclass::text, ctid::text, xmin::text, xmax::text FROM idempotency_keys
UNION ALL
SELECT tableoid::regclass::text, ctid::text, xmin::text, xmax::text FROM audit_log
ORDER BY 1, 2
"""


async def test_reading_writes_nothing(app: App) -> None:
    keyed = WriteDocument("a.md", TEN_LINES, shared=True, idempotency_key="k")
    await app.documents.write(app.session("alice"), keyed)
    (chunk,) = await chunks(app)
    await until_embedded(app)
    before = await rows(app, EVERY_ROW)

    for agent in ("alice", "bob"):
        answer = await app.search.passages(app.session(agent), SearchRequest("line 7"))
        assert [result.path for result in answer.results] == ["a.md"]
        await app.documents.get(app.session(agent), "a.md", version=1)
        await app.search.context(app.session(agent), str(chunk.id))
        await app.documents.list(app.session(agent))
        await app.documents.count(app.session(agent))

    assert {row[0] for row in before} == {
        "documents",
        "document_versions",
        "chunks",
        "vectors",
        "idempotency_keys",
        "audit_log",
    }
    assert await rows(app, EVERY_ROW) == before
