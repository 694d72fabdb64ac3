"""Replacing a file of somebody else: whole, kept beside, and never over a newer one."""

from pathlib import Path

import pytest

from mcp_memory.interfaces.cli.invocation import Failure
from mcp_memory.interfaces.cli.json_files import Change, Document, NotPlainJson


def named(document: Document) -> Document:
    return {**document, "memory": True}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "settings.json"
    file.write_text('{\n    "theme": "dark"\n}')
    file.chmod(0o640)
    return file


def test_the_former_text_is_kept_beside_and_the_mode_stays(file: Path) -> None:
    before = file.read_text()
    backup = Change.of(file, named).apply()
    assert file.read_text() == '{\n    "theme": "dark",\n    "memory": true\n}'
    assert backup is not None
    assert backup.read_text() == before
    assert {each.stat().st_mode & 0o777 for each in (file, backup)} == {0o640}
    assert sorted(file.parent.iterdir()) == sorted([file, backup])


def test_a_second_change_is_not_needed(file: Path) -> None:
    Change.of(file, named).apply()
    assert not Change.of(file, named).is_needed


def test_a_missing_file_is_made_with_its_folders_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "client" / "mcp.json"
    assert Change.of(file, named).apply() is None
    assert file.read_text() == '{\n  "memory": true\n}\n'
    assert file.stat().st_mode & 0o777 == 0o600


def test_nothing_to_remove_makes_no_file(tmp_path: Path) -> None:
    assert not Change.of(tmp_path / "mcp.json", lambda document: document).is_needed


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file)
    Change.of(link, named).apply()
    assert link.is_symlink()
    assert '"memory": true' in file.read_text()


def test_what_the_client_wrote_meanwhile_is_not_overwritten(file: Path) -> None:
    change = Change.of(file, named)
    file.write_text('{"theme": "light"}')
    with pytest.raises(Failure):
        change.apply()
    assert file.read_text() == '{"theme": "light"}'


def test_a_file_that_is_no_text_is_refused(file: Path) -> None:
    file.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(NotPlainJson):
        Change.of(file, named)
