"""Which paths are taken, and which are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.errors import InvalidInput
from mcp_memory.memory.documents.models import check_path, check_prefix


@pytest.mark.parametrize(
    "path",
    [
        "MEMORY.md",
        "notes/2026-03-01.md",
        "Проект/план.md",
        "日記/三月.md",
        "with space.md",
        ".hidden",
        "a..b/c...md",
        "odd'quote\"and%.md",
        "x" * 512,
    ],
)
def test_a_relative_path_is_taken_as_it_is(path: str) -> None:
    assert check_path(path, 512) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "   ",
        "/etc/passwd",
        "\\server\\share",
        "~/notes.md",
        "C:\\notes.md",
        "c:notes.md",
        "../up.md",
        "notes/../../up.md",
        "notes\\..\\up.md",
        "notes/./today.md",
        "notes//today.md",
        "notes/",
        ".",
        "..",
        "nul\0byte.md",
        "line\nbreak.md",
        "delete\x7f.md",
        "half\ud800surrogate.md",
        "x" * 513,
    ],
)
def test_a_path_that_could_lead_elsewhere_or_cannot_be_stored_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_path(path, 512)

    assert caught.value.parameter == "path"


@given(st.text(alphabet=st.sampled_from("ab./\\~:C\n \0é\ud800"), max_size=12))
def test_whatever_is_taken_stays_below_its_root_and_can_be_stored(path: str) -> None:
    try:
        taken = check_path(path, 10)
    except InvalidInput:
        return

    parts = taken.replace("\\", "/").split("/")
    assert taken == path
    assert len(taken) <= 10
    assert not {"", ".", ".."} & set(parts)
    assert taken.encode().isascii() or "é" in taken


@pytest.mark.parametrize("prefix", ["", "n", "notes", "notes/", "notes/2026-", ".hidden", "a..b"])
def test_the_beginning_of_a_path_is_taken_as_it_is(prefix: str) -> None:
    assert check_prefix("prefix", prefix) == prefix


@pytest.mark.parametrize("prefix", ["/", "/etc", "~/", "C:\\", "..", "../", "notes/../", "./n"])
def test_what_no_path_begins_with_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_prefix("path_prefix", prefix)
    assert caught.value.parameter == "path_prefix"
