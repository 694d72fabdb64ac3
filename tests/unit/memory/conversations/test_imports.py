"""Files are taken once, line by line, whatever happens to them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mcp_memory.app import App, open_app
from mcp_memory.memory.conversations.imports.importer import ImportResult
from mcp_memory.memory.conversations.models import Message, MessageFilter
from tests.fixtures.conversations import find
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.transcript_files import CLAUDE_CODE, OPENCLAW, claude, lines, write


async def take(app: App, path: Path) -> ImportResult:
    return await app.importer.take(app.session("alice"), path)


async def kept(app: App, session_id: str) -> list[Message]:
    return await app.transcripts.get(app.session("alice"), session_id=session_id)


async def test_a_claude_code_session_is_taken(app: App, tmp_path: Path) -> None:
    taken = await take(app, write(tmp_path / "x.jsonl", CLAUDE_CODE))
    assert (taken.format, taken.appended, taken.ignored, taken.bad_lines) == (
        "claude-code",
        8,
        1,
        0,
    )
    assert taken.sessions == ["5d0f3a52-session"]
    found = await kept(app, "5d0f3a52-session")
    assert [(m.seq, m.role, m.id, m.content) for m in found] == [
        (1, "user", "u1", "Which boats are in the harbour?"),
        (2, "assistant", "u2", "Let me look."),
        (3, "tool", "u2:2", 'Bash {"command": "ls harbour"}'),
        (4, "tool", "u3:0", "gannet\nkittiwake"),
        (5, "assistant", "u4", "The Gannet and the Kittiwake."),
        (6, "tool", "u5:0", 'mcp__memory__memory_search {"query": "boats"}'),
        (7, "user", "u9", "Paint the Gannet.\n[image]"),
        (8, "tool", "u10", "I sand it first."),
    ]
    assert found[0].metadata == {"cwd": "/home/ann/boats", "branch": "main"}
    assert {m.source for m in found} == {"claude-code"}


async def test_tools_are_found_only_when_asked_for(app: App, tmp_path: Path) -> None:
    await take(app, write(tmp_path / "x.jsonl", CLAUDE_CODE))
    assert await find(app, "kittiwake", match="exact") == ["u4"]
    tools = MessageFilter(role="tool")
    assert await find(app, "kittiwake", match="exact", wanted=tools) == ["u3:0"]
    for word in ("puffin", "continued", "clear"):
        assert await find(app, word, match="exact", wanted=tools) == []
        assert await find(app, word, match="exact") == []


async def test_an_openclaw_session_is_taken(app: App, tmp_path: Path) -> None:
    taken = await take(app, write(tmp_path / "x.jsonl", OPENCLAW))
    assert (taken.format, taken.appended, taken.ignored) == ("openclaw", 4, 2)
    found = await kept(app, "b7300bff-session")
    assert [(m.role, m.id, m.speaker, m.content) for m in found] == [
        ("user", "a1", "", "Hi"),
        ("assistant", "a2", "", "Good morning."),
        ("tool", "a2:2", "weather", 'weather {"at": "sea"}'),
        ("tool", "a3", "weather", "storm"),
    ]


async def test_lines_of_our_own_shape_are_taken(app: App, tmp_path: Path) -> None:
    file = write(
        tmp_path / "talk.jsonl",
        [
            {"role": "user", "content": "Hello", "speaker": "Ann", "source": "chat"},
            {"role": "user", "content": "Hello", "speaker": "Ann", "source": "chat"},
            {"session_id": "other", "id": "7", "role": "assistant", "content": "Hi"},
        ],
    )
    taken = await take(app, file)
    assert (taken.format, taken.appended, taken.sessions) == ("jsonl", 3, ["talk", "other"])
    assert [m.source for m in await kept(app, "talk")] == ["chat", "chat"]
    assert [m.id for m in await kept(app, "other")] == ["7"]


async def test_a_second_time_nothing_is_taken_again(app: App, tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", CLAUDE_CODE)
    await take(app, file)
    again = await take(app, file)
    assert (again.appended, again.duplicates) == (0, 0)
    with file.open("a") as opened:
        opened.write(lines([claude(11, "user", "One more.")]))
    more = await take(app, file)
    assert (more.appended, more.duplicates) == (1, 0)


async def test_the_same_file_elsewhere_is_known_by_its_messages(app: App, tmp_path: Path) -> None:
    first = await take(app, write(tmp_path / "x.jsonl", CLAUDE_CODE))
    second = await take(app, write(tmp_path / "y.jsonl", CLAUDE_CODE))
    assert (second.appended, second.duplicates) == (0, first.appended)


async def test_a_line_that_has_not_ended_waits_for_its_end(app: App, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    whole = lines([claude(1, "user", "first"), claude(2, "user", "second")])
    file.write_text(whole[:-30])
    assert (await take(app, file)).appended == 1
    file.write_text(whole[:-1])
    assert (await take(app, file)).appended == 1
    file.write_text(whole + lines([claude(3, "user", "third")]))
    assert (await take(app, file)).appended == 1
    assert [m.id for m in await kept(app, "5d0f3a52-session")] == ["u1", "u2", "u3"]


@pytest.mark.parametrize("kept_bytes", [0, 100])
async def test_a_file_that_was_replaced_or_cut_is_read_from_its_start(
    app: App, tmp_path: Path, kept_bytes: int
) -> None:
    file = write(tmp_path / "x.jsonl", [claude(n, "user", f"old {n}") for n in range(1, 9)])
    await take(app, file)
    head = file.read_text()[:kept_bytes]
    new = [claude(n, "user", f"new {n}") for n in range(20, 29)]
    file.write_text((head + "\n" if head else "") + lines(new))
    taken = await take(app, file)
    assert (taken.appended, taken.bad_lines) == (9, 1 if kept_bytes else 0)
    assert len(await kept(app, "5d0f3a52-session")) == 17


async def test_a_line_of_two_mebibytes_is_kept_whole(app: App, tmp_path: Path) -> None:
    text = "boats and \U0001f6a2 and nets, " * 90_000
    file = write(tmp_path / "x.jsonl", [claude(1, "user", text), claude(2, "user", "after it")])
    assert file.stat().st_size > 2 << 20
    taken = await take(app, file)
    found = await kept(app, "5d0f3a52-session")
    assert taken.appended == len(found)
    assert "".join(m.content for m in found[:-1]) == text
    assert found[-1].content == "after it"


async def test_lines_that_are_no_messages_are_named_and_passed_over(
    app: App, tmp_path: Path
) -> None:
    file = tmp_path / "x.jsonl"
    bad = ["not json", "[1, 2]", '{"role": "king", "content": "x"}', '{"role": "user"}', ""]
    good = json.dumps({"role": "user", "content": "a\0b \ud800 c"})
    file.write_text("\n".join([json.dumps({"role": "user", "content": "x"}), *bad, good]) + "\n")
    taken = await take(app, file)
    assert (taken.appended, taken.bad_lines, len(taken.problems)) == (2, 4, 4)
    assert (await kept(app, "x"))[1].content == "a\ufffdb \ufffd c"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("created_at", "yesterday-ish"),
        ("created_at", "2026-02-30"),
        ("created_at", True),
        ("created_at", 1e300),
        ("metadata", "a text"),
        ("speaker", 7),
        ("session_id", ["s"]),
    ],
)
async def test_a_line_with_a_field_that_cannot_be_read_is_not_half_taken(
    app: App, tmp_path: Path, field: str, value: object
) -> None:
    line = {"role": "user", "content": "x", "session_id": "s"}
    taken = await take(app, write(tmp_path / "x.jsonl", [line, {**line, field: value}]))
    assert (taken.appended, taken.bad_lines) == (1, 1)
    assert f"{field}: " in taken.problems[0]


@pytest.mark.parametrize(
    "value",
    ["2026-03-01T09:00:00", "2026-03-01T08:00:00Z", 1_772_352_000, 1_772_352_000_000],
)
async def test_when_it_was_said_is_read_as_a_call_reads_it(
    make_config: MakeConfig, tmp_path: Path, value: object
) -> None:
    line = {"role": "user", "content": "x", "id": 7, "created_at": value}
    async with open_app(make_config(timezone="Europe/Zurich")) as app:
        await take(app, write(tmp_path / "s.jsonl", [line]))
        (message,) = await kept(app, "s")
    assert message.id == "7"
    assert message.created_at == datetime(2026, 3, 1, 8, tzinfo=UTC)


async def test_a_file_of_many_batches_is_taken_in_order(app: App, tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", [claude(n, "user", f"line {n}") for n in range(1, 1201)])
    assert (await take(app, file)).appended == 1200
    page = await app.transcripts.recent(app.session("alice"), MessageFilter(), limit=1)
    assert (page.rows[0].seq, page.rows[0].content) == (1200, "line 1200")


async def test_another_agent_reads_the_file_for_itself(app: App, tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", CLAUDE_CODE)
    first = await take(app, file)
    second = await app.importer.take(app.session("bob"), file)
    assert second.appended == first.appended
