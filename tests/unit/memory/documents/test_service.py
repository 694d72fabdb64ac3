"""Writing documents: modes, versions, what is refused, and what happens once under one key."""

from dataclasses import replace
from datetime import UTC, datetime

import anyio
import pytest

from mcp_memory.app import App
from mcp_memory.errors import DocumentExists, IdempotencyConflict, InvalidInput, VersionConflict
from mcp_memory.memory.documents.models import WriteDocument, WriteReceipt
from tests.fixtures.queries import change, chunks, found, rows, settled, until_embedded, write

MIB = 1_048_576
SECTIONS = [f"# Part {n}\n\nThe text of part {n}.\n" for n in range(1, 6)]


async def text_of(app: App, path: str, agent: str = "alice") -> str:
    return (await app.documents.get(app.session(agent), path)).text


async def versions(app: App) -> list[tuple[object, ...]]:
    return await rows(app, "SELECT version, content FROM document_versions ORDER BY version")


async def test_a_first_write_creates_version_1(app: App) -> None:
    written = await app.documents.write(
        app.session("alice"), WriteDocument("MEMORY.md", "# Me\n\nHello")
    )

    assert settled(written) == WriteReceipt("MEMORY.md", 1, 1, 0, created=True, changed=True)
    assert await text_of(app, "MEMORY.md") == "# Me\n\nHello"


async def test_appended_text_starts_on_a_line_of_its_own(app: App) -> None:
    await app.documents.write(app.session("alice"), WriteDocument("a.md", "one"))
    await app.documents.write(app.session("alice"), WriteDocument("a.md", "two\n"))
    written = await app.documents.write(app.session("alice"), WriteDocument("a.md", "three"))

    assert await text_of(app, "a.md") == "one\ntwo\nthree"
    assert (written.version, written.created) == (3, False)


async def test_replace_puts_the_new_text_in_the_place_of_the_old(app: App) -> None:
    await write(app, "alice", "a.md", "marmalade")
    await write(app, "alice", "a.md", "honey")

    assert await text_of(app, "a.md") == "honey"
    assert await found(app, "alice", "marmalade") == []
    assert await versions(app) == [(1, "marmalade"), (2, "honey")]


async def test_replace_may_empty_a_document(app: App) -> None:
    await write(app, "alice", "a.md", "marmalade")
    written = await write(app, "alice", "a.md", "")

    assert (written.version, written.chunks) == (2, 0)
    assert await text_of(app, "a.md") == ""
    assert await found(app, "alice", "marmalade") == []


async def test_create_refuses_a_document_that_exists(app: App) -> None:
    await app.documents.write(app.session("alice"), WriteDocument("a.md", "one", mode="create"))

    with pytest.raises(DocumentExists) as caught:
        await app.documents.write(app.session("alice"), WriteDocument("a.md", "two", mode="create"))

    assert (caught.value.path, caught.value.version) == ("a.md", 1)
    assert await versions(app) == [(1, "one")]


async def test_a_stale_expected_version_is_refused_and_nothing_is_written(app: App) -> None:
    await write(app, "alice", "a.md", "one")
    await write(app, "alice", "a.md", "two")

    with pytest.raises(VersionConflict) as caught:
        await app.documents.write(
            app.session("alice"), WriteDocument("a.md", "three", expected_version=1)
        )

    assert (caught.value.expected, caught.value.actual) == (1, 2)
    assert await versions(app) == [(1, "one"), (2, "two")]
    fresh = await app.documents.write(
        app.session("alice"), WriteDocument("a.md", "three", expected_version=2)
    )
    assert fresh.version == 3


async def test_expected_version_0_means_that_there_is_none_yet(app: App) -> None:
    first = WriteDocument("a.md", "one", expected_version=0)
    assert (await app.documents.write(app.session("alice"), first)).version == 1

    with pytest.raises(VersionConflict):
        await app.documents.write(app.session("alice"), replace(first, content="two"))


