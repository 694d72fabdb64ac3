"""Which files are found, under which paths, and what is refused."""

from pathlib import Path

from mcp_memory.interfaces.cli.files import Selection, SkippedFile, SourceFile, read

LIMIT = 1000


def _found(selection: Selection) -> dict[str, Path]:
    return {each.path: each.file for each in selection.find() if isinstance(each, SourceFile)}


def _skipped(selection: Selection) -> dict[str, str]:
    return {
        each.file.name: each.reason for each in selection.find() if isinstance(each, SkippedFile)
    }


def test_files_are_called_by_their_place_below_the_folder(notes: Path) -> None:
    assert _found(Selection([notes])) == {
        "MEMORY.md": notes / "MEMORY.md",
        "binary.md": notes / "binary.md",
        "latin.md": notes / "latin.md",
        "trips/crlf.md": notes / "trips/crlf.md",
        "trips/norway.txt": notes / "trips/norway.txt",
    }


def test_the_prefix_stands_before_every_path(notes: Path) -> None:
    found = _found(Selection([notes / "trips"], prefix="old/notes/"))
    assert set(found) == {"old/notes/crlf.md", "old/notes/norway.txt"}


def test_hidden_folders_and_links_are_skipped_with_a_reason(notes: Path) -> None:
    assert _skipped(Selection([notes])) == {
        ".git": "hidden",
        "loop": "a link; --follow-links takes it",
    }


def test_a_loop_of_links_ends(notes: Path) -> None:
    selection = Selection([notes], follow_links=True)
    assert _skipped(selection)["loop"] == "a link that leads back to a folder above it"
    assert len(_found(selection)) == 5


def test_a_link_to_another_folder_is_followed_when_asked_for(notes: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.md").write_text("a")
    (notes / "link").symlink_to(elsewhere)
    assert "link/a.md" in _found(Selection([notes], follow_links=True))
    assert "link/a.md" not in _found(Selection([notes]))


def test_patterns_choose_the_files(notes: Path) -> None:
    assert set(_found(Selection([notes], patterns=["*.TXT"]))) == {"trips/norway.txt"}


def test_a_file_given_by_name_is_taken_whatever_its_suffix(notes: Path) -> None:
    assert _found(Selection([notes / "picture.png"])) == {"picture.png": notes / "picture.png"}


def test_two_files_of_one_path_are_not_written_over_each_other(notes: Path) -> None:
    other = notes.parent / "other"
    other.mkdir()
    (other / "MEMORY.md").write_text("another")
    selection = Selection([notes, other])
    assert _found(selection)["MEMORY.md"] == notes / "MEMORY.md"
    assert "--prefix" in _skipped(selection)["MEMORY.md"]


def test_a_name_that_is_not_utf8_is_skipped(notes: Path) -> None:
    odd = notes / "caf\udce9.md"
    odd.write_text("x")
    assert _skipped(Selection([notes]))[odd.name] == "its name is not UTF-8"


def test_a_text_is_read_with_plain_newlines_and_without_its_mark(notes: Path) -> None:
    found = SourceFile(notes / "trips/crlf.md", "crlf.md")
    assert read(found, LIMIT) == "one\ntwo\n"


def test_what_is_no_text_is_skipped_with_a_reason(notes: Path) -> None:
    reasons = {
        name: read(SourceFile(notes / name, name), LIMIT)
        for name in ("binary.md", "latin.md", "gone.md", "trips")
    }
    assert reasons == {
        "binary.md": SkippedFile(notes / "binary.md", "binary"),
        "latin.md": SkippedFile(notes / "latin.md", "not UTF-8 text"),
        "gone.md": SkippedFile(notes / "gone.md", "No such file or directory"),
        "trips": SkippedFile(notes / "trips", "Is a directory"),
    }


def test_a_file_may_be_as_large_as_the_limit_and_no_larger(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("x" * LIMIT)
    assert read(SourceFile(file, "a.md"), LIMIT) == "x" * LIMIT
    assert read(SourceFile(file, "a.md"), LIMIT - 1) == SkippedFile(
        file, "over the limit of 999 bytes"
    )


def test_a_changed_file_belongs_to_the_nearest_root_unless_it_is_hidden(notes: Path) -> None:
    selection = Selection([notes, notes / "trips"])
    assert selection.root_of(notes / "trips/norway.txt") == notes / "trips"
    assert selection.root_of(notes / ".git/HEAD.md") is None
    assert selection.root_of(notes.parent / "a.md") is None
