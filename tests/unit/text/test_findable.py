"""What a piece of text is found by: its own words, those of its name and tags, and its days."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from mcp_memory.text.findable import Findable, day_of

TOLD = date(2026, 11, 20)


def lexemes(**fields: object) -> set[str]:
    given = {"heading": "", "text": "Herons wade.", "reported_on": TOLD} | fields
    literal = Findable(**given).lexemes  # pyright: ignore[reportArgumentType]  # fields by name
    return {entry.rpartition("'")[0].removeprefix("'") for entry in literal.split()}


PLAIN = {"heron", "wade", "~on:2026-11-20", "~in:2026-11"}


def test_a_text_is_found_by_its_words_and_the_day_it_was_told_on() -> None:
    assert lexemes() == PLAIN


@pytest.mark.parametrize(
    ("tag", "added"),
    [
        ("birds", {"bird"}),
        ("Release Notes", {"releas", "note"}),
        ("load-balancer", {"load-balancer", "load", "balanc"}),
        ("camelCase", {"camelcase", "camelcas", "camel", "case"}),
        ("灯台", {"灯台", "灯", "台"}),
    ],
)
def test_a_tag_is_read_as_text_is(tag: str, added: set[str]) -> None:
    assert lexemes(tags=[tag]) == PLAIN | added


def test_a_word_that_is_also_a_tag_keeps_where_it_stands() -> None:
    plain = Findable("", "Herons wade.", TOLD).lexemes
    assert set(Findable("", "Herons wade.", TOLD, tags=["heron"]).lexemes.split()) == set(
        plain.split()
    )


def test_a_path_is_found_by_its_parts_and_its_day() -> None:
    found = lexemes(name="memory/2026-03-01.md")
    assert {"memory/2026-03-01.md", "memori", "~on:2026-03-01", "~in:2026-03"} <= found
    assert "~on:2026-11-20" in found


def test_yesterday_of_a_daily_note_is_before_its_own_day() -> None:
    found = lexemes(name="notes/2026-03-01-standup.md", text="Yesterday the crane broke.")
    assert "~on:2026-02-28" in found
    assert "~on:2026-11-19" not in found


@pytest.mark.parametrize("name", ["2026-13-01.md", "12026-03-01.md", "v2026-03-011.md"])
def test_what_only_looks_like_a_day_is_none(name: str) -> None:
    days = {each for each in lexemes(name=name) if each.startswith("~on:")}
    assert days == {"~on:2026-11-20"}


def test_a_day_is_that_of_the_zone_and_the_ends_of_time_have_one() -> None:
    late = datetime(2024, 6, 9, 23, 30, tzinfo=UTC)
    assert day_of(late, ZoneInfo("Asia/Tokyo")) == date(2024, 6, 10)
    first = datetime(1, 1, 1, tzinfo=UTC)
    assert day_of(first, ZoneInfo("America/New_York")) == date(1, 1, 1)