async def test_equal_content_makes_no_version(app: App) -> None:
    first = await write(app, "alice", "a.md", "# A\n\nsame")
    second = await write(app, "alice", "a.md", "# A\n\nsame")

    assert second == replace(settled(first), created=False, changed=False)
    assert await versions(app) == [(1, "# A\n\nsame")]
    assert await rows(app, "SELECT count(*) FROM audit_log") == [(1,)]


async def test_other_tags_on_equal_content_make_a_version(app: App) -> None:
    await write(app, "alice", "a.md", "same")
    tagged = WriteDocument("a.md", "same", mode="replace", tags=["b", "a", "b"])

    assert (await app.documents.write(app.session("alice"), tagged)).version == 2
    assert (await app.documents.write(app.session("alice"), tagged)).version == 2
    assert await rows(app, "SELECT tags FROM chunks") == [(["a", "b"],)]


async def test_what_a_write_leaves_open_stays_as_it_was(app: App) -> None:
    happened = datetime(2026, 3, 1, 12, tzinfo=UTC)
    whole = WriteDocument("a.md", "one", tags=["x"], occurred_at=happened, shared=True)
    await app.documents.write(app.session("alice"), whole)
    await app.documents.write(app.session("alice"), WriteDocument("a.md", "two", mode="replace"))

    assert await rows(app, "SELECT tags, occurred_at, shared FROM documents") == [
        (["x"], happened, True)
    ]
    assert await rows(app, "SELECT tags, occurred_at, shared FROM chunks") == [
        (["x"], happened, True)
    ]


async def test_the_title_is_the_first_heading_else_the_name_of_the_file(app: App) -> None:
    await write(app, "alice", "notes/a.md", "# Kestrels\n\nThey hover.")
    await write(app, "alice", "notes/b.md", "They hover.")

    page = await app.documents.list(app.session("alice"))
    assert [document.title for document in page.rows] == ["Kestrels", "b.md"]


async def test_chunks_of_other_sections_keep_their_ids_and_vectors(app: App) -> None:
    await write(app, "alice", "a.md", "\n".join(SECTIONS))
    await until_embedded(app)
    before = await chunks(app)
    vectors = await rows(app, "SELECT chunk_id, xmin::text FROM vectors ORDER BY 1")
    edited = [*SECTIONS[:2], "# Part 3\n\nNow with\nmore lines.\n", *SECTIONS[3:]]
    await write(app, "alice", "a.md", "\n".join(edited))
    after = await chunks(app)

    assert len(before) == len(after) == len(vectors) == 5
    assert [row.id for row in before[:2]] == [row.id for row in after[:2]]
    assert [row.id for row in before[3:]] == [row.id for row in after[3:]]
    assert before[2].id != after[2].id
    assert [row.start_line for row in after] == [row.start_line for row in before[:3]] + [
        row.start_line + 1 for row in before[3:]
    ]
    now = await rows(app, "SELECT chunk_id, xmin::text FROM vectors ORDER BY 1")
    kept = {row.id for row in before} & {row.id for row in after}
    assert [row for row in now if row[0] in kept] == [row for row in vectors if row[0] in kept]


async def test_sections_in_another_order_keep_their_ids(app: App) -> None:
    await write(app, "alice", "a.md", "\n".join(SECTIONS))
    before = {row.text: row.id for row in await chunks(app)}
    await write(app, "alice", "a.md", "\n".join(reversed(SECTIONS)))
    after = await chunks(app)

    assert {row.text: row.id for row in after} == before
    assert [row.text.splitlines()[0] for row in after] == [f"# Part {n}" for n in range(5, 0, -1)]
    assert [row.start_line for row in after] == [1, 5, 9, 13, 17]


async def test_an_unchanged_chunk_in_its_place_is_not_touched(app: App) -> None:
    await write(app, "alice", "a.md", "\n".join(SECTIONS))
    before = await rows(app, "SELECT id, xmin::text, ctid::text FROM chunks ORDER BY position")
    await app.documents.write(
        app.session("alice"), WriteDocument("a.md", "# Part 6\n\nThe text of part 6.")
    )
    after = await rows(app, "SELECT id, xmin::text, ctid::text FROM chunks ORDER BY position")

    assert after[:5] == before
    assert len(after) == 6


async def test_stored_text_is_found_at_once_though_the_query_was_asked_before(app: App) -> None:
    await write(app, "alice", "other.md", "kestrels hover")
    assert await found(app, "alice", "marmalade") == []

    await write(app, "alice", "a.md", "marmalade")

    assert (await found(app, "alice", "marmalade"))[0] == "a.md"


async def test_the_same_text_of_two_agents_is_two_rows(app: App) -> None:
    for agent in ("alice", "bob"):
        await write(app, agent, "a.md", "marmalade")
    assert await rows(app, "SELECT count(*), count(DISTINCT id) FROM documents") == [(2, 2)]

    await app.documents.delete(app.session("alice"), "a.md")

    assert await found(app, "alice", "marmalade") == []
    assert await found(app, "bob", "marmalade") == ["a.md"]
    assert await text_of(app, "a.md", "bob") == "marmalade"


async def test_two_documents_with_the_same_bytes_are_both_indexed(app: App) -> None:
    await write(app, "alice", "a.md", "marmalade")
    await write(app, "alice", "b.md", "marmalade")

    await until_embedded(app)
    assert sorted(await found(app, "alice", "marmalade")) == ["a.md", "b.md"]
    assert await rows(app, "SELECT count(*) FROM vectors") == [(2,)]


@pytest.mark.parametrize(
    ("near", "other", "query"),
    [
        ("Take 5 mg of it.", "Take 50 mg of it.", "5 mg"),
        ("Take 50 mg of it.", "Take 5 mg of it.", "50 mg"),
        ("Take 5mg of it.", "Take 50mg of it.", "5 mg"),
        ("Version 1.10 is out.", "Version 1.1 is out.", "version 1.10"),
    ],
)
async def test_numbers_that_look_alike_are_told_apart(
    app: App, near: str, other: str, query: str
) -> None:
    await write(app, "alice", "near.md", near)
    await write(app, "alice", "other.md", other)

    assert (await found(app, "alice", query))[0] == "near.md"
    assert await text_of(app, "other.md") == other


async def test_opposite_statements_are_two_facts(app: App) -> None:
    await write(app, "alice", "a.md", "Ben likes coffee.")
    await write(app, "alice", "b.md", "Ben does not like coffee.")

    assert sorted(await found(app, "alice", "does Ben like coffee?")) == ["a.md", "b.md"]


KEYED = WriteDocument("a.md", "one", idempotency_key="k-1")


async def test_the_same_key_gives_the_first_answer_and_writes_once(app: App) -> None:
    first = await app.documents.write(app.session("alice"), KEYED)
    await write(app, "alice", "a.md", "something else by now")

    assert settled(await app.documents.write(app.session("alice"), KEYED)) == settled(first)
    assert await text_of(app, "a.md") == "something else by now"


async def test_the_same_key_with_other_content_is_refused(app: App) -> None:
    await app.documents.write(app.session("alice"), KEYED)

    for other in (replace(KEYED, content="two"), replace(KEYED, path="b.md")):
        with pytest.raises(IdempotencyConflict) as caught:
            await app.documents.write(app.session("alice"), other)
        assert caught.value.key == "k-1"
    assert await versions(app) == [(1, "one")]


async def test_anothers_key_is_another_key(app: App) -> None:
    await app.documents.write(app.session("alice"), KEYED)
    written = await app.documents.write(app.session("bob"), replace(KEYED, content="two"))

    assert (written.version, written.created) == (1, True)
    assert await text_of(app, "a.md", "bob") == "two"


async def test_a_key_is_free_again_when_its_write_was_refused(app: App) -> None:
    with pytest.raises(VersionConflict):
        await app.documents.write(app.session("alice"), replace(KEYED, expected_version=7))

    assert (await app.documents.write(app.session("alice"), KEYED)).version == 1


async def test_two_writes_at_once_under_one_key_make_one_version(app: App) -> None:
    answers: list[WriteReceipt] = []

    async def append_once() -> None:
        answers.append(await app.documents.write(app.session("alice"), KEYED))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(append_once)

    # How many vectors are still to come is counted when each call answers.
    assert {settled(answer) for answer in answers} == {
        WriteReceipt("a.md", 1, 1, 0, created=True, changed=True)
    }
    assert len(answers) == 8
    assert await versions(app) == [(1, "one")]


async def test_appends_at_once_lose_nothing(app: App) -> None:
    await write(app, "alice", "a.md", "line 12")
    async with anyio.create_task_group() as tasks:
        for number in range(12):
            request = WriteDocument("a.md", f"line {number}")
            tasks.start_soon(app.documents.write, app.session("alice"), request)

    lines = (await text_of(app, "a.md")).splitlines()
    assert sorted(lines) == sorted(f"line {number}" for number in range(13))
    assert len(await versions(app)) == 13


async def test_a_document_of_exactly_one_mebibyte_is_taken_and_one_byte_more_is_not(
    app: App,
) -> None:
    line = "é" * 511 + "\n\n"
    longest = line * (MIB // len(line.encode()))
    assert len(longest.encode()) == MIB
    await app.documents.write(app.session("alice"), WriteDocument("a.md", longest, mode="create"))

    for request in (WriteDocument("a.md", "x"), WriteDocument("b.md", longest + "x")):
        with pytest.raises(InvalidInput) as caught:
            await app.documents.write(app.session("alice"), request)
        assert caught.value.parameter == "content"
    assert await rows(app, "SELECT path, version FROM documents") == [("a.md", 1)]


@pytest.mark.parametrize(
    ("request_", "parameter"),
    [
        (WriteDocument("a.md", "nul\0byte"), "content"),
        (WriteDocument("a.md", "half \ud800 a pair"), "content"),
        (WriteDocument("a.md", " \n "), "content"),
        (WriteDocument("../a.md", "text"), "path"),
        (WriteDocument("/a.md", "text"), "path"),
        (WriteDocument("half\ud800.md", "text"), "path"),
        (WriteDocument("a.md", "text", tags=["ok", " "]), "tags"),
        (WriteDocument("a.md", "text", tags=["x" * 101]), "tags"),
        (WriteDocument("a.md", "text", tags=["nul\0"]), "tags"),
        (WriteDocument("a.md", "text", tags=["half \ud800"]), "tags"),
        (WriteDocument("a.md", "text", idempotency_key="x" * 201), "idempotency_key"),
        (WriteDocument("a.md", "text", idempotency_key="nul\0"), "idempotency_key"),
        (WriteDocument("a.md", "text", idempotency_key="half \ud800"), "idempotency_key"),
    ],
)
async def test_what_cannot_be_stored_is_refused_before_anything_is_written(
    app: App, request_: WriteDocument, parameter: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await app.documents.write(app.session("alice"), request_)

    assert caught.value.parameter == parameter
    assert await rows(app, "SELECT id FROM documents") == []


async def test_odd_text_comes_back_byte_for_byte(app: App) -> None:
    odd = "tab\there\r\nquote ' \" \\ %s {x} $1\n\u2028 🐘 e\u0301\u202e\ufeff\x07\n\n"
    await write(app, "alice", "odd.md", odd)

    assert await rows(app, "SELECT content FROM document_versions") == [(odd,)]
    assert await text_of(app, "odd.md") == odd


async def test_a_failed_write_leaves_no_part_behind(app: App) -> None:
    await write(app, "alice", "a.md", "one")
    await change(
        app,
        "INSERT INTO document_versions SELECT id, 2, agent_id, false, 'in the way' FROM documents",
    )

    with pytest.raises(Exception, match="document_versions_pkey"):
        await write(app, "alice", "a.md", "two")

    assert await rows(app, "SELECT version FROM documents") == [(1,)]
    assert [row.text for row in await chunks(app)] == ["one"]
